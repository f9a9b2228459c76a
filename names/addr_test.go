package names

import (
	"net/netip"
	"strings"
	"testing"
)

func TestAddr(t *testing.T) {
	for _, c := range []struct{ in, addr, zone string }{
		{"10.0.0.1", "10.0.0.1", "10.0.0.1"},
		{"::ffff:10.0.0.1", "10.0.0.1", "10.0.0.1"},
		{"::ffff:10.0.0.1%eth0", "10.0.0.1", "10.0.0.1"},
		{"fe80::1%eth0", "fe80::1", "fe80::1%eth0"},
		{"2001:db8::1%eth0", "2001:db8::1", "2001:db8::1"},
		{"ff02::1%2", "ff02::1", "ff02::1%2"},
	} {
		a := netip.MustParseAddr(c.in)
		if got := Addr(a).String(); got != c.addr {
			t.Errorf("Addr(%s) = %s, want %s", c.in, got, c.addr)
		}
		if got := AddrZone(a).String(); got != c.zone {
			t.Errorf("AddrZone(%s) = %s, want %s", c.in, got, c.zone)
		}
	}
	if Addr(netip.Addr{}).IsValid() || AddrZone(netip.Addr{}).IsValid() {
		t.Error("no address became one")
	}
}

func TestParseAddr(t *testing.T) {
	for _, c := range []struct {
		in   string
		addr string
		port uint16
	}{
		{"10.0.0.1", "10.0.0.1", 0},
		{"10.0.0.1:389", "10.0.0.1", 389},
		{"ipv4:1.2.3.4:5", "1.2.3.4", 5},
		{"IPv4:1.2.3.4", "1.2.3.4", 0},
		{"ipv6:::1:389", "::1", 389},
		{"ipv6:::1", "::1", 0},
		{"ipv6:fe80::1%eth0:49152", "fe80::1%eth0", 49152},
		{"ipv6:::ffff:10.0.0.1:88", "10.0.0.1", 88},
		{"::1", "::1", 0},
		{"[::1]", "::1", 0},
		{"[::1]:389", "::1", 389},
		{"2001:db8::1:389", "2001:db8::1:389", 0},
		{"::ffff:10.0.0.1", "10.0.0.1", 0},
		{"[::ffff:10.0.0.1]:88", "10.0.0.1", 88},
		{"fe80::1%eth0", "fe80::1%eth0", 0},
		{"[fe80::1%eth0]:88", "fe80::1%eth0", 88},
	} {
		a, port, err := ParseAddr(c.in)
		if err != nil || a.String() != c.addr || port != c.port {
			t.Errorf("ParseAddr(%q) = %s, %d, %v; want %s, %d", c.in, a, port, err, c.addr, c.port)
		}
	}
	for _, in := range []string{"", "-", "LOCAL", "host:389", "10.0.0.1:", "10.0.0.1:x", "10.0.0.1:70000", "10.0.0.1:+1", ":389", "[10.0.0.1]", "[::1", "::1]", "[]", "unix:/run/x", "ipv4:", "ipv6:::1:"} {
		if a, port, err := ParseAddr(in); err == nil {
			t.Errorf("ParseAddr(%q) = %s, %d", in, a, port)
		}
	}
}

func TestPTRAddr(t *testing.T) {
	const six = "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa"
	for in, want := range map[string]string{
		"4.3.2.1.in-addr.arpa":    "1.2.3.4",
		"4.3.2.1.IN-ADDR.ARPA.":   "1.2.3.4",
		"255.0.0.10.in-addr.arpa": "10.0.0.255",
		six:                       "4321:0:1:2:3:4:567:89ab",
		strings.ToUpper(six):      "4321:0:1:2:3:4:567:89ab",
		"1.0.0.0.0.0.a.0.f.f.f.f." + strings.Repeat("0.", 20) + "ip6.arpa": "10.0.0.1",
	} {
		if a, ok := PTRAddr(in); !ok || a.String() != want {
			t.Errorf("PTRAddr(%q) = %s, %v; want %s", in, a, ok, want)
		}
	}
	for _, in := range []string{
		"", ".", "in-addr.arpa", "ip6.arpa", "3.2.1.in-addr.arpa", "5.4.3.2.1.in-addr.arpa", "256.0.0.1.in-addr.arpa",
		"04.3.2.1.in-addr.arpa", "+4.3.2.1.in-addr.arpa", "a.3.2.1.in-addr.arpa", "4..2.1.in-addr.arpa", "0/25.2.1.10.in-addr.arpa",
		"4.3.2.1.in-addr.arpa..", "dc1.lab.example", "x" + six[1:], six[2:], "1." + six, "4.3.2.1.xin-addr.arpa",
	} {
		if a, ok := PTRAddr(in); ok {
			t.Errorf("PTRAddr(%q) = %s", in, a)
		}
	}
}

func FuzzAddr(f *testing.F) {
	for _, s := range []string{"ipv6:::1:389", "[::1]:1", "4.3.2.1.in-addr.arpa", "fe80::1%e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if a, _, err := ParseAddr(s); err == nil && (!a.IsValid() || a.Is4In6()) {
			t.Fatalf("ParseAddr(%q) = %v", s, a)
		}
		if a, ok := PTRAddr(s); ok && (!a.IsValid() || a.Is4In6()) {
			t.Fatalf("PTRAddr(%q) = %v", s, a)
		}
	})
}
