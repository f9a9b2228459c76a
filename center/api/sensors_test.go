package api_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/api"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/health"
	"github.com/verderer/verderer/center/ingest/receive"
	"github.com/verderer/verderer/center/store"
)

func request(t testing.TB) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return requestOf(t, key)
}

func rsaKey(t testing.TB) crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func p521Key(t testing.TB) crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func requestOf(t testing.TB, key crypto.Signer) []byte {
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return csr
}

func TestEnrolment(t *testing.T) {
	c := newCenter(t)
	admin := c.as(api.Administrator)
	var key api.ShownAccessKey
	admin.want(201, "POST", "/access-keys", api.NewAccessKey{Note: " rollout ", Uses: 2}, &key)
	if parts := strings.Split(key.Key, "-"); len(parts) != 4 || parts[0] != "vk1" || parts[1] != key.ID || parts[3] != c.pki.Fingerprint() {
		t.Errorf("key %q", key.Key)
	}
	if key.Command != "verderer-sensor enroll --center "+c.url+" --key "+key.Key || key.Note != "rollout" || key.By != "the-administrator" ||
		key.Expires.Sub(key.Created).Round(time.Minute) != 24*time.Hour || key.Uses != 2 || key.Used != 0 {
		t.Errorf("%+v", key)
	}
	var keys api.AccessKeyList
	if a := admin.want(200, "GET", "/access-keys", nil, &keys); len(keys.AccessKeys) != 1 || strings.Contains(string(a.body), key.Key) || strings.Contains(string(a.body), strings.Split(key.Key, "-")[2]) {
		t.Errorf("the list tells the key: %s", a.body)
	}

	sensor := c.client()
	e := wire.Enrolment{Key: key.Key, Name: "DC1", CSR: request(t), Version: "1", OS: "linux/amd64"}
	wrong := e
	wrong.Key = strings.Replace(key.Key, "-"+strings.Split(key.Key, "-")[2]+"-", "-aaaaaaaa-", 1)
	sensor.refused(403, "access-key", "POST", "/enrol", wrong)
	for _, k := range []string{"x", "vk1---", "vk2" + key.Key[3:], "vk1-' OR 1=1 --", strings.Repeat("-", 1000)} {
		wrong.Key = k
		sensor.refused(403, "access-key", "POST", "/enrol", wrong)
	}
	bad := e
	bad.CSR = []byte("not a request")
	sensor.refused(422, "csr", "POST", "/enrol", bad)
	// Whoever has no key asks, too: what a key of another kind costs to look at is
	// not known, so nobody does. See pki for an RSA key that costs minutes.
	for kind, csr := range map[string][]byte{"RSA": requestOf(t, rsaKey(t)), "P-521": requestOf(t, p521Key(t))} {
		bad = e
		bad.CSR = csr
		sensor.refused(422, "csr", "POST", "/enrol", bad)
		if keys, err := c.store.AccessKeys(context.Background()); err != nil || keys[0].Used != 0 {
			t.Errorf("a request with an %s key cost the access key a use: %+v %v", kind, keys, err)
		}
	}
	bad = e
	bad.Name = "DC1\r\n"
	sensor.refused(422, "name", "POST", "/enrol", bad)

	var got wire.Enrolled
	sensor.want(200, "POST", "/enrol", e, &got)
	if got.Address != "center.example:8444" {
		t.Errorf("%+v", got)
	}
	ca, err := x509.ParseCertificate(got.CA)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(got.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	if err := cert.CheckSignatureFrom(ca); err != nil {
		t.Error(err)
	}
	row, err := c.store.Sensor(context.Background(), got.ID)
	if err != nil || row.Name != "DC1" || row.Serial == "" || row.CertExpires.Go() != cert.NotAfter || row.Enrolled == 0 {
		t.Errorf("%+v %v", row, err)
	}

	// The other use, and no more.
	var mu sync.Mutex
	var wg sync.WaitGroup
	statuses := make(map[int]int)
	for range 5 {
		e.CSR = request(t)
		e, l := e, c.client()
		wg.Go(func() {
			a := l.do("POST", "/enrol", e)
			mu.Lock()
			statuses[a.status]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if statuses[200] != 1 || statuses[403] != 4 {
		t.Errorf("a key of one more use: %v", statuses)
	}
	sensor.refused(403, "access-key", "POST", "/enrol", e)

	admin.want(201, "POST", "/access-keys", api.NewAccessKey{}, &key)
	admin.want(204, "DELETE", "/access-keys/"+key.ID, nil, nil)
	admin.refused(404, "not-found", "DELETE", "/access-keys/"+key.ID, nil)
	e.Key = key.Key
	sensor.refused(403, "access-key", "POST", "/enrol", e)

	id, secret := expiredKey(t, c)
	e.Key = "vk1-" + id + "-" + secret + "-" + c.pki.Fingerprint()
	sensor.refused(403, "access-key", "POST", "/enrol", e)
	for _, n := range []api.NewAccessKey{{Hours: 721}, {Hours: -1}, {Uses: 1001}, {Note: strings.Repeat("x", 201)}} {
		admin.refused(422, "invalid", "POST", "/access-keys", n)
	}
	if log := c.logs.String(); strings.Contains(log, secret) || strings.Contains(log, strings.Split(key.Key, "-")[2]) {
		t.Error("a key is in the log")
	}
}

// expiredKey is one whose time is over in a moment, waited for.
func expiredKey(t *testing.T, c *center) (id, secret string) {
	t.Helper()
	secret, k, err := c.store.NewAccessKey(context.Background(), store.AccessKey{Uses: 1, Expires: now().Add(100 * time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	for now() <= k.Expires {
		time.Sleep(20 * time.Millisecond)
	}
	return k.ID, secret
}

func TestEnrolmentIsSlowedDown(t *testing.T) {
	c := newCenter(t)
	l := c.client()
	for n := range 1000 {
		a := l.do("POST", "/enrol", wire.Enrolment{Key: fmt.Sprint("vk1-a-", n, "-b"), Name: "x", CSR: []byte{1}})
		if a.status == 429 {
			if n < 50 {
				t.Errorf("after %d tries already: a rollout comes from one address", n)
			}
			return
		}
	}
	t.Error("1000 keys were tried")
}

func TestSensors(t *testing.T) {
	c := newCenter(t)
	for _, s := range []store.Sensor{{ID: "s2", Name: "B", Host: "b", Enrolled: t0, CertExpires: t0}, {ID: "s1", Name: "A", Host: "a", Enrolled: t0, CertExpires: t0}} {
		if err := c.store.AddSensor(context.Background(), s); err != nil {
			t.Fatal(err)
		}
	}
	c.mu.Lock()
	c.states["s1"] = receive.State{Connected: true, LastSeen: now(), FirstPacket: now(), Status: wire.Status{Now: now(), Packets: 7, Sources: []string{"interface eth0"}}}
	c.mu.Unlock()
	l := c.as(api.Administrator)
	var list api.SensorList
	l.want(200, "GET", "/sensors", nil, &list)
	if len(list.Sensors) != 2 || list.Sensors[0].ID != "s1" || list.Sensors[0].State != api.SensorWorking || list.Sensors[0].Packets != 7 || list.Sensors[1].State != api.SensorNever {
		t.Errorf("%+v", list)
	}
	var one api.Sensor
	if l.want(200, "GET", "/sensors/s1", nil, &one); one.Name != "A" || one.Packets != 7 {
		t.Errorf("%+v", one)
	}
	var steps api.Checklist
	l.want(200, "GET", "/checklist", nil, &steps)
	if steps.Done || !steps.Steps[0].Done || !steps.Steps[1].Done || !steps.Steps[2].Done || steps.Steps[3].Done {
		t.Errorf("%+v", steps)
	}

	l.want(204, "DELETE", "/sensors/s1", nil, nil)
	if row, err := c.store.Sensor(context.Background(), "s1"); err != nil || !row.Revoked {
		t.Errorf("%+v %v", row, err)
	}
	if len(c.disconnected) != 1 || c.disconnected[0] != "s1" {
		t.Errorf("disconnected %v", c.disconnected)
	}
	l.refused(404, "not-found", "GET", "/sensors/s1", nil)
	l.refused(404, "not-found", "DELETE", "/sensors/s1", nil)
	list = api.SensorList{}
	if l.want(200, "GET", "/sensors", nil, &list); len(list.Sensors) != 1 {
		t.Errorf("%+v", list)
	}
	var log api.AuditLog
	l.want(200, "GET", "/audit?limit=1", nil, &log)
	if e := log.Entries; len(e) != 1 || e[0].Action != "revokeSensor" || e[0].Object != "s1" || e[0].User != "the-administrator" || !e[0].OK {
		t.Errorf("%+v", e)
	}
}

func TestHealth(t *testing.T) {
	c := newCenter(t)
	l := c.as(api.Viewer)
	var r api.HealthReport
	if a := l.want(200, "GET", "/health", nil, &r); string(a.body) != `{"issues":[]}`+"\n" {
		t.Errorf("%s", a.body)
	}
	c.health.Set(health.Issue{Kind: "disk-full", Severity: detect.High, Text: "The disk is full.", Remedy: "Make room.", Since: t0})
	if l.want(200, "GET", "/health", nil, &r); len(r.Issues) != 1 || r.Issues[0].Remedy != "Make room." {
		t.Errorf("%+v", r)
	}
	nobody := c.client()
	if a := nobody.raw("GET", c.url+"/healthz", nil); a.status != 200 || string(a.body) != "ok\n" {
		t.Errorf("%d %q", a.status, a.body)
	}
	c.mu.Lock()
	c.ready = "starting"
	c.mu.Unlock()
	if a := nobody.raw("GET", c.url+"/healthz", nil); a.status != 503 || string(a.body) != "starting\n" {
		t.Errorf("%d %q", a.status, a.body)
	}
}
