package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect/all"
)

// client calls the center's API.
type client struct {
	http *http.Client
	url  string
}

// connect makes a client that trusts the center's own authority alone.
func (d *demo) connect() (*client, error) {
	ca, err := os.ReadFile(filepath.Join(d.dir, "center", "pki", "ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("reading the center's authority: no certificate")
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &client{&http.Client{Jar: jar, Timeout: 30 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}, d.url + "/api/v1/"}, nil
}

func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	if in == nil {
		body = nil
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, b)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

// accountMade waits until somebody has used the set-up link.
func (d *demo) accountMade(ctx context.Context) error {
	c, err := d.connect()
	if err != nil {
		return err
	}
	for {
		var s struct{ SetupNeeded bool }
		if err := c.call(ctx, "GET", "session", nil, &s); err != nil {
			return err
		}
		if !s.SetupNeeded {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// login makes the first account with the set-up link, and logs in.
func (d *demo) login(ctx context.Context) (*client, error) {
	c, err := d.connect()
	if err != nil {
		return nil, err
	}
	_, token, _ := strings.Cut(d.setup, "#")
	password := rand.Text()
	if err := c.call(ctx, "POST", "setup", map[string]string{"token": token, "name": "demo", "password": password}, nil); err != nil {
		return nil, err
	}
	return c, c.call(ctx, "POST", "session", map[string]string{"name": "demo", "password": password}, nil)
}

// alerts asks for every alert, oldest first.
func (c *client) alerts(ctx context.Context) ([]*alert.Alert, error) {
	var page struct{ Alerts []struct{ ID string } }
	if err := c.call(ctx, "GET", "alerts?limit=200", nil, &page); err != nil {
		return nil, err
	}
	var list []*alert.Alert
	for _, a := range page.Alerts {
		var detail struct{ Alert *alert.Alert }
		if err := c.call(ctx, "GET", "alerts/"+a.ID, nil, &detail); err != nil {
			return nil, err
		}
		list = append(list, detail.Alert)
	}
	slices.Reverse(list)
	return list, nil
}

// worked waits until the center has worked through all that the sensor read:
// its log waits for no sensor, and nothing in it is left to do.
func (d *demo) worked(ctx context.Context) error {
	idle := regexp.MustCompile(`(?s)verderer_journal_behind_entries 0\n.*verderer_sensor_attached\{[^}]*\} 0\n`)
	for deadline, twice := time.Now().Add(time.Minute), 0; twice < 2; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			return errors.New("a minute later the center has still not worked through the recordings")
		}
		req, err := http.NewRequestWithContext(ctx, "GET", d.figure, nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("reading the center's figures: %w", err)
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			return fmt.Errorf("reading the center's figures: %w", err)
		}
		// The two figures are not of one moment, so both must hold twice.
		if twice++; !idle.Match(b) {
			twice = 0
		}
	}
	return nil
}

// detections lists those whose folders the recordings come from.
func detections(recordings []string) []string {
	var ids []string
	for _, d := range all.Definitions {
		folder := "/" + strings.ReplaceAll(d.ID, "-", "") + "/testdata/"
		if slices.ContainsFunc(recordings, func(r string) bool { return strings.Contains(r, folder) }) {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

// without lists the detections that have no alert yet.
func without(ids []string, alerts []*alert.Alert) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		return slices.ContainsFunc(alerts, func(a *alert.Alert) bool { return a.Detection == id })
	})
}

// lastLines keeps the end of what a program said.
type lastLines struct {
	mu   sync.Mutex
	text []byte
}

func (l *lastLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, b...)
	if n := len(l.text) - 64<<10; n > 0 {
		l.text = l.text[n:]
	}
	return len(b), nil
}

func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// field finds the first word that contains s, once its line is whole.
func (l *lastLines) field(s string) string {
	text := l.String()
	text = text[:strings.LastIndexByte(text, '\n')+1]
	for _, f := range strings.Fields(text) {
		if strings.Contains(f, s) {
			return f
		}
	}
	return ""
}
