package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base32"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// clock is a time that a test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func authority(t testing.TB, dir string, c *clock, names ...string) *Authority {
	t.Helper()
	a, err := open(dir, names, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newClock() *clock { return &clock{time.Now()} }

func key(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func csr(t testing.TB, k crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: "somebody-else", Organization: []string{"evil"}},
		DNSNames: []string{"center.example"}, EmailAddresses: []string{"a@b"},
	}, k)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func signed(t testing.TB, a *Authority, k crypto.Signer, id string) *x509.Certificate {
	t.Helper()
	der, _, _, err := a.SignSensor(csr(t, k), id)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "pki")
	c := newClock()
	a := authority(t, dir, c, "center.example")
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, f := range list {
		st, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f.Name())
		if secret := f.Name() != caCertFile; runtime.GOOS != "windows" && secret && st.Mode() != 0o600 {
			t.Errorf("%s has mode %v", f.Name(), st.Mode())
		}
	}
	if !slices.Equal(files, []string{caCertFile, caKeyFile, serverFile}) {
		t.Errorf("files %q", files)
	}
	if st, _ := os.Stat(dir); runtime.GOOS != "windows" && st.Mode().Perm() != 0o700 {
		t.Errorf("folder has mode %v", st.Mode())
	}
	sum := sha256.Sum256(a.CADER())
	if want := strings.ToLower(strings.TrimRight(base32.StdEncoding.EncodeToString(sum[:]), "=")); a.Fingerprint() != want || len(want) != 52 {
		t.Errorf("fingerprint %q, want %q", a.Fingerprint(), want)
	}
	before, _ := a.serverCertificate()
	again := authority(t, dir, c, "center.example")
	after, _ := again.serverCertificate()
	if !bytes.Equal(a.CADER(), again.CADER()) || !bytes.Equal(before.Certificate[0], after.Certificate[0]) {
		t.Error("opened again it has other certificates")
	}
	if ca, _ := x509.ParseCertificate(a.CADER()); ca.NotAfter.Sub(c.t) < 3649*24*time.Hour || !ca.MaxPathLenZero || ca.KeyUsage != x509.KeyUsageCertSign || !a.CAExpires().Equal(ca.NotAfter) {
		t.Errorf("the CA: %+v", ca)
	}
}

// TestSecret: it is drawn once and stays, and one that others could read or that
// was cut short is told of.
func TestSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tag.key")
	first, err := Secret(path)
	if err != nil || len(first) != 32 || bytes.Equal(first, make([]byte, 32)) {
		t.Fatalf("%x, %v", first, err)
	}
	if again, err := Secret(path); err != nil || !bytes.Equal(first, again) {
		t.Errorf("%x, %v; want %x", again, err, first)
	}
	if runtime.GOOS != "windows" {
		os.Chmod(path, 0o644)
		if _, err := Secret(path); err == nil || !strings.Contains(err.Error(), "others may read it") {
			t.Errorf("readable by others: %v", err)
		}
		os.Chmod(path, 0o600)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Secret(path); err == nil || !strings.Contains(err.Error(), "has 0 bytes") {
		t.Errorf("cut short: %v", err)
	}
}

func TestBrokenFiles(t *testing.T) {
	for _, c := range []struct {
		name   string
		do     func(t *testing.T, dir string)
		says   string // "" it opens
		sameCA bool
	}{
		{"the CA's certificate was not written", func(t *testing.T, dir string) { remove(t, dir, caCertFile) }, "", false},
		{"the CA's key is gone", func(t *testing.T, dir string) { remove(t, dir, caKeyFile) }, "restore it from a backup", false},
		{"others may read the key", func(t *testing.T, dir string) { os.Chmod(filepath.Join(dir, caKeyFile), 0o640) }, "others may read it (mode 0640)", false},
		{"the key is damaged", func(t *testing.T, dir string) { fill(t, dir, caKeyFile, "x") }, caKeyFile, false},
		{"the key is of another CA", func(t *testing.T, dir string) {
			if err := writeKey(filepath.Join(dir, caKeyFile), key(t, elliptic.P256())); err != nil {
				t.Fatal(err)
			}
		}, "is not the certificate of the key", false},
		{"the CA's certificate is damaged", func(t *testing.T, dir string) { fill(t, dir, caCertFile, "x") }, caCertFile, false},
		{"the server's file is damaged", func(t *testing.T, dir string) { fill(t, dir, serverFile, "x") }, "", true},
		{"the server's file is gone", func(t *testing.T, dir string) { remove(t, dir, serverFile) }, "", true},
		{"the server's file is of another CA", func(t *testing.T, dir string) {
			other := t.TempDir()
			authority(t, other, newClock())
			b, err := os.ReadFile(filepath.Join(other, serverFile))
			if err != nil {
				t.Fatal(err)
			}
			fill(t, dir, serverFile, string(b))
		}, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if runtime.GOOS == "windows" && strings.Contains(c.name, "others") {
				t.Skip("no modes on Windows")
			}
			dir := t.TempDir()
			old := authority(t, dir, newClock()).CADER()
			c.do(t, dir)
			a, err := Open(dir, nil)
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), dir) {
					t.Errorf("%v; want one that says %q", err, c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.sameCA && !bytes.Equal(a.CADER(), old) {
				t.Error("the CA is another one")
			}
			handshake(t, a.ServerTLS(), &tls.Config{RootCAs: a.CAPool(), ServerName: "localhost"}, "")
		})
	}
	c := newClock()
	dir := t.TempDir()
	authority(t, dir, c)
	c.t = c.t.Add(caLife + time.Hour)
	if _, err := open(dir, nil, c.now); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("after ten years: %v", err)
	}
	for _, bad := range []string{"", "a b", "über.example", "-" + strings.Repeat("x", 70), "a..b", "https://x"} {
		if _, err := Open(t.TempDir(), []string{bad}); err == nil {
			t.Errorf("a certificate for %q", bad)
		}
	}
}

func remove(t *testing.T, dir, name string) {
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func fill(t *testing.T, dir, name, content string) {
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// handshake connects two ends over TCP. The client's or the server's error must
// say why; "" is that they speak.
func handshake(t *testing.T, server, client *tls.Config, why string) *tls.ConnectionState {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	failed := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			defer conn.Close()
			if err = conn.(*tls.Conn).Handshake(); err == nil {
				_, err = conn.Write([]byte("x"))
			}
		}
		failed <- err
	}()
	conn, err := net.DialTimeout("tcp", l.Addr().String(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	c := tls.Client(conn, client)
	_, err = io.ReadFull(c, make([]byte, 1))
	conn.Close()
	err2 := <-failed
	if joined := errors.Join(err, err2); (joined == nil) != (why == "") || why != "" && !strings.Contains(joined.Error(), why) {
		t.Errorf("client: %v, server: %v; want %q", err, err2, why)
	}
	state := c.ConnectionState()
	return &state
}

// TestWhoIsWho: with certificates of one CA the server is a server only, a
// sensor a client only, and strangers are neither.
func TestWhoIsWho(t *testing.T) {
	c := newClock()
	a := authority(t, t.TempDir(), c, "center.example", "10.9.8.7")
	stranger := authority(t, t.TempDir(), c, "center.example")
	mutual := func(of *Authority) *tls.Config {
		s := of.ServerTLS()
		s.ClientAuth, s.ClientCAs = tls.RequireAndVerifyClientCert, a.CAPool()
		return s
	}
	sensor := func(of *Authority) *tls.Certificate {
		k := key(t, elliptic.P256())
		return &tls.Certificate{Certificate: [][]byte{signed(t, of, k, "dc1").Raw}, PrivateKey: k}
	}
	client := func(c *tls.Certificate, name string) *tls.Config {
		v := &tls.Config{RootCAs: a.CAPool(), ServerName: name}
		if c != nil { // whatever the server says that it accepts
			v.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c, nil }
		}
		return v
	}
	good := sensor(a)
	for _, name := range []string{"center.example", "CENTER.example", "10.9.8.7", "localhost", "127.0.0.1", "::1"} {
		state := handshake(t, mutual(a), client(good, name), "")
		if n := len(state.PeerCertificates); n != 2 || !bytes.Equal(state.PeerCertificates[1].Raw, a.CADER()) {
			t.Errorf("%s: the chain has %d certificates, want the CA's at its end", name, n)
		}
	}
	server, err := a.serverCertificate()
	if err != nil {
		t.Fatal(err)
	}
	handshake(t, mutual(a), client(good, "other.example"), "not other.example")
	handshake(t, mutual(a), client(nil, "localhost"), "didn't provide a certificate")
	handshake(t, mutual(a), client(sensor(stranger), "localhost"), "unknown authority")
	handshake(t, mutual(a), client(server, "localhost"), "incompatible key usage")
	handshake(t, mutual(stranger), client(good, "localhost"), "unknown authority")
	pretender := &tls.Config{Certificates: []tls.Certificate{*good}}
	handshake(t, pretender, &tls.Config{RootCAs: a.CAPool(), ServerName: "dc1"}, "certificate")
	leaf, _ := x509.ParseCertificate(good.Certificate[0])
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: a.CAPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err == nil {
		t.Error("a sensor passes as a server")
	}
	handshake(t, mutual(a), &tls.Config{RootCAs: a.CAPool(), ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "protocol version")
}

func TestSignSensor(t *testing.T) {
	c := newClock()
	a := authority(t, t.TempDir(), c)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serials := make(map[string]bool)
	for name, k := range map[string]crypto.Signer{"P-256": key(t, elliptic.P256()), "P-384": key(t, elliptic.P384()), "Ed25519": ed} {
		der, serial, until, err := a.SignSensor(csr(t, k), "dc-01")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		id, ok := SensorID(cert)
		if !ok || id != "dc-01" || cert.Subject.String() != "CN=dc-01" || len(cert.DNSNames)+len(cert.EmailAddresses)+len(cert.IPAddresses) != 0 || cert.IsCA {
			t.Errorf("%s: %v of %+v", name, id, cert.Subject)
		}
		if !slices.Equal(cert.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) || cert.KeyUsage != x509.KeyUsageDigitalSignature {
			t.Errorf("%s: usages %v, %v", name, cert.ExtKeyUsage, cert.KeyUsage)
		}
		if serial != SerialText(cert.SerialNumber) || len(serial) < 32 || serials[serial] {
			t.Errorf("%s: serial %s", name, serial)
		}
		serials[serial] = true
		if !until.Equal(cert.NotAfter) || until.Sub(c.t) > sensorLife || until.Sub(c.t) < sensorLife-time.Minute {
			t.Errorf("%s: until %v", name, until)
		}
	}

	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := csr(t, key(t, elliptic.P256()))
	forged := bytes.Clone(good)
	forged[len(forged)-5] ^= 1
	other := bytes.Clone(good) // another's key with a signature that was good for the first
	if i := bytes.Index(other, []byte{0x03, 0x42, 0x00, 0x04}); i > 0 {
		other[i+10] ^= 1
	} else {
		t.Fatal("no public key in the request")
	}
	for name, c := range map[string]struct{ der []byte }{
		"empty":           {nil},
		"no request":      {[]byte("hello")},
		"cut":             {good[:len(good)-1]},
		"with more after": {append(bytes.Clone(good), 0)},
		"too long":        {append(bytes.Clone(good), make([]byte, maxCSR)...)},
		"RSA":             {csr(t, rsaKey)},
		"P-224":           {csr(t, key(t, elliptic.P224()))},
		"P-521":           {csr(t, key(t, elliptic.P521()))},
		"wrong signature": {forged},
		"another key":     {other},
		"a certificate":   {a.CADER()},
	} {
		if _, _, _, err := a.SignSensor(c.der, "dc1"); err == nil {
			t.Errorf("%s was signed", name)
		} else if !strings.Contains(err.Error(), "sensor dc1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, id := range []string{"", "DC1", "a.b", "a b", "a*", "ü", "a/b", "a\x00", ">", strings.Repeat("a", 64)} {
		if _, _, _, err := a.SignSensor(good, id); err == nil {
			t.Errorf("id %q was signed", id)
		}
	}
	server, err := a.serverCertificate()
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := SensorID(server.Leaf); ok {
		t.Errorf("the server is sensor %q", id)
	}
}

// TestRenewal walks the clock through the server certificate's life.
func TestRenewal(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	a := authority(t, dir, c, "center.example")
	first, err := a.serverCertificate()
	if err != nil {
		t.Fatal(err)
	}
	life := first.Leaf.NotAfter.Sub(first.Leaf.NotBefore)
	if life > 397*24*time.Hour || life < 396*24*time.Hour {
		t.Errorf("lives %v", life)
	}
	same := func(want bool) {
		t.Helper()
		now, err := a.serverCertificate()
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Equal(now.Certificate[0], first.Certificate[0]); got != want {
			t.Errorf("same certificate: %v, want %v", got, want)
		}
		if now.Leaf.NotAfter.Before(c.t) || now.Leaf.NotBefore.After(c.t) {
			t.Errorf("not valid at %v: %v to %v", c.t, now.Leaf.NotBefore, now.Leaf.NotAfter)
		}
	}
	third := first.Leaf.NotAfter.Add(-life / 3)
	c.t = third.Add(-time.Second)
	same(true)
	c.t = third
	same(true) // looked at a second ago
	c.t = third.Add(checkEvery)
	same(false)
	reopened := authority(t, dir, c, "center.example")
	if now, _ := reopened.serverCertificate(); bytes.Equal(now.Certificate[0], first.Certificate[0]) {
		t.Error("the new one was not kept")
	}
	// A folder that cannot be written to: the old one serves until its end.
	a = authority(t, dir, c, "center.example")
	first, _ = a.serverCertificate()
	a.dir = filepath.Join(dir, "gone")
	c.t = first.Leaf.NotAfter.Add(-time.Hour)
	same(true)
	c.t = first.Leaf.NotAfter.Add(time.Hour)
	if _, err := a.serverCertificate(); err == nil {
		t.Error("an expired certificate is presented")
	}
	// Close to its own end the CA gives out nothing that outlives it.
	c.t = a.cert.NotAfter.Add(-10 * 24 * time.Hour)
	a = authority(t, dir, c, "center.example")
	last, err := a.serverCertificate()
	if err != nil || !last.Leaf.NotAfter.Equal(a.cert.NotAfter) {
		t.Errorf("until %v, the CA until %v, %v", last.Leaf.NotAfter, a.cert.NotAfter, err)
	}
	if _, _, until, err := a.SignSensor(csr(t, key(t, elliptic.P256())), "dc1"); err != nil || until.After(a.cert.NotAfter) {
		t.Errorf("a sensor's until %v, %v", until, err)
	}
}

func TestNames(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	leaf := func(names ...string) *x509.Certificate {
		t.Helper()
		s, err := authority(t, dir, c, names...).serverCertificate()
		if err != nil {
			t.Fatal(err)
		}
		return s.Leaf
	}
	one := leaf("B.example.", "a.example", "10.9.8.7", "::ffff:10.9.8.6", "a.example")
	for _, n := range []string{"a.example", "b.example", "10.9.8.7", "10.9.8.6", "localhost", "127.0.0.1", "::1"} {
		if err := one.VerifyHostname(n); err != nil {
			t.Error(err)
		}
	}
	if h, err := os.Hostname(); err == nil && dnsName(h) && one.VerifyHostname(h) != nil {
		t.Errorf("not for the host's own name %s", h)
	}
	if two := leaf("a.example", "b.example", "10.9.8.6", "10.9.8.7"); !bytes.Equal(one.Raw, two.Raw) {
		t.Error("the same names in another order made a new certificate")
	}
	if three := leaf("c.example"); three.VerifyHostname("c.example") != nil || three.VerifyHostname("a.example") == nil {
		t.Errorf("other names: %v", three.DNSNames)
	}
}

func TestSerials(t *testing.T) {
	var least, most = new(big.Int).Lsh(big.NewInt(1), 200), new(big.Int)
	for range 1000 {
		n, err := newSerial()
		if err != nil || n.Sign() <= 0 || n.BitLen() > 129 {
			t.Fatal(n, err)
		}
		if n.Cmp(least) < 0 {
			least = n
		}
		if n.Cmp(most) > 0 {
			most = n
		}
	}
	if most.BitLen() < 120 || least.Cmp(most) == 0 {
		t.Errorf("from %v to %v", least, most)
	}
}
