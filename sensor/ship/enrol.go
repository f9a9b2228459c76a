package ship

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/names"
)

const (
	// centerPort is where centers serve console and API unless told otherwise.
	centerPort = "8443"
	// enrolTimeout is for the whole of an enrolment: one request.
	enrolTimeout = 30 * time.Second
	// maxAnswer caps what is read of a center's answer: two certificates.
	maxAnswer = 256 << 10
	// maxChain caps the certificates of a handshake that are looked at.
	maxChain = 16
)

// ErrEnrolled says that a state folder holds an identity already.
var ErrEnrolled = errors.New("this sensor is enrolled already")

// AccessKey is what lets a sensor enrol, in its parts.
type AccessKey struct {
	ID, Secret  string
	Fingerprint [sha256.Size]byte // of the CA that the center's certificate comes from
	text        string
}

// accessKey is how it is shown; the fingerprint is 32 bytes in base32.
var accessKey = regexp.MustCompile(`^vk1-([a-z0-9]{1,64})-([a-z0-9]{1,128})-([a-z2-7]{52})$`)

var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

// ParseAccessKey reads an access key as it is shown. White space around it and
// capitals do no harm. The error does not repeat it.
func ParseAccessKey(s string) (AccessKey, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	m := accessKey.FindStringSubmatch(s)
	if m == nil {
		return AccessKey{}, errors.New("this is no access key: one looks like vk1-…-…-…, has no spaces, and is shown in the console under Sensors")
	}
	k := AccessKey{ID: m[1], Secret: m[2], text: s}
	b, err := base32Text.DecodeString(strings.ToUpper(m[3]))
	if err != nil || len(b) != len(k.Fingerprint) || strings.ToLower(base32Text.EncodeToString(b)) != m[3] {
		return AccessKey{}, errors.New("the last part of the access key is damaged: copy the whole key again")
	}
	copy(k.Fingerprint[:], b)
	return k, nil
}

// Enrolment is what Enrol needs.
type Enrolment struct {
	State   string // folder
	Center  string // URL; https and port 8443 unless it says so
	Key     string // as shown
	Name    string // what people call the sensor; "" its host name
	Files   bool   // it will read files and nothing else
	Force   bool   // replace an identity that is there
	Version string // of the program
}

// Enrol makes a key, has the center sign it, and keeps both in the state folder.
// It talks to that center alone whose CA the access key names.
func Enrol(ctx context.Context, e Enrolment) (*Identity, error) {
	key, err := ParseAccessKey(e.Key)
	if err != nil {
		return nil, err
	}
	base, err := centerURL(e.Center)
	if err != nil {
		return nil, err
	}
	if !e.Force && exists(e.State, fileSensor) {
		return nil, ErrEnrolled
	}
	if err := makeState(e.State); err != nil { // before a use of the key is spent
		return nil, err
	}
	if e.Name == "" {
		if e.Name, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("asking for this computer's name: %w", err)
		}
	}
	private, err := newKey()
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	csr, err := request(private)
	if err != nil {
		return nil, fmt.Errorf("making a certificate request: %w", err)
	}
	var ca *x509.Certificate
	answer, err := post(ctx, base, key, &ca, wire.Enrolment{
		Key: key.text, Name: e.Name, CSR: csr, Version: e.Version, OS: Platform(), Files: e.Files,
	})
	if err != nil {
		return nil, err
	}
	s := Sensor{ID: answer.ID, Name: e.Name, Address: answer.Address, Files: e.Files}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("reading the center's answer: %w", err)
	}
	cert, err := issued(answer.Certificate, private, []*x509.Certificate{ca})
	if err != nil {
		return nil, fmt.Errorf("reading the center's answer: %w", err)
	}
	if err := create(e.State, s, private, cert, []*x509.Certificate{ca}); err != nil {
		return nil, fmt.Errorf("keeping the identity: %w", err)
	}
	return OpenIdentity(e.State)
}

// Platform is the operating system and the processor, as Hello says it.
func Platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

// centerURL reads the address of a center as people write it.
func centerURL(s string) (*url.URL, error) {
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("%q is no address of a center, want https://HOST:%s", s, centerPort)
	}
	if u.Scheme != "https" {
		return nil, fmt.Errorf("the center is reached over https, not %s", u.Scheme)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), centerPort)
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// post enrols at the center, and sets ca to the CA that it proved to have.
func post(ctx context.Context, base *url.URL, key AccessKey, ca **x509.Certificate, e wire.Enrolment) (*wire.Enrolled, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, enrolTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base.JoinPath("/api/v1/enrol").String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: pinned(base.Hostname(), key.Fingerprint, ca), DisableKeepAlives: true},
		// The key goes to this center and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, explainConnect(base, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("reading the center's answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, refusal(resp, answer)
	}
	var out wire.Enrolled
	if err := json.Unmarshal(answer, &out); err != nil {
		return nil, fmt.Errorf("reading the center's answer: %w", err)
	}
	return &out, nil
}

// pinned is a configuration that trusts one CA, which the server must send with
// its certificate, and nobody else. It sets ca.
func pinned(host string, fingerprint [sha256.Size]byte, ca **x509.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		ServerName:         host,
		InsecureSkipVerify: true, // the usual CAs are not asked; VerifyConnection does it all
		VerifyConnection: func(c tls.ConnectionState) error {
			roots, between := x509.NewCertPool(), x509.NewCertPool()
			for i, cert := range c.PeerCertificates[:min(len(c.PeerCertificates), maxChain)] {
				if sha256.Sum256(cert.Raw) == fingerprint {
					*ca = cert
					roots.AddCert(cert)
				} else if i > 0 {
					between.AddCert(cert)
				}
			}
			if *ca == nil {
				return errFingerprint
			}
			_, err := c.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: between})
			return err
		},
	}
}

var errFingerprint = errors.New("the center's certificate is not of the CA that the access key names: " +
	"something between you and the center answers in its place, or the key is of another center")

// explainConnect says what went wrong on the way to a center, for people.
func explainConnect(base *url.URL, err error) error {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var dns *net.DNSError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, errFingerprint):
		return errFingerprint
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("the center's certificate is valid from %s to %s, and it is %s on this computer: set its clock, or look at the center's",
			clockText(invalid.Cert.NotBefore), clockText(invalid.Cert.NotAfter), clockText(time.Now()))
	case errors.As(err, &name):
		return fmt.Errorf("the center's certificate is not for %s but for %s: use one of these, or have the center's names set to include it",
			base.Hostname(), names.Display(strings.Join(certificateNames(name.Certificate), ", ")))
	case errors.As(err, &dns):
		return fmt.Errorf("finding the center: %w", err)
	case errors.As(err, &record):
		return fmt.Errorf("%s does not speak TLS: is that the center's port?", base.Host)
	}
	return fmt.Errorf("connecting to the center: %w", err)
}

func certificateNames(c *x509.Certificate) []string {
	list := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		list = append(list, ip.String())
	}
	return list
}

func clockText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// refusal makes an error of what the center answered (RFC 9457).
func refusal(resp *http.Response, body []byte) error {
	var problem struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}
	json.Unmarshal(body, &problem) // what is no problem object has no detail
	detail := names.Display(problem.Detail)
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusGone, http.StatusConflict:
		if detail == "" {
			detail = "The access key is wrong, expired or used up. Make a new one in the console under Sensors."
		}
		return fmt.Errorf("the center refuses the access key: %s", detail)
	case http.StatusTooManyRequests:
		return fmt.Errorf("the center takes no more attempts for now: wait a minute and try again")
	case http.StatusNotFound:
		return errors.New("what answers there is no center that enrols sensors: is that the center's address, and its version not older than the sensor's?")
	}
	if detail == "" {
		detail = resp.Status
	}
	return fmt.Errorf("the center refuses: %s", names.Display(detail))
}
