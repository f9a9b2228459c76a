package drsuapi

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestStubsAgainstTshark has tshark read the requests that the other tests are
// built on: a mistake about the layout could otherwise hide in builder and
// reader alike. tshark takes UTF-16 for little-endian whatever the data
// representation says (C706 §14.3.4 says otherwise), so it gets only those.
func TestStubsAgainstTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	const name = "CN=krbtgt,CN=Users,DC=lab,DC=example"
	for _, s := range stubs {
		if !s.tshark {
			continue
		}
		n := &ndr{order: binary.LittleEndian}
		s.build(n, name)
		path := filepath.Join(t.TempDir(), "request.pcap")
		if err := os.WriteFile(path, requestCapture(n.b, s.opnum), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("tshark", "-r", path, "-Y", "drsuapi && dcerpc.pkt_type == 0", "-T", "fields", "-e", "drsuapi.DsReplicaSyncRequest1Info.nc_dn", "-e", "_ws.malformed").Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(bytes.TrimSpace(out)); got != name {
			t.Errorf("%s: tshark reads %q", s.what, got)
		}
	}
}

// requestCapture is a capture of a bind to this interface and one request.
func requestCapture(stub []byte, opnum uint16) []byte {
	o := binary.LittleEndian
	pdu := func(ptype byte, body []byte) []byte {
		b := []byte{5, 0, ptype, 3, 0x10, 0, 0, 0}
		b = o.AppendUint16(b, uint16(16+len(body)))
		b = append(b, 0, 0)
		return append(o.AppendUint32(b, 1), body...)
	}
	syntax := func(b []byte, a uint32, c, d uint16, rest string, version uint32) []byte {
		b = o.AppendUint32(b, a)
		b = o.AppendUint16(o.AppendUint16(b, c), d)
		return o.AppendUint32(append(b, rest...), version)
	}
	bind := []byte{0xd0, 0x16, 0xd0, 0x16, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0}
	bind = syntax(bind, 0xe3514235, 0x4b06, 0x11d1, "\xab\x04\x00\xc0\x4f\xc2\xdc\xd2", 4)
	bind = syntax(bind, 0x8a885d04, 0x1ceb, 0x11c9, "\x9f\xe8\x08\x00\x2b\x10\x48\x60", 2)
	call := o.AppendUint32(nil, uint32(len(stub)))
	call = o.AppendUint16(o.AppendUint16(call, 0), opnum)

	capture := []byte("\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x65\x00\x00\x00") // link type 101: raw IP
	seq := uint32(1)
	for _, payload := range [][]byte{pdu(11, bind), pdu(0, append(call, stub...))} {
		be := binary.BigEndian
		ip := be.AppendUint16([]byte{0x45, 0}, uint16(40+len(payload)))
		ip = append(ip, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 9, 192, 0, 2, 1)
		ip = be.AppendUint16(be.AppendUint16(ip, 50000), 135)
		ip = be.AppendUint32(be.AppendUint32(ip, seq), 1)
		ip = append(ip, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0)
		ip = append(ip, payload...)
		capture = append(capture, make([]byte, 8)...)
		capture = o.AppendUint32(capture, uint32(len(ip)))
		capture = o.AppendUint32(capture, uint32(len(ip)))
		capture = append(capture, ip...)
		seq += uint32(len(payload))
	}
	return capture
}
