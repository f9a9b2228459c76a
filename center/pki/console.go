package pki

import (
	"crypto/tls"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// reloadEvery is how often the files of the administrator's certificate are
// looked at: a renewed one is presented within this time.
const reloadEvery = time.Minute

// ConsoleTLS is the configuration of the console's port. It presents the
// certificate in the administrator's files, which are read again when they
// change; while they cannot be read the last good one serves. With no files it
// is ServerTLS.
//
// Sensors enrol at this port and trust our CA alone. A client that offers the
// protocol enrol (ALPN) is therefore shown our own certificate in any case.
func (a *Authority) ConsoleTLS(certFile, keyFile, enrol string) (*tls.Config, error) {
	c := a.ServerTLS()
	if certFile == "" && keyFile == "" {
		return c, nil
	}
	p := &pair{certFile: certFile, keyFile: keyFile, now: a.now}
	if _, err := p.get(); err != nil {
		return nil, err
	}
	c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if slices.Contains(hello.SupportedProtos, enrol) {
			return a.serverCertificate()
		}
		return p.get()
	}
	return c, nil
}

// A pair is a certificate in files that somebody else renews.
type pair struct {
	certFile, keyFile string
	now               func() time.Time

	mu      sync.Mutex
	cert    *tls.Certificate
	read    [2]time.Time // when the files were last changed, as of cert
	checked time.Time
}

func (p *pair) get() (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if since := now.Sub(p.checked); p.cert != nil && since >= 0 && since < reloadEvery {
		return p.cert, nil
	}
	p.checked = now
	var changed [2]time.Time
	for i, name := range []string{p.certFile, p.keyFile} {
		if st, err := os.Stat(name); err == nil {
			changed[i] = st.ModTime()
		}
	}
	if p.cert != nil && changed == p.read {
		return p.cert, nil
	}
	cert, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		if p.cert != nil {
			return p.cert, nil // half-renewed, perhaps: looked at again in a minute
		}
		return nil, fmt.Errorf("reading the console's certificate %s with key %s: %w", p.certFile, p.keyFile, err)
	}
	p.cert, p.read = &cert, changed
	return p.cert, nil
}
