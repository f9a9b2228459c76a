package tsch

import (
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

// task is a definition as programs write it (MS-TSCH §2.5).
const task = `<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><URI>\from the definition</URI><Author>a &amp; b</Author></RegistrationInfo>
  <Triggers><CalendarTrigger><StartBoundary>2015-07-15T20:35:13.2757294</StartBoundary></CalendarTrigger></Triggers>
  <Principals><Principal id="LocalSystem"><UserId>S-1-5-18</UserId><RunLevel>HighestAvailable</RunLevel></Principal></Principals>
  <Settings><Enabled>true</Enabled><Hidden>true</Hidden></Settings>
  <Actions Context="LocalSystem">
    <Exec><Command>cmd.exe</Command><Arguments>/C whoami &gt; %windir%\Temp\x.tmp 2&gt;&amp;1</Arguments></Exec>
    <Exec><Command>second.exe</Command></Exec>
  </Actions>
</Task>`

const handler = `<Task><Actions><ComHandler><ClassId>{01234567-0000-0000-0000-000000000000}</ClassId><Data>x</Data></ComHandler></Actions></Task>`

// registration is a request of SchRpcRegisterTask.
func registration(e decodetest.Encoding, path, xml string, flags uint32) *decodetest.Stub {
	s := e.Stub()
	if path == "" {
		s.Null(1)
	} else {
		s.Unique(path)
	}
	return s.String(xml).U32(flags).Null(1).U32(3, 0).Null(1)
}

func made(e decodetest.Encoding) []decode.RPCCall {
	ok := func() *decodetest.Stub { return e.Stub().U32(0) }
	registered := func(path string) *decodetest.Stub { return e.Stub().Unique(path).Null(1).U32(0) }
	return []decode.RPCCall{
		e.Call(opRegisterTask, registration(e, `\QRkCLPBU`, task, flagCreate), registered(`\QRkCLPBU`)),
		e.Call(opRegisterTask, registration(e, "", task, flagCreate|flagUpdate), registered(`\from the definition`)),
		e.Call(opRegisterTask, registration(e, "", handler, flagUpdate), registered(`\by the server`)),
		e.Call(opRegisterTask, registration(e, `\broken`, "<Task><Actions><Exec><Command>a.exe</Command></Oops>", flagCreate), e.Stub().Null(1).Pointers(1).U32(0x8004131a)),
		e.Call(opRegisterTask, registration(e, `\denied`, task, flagCreate), e.Stub().Null(2).U32(0x80070005)),
		e.Call(opRun, e.Stub().String(`\QRkCLPBU`).U32(0).Null(1).U32(0, 0).Null(1), e.Stub().Zeros(16).U32(0)),
		e.Call(opDelete, e.Stub().String(`\QRkCLPBU`).U32(0), ok()),
		e.Call(opRename, e.Stub().String(`\a`).String("b").U32(0), ok()),
		e.Call(opEnumInstances, e.Stub().Unique(`\a`).U32(0), ok()),
		e.Call(0, e.Stub(), e.Stub().U32(0x10003, 0)),
	}
}

func madeATSvc(e decodetest.Encoding) []decode.RPCCall {
	job := func() *decodetest.Stub {
		return e.Stub().Unique("dc1").Struct().U32(3600000, 0).Bytes(0x7f, 0x01).Pointers(1).String(`cmd /c x`)
	}
	return []decode.RPCCall{
		e.Call(opJobAdd, job(), e.Stub().U32(3, 0)),
		e.Call(opJobAdd, job(), e.Stub().U32(0, 5)),
		e.Call(2, e.Stub().Unique("dc1").Zeros(16), e.Stub().Zeros(20).U32(0)),
	}
}

func TestMade(t *testing.T) {
	decodetest.MadeCalls(t, "testdata/made.golden.jsonl", Interfaces[0], made)
	decodetest.MadeCalls(t, "testdata/made-atsvc.golden.jsonl", Interfaces[1], madeATSvc)
}

// TestDefinition: what stands before the end of what was kept is read, and
// nothing takes long.
func TestDefinition(t *testing.T) {
	for n := range task {
		var a activity.Task
		if definition(task[:n], &a) {
			t.Errorf("%d bytes of %d are whole", n, len(task))
		}
		if strings.Contains(task[:n], "</UserId>") && a.RunAs != "S-1-5-18" || strings.Contains(task[:n], "</Command>") && !strings.HasPrefix(a.Action, "cmd.exe") {
			t.Errorf("of %d bytes: %+v", n, a)
		}
	}
	for _, tt := range []struct{ what, xml string }{
		{"deep", strings.Repeat("<a>", 5000)},
		{"entity", `<!DOCTYPE x [<!ENTITY a "aaaa">]><Task>&a;&a;</Task>`},
		{"text alone", "no XML"},
		{"NUL", "\x00"},
		{"closed twice", "</a></a>"},
	} {
		var a activity.Task
		if definition(tt.xml, &a) || a.Action != "" {
			t.Errorf("%s: %+v", tt.what, a)
		}
	}
}

func TestUnread(t *testing.T) {
	e := decodetest.Encoding{}
	conn := decodetest.Connect(t, Interfaces[0])
	conn.Deliver(e.Call(opRegisterTask, registration(e, `\x`, "<Task>"+strings.Repeat("<Triggers/>", 1000)+task, flagCreate), nil))
	if n := conn.Counters.Of(name, reasonXML).Value(); n != 1 {
		t.Errorf("counted %d", n)
	}
}

func FuzzCall(f *testing.F) { decodetest.FuzzCalls(f, Interfaces[0], made(decodetest.Encoding{})) }

func FuzzATSvc(f *testing.F) {
	decodetest.FuzzCalls(f, Interfaces[1], madeATSvc(decodetest.Encoding{}))
}

func TestTshark(t *testing.T) {
	e := decodetest.Encoding{}
	decodetest.TsharkReads(t, Interfaces[1], madeATSvc(e), map[uint16][]string{
		0: {`cmd /c x`},
	})
}
