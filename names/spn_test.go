package names

import (
	"strings"
	"testing"
)

func TestParseSPN(t *testing.T) {
	for _, c := range []struct {
		in   string
		want SPN
		key  string
	}{
		{"cifs/DC1.lab.example", SPN{Class: "cifs", Host: "DC1.lab.example"}, "cifs/dc1.lab.example"},
		{"CIFS/dc1.LAB.example.", SPN{Class: "CIFS", Host: "dc1.LAB.example."}, "cifs/dc1.lab.example"},
		{"cifs/server.dom@REALM", SPN{Class: "cifs", Host: "server.dom", Realm: "REALM"}, "cifs/server.dom"},
		{"krbtgt/LAB.EXAMPLE", SPN{Class: "krbtgt", Host: "LAB.EXAMPLE"}, "krbtgt/lab.example"},
		{"krbtgt/B.EXAMPLE@A.EXAMPLE", SPN{Class: "krbtgt", Host: "B.EXAMPLE", Realm: "A.EXAMPLE"}, "krbtgt/b.example"},
		{"MSSQLSvc/db.lab:1433", SPN{Class: "MSSQLSvc", Host: "db.lab", Port: 1433}, "mssqlsvc/db.lab:1433"},
		{"MSSQLSvc/db.lab:PROD", SPN{Class: "MSSQLSvc", Host: "db.lab", Instance: "PROD"}, "mssqlsvc/db.lab:prod"},
		{"MSSQLSvc/db.lab:70000", SPN{Class: "MSSQLSvc", Host: "db.lab", Instance: "70000"}, "mssqlsvc/db.lab:70000"},
		{"MSSQLSvc/db.lab:0", SPN{Class: "MSSQLSvc", Host: "db.lab", Instance: "0"}, "mssqlsvc/db.lab:0"},
		{"http/ann@web/app", SPN{Class: "http", Host: "ann@web", Service: "app"}, "http/ann@web/app"},
		{"MSSQLSvc/db.lab:014", SPN{Class: "MSSQLSvc", Host: "db.lab", Port: 14}, "mssqlsvc/db.lab:14"},
		{"GC/dc1.lab/lab", SPN{Class: "GC", Host: "dc1.lab", Service: "lab"}, "gc/dc1.lab/lab"},
		{"ldap/dc1:389/DC=lab@R", SPN{Class: "ldap", Host: "dc1", Port: 389, Service: "DC=lab", Realm: "R"}, "ldap/dc1:389/dc=lab"},
		{"E3514235-4B06-11D1-AB04-00C04FC2DCD2/a5ff6869-ab5a-11d2-91e2-08002ba3ed3b/lab.example",
			SPN{Class: "E3514235-4B06-11D1-AB04-00C04FC2DCD2", Host: "a5ff6869-ab5a-11d2-91e2-08002ba3ed3b", Service: "lab.example"},
			"e3514235-4b06-11d1-ab04-00c04fc2dcd2/a5ff6869-ab5a-11d2-91e2-08002ba3ed3b/lab.example"},
		{"cifs/fe80::1", SPN{Class: "cifs", Host: "fe80::1"}, "cifs/fe80::1"},
		{"ldap/[fe80::1]:389", SPN{Class: "ldap", Host: "[fe80::1]", Port: 389}, "ldap/[fe80::1]:389"},
		{"cifs/10.0.0.1", SPN{Class: "cifs", Host: "10.0.0.1"}, "cifs/10.0.0.1"},
	} {
		got, err := ParseSPN(c.in)
		if err != nil || got != c.want {
			t.Errorf("ParseSPN(%q) = %+v, %v; want %+v", c.in, got, err, c.want)
		}
		if got.Key() != c.key {
			t.Errorf("%q: key %q, want %q", c.in, got.Key(), c.key)
		}
	}
}

func TestParseSPNRefuses(t *testing.T) {
	for in, why := range map[string]string{
		"":               "empty",
		"WS01$":          "one part only",
		"/host":          "service class is empty",
		"cifs/":          "host is empty",
		"cifs//lab":      "host is empty",
		"cifs/:445":      "host is empty",
		"cifs/host:":     `nothing after ":"`,
		"cifs/host/":     "service name is empty",
		"cifs/host/a/b":  "more than three parts",
		"cifs/host@":     `nothing after "@"`,
		"@REALM":         "one part only",
		"ws01$@LAB.TEST": "one part only",
	} {
		if p, err := ParseSPN(in); err == nil || !strings.Contains(err.Error(), why) || p != (SPN{}) {
			t.Errorf("ParseSPN(%q) = %+v, %v; want %q", in, p, err, why)
		}
	}
}

func FuzzSPN(f *testing.F) {
	for _, s := range []string{"cifs/h", "a/b:1/c@D", "a/[::1]:2", "MSSQLSvc/h:I"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParseSPN(s)
		if err != nil {
			return
		}
		again, err := ParseSPN(p.String())
		if err != nil || again != p {
			t.Fatalf("%q: %+v comes back as %+v, %v", s, p, again, err)
		}
		if p.Key() == "" || p.HostKey() != again.HostKey() {
			t.Fatalf("%q: key %q", s, p.Key())
		}
	})
}
