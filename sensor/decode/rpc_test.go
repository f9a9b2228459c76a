package decode

import (
	"encoding/binary"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/flow"
)

func TestUUID(t *testing.T) {
	const text = "e3514235-4b06-11d1-ab04-00c04fc2dcd2"
	u, err := ParseUUID(text)
	if err != nil || u.String() != text {
		t.Fatalf("ParseUUID(%q) = %v, %v", text, u, err)
	}
	for _, bad := range []string{"", "e3514235", text + "0", "e3514235+4b06-11d1-ab04-00c04fc2dcd2", "g3514235-4b06-11d1-ab04-00c04fc2dcd2"} {
		if u, err := ParseUUID(bad); err == nil || u != (UUID{}) {
			t.Errorf("ParseUUID(%q) = %v, %v, want an error", bad, u, err)
		}
	}
	wire := []byte{0x35, 0x42, 0x51, 0xe3, 0x06, 0x4b, 0xd1, 0x11, 0xab, 0x04, 0x00, 0xc0, 0x4f, 0xc2, 0xdc, 0xd2}
	if got := ReadUUID(wire, binary.LittleEndian); got != u {
		t.Errorf("little-endian: %v", got)
	}
	if got := ReadUUID(u[:], binary.BigEndian); got != u {
		t.Errorf("big-endian: %v", got)
	}
}

func TestInterfaces(t *testing.T) {
	const uuid = "e3514235-4b06-11d1-ab04-00c04fc2dcd2"
	var counters counter.Set
	called := 0
	in := Interface{Name: "first", UUID: uuid, Version: 4, Call: func(x *Context, c *RPCCall) {
		called++
		x.Count("calls seen", 1)
	}}
	stage := func(more ...Interface) (*Stage, error) {
		return NewStage(Set{Interfaces: append([]Interface{in}, more...)}, nil, &counters, func(*activity.Activity) {})
	}
	s, err := stage(Interface{Name: "next version", UUID: uuid, Version: 5})
	if err != nil {
		t.Fatal(err)
	}
	u, _ := ParseUUID(uuid)
	x := &Context{Conn: &flow.Conn{}, stage: s, proto: "carrier"}
	if x.Interface(u, 3) != nil || x.Interface(UUID{}, 4) != nil {
		t.Error("an interface nobody registered was found")
	}
	found := x.Interface(u, 4)
	if found == nil || found.Name != "first" {
		t.Fatalf("Interface = %v", found)
	}
	x.Deliver(found, &RPCCall{})
	if called != 1 || counters.Of("first", "calls seen").Value() != 1 {
		t.Errorf("called %d times, counted %v", called, counters.Rows())
	}

	for _, bad := range []Interface{
		{Name: "again", UUID: uuid, Version: 4},
		{Name: "no uuid", UUID: "e351"},
		{Name: "greedy", UUID: "00000000-4b06-11d1-ab04-00c04fc2dcd2", Request: MaxStub + 1},
	} {
		if _, err := stage(bad); err == nil {
			t.Errorf("registering %s: no error", bad.Name)
		}
	}
}
