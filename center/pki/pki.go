// Package pki keeps the center's certificate authority: it makes the CA and the
// center's own server certificate, renews the latter, and signs the keys of
// sensors. Sensors trust this CA and no other; it is made at first start and
// never leaves the data folder.
//
// A certificate says what its owner may be: the server's carries serverAuth and
// no other use, a sensor's clientAuth and no other, so that neither passes as
// the other.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base32"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// caLife is long: replacing the CA means enrolling every sensor anew.
	caLife = 10 * 365 * 24 * time.Hour
	// serverLife is the longest that browsers have come to accept.
	serverLife = 397 * 24 * time.Hour
	// sensorLife bounds how long a stolen sensor key is of use to somebody who
	// cannot renew it.
	sensorLife = 90 * 24 * time.Hour
	// backdate lets a computer whose clock is behind ours by hours use a
	// certificate at once.
	backdate = 24 * time.Hour
	// checkEvery is how often the server certificate is looked at for renewal.
	checkEvery = time.Hour
)

// Authority is the CA with the server certificate. Its methods may be called
// from any goroutine.
type Authority struct {
	dir    string
	names  []string
	now    func() time.Time
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	pool   *x509.CertPool
	finger string

	mu      sync.Mutex
	server  *tls.Certificate
	checked time.Time // when server was last found good
}

// Open reads the CA in dir, or makes one at first use, and sees to it that the
// server certificate is good for names (DNS names and addresses). The host's
// own name, localhost and the host's addresses are always among them.
func Open(dir string, names []string) (*Authority, error) {
	return open(dir, names, time.Now)
}

func open(dir string, names []string, now func() time.Time) (*Authority, error) {
	for _, n := range names {
		if _, err := netip.ParseAddr(n); err != nil && !dnsName(n) {
			return nil, fmt.Errorf("making the server's certificate: %q is neither a DNS name (with international ones as xn--) nor an address", n)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of keys %s: %w", dir, err)
	}
	a := &Authority{dir: dir, names: certificateNames(names), now: now, pool: x509.NewCertPool()}
	if err := a.openCA(); err != nil {
		return nil, err
	}
	a.pool.AddCert(a.cert)
	a.finger = Fingerprint(a.cert.Raw)
	if _, err := a.serverCertificate(); err != nil {
		return nil, err
	}
	return a, nil
}

// Fingerprint is the SHA-256 of a certificate in base32, lower-case without
// padding: 52 characters, none of them "-".
func Fingerprint(der []byte) string {
	h := sha256.Sum256(der)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h[:]))
}

// Fingerprint of the CA, as it stands in access keys.
func (a *Authority) Fingerprint() string { return a.finger }

// CAFingerprint is the Fingerprint of the CA in dir, for who needs nothing else
// of it. It writes nothing.
func CAFingerprint(dir string) (string, error) {
	cert, err := readCertificate(filepath.Join(dir, caCertFile))
	if err != nil {
		return "", fmt.Errorf("reading the CA: %w", err)
	}
	return Fingerprint(cert.Raw), nil
}

// CADER is the CA's certificate.
func (a *Authority) CADER() []byte { return slices.Clone(a.cert.Raw) }

// CAPool holds the CA alone.
func (a *Authority) CAPool() *x509.CertPool { return a.pool.Clone() }

// CAExpires is when the CA's certificate ends, and with it every other.
func (a *Authority) CAExpires() time.Time { return a.cert.NotAfter }

// Files in the folder of keys. The server's key stands beside its certificate
// in one file, so that a crash cannot leave two that do not match.
const (
	caKeyFile  = "ca.key"
	caCertFile = "ca.crt"
	serverFile = "server.pem"
)

// openCA reads the CA, or makes it when neither of its files is there. A key
// alone is what a crash in the making leaves: the certificate is made again.
func (a *Authority) openCA() error {
	keyPath, certPath := filepath.Join(a.dir, caKeyFile), filepath.Join(a.dir, caCertFile)
	key, err := readKey(keyPath)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if _, err := os.Stat(certPath); err == nil {
			return fmt.Errorf("opening the CA: %s is there but its key %s is not: restore it from a backup, or remove both and enrol every sensor anew", certPath, keyPath)
		}
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return fmt.Errorf("making the CA's key: %w", err)
		}
		if err := writeKey(keyPath, key); err != nil {
			return fmt.Errorf("writing the CA's key: %w", err)
		}
	case err != nil:
		return fmt.Errorf("opening the CA: %w", err)
	}
	a.key = key
	cert, err := readCertificate(certPath)
	if errors.Is(err, os.ErrNotExist) {
		if cert, err = a.makeCA(); err != nil {
			return fmt.Errorf("making the CA's certificate: %w", err)
		}
		if err := writeFile(certPath, certPEM(cert.Raw), 0o644); err != nil {
			return fmt.Errorf("writing the CA's certificate: %w", err)
		}
	} else if err != nil {
		return fmt.Errorf("opening the CA: %w", err)
	}
	if pub, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || !pub.Equal(&key.PublicKey) || !cert.IsCA {
		return fmt.Errorf("opening the CA: %s is not the certificate of the key in %s: restore both from one backup", certPath, keyPath)
	}
	if a.now().After(cert.NotAfter) {
		return fmt.Errorf("opening the CA: %s expired on %s: remove %s, start again, and enrol every sensor anew", certPath, cert.NotAfter.Format(time.DateOnly), a.dir)
	}
	a.cert = cert
	return nil
}

func (a *Authority) makeCA() (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := a.now()
	t := &x509.Certificate{
		SerialNumber: serial,
		// The serial tells the CAs of several centers apart in a browser's list.
		Subject:               pkix.Name{CommonName: "Verderer center CA " + SerialText(serial)[:8]},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(caLife),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &a.key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// newSerial is 128 random bits: serials tell nothing and never meet.
func newSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, fmt.Errorf("drawing a serial number: %w", err)
	}
	return n.Add(n, big.NewInt(1)), nil // zero is not allowed
}

// SerialText is a serial as SignSensor returns it: hex digits, at least 32.
func SerialText(n *big.Int) string { return fmt.Sprintf("%032x", n) }
