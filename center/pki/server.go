package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxAddresses caps the host's own addresses in the server certificate: a
// container host may have hundreds, and whoever needs one of those names it.
const maxAddresses = 32

// ServerTLS is the configuration of a port that presents the server
// certificate, with the CA behind it. A renewed certificate is presented
// without a restart. Client certificates are the caller's business: CAPool.
func (a *Authority) ServerTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, // scripts on the oldest Windows we watch
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return a.serverCertificate()
		},
	}
}

// serverCertificate returns the server certificate. It makes a new one when
// there is none, when a third of its life is left, when it is for other names,
// or when it cannot be read: nothing rests on the old one.
func (a *Authority) serverCertificate() (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	// Also looked at when the clock was set back.
	if since := now.Sub(a.checked); a.server != nil && since >= 0 && since < checkEvery {
		return a.server, nil
	}
	if a.server == nil {
		if c, err := a.readServer(); err == nil {
			a.server = c
		} else if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, errUnusable) {
			return nil, err
		}
	}
	if a.server == nil || !a.good(a.server.Leaf, now) {
		c, err := a.makeServer(now)
		switch {
		case err == nil:
			a.server = c
		case a.server == nil || now.After(a.server.Leaf.NotAfter):
			return nil, err
		}
		// Else it will be tried again, and until then the old one serves.
	}
	a.checked = now
	return a.server, nil
}

// errUnusable: the file is there and what is in it is of no use.
var errUnusable = errors.New("unusable server certificate")

func (a *Authority) readServer() (*tls.Certificate, error) {
	path := filepath.Join(a.dir, serverFile)
	b, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(b)
	if err != nil {
		return nil, errUnusable
	}
	leaf, err := parseCertificate(b)
	if err != nil {
		return nil, errUnusable
	}
	if pub, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || !pub.Equal(&key.PublicKey) || leaf.CheckSignatureFrom(a.cert) != nil {
		return nil, errUnusable
	}
	return a.chain(leaf, key), nil
}

func (a *Authority) chain(leaf *x509.Certificate, key *ecdsa.PrivateKey) *tls.Certificate {
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw, a.cert.Raw}, PrivateKey: key, Leaf: leaf}
}

// good tells whether more than a third of the life of cert is left and it is
// for the names it should be for.
func (a *Authority) good(cert *x509.Certificate, now time.Time) bool {
	life := cert.NotAfter.Sub(cert.NotBefore)
	left := cert.NotAfter.Sub(now)
	var have []string
	have = append(have, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		have = append(have, ip.String())
	}
	slices.Sort(have)
	return left > life/3 && now.After(cert.NotBefore) && slices.Equal(have, a.names)
}

func (a *Authority) makeServer(now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the server's key: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "Verderer center"},
		NotBefore:             now.Add(-backdate),
		NotAfter:              earlier(now.Add(serverLife-backdate), a.cert.NotAfter),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, n := range a.names {
		if ip, err := netip.ParseAddr(n); err == nil {
			t.IPAddresses = append(t.IPAddresses, ip.AsSlice())
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("signing the server's certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading the server's certificate back: %w", err)
	}
	b, err := keyPEM(key)
	if err != nil {
		return nil, fmt.Errorf("encoding the server's key: %w", err)
	}
	if err := writeFile(filepath.Join(a.dir, serverFile), append(certPEM(der), b...), 0o600); err != nil {
		return nil, fmt.Errorf("writing the server's certificate: %w", err)
	}
	return a.chain(leaf, key), nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// certificateNames is what the server certificate is for, sorted: what was
// asked for, this host's name, localhost, and this host's addresses.
func certificateNames(asked []string) []string {
	list := append([]string{"localhost", "127.0.0.1", "::1"}, asked...)
	if h, err := os.Hostname(); err == nil && dnsName(h) {
		list = append(list, h)
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		addresses = nil // those asked for still stand
	}
	n := 0
	for _, a := range addresses {
		p, err := netip.ParsePrefix(a.String())
		// A link-local address needs a zone, which a certificate cannot hold.
		if err != nil || p.Addr().IsLoopback() || p.Addr().IsLinkLocalUnicast() || n == maxAddresses {
			continue
		}
		list, n = append(list, p.Addr().String()), n+1
	}
	for i, s := range list {
		if ip, err := netip.ParseAddr(s); err == nil {
			list[i] = ip.Unmap().WithZone("").String()
		} else {
			list[i] = strings.TrimSuffix(strings.ToLower(s), ".")
		}
	}
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(s string) bool { return s == "" })
}

// dnsName tells whether a certificate can hold s as a DNS name. "_" is not
// allowed in host names, and Windows has hosts called so.
func dnsName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > 253 {
		return false
	}
	for _, label := range strings.Split(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range []byte(strings.ToLower(label)) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}
