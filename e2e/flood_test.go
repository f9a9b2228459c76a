package e2e

import (
	"encoding/binary"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/all"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor"
	"github.com/verderer/verderer/sensor/capture"
	decoders "github.com/verderer/verderer/sensor/decode/all"
)

const (
	// maxSensor is the memory promised for a sensor, whatever the traffic.
	maxSensor = 128 << 20
	// maxCenter is what the center may take for one domain controller's flood:
	// far below its 2 GiB for a whole forest.
	maxCenter = 1 << 30
)

// dc is the domain controller of all recordings, and the target of all floods.
var dc = [4]byte{10, 77, 0, 10}

// A flood is traffic whose packets are made up one by one. packet fills the
// i-th of n, from its Ethernet header on.
type flood struct {
	name    string
	attack  string // the recording in the middle of it
	n       int
	packet  func(b []byte, i int) []byte
	counted string // what must be counted: "stage: beginning of the name"
	noise   string // of whom alerts are right, too: prefix of the sources' addresses
}

var floods = []flood{
	{
		name: "SYN from a million sources", attack: "dcsync/kerberos-dcsync", n: 1_000_000,
		packet:  func(b []byte, i int) []byte { return tcp4(b, spoofed(i), dc, 40_000, 88, 7, 0, 2, nil) },
		counted: "flow: TCP connections evicted",
	},
	{
		name: "half-open connections", attack: "bruteforceldap/simple-bind-spray", n: 200_000,
		packet: func(b []byte, i int) []byte {
			if i%2 == 0 {
				return tcp4(b, spoofed(i/2), dc, 40_000, 389, 7, 0, 2, nil)
			}
			return tcp4(b, dc, spoofed(i/2), 389, 40_000, 99, 8, 0x12, nil)
		},
		counted: "flow: TCP connections evicted",
	},
	{
		name: "DNS queries from all ports", attack: "dnsrecon/ptr-sweep", n: 200_000,
		packet: func(b []byte, i int) []byte {
			return udp4(b, [4]byte{10, 77, 1, byte(i >> 16)}, dc, uint16(i), 53, query(i))
		},
		counted: "flow: UDP conversations evicted",
	},
	{
		name: "AS-REQ for unknown names from one source", attack: "asreproast/rc4-two-accounts", n: 200_000,
		packet: func(b []byte, i int) []byte { return unknownName(b, [4]byte{10, 77, 2, 1}, uint16(i/2), i) },
		noise:  "10.77.2.1",
	},
	{
		name: "AS-REQ for unknown names from everywhere", attack: "accountenum/kerberos-name-list", n: 200_000,
		packet:  func(b []byte, i int) []byte { return unknownName(b, spoofed(i/2), 40_000, i) },
		counted: "detect: keys forgotten",
	},
	{
		name: "LDAP searches that nobody answers", attack: "bruteforceldap/many-passwords-one-account", n: 600_000,
		packet: func(b []byte, i int) []byte {
			src, round := spoofed(i%60_000), i/60_000
			if round == 0 {
				return tcp4(b, src, dc, 40_000, 389, 0, 0, 2, nil)
			}
			s := search(round)
			return tcp4(b, src, dc, 40_000, 389, uint32(1+(round-1)*len(s)), 1, 0x18, s)
		},
		counted: "decode: conversations forgotten",
	},
	{
		name: "LDAP requests that never end", attack: "bruteforceldap/simple-bind-spray", n: 600_000,
		packet: func(b []byte, i int) []byte {
			src, round := spoofed(i%60_000), i/60_000
			switch round {
			case 0:
				return tcp4(b, src, dc, 40_000, 389, 0, 0, 2, nil)
			case 1:
				return tcp4(b, src, dc, 40_000, 389, 1, 1, 0x18, []byte{0x30, 0x83, 0xff, 0xff, 0xff, 2, 1, 1, 0x63, 0x83, 0xff, 0xff, 0x80, 4, 0})
			}
			return tcp4(b, src, dc, 40_000, 389, uint32(16+(round-2)*1400), 1, 0x18, filler[:1400])
		},
		counted: "decode: conversations forgotten",
	},
}

// TestFloods drowns an attack in a flood of a million packets. The sensor's and
// the center's memory stay within what is promised, what had to go is counted,
// and the attack is found.
func TestFloods(t *testing.T) {
	if testing.Short() {
		t.Skip("millions of packets: left out with -short")
	}
	bundled := recordings(t)
	for _, f := range floods {
		t.Run(f.name, func(t *testing.T) {
			r := bundled[slices.IndexFunc(bundled, func(r recording) bool { return r.name == f.attack })]
			want := analyzed(t, r.scenario.Options(t), r.content)
			sensorOnly, _, _ := drown(t, f, r.packets, false)
			both, alerts, counters := drown(t, f, r.packets, true)
			t.Logf("%d packets: sensor %.1f MiB, center %.1f MiB", f.n, mib(sensorOnly), mib(both-sensorOnly))
			if sensorOnly > maxSensor {
				t.Errorf("the sensor holds %.1f MiB, promised are %.1f", mib(sensorOnly), mib(maxSensor))
			}
			if both-sensorOnly > maxCenter {
				t.Errorf("the center holds %.1f MiB, at most %.1f are meant", mib(both-sensorOnly), mib(maxCenter))
			}
			if f.counted != "" && !slices.ContainsFunc(counters, func(c counter.Row) bool {
				return strings.HasPrefix(c.Stage+": "+c.Name, f.counted)
			}) {
				t.Errorf("nothing counted as %q: %v", f.counted, counters)
			}
			got := slices.DeleteFunc(alerts, func(a *alert.Alert) bool {
				return f.noise != "" && strings.HasPrefix(a.Sources[0].Address, f.noise)
			})
			equal(t, found(want), found(got))
		})
	}
}

// found is what an attack's alerts say, without what a flood may take from
// their evidence.
func found(alerts []*alert.Alert) []string {
	var all []string
	for _, a := range alerts {
		all = append(all, fmt.Sprintf("%q", a.Summary))
	}
	return all
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// drown runs a flood with an attack spread over its middle, and returns the
// most memory in use at any of several times, the alerts and the counters.
func drown(t *testing.T, f flood, attack []packet, withCenter bool) (most int64, alerts []*alert.Alert, rows []counter.Row) {
	t.Helper()
	before := heap()
	var (
		counters counter.Set
		core     *center.Core
		now      = attack[0].at
		told     = now
	)
	apply := func(*ingest.Record) {}
	if withCenter {
		core = center.New(center.Config{Definitions: all.Definitions, Level: detect.LevelLow})
		apply = core.Apply
	}
	pipe, err := sensor.New(decoders.Set, []byte("flood"), &counters, func(a *activity.Activity) {
		apply(&ingest.Record{Sensor: "flood", Ingest: now, Activity: a})
	})
	if err != nil {
		t.Fatal(err)
	}
	apply(&ingest.Record{Sensor: "flood", Ingest: now, Attach: now - 1e9})
	n := 0
	for p := range mixed(f, attack) {
		now = max(now, p.at)
		if now >= told+250e6 {
			told = now
			apply(&ingest.Record{Sensor: "flood", Ingest: now, Progress: now - 1e9})
		}
		pipe.Packet(&capture.Chunk{Time: p.at, Link: capture.LinkEthernet, Data: p.data, Wire: len(p.data)})
		if n++; n%(f.n/8) == 0 {
			most = max(most, heap()-before)
		}
	}
	most = max(most, heap()-before)
	pipe.Flush(now)
	if withCenter {
		core.Drain()
		counters.Merge(&core.Counters)
		alerts = core.Alerts()
	}
	runtime.KeepAlive(pipe)
	return most, alerts, counters.Rows()
}

// heap is the memory in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first one finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// mixed yields the flood and the attack by time. The flood takes three times as
// long and has the attack in its middle.
func mixed(f flood, attack []packet) iter.Seq[packet] {
	return func(yield func(packet) bool) {
		start := attack[0].at
		span := max(attack[len(attack)-1].at-start, 1e9)
		b := make([]byte, 0, 2048)
		for i := range f.n {
			at := start - span + 3*span/activity.Time(f.n)*activity.Time(i)
			for len(attack) > 0 && attack[0].at <= at {
				if !yield(attack[0]) {
					return
				}
				attack = attack[1:]
			}
			if !yield(packet{at, f.packet(b[:0], i)}) {
				return
			}
		}
		for _, p := range attack {
			if !yield(p) {
				return
			}
		}
	}
}

// spoofed is the i-th made-up source.
func spoofed(i int) [4]byte {
	return [4]byte{172, byte(16 + i>>16), byte(i >> 8), byte(i)}
}

// ipv4 begins an Ethernet frame with an IPv4 header for n bytes of payload.
// Checksums stay zero: the sensor does not look at them.
func ipv4(b []byte, src, dst [4]byte, proto byte, n int) []byte {
	b = append(b, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x08\x00\x45\x00"...)
	b = binary.BigEndian.AppendUint16(b, uint16(20+n))
	b = append(b, 0, 1, 0, 0, 64, proto, 0, 0)
	b = append(b, src[:]...)
	return append(b, dst[:]...)
}

func udp4(b []byte, src, dst [4]byte, sport, dport uint16, data []byte) []byte {
	b = ipv4(b, src, dst, protoUDP, 8+len(data))
	b = binary.BigEndian.AppendUint16(b, sport)
	b = binary.BigEndian.AppendUint16(b, dport)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(data)))
	return append(append(b, 0, 0), data...)
}

func tcp4(b []byte, src, dst [4]byte, sport, dport uint16, seq, ack uint32, flags byte, data []byte) []byte {
	b = ipv4(b, src, dst, protoTCP, 20+len(data))
	b = binary.BigEndian.AppendUint16(b, sport)
	b = binary.BigEndian.AppendUint16(b, dport)
	b = binary.BigEndian.AppendUint32(b, seq)
	b = binary.BigEndian.AppendUint32(b, ack)
	b = append(b, 5<<4, flags, 0xff, 0xff, 0, 0, 0, 0)
	return append(b, data...)
}

// query asks for the address of a name of its own.
func query(i int) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(i))
	b = append(b, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	b = append(b, 8)
	b = fmt.Appendf(b, "h%07d", i)
	return append(b, "\x03lab\x07example\x00\x00\x01\x00\x01"...)
}

// search is an LDAP search of a base object with a long filter.
func search(id int) []byte {
	long := strings.Repeat("x", 900)
	filter := der(0xa3, der(0x04, []byte("cn")), der(0x04, []byte(long)))
	return der(0x30, der(0x02, []byte{byte(id)}), der(0x63,
		der(0x04, []byte("dc=lab,dc=example")), der(0x0a, []byte{2}), der(0x0a, []byte{0}),
		der(0x02, []byte{0}), der(0x02, []byte{0}), der(0x01, []byte{0}), filter, der(0x30)))
}

// filler is the inside of a message: octet strings of no length.
var filler = []byte(strings.Repeat("\x04\x00", 700))

// unknownName is, in turn, an AS-REQ for a name of its own over UDP and the
// KDC's answer that nobody is called so (RFC 4120 §5.4.1, §5.9.1).
func unknownName(b []byte, src [4]byte, port uint16, i int) []byte {
	realm := der(0x1b, []byte("LAB.EXAMPLE"))
	name := func(kind byte, parts ...string) []byte {
		var list [][]byte
		for _, p := range parts {
			list = append(list, der(0x1b, []byte(p)))
		}
		return der(0x30, der(0xa0, der(2, []byte{kind})), der(0xa1, der(0x30, list...)))
	}
	user := name(1, fmt.Sprintf("nobody%06d", i/2))
	krbtgt := name(2, "krbtgt", "LAB.EXAMPLE")
	if i%2 == 0 {
		body := der(0x30, der(0xa0, der(3, []byte{0, 0x40, 0, 0, 0})), der(0xa1, user), der(0xa2, realm), der(0xa3, krbtgt),
			der(0xa5, der(0x18, []byte("20300101000000Z"))), der(0xa7, der(2, []byte{1, byte(i >> 16), byte(i >> 8), byte(i)})),
			der(0xa8, der(0x30, der(2, []byte{18}))))
		return udp4(b, src, dc, port, 88, der(0x6a, der(0x30, der(0xa1, der(2, []byte{5})), der(0xa2, der(2, []byte{10})), der(0xa4, body))))
	}
	return udp4(b, dc, src, 88, port, der(0x7e, der(0x30, der(0xa0, der(2, []byte{5})), der(0xa1, der(2, []byte{30})),
		der(0xa4, der(0x18, []byte("20261123213000Z"))), der(0xa5, der(2, []byte{1})), der(0xa6, der(2, []byte{6})),
		der(0xa7, realm), der(0xa8, user), der(0xa9, realm), der(0xaa, krbtgt))))
}

// der is a tag with its length and content (X.690 §8.1, §10.1).
func der(tag byte, content ...[]byte) []byte {
	n := 0
	for _, c := range content {
		n += len(c)
	}
	b := []byte{tag}
	switch {
	case n < 0x80:
		b = append(b, byte(n))
	case n < 0x100:
		b = append(b, 0x81, byte(n))
	default:
		b = append(b, 0x82, byte(n>>8), byte(n))
	}
	for _, c := range content {
		b = append(b, c...)
	}
	return b
}
