package pki

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

const (
	keyBlock  = "PRIVATE KEY"
	certBlock = "CERTIFICATE"
)

// Secret reads 32 secret bytes, or draws them and keeps them, for whoever is the
// file's owner.
func Secret(path string) ([]byte, error) {
	b, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		b = make([]byte, 32)
		rand.Read(b)
		err = writeFile(path, b, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("reading a secret: %w", err)
	}
	if len(b) != 32 {
		return nil, fmt.Errorf("reading a secret: %s has %d bytes, not 32: move it away, and a new one is made", path, len(b))
	}
	return b, nil
}

// readSecret reads a file that only its owner may read.
func readSecret(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := st.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return nil, fmt.Errorf("reading %s: others may read it (mode %#o): chmod 600 it, and think about who has seen it", path, mode)
	}
	return os.ReadFile(path)
}

func readKey(path string) (*ecdsa.PrivateKey, error) {
	b, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(b)
	if err != nil {
		return nil, fmt.Errorf("reading key %s: %w", path, err)
	}
	return key, nil
}

// parseKey takes the first private key of a PEM file.
func parseKey(b []byte) (*ecdsa.PrivateKey, error) {
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return nil, fmt.Errorf("no %s in PEM found", keyBlock)
		}
		if block.Type != keyBlock {
			continue
		}
		k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		key, ok := k.(*ecdsa.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("want an ECDSA key, got %T", k)
		}
		return key, nil
	}
}

func readCertificate(path string) (*x509.Certificate, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	cert, err := parseCertificate(b)
	if err != nil {
		return nil, fmt.Errorf("reading certificate %s: %w", path, err)
	}
	return cert, nil
}

// parseCertificate takes the first certificate of a PEM file.
func parseCertificate(b []byte) (*x509.Certificate, error) {
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return nil, fmt.Errorf("no %s in PEM found", certBlock)
		}
		if block.Type == certBlock {
			return x509.ParseCertificate(block.Bytes)
		}
	}
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: certBlock, Bytes: der})
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}), nil
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	b, err := keyPEM(key)
	if err != nil {
		return err
	}
	return writeFile(path, b, 0o600)
}

// writeFile leaves either the old file or the whole new one, whenever the
// machine stops.
func writeFile(path string, b []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.Write(b)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err2 := f.Close(); err == nil {
		err = err2
	}
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && runtime.GOOS != "windows" {
		return err
	}
	return nil
}
