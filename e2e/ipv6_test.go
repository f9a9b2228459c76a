package e2e

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/verderer/verderer/center/alert"
)

// TestIPv6 moves every recording to IPv6 and wants the same alerts. ATA did
// not see IPv6 at all; an attacker who found that out was invisible.
func TestIPv6(t *testing.T) {
	for _, r := range recordings(t) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			if strings.HasPrefix(r.name, "smbsessionenum/") {
				t.Skip("the server's answer names its clients by IPv4 address, as text that stays")
			}
			o := r.scenario.Options(t)
			want := analyzed(t, o, r.content)
			// The verdict is on the folder's detection; others may have their say.
			folder, _, _ := strings.Cut(r.name, "/")
			own := slices.ContainsFunc(want, func(a *alert.Alert) bool { return strings.ReplaceAll(a.Detection, "-", "") == folder })
			if own != (r.scenario.Verdict == "alert") {
				t.Fatalf("%d alerts over IPv4, where the scenario's verdict is %s", len(want), r.scenario.Verdict)
			}
			for i, x := range o.Exclusions {
				o.Exclusions[i] = toIPv6(x)
			}
			if o.Directory != "" {
				dir := filepath.Join(t.TempDir(), "directory.json")
				if err := os.WriteFile(dir, []byte(toIPv6(string(readFile(t, o.Directory)))), 0o600); err != nil {
					t.Fatal(err)
				}
				o.Directory = dir
			}
			packets, rewritten := ipv6(t, r.packets)
			if rewritten == 0 {
				t.Fatal("nothing was rewritten")
			}
			got := lines(t, withoutIDs(analyzed(t, o, pcap(packets))))
			for i, line := range got {
				if got[i] = toIPv4(line); got[i] == line {
					t.Errorf("an alert without an address of IPv6: %s", line)
				}
			}
			equal(t, lines(t, withoutIDs(want)), got)
		})
	}
}

// withoutIDs takes off what is derived from addresses, and leaves how many ids
// there are.
func withoutIDs(alerts []*alert.Alert) []*alert.Alert {
	for _, a := range alerts {
		a.ID = ""
		for i := range a.Evidence {
			clear(a.Evidence[i].Activities)
		}
	}
	return alerts
}

// addr6 puts an IPv4 address into the low bits of fd00::, so that the hosts of
// a /24 share a /120.
func addr6(v4 []byte) []byte {
	b := make([]byte, 16)
	b[0] = 0xfd
	copy(b[12:], v4)
	return b
}

var (
	textIPv4 = regexp.MustCompile(`\b(\d{1,3}(?:\.\d{1,3}){3})(?:/(\d+))?\b`)
	textIPv6 = regexp.MustCompile(`\bfd00::[0-9a-f:]*[0-9a-f]\b`)
)

// toIPv6 replaces the addresses and subnets in a text.
func toIPv6(s string) string {
	return textIPv4.ReplaceAllStringFunc(s, func(m string) string {
		f := textIPv4.FindStringSubmatch(m)
		v4 := netip.MustParseAddr(f[1]).As4()
		v6 := netip.AddrFrom16([16]byte(addr6(v4[:]))).String()
		if f[2] != "" {
			n, _ := strconv.Atoi(f[2])
			v6 += "/" + strconv.Itoa(96+n)
		}
		return v6
	})
}

func toIPv4(s string) string {
	return textIPv6.ReplaceAllStringFunc(s, func(m string) string {
		b := netip.MustParseAddr(m).As16()
		return netip.AddrFrom4([4]byte(b[12:])).String()
	})
}

// Offsets in an Ethernet frame, and numbers of protocols.
const (
	etherHeader = 14
	protoTCP    = 6
	protoUDP    = 17
	portDNS     = 53
)

// ipv6 rewrites TCP and UDP over IPv4 and leaves everything else. It counts
// what it rewrote.
func ipv6(t *testing.T, packets []packet) (out []packet, rewritten int) {
	for i, p := range packets {
		ip := p.data[etherHeader:]
		if binary.BigEndian.Uint16(p.data[12:]) != 0x0800 || ip[9] != protoTCP && ip[9] != protoUDP {
			out = append(out, p)
			continue
		}
		if binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
			t.Fatalf("packet %d is a fragment: join it before it is rewritten", i+1)
		}
		payload := ip[int(ip[0]&0xf)*4 : binary.BigEndian.Uint16(ip[2:])]
		b := append([]byte(nil), payload...)
		if ip[9] == protoUDP {
			if binary.BigEndian.Uint16(b) == portDNS || binary.BigEndian.Uint16(b[2:]) == portDNS {
				m, err := dnsOverIPv6(b[8:])
				if err != nil {
					t.Fatalf("packet %d: %v", i+1, err)
				}
				b = append(b[:8:8], m...)
			}
			binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
		}
		out = append(out, packet{p.at, frame6(p.data[:12], ip[9], addr6(ip[12:16]), addr6(ip[16:20]), b)})
		rewritten++
	}
	return out, rewritten
}

// frame6 is an Ethernet frame with an IPv6 packet (RFC 8200 §3), its transport
// checksum computed.
func frame6(macs []byte, proto byte, src, dst, transport []byte) []byte {
	at := map[byte]int{protoTCP: 16, protoUDP: 6}[proto]
	binary.BigEndian.PutUint16(transport[at:], 0)
	sum := checksum(src, dst, binary.BigEndian.AppendUint32(nil, uint32(len(transport))), []byte{0, 0, 0, proto}, transport)
	if sum == 0 {
		sum = 0xffff // RFC 8200 §8.1
	}
	binary.BigEndian.PutUint16(transport[at:], sum)

	b := append(append([]byte(nil), macs...), 0x86, 0xdd, 0x60, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(transport)))
	b = append(b, proto, 64)
	b = append(b, src...)
	b = append(b, dst...)
	return append(b, transport...)
}

// checksum is the Internet checksum (RFC 1071) over parts, of which all but the
// last have an even length.
func checksum(parts ...[]byte) uint16 {
	var sum uint32
	for _, p := range parts {
		for i := 0; i+1 < len(p); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(p[i:]))
		}
		if len(p)%2 == 1 {
			sum += uint32(p[len(p)-1]) << 8
		}
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// reverse6 turns a reverse name of IPv4, of an address or of a zone, into the
// one of the mapped address. Other names stay.
func reverse6(labels []string) []string {
	n := len(labels) - 2
	if n < 0 || !strings.EqualFold(strings.Join(labels[n:], "."), "in-addr.arpa") {
		return labels
	}
	var out []string
	for _, l := range labels[:n] {
		v, err := strconv.ParseUint(l, 10, 8)
		if err != nil {
			return labels
		}
		out = append(out, strconv.FormatUint(v&0xf, 16), strconv.FormatUint(v>>4, 16))
	}
	for range 11 { // the bytes above the IPv4 address but the first
		out = append(out, "0", "0")
	}
	return append(out, "d", "f", "ip6", "arpa")
}
