package pki

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

const (
	// maxCSR caps a signing request: one with a P-384 key has about 500 bytes.
	maxCSR = 8 << 10
	// maxID is the longest name of a DNS label, and more than our ids need.
	maxID = 63
	// uriScheme and uriPrefix make a sensor's name in its certificate.
	uriScheme = "urn"
	uriPrefix = "verderer:sensor:"
)

// SignSensor makes a certificate for the key of a signing request. Nothing but
// the public key is taken from the request: who the sensor is, id, is for the
// caller to know. The key must be ECDSA on P-256 or P-384, or Ed25519, and the
// request signed with it.
func (a *Authority) SignSensor(csrDER []byte, id string) (der []byte, serial string, notAfter time.Time, err error) {
	if !validID(id) {
		return nil, "", time.Time{}, fmt.Errorf("signing the key of sensor %q: its id must be lower-case letters, digits and \"-\", at most %d", id, maxID)
	}
	public, err := readCSR(csrDER)
	if err != nil {
		return nil, "", time.Time{}, fmt.Errorf("signing the key of sensor %s: %w", id, err)
	}
	n, err := newSerial()
	if err != nil {
		return nil, "", time.Time{}, err
	}
	now := a.now()
	t := &x509.Certificate{
		SerialNumber:          n,
		Subject:               pkix.Name{CommonName: id},
		URIs:                  []*url.URL{{Scheme: uriScheme, Opaque: uriPrefix + id}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              earlier(now.Add(sensorLife), a.cert.NotAfter),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	if der, err = x509.CreateCertificate(rand.Reader, t, a.cert, public, a.key); err != nil {
		return nil, "", time.Time{}, fmt.Errorf("signing the key of sensor %s: %w", id, err)
	}
	return der, SerialText(n), t.NotAfter.UTC().Truncate(time.Second), nil
}

// SensorID is the sensor that a certificate names. The certificate must have
// been verified against CAPool for clientAuth; whether the sensor is still
// welcome is for the caller to know.
func SensorID(cert *x509.Certificate) (string, bool) {
	if len(cert.URIs) != 1 || cert.URIs[0].Scheme != uriScheme {
		return "", false
	}
	id, ok := strings.CutPrefix(cert.URIs[0].Opaque, uriPrefix)
	return id, ok && validID(id) && id == cert.Subject.CommonName
}

func validID(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// CheckRequest tells whether SignSensor would sign a request. It is cheap,
// whatever the request: strangers send them.
func CheckRequest(csrDER []byte) error {
	_, err := readCSR(csrDER)
	return err
}

func readCSR(der []byte) (public any, err error) {
	if len(der) > maxCSR {
		return nil, fmt.Errorf("reading the signing request: %d bytes, at most %d", len(der), maxCSR)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("reading the signing request: %w", err)
	}
	// Before the signature is checked: what a strange key costs is not known.
	switch key := csr.PublicKey.(type) {
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() {
			return nil, fmt.Errorf("reading the signing request: a key on %s, want P-256 or P-384", key.Curve.Params().Name)
		}
	case ed25519.PublicKey:
	default:
		return nil, errors.New("reading the signing request: want an ECDSA or Ed25519 key, not " + csr.PublicKeyAlgorithm.String())
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("checking the signing request's signature: %w", err)
	}
	return csr.PublicKey, nil
}
