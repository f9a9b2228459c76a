package live

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"golang.org/x/net/bpf"
)

// frame describes a packet for the filter.
type frame struct {
	tags     []uint16 // EtherTypes of VLAN tags
	v6       bool
	src, dst netip.Addr
	proto    byte
	options  int    // words of IPv4 options
	fragment uint16 // IPv4 flags and offset
	sport    uint16
	dport    uint16
	cut      int // bytes left; 0 all
}

func (f frame) bytes() []byte {
	b := make([]byte, 12)
	for _, t := range f.tags {
		b = append(binary.BigEndian.AppendUint16(b, t), 0, 42)
	}
	if f.v6 {
		b = binary.BigEndian.AppendUint16(b, etherIPv6)
		b = append(b, 0x60, 0, 0, 0, 0, 20, f.proto, 64)
	} else {
		b = binary.BigEndian.AppendUint16(b, etherIPv4)
		b = append(b, 0x45+byte(f.options), 0, 0, byte(40+4*f.options), 0, 1)
		b = binary.BigEndian.AppendUint16(b, f.fragment)
		b = append(b, 64, f.proto, 0, 0)
	}
	b = append(append(b, f.src.AsSlice()...), f.dst.AsSlice()...)
	for range f.options * 4 {
		b = append(b, 1)
	}
	b = binary.BigEndian.AppendUint16(b, f.sport)
	b = binary.BigEndian.AppendUint16(b, f.dport)
	b = append(b, make([]byte, 16)...)
	if f.cut > 0 {
		b = b[:f.cut]
	}
	return b
}

func vm(t testing.TB, f *Filter) *bpf.VM {
	t.Helper()
	ins, err := f.Compile(false)
	if err != nil {
		t.Fatal(err)
	}
	v, err := bpf.NewVM(ins)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func passes(t testing.TB, v *bpf.VM, b []byte) bool {
	t.Helper()
	n, err := v.Run(b)
	if err != nil {
		t.Fatal(err)
	}
	if n != 0 && n < len(b) {
		t.Fatalf("%d of %d bytes pass", n, len(b))
	}
	return n != 0
}

var (
	dc4   = netip.MustParseAddr("10.1.2.3")
	near4 = netip.MustParseAddr("10.1.2.4") // one bit off
	dc6   = netip.MustParseAddr("2001:db8::a:1")
	near6 = netip.MustParseAddr("2001:db8:1::a:1") // differs in the first word alone
	two   = Filter{TCP: []uint16{88, 389, 3268}, UDP: []uint16{53, 88}, Servers: []netip.Addr{netip.MustParseAddr("10.9.9.9"), dc6, dc4}}
)

// TestFilterEveryCombination compares the program with what it is to do, over
// every combination of what it looks at.
func TestFilterEveryCombination(t *testing.T) {
	v := vm(t, &two)
	ports := []uint16{0, 53, 87, 88, 389, 445, 1023, 1024, 3268, 58 << 8, 49151, 49152, 65535}
	listed := func(list []uint16, p uint16) bool {
		for _, l := range list {
			if l == p {
				return true
			}
		}
		return false
	}
	n, passed := 0, 0
	for _, tags := range [][]uint16{nil, {etherVLAN}, {etherSVLAN, etherVLAN}, {etherQinQ, etherSVLAN, etherVLAN}, {etherVLAN, etherVLAN, etherVLAN, etherVLAN}} {
		for _, v6 := range []bool{false, true} {
			dc, other := dc4, near4
			if v6 {
				dc, other = dc6, near6
			}
			for _, ends := range [][2]netip.Addr{{dc, other}, {other, dc}, {other, other}} {
				for _, options := range []int{0, 1, 10} {
					for _, proto := range []byte{0, 1, 4, ipTCP, ipUDP, 41, 43, 44, 47, 50, 51, 58, 60, 89} {
						for _, sport := range ports {
							for _, dport := range ports {
								if v6 && options > 0 {
									continue
								}
								f := frame{tags: tags, v6: v6, src: ends[0], dst: ends[1], options: options, proto: proto, sport: sport, dport: dport}
								want := false
								switch proto {
								case ipUDP:
									want = listed(two.UDP, sport) || listed(two.UDP, dport)
								case ipTCP:
									want = listed(two.TCP, sport) || listed(two.TCP, dport) ||
										sport >= 1024 && dport >= 1024 && (sport >= 49152 && ends[0] == dc || dport >= 49152 && ends[1] == dc)
								case 4, 41, 51:
									want = true
								case 43, 44, 60:
									want = v6
								case 0: // the port's first byte is where the next header is told
									want = v6 && sport>>8 != 58
								}
								want = want && len(tags) <= maxTags
								n++
								if got := passes(t, v, f.bytes()); got != want {
									t.Fatalf("%+v: passes %v, want %v", f, got, want)
								}
								if want {
									passed++
								}
							}
						}
					}
				}
			}
		}
	}
	t.Logf("%d packets, %d pass", n, passed)
}

func TestFilterCorners(t *testing.T) {
	v := vm(t, &two)
	dns := frame{src: near4, dst: dc4, proto: ipUDP, sport: 40000, dport: 53}
	web := frame{src: near4, dst: dc4, proto: ipTCP, sport: 40000, dport: 443}
	for name, c := range map[string]struct {
		bytes []byte
		want  bool
	}{
		"plain":                     {dns.bytes(), true},
		"uninteresting":             {web.bytes(), false},
		"first fragment":            {with(web, func(f *frame) { f.fragment = 0x2000 }).bytes(), true},
		"later fragment":            {with(web, func(f *frame) { f.fragment = 0x00b9 }).bytes(), true},
		"last fragment":             {with(web, func(f *frame) { f.fragment = 1 }).bytes(), true},
		"don't fragment":            {with(web, func(f *frame) { f.fragment = 0x4000 }).bytes(), false},
		"cut before its ports":      {with(dns, func(f *frame) { f.cut = 14 + 20 + 3 }).bytes(), false},
		"cut after its ports":       {with(dns, func(f *frame) { f.cut = 14 + 20 + 4 }).bytes(), true},
		"cut in the IP header":      {with(dns, func(f *frame) { f.cut = 20 }).bytes(), false},
		"no IP":                     {append(make([]byte, 12), 8, 6, 0, 1, 8, 0, 6, 4), false},
		"empty":                     {nil, false},
		"IPv6 with IPv4's type":     {retype(with(dns, func(f *frame) { f.v6, f.src, f.dst = true, near6, dc6 }).bytes(), etherIPv4), true},
		"IP of version 5":           {reversion(dns.bytes(), 0x55), false},
		"tag of an unknown kind":    {with(dns, func(f *frame) { f.tags = []uint16{0x9200} }).bytes(), false},
		"tag without anything more": {with(dns, func(f *frame) { f.tags, f.cut = []uint16{etherVLAN}, 16 }).bytes(), false},
	} {
		if got := passes(t, v, c.bytes); got != c.want {
			t.Errorf("%s: passes %v, want %v", name, got, c.want)
		}
	}
}

func with(f frame, change func(*frame)) frame { change(&f); return f }

func retype(b []byte, etherType uint16) []byte {
	binary.BigEndian.PutUint16(b[12:], etherType)
	return b
}

func reversion(b []byte, first byte) []byte { b[14] = first; return b }

// TestFilterAtItsCaps: the longest program is one that kernels take, and its
// jumps reach.
func TestFilterAtItsCaps(t *testing.T) {
	var f Filter
	for i := range maxPorts {
		f.TCP = append(f.TCP, uint16(1000+i))
		f.UDP = append(f.UDP, uint16(2000+i))
	}
	for i := range maxServers {
		f.Servers = append(f.Servers, netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1)))
	}
	raw, err := f.assemble(true)
	if err != nil || len(raw) > 2500 {
		t.Fatalf("%d instructions, %v", len(raw), err)
	}
	t.Logf("%d instructions", len(raw))
	v := vm(t, &f)
	last := f.Servers[maxServers-1]
	for _, c := range []struct {
		frame
		want bool
	}{
		{frame{v6: true, src: last, dst: near6, proto: ipTCP, sport: 50000, dport: 5000}, true},
		{frame{v6: true, src: near6, dst: last, proto: ipTCP, sport: 50000, dport: 50001}, true},
		{frame{v6: true, src: near6, dst: near6, proto: ipTCP, sport: 50000, dport: 50001}, false},
		{frame{v6: true, src: near6, dst: near6, proto: ipTCP, sport: 5, dport: 1000 + maxPorts - 1}, true},
		{frame{src: near4, dst: near4, proto: ipUDP, sport: 2000 + maxPorts - 1, dport: 5}, true},
		{frame{src: near4, dst: near4, proto: ipUDP, sport: 2000 + maxPorts, dport: 5}, false},
	} {
		if got := passes(t, v, c.bytes()); got != c.want {
			t.Errorf("%+v: passes %v", c.frame, got)
		}
	}
	f.Servers = append(f.Servers, dc4)
	if _, err := f.Compile(false); err == nil {
		t.Error("a server too many is taken")
	}
}

// FuzzFilter: no packet makes the program fail, and cutting one never makes it
// pass in part.
func FuzzFilter(f *testing.F) {
	f.Add(frame{src: near4, dst: dc4, proto: ipTCP, sport: 50000, dport: 50001}.bytes())
	f.Add(frame{v6: true, src: near6, dst: dc6, proto: ipTCP, sport: 50000, dport: 50001, tags: []uint16{etherVLAN}}.bytes())
	v := vm(f, &two)
	f.Fuzz(func(t *testing.T, b []byte) { passes(t, v, b) })
}

// TestFilterTunnels: what a mirror's tunnel may be passes where it is asked for,
// and nowhere else; everything else is as without.
func TestFilterTunnels(t *testing.T) {
	asked := two
	asked.Tunnels = true
	with, without := vm(t, &asked), vm(t, &two)
	for _, v6 := range []bool{false, true} {
		src, dst := near4, netip.MustParseAddr("10.9.9.1")
		if v6 {
			src, dst = near6, netip.MustParseAddr("2001:db8::9")
		}
		for _, c := range []struct {
			proto        byte
			sport, dport uint16
			tunnel, any  bool // passes with Tunnels, passes always
		}{
			{ipGRE, 0, 0x88be, true, false},
			{ipUDP, 50000, portVXLAN, true, false},
			{ipUDP, portVXLAN, 50000, false, false},
			{ipTCP, 50000, portVXLAN, false, false},
			{ipUDP, 50000, 53, true, true},
			{ipTCP, 50000, 443, false, false},
			{89, 0, 0, false, false},
		} {
			f := frame{v6: v6, src: src, dst: dst, proto: c.proto, sport: c.sport, dport: c.dport, tags: []uint16{etherVLAN}}
			if got := passes(t, with, f.bytes()); got != c.tunnel {
				t.Errorf("%+v: passes %v with tunnels", f, got)
			}
			if got := passes(t, without, f.bytes()); got != c.any {
				t.Errorf("%+v: passes %v without", f, got)
			}
		}
	}
}

// TestEndsInTunnels: a check looks into one tunnel, where it is told that there
// are some.
func TestEndsInTunnels(t *testing.T) {
	inner := frame{src: near4, dst: dc4, proto: ipTCP, sport: 50000, dport: 389}.bytes()
	wrap := func(proto byte, b []byte) []byte {
		f := frame{src: near4, dst: netip.MustParseAddr("10.9.9.1"), proto: proto}.bytes()
		return append(f[:len(f)-20], b...)
	}
	vxlan := func(b []byte) []byte {
		return wrap(ipUDP, append([]byte{0xc3, 0x50, portVXLAN >> 8, portVXLAN & 0xff, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 7, 0}, b...))
	}
	ii := "\x10\x00\x88\xbe\x00\x00\x00\x01\x10\x07\x00\x01\x00\x00\x00\x09"
	iii := "\x10\x00\x22\xeb\x00\x00\x00\x01\x20\x07\x00\x01\x00\x00\x00\x09\x00\x00\x00\x01"
	for name, c := range map[string]struct {
		frame []byte
		ok    bool
	}{
		"VXLAN":           {vxlan(inner), true},
		"GRE, IP":         {wrap(ipGRE, append([]byte("\x20\x00\x08\x00\x00\x00\x00\x07"), inner[14:]...)), true},
		"GRE, Ethernet":   {wrap(ipGRE, append([]byte("\x00\x00\x65\x58"), inner...)), true},
		"ERSPAN I":        {wrap(ipGRE, append([]byte("\x00\x00\x88\xbe"), inner...)), true},
		"ERSPAN II":       {wrap(ipGRE, append([]byte(ii), inner...)), true},
		"ERSPAN III":      {wrap(ipGRE, append([]byte(iii+"12345678"), inner...)), true},
		"two":             {vxlan(vxlan(inner)), false},
		"cut":             {wrap(ipGRE, []byte(ii)), false},
		"cut within":      {wrap(ipGRE, []byte(iii)[:18]), false},
		"GRE header only": {wrap(ipGRE, []byte("\x00\x00\x65\x58")), false},
	} {
		_, src, dst, ok := ends(c.frame, true)
		if found := ok && src.Addr() == near4 && dst == netip.AddrPortFrom(dc4, 389); found != c.ok {
			t.Errorf("%s: %v > %v, %v", name, src, dst, ok)
		}
		if _, _, dst, ok := ends(c.frame, false); ok && dst.Port() == 389 {
			t.Errorf("%s: looked into unasked", name)
		}
	}
}

func FuzzEnds(f *testing.F) {
	f.Add(frame{src: near4, dst: dc4, proto: ipGRE, sport: 0x1000, dport: 0x88be}.bytes())
	f.Fuzz(func(_ *testing.T, b []byte) { ends(b, true) })
}
