package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestConsoleCertificate: people see the administrator's certificate, also when
// it was renewed, and sensors that enrol see ours.
func TestConsoleCertificate(t *testing.T) {
	const enrol = "enrol-protocol"
	c := newClock()
	a := authority(t, t.TempDir(), c, "center.example")
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "console.crt"), filepath.Join(dir, "console.key")
	// Another CA's, as an administrator would get it.
	install := func(at time.Time) *Authority {
		other := authority(t, t.TempDir(), c, "console.example")
		s, err := other.serverCertificate()
		if err != nil {
			t.Fatal(err)
		}
		k, err := os.ReadFile(filepath.Join(other.dir, serverFile))
		if err != nil {
			t.Fatal(err)
		}
		fill(t, dir, "console.crt", string(append(certPEM(s.Certificate[0]), certPEM(s.Certificate[1])...)))
		fill(t, dir, "console.key", string(k))
		for _, f := range []string{cert, key} {
			if err := os.Chtimes(f, at, at); err != nil {
				t.Fatal(err)
			}
		}
		return other
	}
	if _, err := a.ConsoleTLS(cert, key, enrol); err == nil || !strings.Contains(err.Error(), cert) {
		t.Errorf("files that are not there: %v", err)
	}
	first := install(c.t)
	console, err := a.ConsoleTLS(cert, key, enrol)
	if err != nil {
		t.Fatal(err)
	}
	sees := func(roots *x509.CertPool, name string, protocols ...string) *x509.Certificate {
		t.Helper()
		return handshake(t, console, &tls.Config{RootCAs: roots, ServerName: name, NextProtos: protocols}, "").PeerCertificates[0]
	}
	sees(first.CAPool(), "console.example", "h2", "http/1.1")
	sees(a.CAPool(), "center.example", enrol, "http/1.1")

	second := install(c.t.Add(time.Second))
	sees(first.CAPool(), "console.example")
	c.t = c.t.Add(reloadEvery)
	sees(second.CAPool(), "console.example")
	fill(t, dir, "console.key", "half written")
	c.t = c.t.Add(reloadEvery)
	sees(second.CAPool(), "console.example")
	third := install(c.t.Add(time.Second))
	c.t = c.t.Add(reloadEvery)
	last := sees(third.CAPool(), "console.example")
	remove(t, dir, "console.key")
	c.t = c.t.Add(reloadEvery)
	if !bytes.Equal(sees(third.CAPool(), "console.example").Raw, last.Raw) {
		t.Error("another certificate with the files gone")
	}
	if console, err = a.ConsoleTLS("", "", enrol); err != nil {
		t.Fatal(err)
	}
	sees(a.CAPool(), "center.example", "h2")
}
