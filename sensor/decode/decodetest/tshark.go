package decodetest

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/verderer/verderer/sensor/decode"
)

// TsharkReads has tshark read calls that a test made, in little-endian NDR: of the
// first of each opnum it must show the given texts. A mistake about a layout
// could otherwise hide in a test and in what it tests alike.
func TsharkReads(t *testing.T, in decode.Interface, calls []decode.RPCCall, want map[uint16][]string) {
	t.Helper()
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	for opnum, texts := range want {
		i := slices.IndexFunc(calls, func(c decode.RPCCall) bool { return c.Opnum == opnum })
		if i < 0 {
			t.Errorf("%s: no call of opnum %d", in.Name, opnum)
			continue
		}
		path := filepath.Join(t.TempDir(), "call.pcap")
		if err := os.WriteFile(path, CallCapture(in, calls[i]), 0o600); err != nil {
			t.Fatal(err)
		}
		shown, err := exec.Command("tshark", "-r", path, "-V").Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			if !strings.Contains(string(shown), text) {
				t.Errorf("%s, opnum %d: tshark does not read %q", in.Name, opnum, text)
			}
		}
	}
}

// CallCapture is a capture of a bind, a request and, where there is one, its
// response.
func CallCapture(in decode.Interface, c decode.RPCCall) []byte {
	o := binary.LittleEndian
	pdu := func(ptype byte, body []byte) []byte {
		b := []byte{5, 0, ptype, 3, 0x10, 0, 0, 0}
		b = o.AppendUint16(b, uint16(16+len(body)))
		b = append(b, 0, 0)
		return append(o.AppendUint32(b, 1), body...)
	}
	bind := &Stub{}
	bind.U16(0x16d0, 0x16d0).U32(0).Bytes(1, 0, 0, 0, 0, 0, 1, 0).GUID(in.UUID).U32(uint32(in.Version)).GUID("8a885d04-1ceb-11c9-9fe8-08002b104860").U32(2)
	request := append(o.AppendUint16(o.AppendUint16(o.AppendUint32(nil, uint32(len(c.Request))), 0), c.Opnum), c.Request...)
	type packet struct {
		toServer bool
		payload  []byte
	}
	packets := []packet{{true, pdu(11, bind.B)}, {true, pdu(0, request)}}
	if c.Response != nil {
		packets = append(packets, packet{false, pdu(2, append(o.AppendUint32(o.AppendUint32(nil, uint32(len(c.Response))), 0), c.Response...))})
	}
	capture := []byte("\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x65\x00\x00\x00") // link type 101: raw IP
	seq := [2]uint32{1, 1}                                                                                                // of the client and of the server
	for _, p := range packets {
		me, ports, addrs := 0, [2]uint16{50000, 135}, [2]byte{9, 1}
		if !p.toServer {
			me = 1
		}
		be := binary.BigEndian
		ip := be.AppendUint16([]byte{0x45, 0}, uint16(40+len(p.payload)))
		ip = append(ip, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, addrs[me], 192, 0, 2, addrs[1-me])
		ip = be.AppendUint16(be.AppendUint16(ip, ports[me]), ports[1-me])
		ip = be.AppendUint32(be.AppendUint32(ip, seq[me]), seq[1-me])
		ip = append(ip, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0)
		ip = append(ip, p.payload...)
		capture = append(capture, make([]byte, 8)...)
		capture = o.AppendUint32(capture, uint32(len(ip)))
		capture = o.AppendUint32(capture, uint32(len(ip)))
		capture = append(capture, ip...)
		seq[me] += uint32(len(p.payload))
	}
	return capture
}
