package decode

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/capture"
	"github.com/verderer/verderer/sensor/flow"
)

// recorder notes the calls of one decoder.
type recorder struct {
	x              *Context
	resets, closes int
	at             activity.Time
}

func (r *recorder) Reset(x *Context) { r.x, r.resets = x, r.resets+1 }
func (r *recorder) Feed(dir flow.Dir, b []byte, now activity.Time) {
	r.x.Count("bytes", len(b))
	r.x.Emit(r.x.New(activity.DNSQuery, activity.ProtoDNS, now))
}
func (r *recorder) Held() int                        { return 64 }
func (r *recorder) Gap(flow.Dir, int, activity.Time) {}
func (r *recorder) Close(now activity.Time)          { r.closes, r.at = r.closes+1, now }

func conn(t activity.Transport, port uint16) *flow.Conn {
	return &flow.Conn{Transport: t,
		Client: netip.MustParseAddrPort("10.0.0.51:50000"),
		Server: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), port)}
}

func TestStage(t *testing.T) {
	var counters counter.Set
	var made []*recorder
	var emitted []*activity.Activity
	protocol := func(name string, tcp, udp uint16) Protocol {
		return Protocol{Name: name, TCP: []uint16{tcp}, UDP: []uint16{udp}, New: func() Decoder {
			made = append(made, new(recorder))
			return made[len(made)-1]
		}}
	}
	signed := protocol("signed", 135, 1)
	signed.Signature = func(b []byte) (bool, flow.Dir) { return len(b) > 0 && b[0] == 5, 1 }
	set := Set{Protocols: []Protocol{protocol("plain", 53, 53), signed}}
	s, err := NewStage(set, []byte("key"), &counters, func(a *activity.Activity) { emitted = append(emitted, a) })
	if err != nil {
		t.Fatal(err)
	}
	if !s.Port(activity.TCP, 53) || !s.Port(activity.UDP, 53) || s.Port(activity.UDP, 135) || s.Port(activity.TCP, 49_152) {
		t.Error("ports are not those registered")
	}
	if ok, dir := s.Signature([]byte{5}); !ok || dir != 1 {
		t.Error("the signature was not asked")
	}
	if ok, _ := s.Signature([]byte{6}); ok {
		t.Error("other bytes were taken for it")
	}
	if s.Open(conn(activity.UDP, 50_001)) != nil {
		t.Error("a UDP conversation between unknown ports has a decoder")
	}

	s.At(&capture.Chunk{File: "a.pcap", Frame: 7})
	h := s.Open(conn(activity.TCP, 53))
	h.Feed(0, []byte("abc"), 100)
	if len(emitted) != 1 || emitted[0].ID == (activity.ID{}) {
		t.Fatalf("emitted %v, sealed or not", emitted)
	}
	a := emitted[0]
	if a.Source.Addr.String() != "10.0.0.51" || a.Source.Port != 50_000 || a.Target.Port != 53 || a.Time != 100 || a.Transport != activity.TCP || a.Origin.File != "a.pcap" || a.Origin.Frame != 7 {
		t.Errorf("%+v, %+v", a, a.Origin)
	}
	if counters.Of("plain", "bytes").Value() != 3 || counters.Of("decode", "activities").Value() != 1 {
		t.Errorf("counted %v", counters.Rows())
	}
	h.Close(200)
	if made[0].closes != 1 || made[0].at != 200 {
		t.Errorf("closed %d times, at %d", made[0].closes, made[0].at)
	}

	// The next conversation of the protocol gets the same decoder, reset.
	c := conn(activity.UDP, 53)
	again := s.Open(c)
	if len(made) != 1 || made[0].resets != 2 || made[0].x.Conn != c {
		t.Errorf("%d decoders made, reset %d times", len(made), made[0].resets)
	}
	other := s.Open(conn(activity.TCP, 49_152))
	if len(made) != 2 || made[1].x.proto != "signed" {
		t.Error("a conversation on an unknown port goes to the protocol with a signature")
	}
	again.Close(1)
	other.Close(1)

	// However many close at once, maxPool wait.
	var open []flow.Handler
	for range maxPool + 10 {
		open = append(open, s.Open(conn(activity.TCP, 53)))
	}
	for _, h := range open {
		h.Close(2)
	}
	if n := len(s.tcp[53].free); n != maxPool {
		t.Errorf("%d decoders wait in the pool, want %d", n, maxPool)
	}
}

func TestStageRefuses(t *testing.T) {
	p := Protocol{Name: "first", TCP: []uint16{53}, New: func() Decoder { return new(recorder) },
		Signature: func([]byte) (bool, flow.Dir) { return false, 0 }}
	second := p
	second.Name = "second"
	moved := second
	moved.TCP = []uint16{54}
	in := Inner{Name: "token", Read: func(*Context, flow.Dir, []byte, *activity.Auth) bool { return true }}
	for _, c := range []struct {
		set  Set
		want string
	}{
		{Set{Protocols: []Protocol{p, second}}, "port 53 is taken by first"},
		{Set{Protocols: []Protocol{p, moved}}, "one alone may"},
		{Set{Inner: []Inner{in, in}}, "name is taken"},
	} {
		if _, err := NewStage(c.set, nil, new(counter.Set), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestHandoff(t *testing.T) {
	var counters counter.Set
	in := Inner{Name: "token", Read: func(x *Context, _ flow.Dir, b []byte, auth *activity.Auth) bool {
		x.Count("tokens", 1)
		auth.Mechanism = activity.MechNTLM
		return len(b) > 0
	}}
	s, err := NewStage(Set{Inner: []Inner{in}}, nil, &counters, func(*activity.Activity) {})
	if err != nil {
		t.Fatal(err)
	}
	x := &Context{Conn: conn(activity.TCP, 389), stage: s, proto: "ldap"}
	var auth activity.Auth
	if x.Handoff("nobody", 0, []byte("x"), &auth) || auth.Mechanism != "" {
		t.Error("a name that nobody has")
	}
	if !x.Handoff("token", 0, []byte("x"), &auth) || auth.Mechanism != activity.MechNTLM || x.Handoff("token", 0, nil, &auth) {
		t.Error("what the inner decoder says is the answer")
	}
	if counters.Of("token", "tokens").Value() != 2 || x.proto != "ldap" {
		t.Errorf("counted %v; the carrier counts under %s", counters.Rows(), x.proto)
	}
}

func TestPasswordTag(t *testing.T) {
	const day = activity.Time(24 * 3600 * 1e9)
	tagger := func(key string) *Context {
		s, err := NewStage(Set{}, []byte(key), new(counter.Set), nil)
		if err != nil {
			t.Fatal(err)
		}
		return &Context{stage: s}
	}
	x := tagger("one")
	a := x.PasswordTag([]byte("Winter2024"), 5*day)
	if x.PasswordTag([]byte("Winter2024"), 6*day-1) != a {
		t.Error("the same password on the same day has another tag")
	}
	same := 0
	for i, b := range []uint16{
		x.PasswordTag([]byte("Winter2025"), 5*day),
		x.PasswordTag([]byte("Winter2024"), 6*day),
		x.PasswordTag([]byte("Winter2024"), 5*day-1),
		tagger("two").PasswordTag([]byte("Winter2024"), 5*day),
	} {
		if a == b {
			same++
			t.Logf("case %d has the same tag", i)
		}
	}
	if same > 0 { // by chance once in 65,536; the inputs are fixed
		t.Error("another password, day or key gives the same tag")
	}
	if x.PasswordTag([]byte("Winter2024"), 5*day) != a {
		t.Error("back on the day, another tag")
	}
	for i := range 200_000 {
		if x.PasswordTag([]byte{byte(i), byte(i >> 8), byte(i >> 16)}, 0) == 0 {
			t.Fatal("a password that was read has the tag of none")
		}
	}
}
