package ship

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"time"
)

// Files of a state folder. While a certificate is renewed there are two pairs
// of key and certificate; which key belongs to which certificate shows in them,
// so that a power cut between two renames does no harm.
const (
	fileKey     = "key.pem"
	fileCert    = "cert.pem"
	fileNewKey  = "key-new.pem"
	fileNewCert = "cert-new.pem"
	fileCA      = "ca.pem"
	fileSensor  = "sensor.json"
	fileSpool   = "spool.db"

	// maxFile caps what is read of them: some certificates.
	maxFile = 1 << 20
)

// ErrNotEnrolled says that a state folder holds no identity.
var ErrNotEnrolled = errors.New("this sensor is not enrolled")

// DefaultState is the state folder unless told otherwise.
func DefaultState() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("ProgramData"), "verderer-sensor")
	}
	return "/var/lib/verderer-sensor"
}

// SpoolPath is where the spool of a state folder is.
func SpoolPath(state string) string { return filepath.Join(state, fileSpool) }

// Sensor is what sensor.json says.
type Sensor struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Address string `json:"address"` // host:port of the center's sensor port
	Files   bool   `json:"files,omitempty"`
}

// ids are what ends up in the center's subjects: see wire.
var ids = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)

func (s *Sensor) check() error {
	if !ids.MatchString(s.ID) {
		return fmt.Errorf("%q is no id of a sensor", s.ID)
	}
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil || host == "" || port == "" {
		return fmt.Errorf("%q is no address of a center, want host:port", s.Address)
	}
	return nil
}

// Identity is an enrolled sensor's: who it is, and whom it trusts. It belongs to
// one goroutine.
type Identity struct {
	Sensor
	dir   string
	ca    []*x509.Certificate
	pairs []pair // newest first; at least one
}

// pair is a certificate with its key.
type pair struct {
	tls  tls.Certificate
	leaf *x509.Certificate
	key  *ecdsa.PrivateKey
}

// OpenIdentity reads a state folder. The error is ErrNotEnrolled when there is
// no identity in it.
func OpenIdentity(dir string) (*Identity, error) {
	b, err := readFile(dir, fileSensor)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotEnrolled
	} else if err != nil {
		return nil, fmt.Errorf("reading identity: %w", err)
	}
	id := &Identity{dir: dir}
	path := filepath.Join(dir, fileSensor)
	if err := json.Unmarshal(b, &id.Sensor); err != nil {
		return nil, fmt.Errorf("reading identity %s: %w", path, err)
	}
	if err := id.check(); err != nil {
		return nil, fmt.Errorf("reading identity %s: %w", path, err)
	}
	if err := id.load(); err != nil {
		return nil, fmt.Errorf("reading identity in %s: %w", dir, err)
	}
	return id, nil
}

// load reads keys and certificates.
func (id *Identity) load() error {
	b, err := readFile(id.dir, fileCA)
	if err != nil {
		return err
	}
	if id.ca, err = certificates(b); err != nil || len(id.ca) == 0 {
		return fmt.Errorf("%s holds no certificate: %w", fileCA, err)
	}
	var keys []*ecdsa.PrivateKey
	for _, name := range []string{fileNewKey, fileKey} {
		b, err := readFile(id.dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		block, _ := pem.Decode(b)
		if block == nil {
			return fmt.Errorf("%s holds no key", name)
		}
		k, err := x509.ParseECPrivateKey(block.Bytes)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		keys = append(keys, k)
	}
	id.pairs = nil
	for _, name := range []string{fileNewCert, fileCert} {
		b, err := readFile(id.dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		certs, err := certificates(b)
		if err != nil || len(certs) == 0 {
			return fmt.Errorf("%s holds no certificate: %w", name, err)
		}
		if len(id.pairs) > 0 && id.pairs[0].leaf.Equal(certs[0]) {
			continue
		}
		for _, k := range keys {
			if k.PublicKey.Equal(certs[0].PublicKey) {
				id.pairs = append(id.pairs, newPair(k, certs[0]))
				break
			}
		}
	}
	if len(id.pairs) == 0 {
		return errors.New("no key there belongs to a certificate there")
	}
	return nil
}

func newPair(k *ecdsa.PrivateKey, leaf *x509.Certificate) pair {
	return pair{tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: k, Leaf: leaf}, leaf, k}
}

// Expires is when the newest certificate does.
func (id *Identity) Expires() time.Time { return id.pairs[0].leaf.NotAfter }

// due tells that it is time to renew: a third of the certificate's life is left.
func (id *Identity) due(now time.Time) bool {
	leaf := id.pairs[0].leaf
	return now.After(leaf.NotAfter.Add(-leaf.NotAfter.Sub(leaf.NotBefore) / 3))
}

// config is how the sensor connects to the center with one of its pairs.
func (id *Identity) config(p pair) *tls.Config {
	pool := x509.NewCertPool()
	for _, c := range id.ca {
		pool.AddCert(c)
	}
	host, _, _ := net.SplitHostPort(id.Address) // checked by check
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, ServerName: host, Certificates: []tls.Certificate{p.tls}}
}

// add keeps a renewed certificate with its key, beside what worked so far. ca,
// when it is not empty, is whom to trust from now on.
func (id *Identity) add(k *ecdsa.PrivateKey, cert *x509.Certificate, ca []*x509.Certificate) error {
	keyPEM, err := encodeKey(k)
	if err != nil {
		return err
	}
	if len(ca) > 0 {
		if err := writeFile(filepath.Join(id.dir, fileCA), encodeCertificates(ca...)); err != nil {
			return err
		}
		id.ca = ca
	}
	if err := writeFile(filepath.Join(id.dir, fileNewKey), keyPEM); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(id.dir, fileNewCert), encodeCertificates(cert)); err != nil {
		return err
	}
	id.pairs = append([]pair{newPair(k, cert)}, id.pairs[len(id.pairs)-1])
	return nil
}

// settle keeps the one pair that worked and forgets the other: the old one, or a
// new one that the center does not take.
func (id *Identity) settle(p pair) error {
	if len(id.pairs) == 1 && !exists(id.dir, fileNewKey) && !exists(id.dir, fileNewCert) {
		return nil
	}
	id.pairs = []pair{p}
	key, err := encodeKey(p.key)
	if err != nil {
		return err
	}
	// Each step leaves a certificate whose key is there.
	if err := writeFile(filepath.Join(id.dir, fileNewKey), key); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(id.dir, fileCert), encodeCertificates(p.leaf)); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(id.dir, fileKey), key); err != nil {
		return err
	}
	return errors.Join(remove(id.dir, fileNewCert), remove(id.dir, fileNewKey))
}

// create makes a state folder with a new identity in it, replacing what is there.
func create(dir string, s Sensor, k *ecdsa.PrivateKey, cert *x509.Certificate, ca []*x509.Certificate) error {
	if err := makeState(dir); err != nil {
		return err
	}
	key, err := encodeKey(k)
	if err != nil {
		return err
	}
	about, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	// sensor.json comes last: without it nothing is enrolled.
	if err := errors.Join(remove(dir, fileSensor), remove(dir, fileNewCert), remove(dir, fileNewKey)); err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{fileKey, key}, {fileCert, encodeCertificates(cert)}, {fileCA, encodeCertificates(ca...)}, {fileSensor, append(about, '\n')}} {
		if err := writeFile(filepath.Join(dir, f.name), f.data); err != nil {
			return err
		}
	}
	return nil
}

// makeState makes a state folder, readable by its owner alone. One that is there
// stays as it is, unless others could put files of theirs in the place of ours.
func makeState(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making state folder: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("making state folder: %w", err)
	}
	if info.Mode().Perm()&0o002 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("making state folder: anybody may write to %s: give the sensor a folder of its own", dir)
	}
	return nil
}

// newKey makes a key of the kind the center signs.
func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// request is a certificate request for k. The center does not read its subject.
func request(k *ecdsa.PrivateKey) ([]byte, error) {
	return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, k)
}

// issued reads a certificate that was issued for k, and makes sure that it is
// one that the center will take: by one of ca, and for that key.
func issued(der []byte, k *ecdsa.PrivateKey, ca []*x509.Certificate) (*x509.Certificate, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	if !k.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("the certificate is for another key")
	}
	if !slices.ContainsFunc(ca, func(c *x509.Certificate) bool { return cert.CheckSignatureFrom(c) == nil }) {
		return nil, errors.New("the certificate is not signed by the center's CA")
	}
	return cert, nil
}

func encodeKey(k *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		return nil, fmt.Errorf("encoding key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

func encodeCertificates(list ...*x509.Certificate) (b []byte) {
	for _, c := range list {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return b
}

// certificates reads the certificates of a PEM file.
func certificates(b []byte) (list []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return list, nil
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
}

func readFile(dir, name string) ([]byte, error) {
	path := filepath.Join(dir, name)
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if info.Size() > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return os.ReadFile(path)
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

func remove(dir, name string) error {
	if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
