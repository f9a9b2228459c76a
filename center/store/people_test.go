package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
)

var _ scs.CtxStore = (*Sessions)(nil)

// at sets the store's clock.
func at(s *Store, t activity.Time) { s.now = func() time.Time { return t.Go() } }

// mustNotHold fails when a secret stands in the files of the database.
func mustNotHold(t *testing.T, path string, secrets ...string) {
	t.Helper()
	for _, end := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + end)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range secrets {
			if secret == "" || strings.Contains(string(b), secret) {
				t.Errorf("%s%s holds the secret %q", path, end, secret)
			}
		}
	}
}

func TestFirstUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "center.db")
	s := open(t, path)
	ctx := t.Context()
	at(s, t0)
	if n, err := s.CountUsers(ctx); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	ann := User{Name: "Ann", Hash: "$argon2id$x", Role: "administrator"}
	old, err := s.NewSetupToken(ctx, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.NewSetupToken(ctx, time.Hour)
	if err != nil || token == old || len(token) != 32 {
		t.Fatal(token, err)
	}
	mustNotHold(t, path, token, old)
	for _, wrong := range []string{"", old, token + "a", strings.ToUpper(token), "' OR 1=1 --", "\x00"} {
		if err := s.CreateFirstUser(ctx, wrong, ann); !errors.Is(err, ErrToken) {
			t.Errorf("token %q: %v", wrong, err)
		}
	}
	at(s, t0+3600*second)
	if err := s.CreateFirstUser(ctx, token, ann); !errors.Is(err, ErrToken) {
		t.Errorf("at its end: %v", err)
	}
	at(s, t0+3599*second)
	if err := s.CreateFirstUser(ctx, token, User{Name: " ", Hash: "x"}); err == nil || errors.Is(err, ErrToken) {
		t.Errorf("an account without a name: %v", err)
	}
	if err := s.CreateFirstUser(ctx, token, ann); err != nil { // what was refused has not used it up
		t.Fatal(err)
	}
	if err := s.CreateFirstUser(ctx, token, User{Name: "eve", Hash: "x"}); !errors.Is(err, ErrToken) {
		t.Errorf("a second time: %v", err)
	}
	token, err = s.NewSetupToken(ctx, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateFirstUser(ctx, token, User{Name: "eve", Hash: "x"}); !errors.Is(err, ErrToken) {
		t.Errorf("with an account there: %v", err)
	}
	ann.Created = t0 + 3599*second
	for _, name := range []string{"Ann", "ann", "ANN", "ａnn"} {
		u, err := s.UserByName(ctx, name)
		if err != nil || *u != ann {
			t.Errorf("%q: %+v, %v", name, u, err)
		}
	}
	for _, name := range []string{"", "eve", "%", "ann'"} {
		if _, err := s.UserByName(ctx, name); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if list, err := s.Users(ctx); err != nil || len(list) != 1 || list[0] != ann {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestSetupTokenOnce: of many who use the token at once one gets the account.
func TestSetupTokenOnce(t *testing.T) {
	s := fresh(t)
	token, err := s.NewSetupToken(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var made atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			switch err := s.CreateFirstUser(t.Context(), token, User{Name: string(rune('a' + i)), Hash: "x"}); {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, ErrToken):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n, err := s.CountUsers(t.Context()); made.Load() != 1 || n != 1 || err != nil {
		t.Errorf("%d made, %d there, %v", made.Load(), n, err)
	}
}

func TestSessions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "center.db")
	s := open(t, path)
	ctx := t.Context()
	at(s, t0)
	m := s.Sessions()
	end := (t0 + 100*second).Go()
	for token, data := range map[string]string{"token-one": "first", "token-two": "second", "token-empty": ""} {
		if err := m.Commit(token, []byte(data), end); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.CommitCtx(ctx, "token-one", []byte("changed"), end.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := m.CommitCtx(ctx, "token-nil", nil, end); err != nil {
		t.Fatal(err)
	}
	mustNotHold(t, path, "token-one", "token-two")
	check := func(token, want string, there bool) {
		t.Helper()
		b, ok, err := m.Find(token)
		if string(b) != want || ok != there || err != nil {
			t.Errorf("%s: %q, %v, %v", token, b, ok, err)
		}
	}
	check("token-one", "changed", true)
	check("token-two", "second", true)
	check("token-empty", "", true)
	check("token-nil", "", true)
	check("token-three", "", false)
	check("", "", false)
	if err := errors.Join(m.Delete("token-two"), m.Delete("token-two")); err != nil {
		t.Error(err)
	}
	check("token-two", "", false)
	at(s, t0+100*second)
	check("token-empty", "", false)
	check("token-one", "changed", true)
	if err := m.Commit("new", nil, end.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n, err := s.read.NewSelect().Table("session").Count(ctx); n != 2 || err != nil {
		t.Errorf("%d sessions after those that expired were deleted, %v", n, err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := m.FindCtx(cancelled, "new"); !errors.Is(err, context.Canceled) {
		t.Errorf("a request that was given up: %v", err)
	}
}

func TestAccessKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "center.db")
	s := open(t, path)
	ctx := t.Context()
	at(s, t0)
	for _, bad := range []AccessKey{{Uses: 0, Expires: t0 + second}, {Uses: 1, Expires: t0}, {Uses: -1, Expires: t0 + second}} {
		if _, _, err := s.NewAccessKey(ctx, bad); err == nil {
			t.Errorf("%+v was made", bad)
		}
	}
	secret, k, err := s.NewAccessKey(ctx, AccessKey{ID: "mine", Note: "for DC1 '\x00", By: "ann", Expires: t0 + 100*second, Uses: 2, Used: -5})
	if err != nil {
		t.Fatal(err)
	}
	if len(secret) != 32 || len(k.ID) != 8 || strings.ContainsAny(secret+k.ID, "-=") || k.Created != t0 || k.Used != 0 || k.Note != "for DC1 '\uFFFD" {
		t.Errorf("secret %q of %+v", secret, k)
	}
	mustNotHold(t, path, secret)
	other, k2, err := s.NewAccessKey(ctx, AccessKey{Expires: t0 + 100*second, Uses: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range [][2]string{{k.ID, ""}, {k.ID, other}, {k2.ID, secret}, {"", secret}, {k.ID, secret + "a"}, {"' OR 1=1 --", "x"}, {"\x00", "\x00"}} {
		if err := s.UseAccessKey(ctx, wrong[0], wrong[1]); !errors.Is(err, ErrAccessKey) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	var good atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			switch err := s.UseAccessKey(ctx, k.ID, secret); {
			case err == nil:
				good.Add(1)
			case !errors.Is(err, ErrAccessKey):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if good.Load() != 2 {
		t.Errorf("a key for 2 was used %d times", good.Load())
	}
	at(s, t0+100*second)
	if err := s.UseAccessKey(ctx, k2.ID, other); !errors.Is(err, ErrAccessKey) {
		t.Errorf("at its end: %v", err)
	}
	list, err := s.AccessKeys(ctx)
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	for _, l := range list {
		want := k2
		if l.ID == k.ID {
			want = k
			want.Used = 2
		}
		if l != want {
			t.Errorf("%+v, want %+v", l, want)
		}
	}
	if err := s.DeleteAccessKey(ctx, k.ID); err != nil {
		t.Error(err)
	}
	if err := s.DeleteAccessKey(ctx, k.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	at(s, t0.Add(31*24*time.Hour))
	if _, _, err := s.NewAccessKey(ctx, AccessKey{Expires: s.clock() + second, Uses: 1}); err != nil {
		t.Fatal(err)
	}
	if list, err := s.AccessKeys(ctx); len(list) != 1 || err != nil {
		t.Errorf("a month later: %+v, %v", list, err)
	}
}

func TestSensors(t *testing.T) {
	s := fresh(t)
	ctx := t.Context()
	dc1 := Sensor{ID: "dc1-x", Name: "DC1", Host: "dc1.lab.example", OS: "linux/amd64", Version: "1", Enrolled: t0, Serial: "aa", CertExpires: t0 + second}
	dc2 := Sensor{ID: "dc2-x", Name: "A DC", Files: true, LastSeen: t0 + 1000, FirstPacket: t0 + 2000, FirstActivity: t0 + 3000, PreviousSerial: "bb", Revoked: true, Status: []byte(`{"x":1}`)}
	for _, v := range []Sensor{dc1, dc2} {
		if err := s.AddSensor(ctx, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.AddSensor(ctx, Sensor{ID: "dc1-x"}); !errors.Is(err, ErrExists) {
		t.Errorf("the same id again: %v", err)
	}
	if err := s.AddSensor(ctx, Sensor{ID: "hostile", Name: strings.Repeat("\x00'é", 200), Host: "\xff"}); err != nil {
		t.Error(err)
	}
	if err := s.DeleteSensor(ctx, "hostile"); err != nil {
		t.Error(err)
	}
	check := func() {
		t.Helper()
		list, err := s.Sensors(ctx)
		if d := cmp.Diff([]Sensor{dc2, dc1}, list); d != "" || err != nil {
			t.Error(d, err)
		}
	}
	check()
	// Two changes at once to different fields: neither is lost.
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			err := s.UpdateSensor(ctx, "dc1-x", func(v *Sensor) error {
				v.ID = "other"
				v.Serial += "c"
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			err := s.SawSensors(ctx, []Sensor{{ID: "dc1-x", Host: "h", OS: "o", Version: "2", LastSeen: t0 + second, FirstPacket: t0, FirstActivity: t0, Status: []byte("{}"), Name: "no", Serial: "no", Revoked: true},
				{ID: "gone", LastSeen: t0}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	dc1.Host, dc1.OS, dc1.Version, dc1.LastSeen, dc1.FirstPacket, dc1.FirstActivity, dc1.Status = "h", "o", "2", t0+second, t0, t0, []byte("{}")
	dc1.Serial += strings.Repeat("c", 20)
	check()
	if err := s.SawSensors(ctx, []Sensor{{ID: "dc1-x", Host: "h", OS: "o", Version: "2"}}); err != nil {
		t.Error(err)
	}
	check() // what is zero was left alone
	// A center that was restarted hears of everything for the first time. What a
	// sensor was enrolled for is not its to say.
	if err := s.SawSensors(ctx, []Sensor{{ID: "dc1-x", Host: "h", OS: "o", Version: "2", FirstPacket: t0 + second, FirstActivity: t0 + second, Files: true}}); err != nil {
		t.Error(err)
	}
	check()
	dc1.FirstPacket, dc1.FirstActivity = t0-second, t0-second
	if err := s.SawSensors(ctx, []Sensor{{ID: "dc1-x", Host: "h", OS: "o", Version: "2", FirstPacket: t0 - second, FirstActivity: t0 - second}}); err != nil {
		t.Error(err)
	}
	check()
	no := errors.New("no")
	if err := s.UpdateSensor(ctx, "dc1-x", func(v *Sensor) error { v.Name = "lost"; return no }); !errors.Is(err, no) {
		t.Error(err)
	}
	check()
	one, err := s.Sensor(ctx, "dc2-x")
	if err != nil || cmp.Diff(dc2, *one) != "" {
		t.Errorf("%+v, %v", one, err)
	}
	if err := s.DeleteSensor(ctx, "dc2-x"); err != nil {
		t.Error(err)
	}
	_, err = s.Sensor(ctx, "dc2-x")
	for doing, err := range map[string]error{
		"reading":  err,
		"deleting": s.DeleteSensor(ctx, "dc2-x"),
		"updating": s.UpdateSensor(ctx, "dc2-x", func(*Sensor) error { t.Error("called"); return nil }),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s one that is gone: %v", doing, err)
		}
	}
}

func TestAudit(t *testing.T) {
	s := fresh(t)
	ctx := t.Context()
	at(s, t0+50*second)
	if n, err := s.VerifyAudit(ctx); n != 0 || err != nil {
		t.Error(n, err)
	}
	hostile := strings.Repeat("x'\x00\xff", 4000)
	entries := []AuditEntry{
		{Time: t0, User: "ann", Action: "login", OK: true},
		{User: hostile, Action: hostile, Object: hostile, Detail: hostile},
		{Time: t0 + second, User: "ann", Action: "alert.close", Object: "id", Detail: "a scanner", OK: true},
	}
	for range 3 {
		for _, e := range entries {
			if err := s.Audit(ctx, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	list, err := s.AuditLog(ctx, 4)
	if err != nil || len(list) != 4 || list[0] != entries[2] || list[2] != entries[0] || list[1].Time != t0+50*second || len(list[1].User) > activity.MaxText {
		t.Errorf("%+v, %v", list, err)
	}
	if n, err := s.VerifyAudit(ctx); n != 9 || err != nil {
		t.Errorf("%d in order, %v", n, err)
	}
	const rehashed = "a change with the hash that goes with it"
	for _, change := range []string{
		rehashed,
		"UPDATE audit SET person = 'bob' WHERE seq = 4",
		"UPDATE audit SET at = at + 1 WHERE seq = 4",
		"UPDATE audit SET ok = 1 - ok WHERE seq = 4",
		"UPDATE audit SET person = 'an', action = 'nlogin' WHERE seq = 4", // moved from one text to the next
		"UPDATE audit SET hash = X'00' WHERE seq = 4",
		"UPDATE audit SET prev = X'00' WHERE seq = 1",
		"DELETE FROM audit WHERE seq = 4",
		"UPDATE audit SET seq = seq + 100 WHERE seq > 3",
		"UPDATE audit SET detail = 'x', hash = X'00' WHERE seq = 9",
	} {
		copied := filepath.Join(t.TempDir(), "copy.db")
		if _, err := s.write.Exec("VACUUM INTO ?", copied); err != nil {
			t.Fatal(err)
		}
		c := open(t, copied)
		if change == rehashed {
			var row auditRow
			if err := c.write.NewSelect().Model(&row).Where("seq = 4").Scan(ctx); err != nil {
				t.Fatal(err)
			}
			row.Person = "bob"
			row.Hash = row.sum()
			if _, err := c.write.NewUpdate().Model(&row).WherePK().Exec(ctx); err != nil {
				t.Fatal(err)
			}
		} else if _, err := c.write.Exec(change); err != nil {
			t.Fatal(err)
		}
		if n, err := c.VerifyAudit(ctx); !errors.Is(err, ErrAudit) {
			t.Errorf("after %s: %d in order, %v", change, n, err)
		}
	}
}

func TestAuditIsBounded(t *testing.T) {
	rows, drop := auditRows, auditDrop
	auditRows, auditDrop = 40, 10
	defer func() { auditRows, auditDrop = rows, drop }()
	s := fresh(t)
	for range 125 {
		if err := s.Audit(t.Context(), AuditEntry{Action: "login"}); err != nil {
			t.Fatal(err)
		}
	}
	n, err := s.VerifyAudit(t.Context())
	if n < 40 || n > 50 || err != nil {
		t.Errorf("%d in order, %v", n, err)
	}
	if _, err := s.write.Exec("UPDATE audit SET person = 'bob' WHERE seq = (SELECT MIN(seq) FROM audit)"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.VerifyAudit(t.Context()); !errors.Is(err, ErrAudit) {
		t.Errorf("the first that is kept was changed: %v", err)
	}
}
