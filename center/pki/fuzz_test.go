package pki

import (
	"crypto/elliptic"
	"crypto/x509"
	"testing"
)

// FuzzSignSensor: a signing request comes from whoever holds an access key.
// Whatever it is, what is signed is a sensor of that id and nothing else.
func FuzzSignSensor(f *testing.F) {
	a := authority(f, f.TempDir(), newClock())
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		f.Add(csr(f, key(f, c)))
	}
	f.Add(a.CADER())
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, der []byte) {
		out, serial, _, err := a.SignSensor(der, "dc1")
		if err != nil {
			return
		}
		cert, err := x509.ParseCertificate(out)
		if err != nil {
			t.Fatal(err)
		}
		if id, ok := SensorID(cert); !ok || id != "dc1" || cert.IsCA || len(cert.DNSNames) != 0 || serial != SerialText(cert.SerialNumber) {
			t.Fatalf("signed %+v", cert)
		}
		if _, err := cert.Verify(x509.VerifyOptions{Roots: a.CAPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, CurrentTime: a.now()}); err != nil {
			t.Fatal(err)
		}
	})
}
