package names

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseAccount(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Account
		key  string
	}{
		{"", Account{}, ""},
		{"alice", Account{Name: "alice", Form: FormSAM}, "alice"},
		{"Alice Lee", Account{Name: "Alice Lee", Form: FormSAM}, "alice lee"},
		{`LAB\Alice`, Account{Name: "Alice", Domain: "LAB", Form: FormSAM}, `lab\alice`},
		{`lab.example.\Alice`, Account{Name: "Alice", Domain: "lab.example.", Form: FormSAM}, `lab.example\alice`},
		{`\alice`, Account{Name: "alice", Form: FormSAM}, "alice"},
		{`LAB\`, Account{Domain: "LAB"}, ""},
		{"alice@LAB.EXAMPLE", Account{Name: "alice", Domain: "LAB.EXAMPLE", Form: FormUPN}, `lab.example\alice`},
		{"a@b@c", Account{Name: "a@b", Domain: "c", Form: FormUPN}, `c\a@b`},
		{"alice@", Account{Name: "alice", Form: FormUPN}, "alice"},
		{"@lab", Account{Domain: "lab", Form: FormUPN}, ""},
		{`ann\@corp.test@LAB.EXAMPLE`, Account{Name: "ann@corp.test", Domain: "LAB.EXAMPLE", Form: FormEnterprise}, `corp.test\ann`},
		{`ann\@corp.test`, Account{Name: "ann@corp.test", Form: FormEnterprise}, `corp.test\ann`},
		{`LAB\ann@corp.test`, Account{Name: "ann@corp.test", Domain: "LAB", Form: FormEnterprise}, `corp.test\ann`},
		{"WS01$", Account{Name: "WS01$", Form: FormSAM}, "ws01$"},
		{"WS01$@LAB.EXAMPLE", Account{Name: "WS01$", Domain: "LAB.EXAMPLE", Form: FormUPN}, `lab.example\ws01$`},
		{"host/ws01.lab.example@LAB.EXAMPLE", Account{Name: "host/ws01.lab.example", Domain: "LAB.EXAMPLE", Form: FormUPN}, `lab.example\host/ws01.lab.example`},
		{"S-1-5-21-1-2-3-500", Account{Name: "S-1-5-21-1-2-3-500", Form: FormSID}, "s-1-5-21-1-2-3-500"},
		{"S-1-banana", Account{Name: "S-1-banana", Form: FormSAM}, "s-1-banana"},
		{"CN=Ann Lee,OU=Staff,DC=lab,DC=example", Account{Name: "Ann Lee", Domain: "lab.example", Form: FormDN}, `lab.example\cn=ann lee`},
		{"cn = Ann , dc = lab ; DC=example", Account{Name: "Ann", Domain: "lab.example", Form: FormDN}, `lab.example\cn=ann`},
		{`CN=Lee\, Ann,DC=lab`, Account{Name: "Lee, Ann", Domain: "lab", Form: FormDN}, `lab\cn=lee, ann`},
		{`CN="Lee, Ann" ,DC=lab`, Account{Name: "Lee, Ann", Domain: "lab", Form: FormDN}, `lab\cn=lee, ann`},
		{`CN=J\C3\B6rg\20,DC=lab`, Account{Name: "Jörg ", Domain: "lab", Form: FormDN}, `lab\cn=jörg `},
		{`CN=x\FF,DC=lab`, Account{Name: "x\uFFFD", Domain: "lab", Form: FormDN, Raw: []byte("x\xff")}, `lab\cn=RAW:78ff`},
		{"CN=Ann+UID=7,DC=lab", Account{Name: "Ann", Domain: "lab", Form: FormDN}, `lab\cn=ann`},
		{"uid=ann,ou=people,o=lab", Account{Name: "ann", Form: FormDN}, "cn=ann"},
		{"CN=", Account{Form: FormDN}, ""},
		{"CN=a,nonsense", Account{Name: "CN=a,nonsense", Form: FormSAM}, "cn=a,nonsense"},
		{"x=y", Account{Name: "x=y", Form: FormSAM}, "x=y"},
	} {
		got := ParseAccount(c.in)
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("ParseAccount(%q) = %+v, want %+v", c.in, got, c.want)
		}
		if got.Key() != c.key {
			t.Errorf("ParseAccount(%q).Key() = %q, want %q", c.in, got.Key(), c.key)
		}
	}
}

func TestPrincipal(t *testing.T) {
	for _, c := range []struct {
		name, realm string
		nameType    int32
		want        Account
		key         string
	}{
		{"alice", "LAB.EXAMPLE", 1, Account{Name: "alice", Domain: "LAB.EXAMPLE", Form: FormSAM}, `lab.example\alice`},
		{"ann@corp.test", "LAB.EXAMPLE", 10, Account{Name: "ann@corp.test", Domain: "LAB.EXAMPLE", Form: FormEnterprise}, `corp.test\ann`},
		{"ann", "LAB.EXAMPLE", 10, Account{Name: "ann", Domain: "LAB.EXAMPLE", Form: FormEnterprise}, `lab.example\ann`},
		{`LAB\ann`, "LAB.EXAMPLE", -128, Account{Name: "ann", Domain: "LAB", Form: FormSAM}, `lab\ann`},
		{"ann", "LAB.EXAMPLE", -128, Account{Name: "ann", Domain: "LAB.EXAMPLE", Form: FormSAM}, `lab.example\ann`},
		{"ann@corp.test", "LAB.EXAMPLE", 1, Account{Name: "ann@corp.test", Domain: "LAB.EXAMPLE", Form: FormSAM}, `lab.example\ann@corp.test`},
		{"host/ws01", "LAB", 2, Account{Name: "host/ws01", Domain: "LAB", Form: FormSAM}, `lab\host/ws01`},
		{"", "LAB", 1, Account{Domain: "LAB"}, ""},
	} {
		got := Principal(c.name, c.realm, c.nameType)
		if !reflect.DeepEqual(got, c.want) || got.Key() != c.key {
			t.Errorf("Principal(%q, %q, %d) = %+v key %q, want %+v key %q", c.name, c.realm, c.nameType, got, got.Key(), c.want, c.key)
		}
	}
}

func TestAccountComputer(t *testing.T) {
	for in, want := range map[string]string{
		"WS01$":                  "ws01",
		`LAB\WS01$`:              "ws01",
		"ws01$@lab.example":      "ws01",
		`ws01$\@lab.example@LAB`: "ws01",
		"WS01＄":                  "ws01", // full-width dollar folds to "$"
		"ws01":                   "",
		"$":                      "",
		"CN=WS01$,DC=lab":        "",
	} {
		a := ParseAccount(in)
		if got := a.HostKey(); got != want || a.IsComputer() != (want != "") {
			t.Errorf("%q: HostKey %q, IsComputer %v; want %q", in, got, a.IsComputer(), want)
		}
	}
	if ParseAccount("WS01$").Key() == ParseAccount("ws01").Key() {
		t.Error("computer WS01$ and user ws01 share a key")
	}
}

// Names that are not the same must not meet through the separator.
func TestAccountKeysStayApart(t *testing.T) {
	keys := make(map[string]Account)
	for _, a := range []Account{
		{Name: "z", Domain: `x\y`, Form: FormSAM},
		{Name: `y\z`, Domain: "x", Form: FormSAM},
		{Name: "z", Domain: `X.y`, Form: FormSAM},
		{Name: "a\uFFFD", Domain: "x", Raw: []byte("a\xff"), Form: FormSAM},
		{Name: "a\uFFFD", Domain: "x", Form: FormSAM},
		{Name: "a\uFFFD", Domain: "x", Raw: []byte("a\xff"), Form: FormDN},
		{Name: "a", Domain: "x", Form: FormDN},
		{Name: "a", Domain: "x", Form: FormSAM},
		{Name: "a$", Domain: "x", Form: FormSAM},
	} {
		if other, taken := keys[a.Key()]; taken {
			t.Errorf("%+v and %+v share the key %q", a, other, a.Key())
		}
		keys[a.Key()] = a
	}
}

func FuzzAccount(f *testing.F) {
	for _, s := range []string{`LAB\a`, "a@b", `u\@s@R`, `CN="a\,b" ,DC=x`, `CN=\`, "S-1-5-18", "WS01$"} {
		f.Add(s, int32(10))
	}
	f.Fuzz(func(t *testing.T, s string, nameType int32) {
		for _, a := range []Account{ParseAccount(s), Principal(s, "R", nameType)} {
			if (a.Name == "" || a.Form == FormNone) && a.Key() != "" {
				t.Fatalf("%q: key %q without a name", s, a.Key())
			}
			// A key says what it is the key of, name and domain, and keeps them apart.
			domain, name, ok := strings.Cut(a.Key(), `\`)
			if !ok || a.DomainKey() == "" {
				domain, name = "", a.Key()
			}
			if a.Key() != "" && (name != a.NameKey() || domain != a.DomainKey() && !strings.HasPrefix(domain, rawPrefix)) {
				t.Fatalf("%q: key %q of name %q, domain %q", s, a.Key(), a.NameKey(), a.DomainKey())
			}
			if host := a.HostKey(); host != "" && a.NameKey() != host+"$" {
				t.Fatalf("%q: computer %q of account %q", s, host, a.NameKey())
			}
		}
	})
}
