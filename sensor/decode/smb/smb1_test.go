package smb

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/flow"
)

// h1 is an SMB1 header to be built.
type h1 struct {
	mid, uid, tid uint16
	status        uint32
	ascii         bool
}

// block1 is a command to be built: its words, and its bytes, which at gets the
// place of in the message.
type block1 struct {
	command byte
	words   []byte
	bytes   func(at int) []byte
}

func (h h1) message(answer bool, blocks ...block1) []byte {
	b := put([]byte("\xffSMB"), blocks[0].command, h.status, byte(0), uint16(flag2Unicode|0x4000), uint16(0), make([]byte, 10), h.tid, uint16(0xfeff), h.uid, h.mid)
	if h.ascii {
		b[11] = 0x40
	}
	if answer {
		b[9] = flagReply1
	}
	for i, k := range blocks {
		words := len(b) + 1
		b = append(put(append(b, byte(len(k.words)/2)), k.words), 0, 0)
		n := len(b)
		if k.bytes != nil {
			b = append(b, k.bytes(n)...)
		}
		le.PutUint16(b[n-2:], uint16(min(len(b)-n, 0xffff)))
		if andX(k.command) && len(k.words) >= 4 {
			b[words] = noAndX
			if i < len(blocks)-1 {
				b[words] = blocks[i+1].command
				le.PutUint16(b[words+2:], uint16(len(b)))
			}
		}
	}
	return b
}

func (h h1) request(blocks ...block1) []byte { return netbios(h.message(false, blocks...)) }
func (h h1) answer(blocks ...block1) []byte  { return netbios(h.message(true, blocks...)) }
func (h h1) refuse(command byte, status uint32) []byte {
	h.status = status
	return h.answer(block1{command: command})
}

func words(parts ...any) []byte { return put(nil, parts...) }

// unicode is text aligned to the message, with its NUL.
func unicode(parts ...string) func(at int) []byte {
	return func(at int) (b []byte) {
		if at&1 == 1 {
			b = append(b, 0)
		}
		for _, s := range parts {
			b = append(append(b, utf16le(s)...), 0, 0)
		}
		return b
	}
}

// raw is bytes, then text as unicode has it.
func raw(first string, parts ...string) func(at int) []byte {
	return func(at int) []byte {
		return append([]byte(first), unicode(parts...)(at+len(first))...)
	}
}

func negotiated1(mode byte) block1 {
	return block1{negotiate1, words(uint16(0), mode, uint16(50), uint16(1), make([]byte, 12), uint32(0), make([]byte, 10), byte(8)),
		func(int) []byte {
			return append([]byte("challeng"), append(append(utf16le("LAB"), 0, 0), append(utf16le("DC1"), 0, 0)...)...)
		}}
}

func legacy1(lm, nt int, user string) block1 {
	return block1{sessionSetup1, words(uint32(0), uint16(4356), uint16(2), uint16(0x7d3c), uint32(0), uint16(lm), uint16(nt), uint32(0), uint32(0)),
		raw(strings.Repeat("x", lm+nt), user, "LAB", "Windows 2000 2195", "Windows 2000 5.0")}
}

func extended1(token string) block1 {
	return block1{sessionSetup1, words(uint32(0), uint16(4356), uint16(50), uint16(0), uint32(0), uint16(len(token)), uint32(0), uint32(0)),
		raw(token, "Unix", "Samba")}
}

func extendedAnswer1(token string) block1 {
	return block1{sessionSetup1, words(uint32(0), uint16(0), uint16(len(token))), raw(token, "Windows", "Windows")}
}

func treeConnect(path string) block1 {
	return block1{treeConnect1, words(uint32(0), uint16(0), uint16(1)), func(at int) []byte {
		return append(raw("\x00", path)(at), "?????\x00"...)
	}}
}

func treeAnswer1(service string) block1 {
	return block1{treeConnect1, words(uint32(0), uint16(1), uint32(0x1ff), uint32(0)), func(int) []byte { return []byte(service + "\x00") }}
}

func ntCreate(path string, options uint32) block1 {
	return block1{ntCreateAndX1, words(uint32(0), byte(0), uint16(2*len(path)), uint32(0), uint32(0), uint32(0x12019f), uint64(0), uint32(0), uint32(7), uint32(1), options, uint32(2), byte(0)), unicode(path)}
}

func ntCreated(n uint16, size uint64) block1 {
	return block1{ntCreateAndX1, words(uint32(0), byte(0), n, uint32(1), make([]byte, 32), uint32(0x20), uint64(0), size, uint16(0), uint16(0), byte(0)), nil}
}

func writeAndX(n uint16, data string) block1 {
	return block1{writeAndX1, words(uint32(0), n, uint32(0), uint32(0), uint16(0), uint16(0), uint16(0), uint16(len(data)), uint16(64), uint32(0)),
		func(at int) []byte { return append(make([]byte, 64-at), data...) }}
}

func readAndX(n uint16) block1 {
	return block1{readAndX1, words(uint32(0), n, uint32(0), uint16(4096), uint16(0), uint32(0), uint16(0), uint32(0)), nil}
}

func readAndXed(data string) block1 {
	return block1{readAndX1, words(uint32(0), uint16(0), uint16(0), uint16(0), uint16(len(data)), uint16(60), uint16(0), make([]byte, 8)),
		func(at int) []byte { return append(make([]byte, 60-at), data...) }}
}

func transact(n uint16, data string) block1 {
	const at = 33 + 32 + 2 + 15
	return block1{transaction1, words(uint16(0), uint16(len(data)), uint16(0), uint16(1024), uint16(0), uint16(0), uint32(0), uint16(0), uint16(0), uint16(at), uint16(len(data)), uint16(at), byte(2), byte(0), uint16(transactPipe1), n),
		raw("\x00" + `\PIPE\` + "\x00\x00\x00\x00\x00\x00\x00\x00" + data)}
}

func transacted(data string, displacement, total int) block1 {
	return block1{transaction1, words(uint16(0), uint16(total), uint16(0), uint16(0), uint16(56), uint16(0), uint16(len(data)), uint16(56), uint16(displacement), uint16(0)),
		func(at int) []byte { return append(make([]byte, 56-at), data...) }}
}

// logged1 is a connection with a session of u by NTLM without NTLMSSP, Uid 8.
func logged1(t testing.TB) *conversation {
	return open(t, false).
		client(h1{mid: 1}.request(block1{command: negotiate1, bytes: raw("\x02NT LM 0.12\x00")})).
		server(h1{mid: 1}.answer(negotiated1(encryptPasswords1))).
		client(h1{mid: 2}.request(legacy1(24, 24, "u"))).
		server(h1{mid: 2, uid: 8}.answer(block1{sessionSetup1, words(uint32(0), uint16(0)), unicode("Windows", "Windows", "LAB")}))
}

// connected1 is logged1 with a share, Tid 9.
func connected1(t testing.TB, share, service string) *conversation {
	return logged1(t).
		client(h1{mid: 3, uid: 8}.request(treeConnect(share))).
		server(h1{mid: 3, uid: 8, tid: 9}.answer(treeAnswer1(service)))
}

func in1(mid uint16) h1 { return h1{mid: mid, uid: 8, tid: 9} }

func TestLegacySession1(t *testing.T) {
	c := logged1(t)
	auth := &activity.Auth{Mechanism: activity.MechNTLM, NTLM: &activity.NTLM{User: "u", Domain: "LAB", Version: 1, LM: true, Challenge: true, ServerDom: "LAB", ServerName: "DC1"}}
	if l := c.one(activity.NTLMLogon); cmp.Diff(auth, l.Auth) != "" || l.Outcome != activity.Success || l.Account.Name != "u" {
		t.Errorf("logon %+v: %s", l, cmp.Diff(auth, l.Auth))
	}
	want := &activity.SMB{Dialect: "1", Session: 8, Auth: auth, NativeOS: "Windows 2000 2195", NativeLanMan: "Windows 2000 5.0", Legacy: true, VCNumber: 0x7d3c, MaxMpx: 2}
	if s := c.one(activity.SMBSession); cmp.Diff(want, s.SMB) != "" || s.Anomalies != nil {
		t.Errorf("%v: -want +got:\n%s", s.Anomalies, cmp.Diff(want, s.SMB))
	}
}

func TestLegacyVariants1(t *testing.T) {
	for _, tt := range []struct {
		name      string
		mode      byte
		block     block1
		version   int
		anonymous bool
		anomalies []string
	}{
		{"NTLMv2", encryptPasswords1, legacy1(24, 90, "u"), 2, false, nil},
		{"nobody", encryptPasswords1, legacy1(1, 0, ""), 0, true, nil},
		{"in the clear", 0, legacy1(0, 16, "u"), 0, false, []string{anomalyPlain}},
		{"LAN Manager", encryptPasswords1, block1{sessionSetup1, words(uint32(0), uint16(4356), uint16(2), uint16(0), uint32(0), uint16(24), uint32(0)), raw(strings.Repeat("x", 24), "u", "LAB", "Unix", "Samba")}, 0, false, nil},
	} {
		c := open(t, false).
			client(h1{mid: 1}.request(block1{command: negotiate1})).
			server(h1{mid: 1}.answer(negotiated1(tt.mode))).
			client(h1{mid: 2, uid: 0xefcd}.request(tt.block)).
			server(h1{mid: 2, uid: 0xefcd}.refuse(sessionSetup1, 0xc000006d))
		l := c.one(activity.NTLMLogon)
		if n := l.Auth.NTLM; l.Error != "STATUS_LOGON_FAILURE" || n.Version != tt.version || n.Anonymous != tt.anonymous || !n.Anonymous && n.User != "u" {
			t.Errorf("%s: %+v %+v", tt.name, l, n)
		}
		if s := c.one(activity.SMBSession); s.SMB.Session != 0xefcd || cmp.Diff(tt.anomalies, s.Anomalies) != "" {
			t.Errorf("%s: %+v %v", tt.name, s.SMB, s.Anomalies)
		}
		if len(c.d.sessions) != 0 {
			t.Errorf("%s: a refused session is kept", tt.name)
		}
	}
}

// TestChain1: a set-up with a share in one message (MS-CIFS §2.2.3.4), granted
// and refused.
func TestChain1(t *testing.T) {
	ask := h1{mid: 2}.request(extended1("user u"), treeConnect(`\\dc1\IPC$`))
	c := open(t, false).client(ask).server(h1{mid: 2, uid: 8, tid: 9}.answer(extendedAnswer1("accept"), treeAnswer1("IPC")))
	if tree := c.one(activity.SMBTree); tree.Account.Name != "u" || tree.SMB.ShareType != "pipe" || tree.SMB.Session != 8 || tree.SMB.Dialect != "1" {
		t.Errorf("%+v %+v", tree, tree.SMB)
	}
	if s := c.one(activity.SMBSession).SMB; s.NativeOS != "Unix" || s.Legacy {
		t.Errorf("%+v", s)
	}
	c = open(t, false).client(ask).server(h1{mid: 2}.refuse(sessionSetup1, 0xc000006d))
	c.close()
	if len(c.kind(activity.SMBTree)) != 0 || c.one(activity.NTLMLogon).Outcome != activity.Failure || len(c.d.trees) != 0 {
		t.Errorf("%d activities", len(c.got))
	}
	c = open(t, false).client(h1{mid: 2}.request(extended1("negotiate"))).
		server(h1{mid: 2, uid: 8, status: statusMoreProcessing}.answer(extendedAnswer1("challenge"))).
		client(h1{mid: 3, uid: 8}.request(extended1("user u"))).
		server(h1{mid: 3, uid: 8}.answer(extendedAnswer1("")))
	if l := c.one(activity.NTLMLogon); l.Outcome != activity.Success {
		t.Errorf("%+v", l)
	}
}

func TestChainsThatLeadNowhere1(t *testing.T) {
	loop := h1{mid: 2}.message(false, extended1("user u"), treeConnect(`\\dc1\IPC$`))
	for _, to := range []uint16{0, 32, 0xffff} {
		b := append([]byte(nil), loop...)
		le.PutUint16(b[sizeHeader1+3:], to)
		c := open(t, false).client(netbios(b))
		c.counted(reasonAndX, 1)
	}
	var long []block1
	for range maxAndX + 1 {
		long = append(long, block1{command: logoff1, words: words(uint32(0))})
	}
	c := open(t, false).client(h1{}.request(long...))
	c.counted(reasonAndX, 1)
}

func TestFile1(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 200)
	c := connected1(t, `\\dc1\public`, "A:").
		client(in1(4).request(ntCreate(`\dir\a.txt`, 0))).
		server(in1(4).answer(ntCreated(0x4001, 3200))).
		client(in1(5).request(readAndX(0x4001))).
		server(in1(5).answer(readAndXed(body))).
		client(in1(6).request(writeAndX(0x4001, "over"))).
		server(in1(6).answer(block1{command: writeAndX1, words: make([]byte, 12)})).
		client(in1(7).request(block1{command: close1, words: words(uint16(0x4001), uint32(0))})).
		server(in1(7).answer(block1{command: close1}))
	f := c.one(activity.SMBFile).SMB
	if f.Path != `\dir\a.txt` || f.Read != 3200 || f.Written != 4 || f.Size != 3200 || string(f.Magic) != body[:16] || f.Access != 0x12019f || f.Disposed != "opened" || f.ShareType != "disk" {
		t.Errorf("%+v", f)
	}
}

func TestOtherOpens1(t *testing.T) {
	openAndX := block1{openAndX1, words(uint32(0), uint16(0), uint16(0x42), make([]byte, 22)), unicode("b")}
	openedAndX := block1{openAndX1, words(uint32(0), uint16(7), uint16(0), uint32(0), uint32(99), uint16(0), uint16(0), uint16(0), uint16(2), make([]byte, 6)), nil}
	parameters := put(nil, uint32(0), uint32(0), uint32(0x80), uint64(0), uint32(0), uint32(0), uint32(0), uint32(optionDeleteOnClose), uint32(0), uint32(0), uint32(2), uint32(0), byte(0))
	const at = 33 + 38 + 2
	nt := block1{ntTransact1, words(byte(0), uint16(0), uint32(70), uint32(0), uint32(0), uint32(0), uint32(57), uint32(at+1), uint32(0), uint32(0), byte(0), uint16(ntCreate1)),
		func(int) []byte {
			return append(append([]byte{0}, parameters...), append([]byte{0}, utf16le("cc")...)...)
		}}
	created := put(nil, byte(0), byte(0), uint16(8), uint32(2), make([]byte, 40), uint64(0), uint64(5), uint16(0), uint16(0), byte(0))
	nted := block1{ntTransact1, words(make([]byte, 3), uint32(0), uint32(0), uint32(69), uint32(33+36+2), uint32(0), uint32(0), uint32(0), uint32(0), byte(0)), func(int) []byte { return created }}
	c := connected1(t, `\\dc1\public`, "A:").
		client(in1(4).request(openAndX)).server(in1(4).answer(openedAndX)).
		client(in1(5).request(nt)).
		server(in1(5).answer(block1{command: ntTransact1})). // interim
		server(in1(5).answer(nted)).
		client(in1(6).request(block1{open1, words(uint16(0), uint16(0)), raw("\x04", "d")})).
		server(in1(6).answer(block1{open1, words(uint16(9), uint16(0), uint32(0), uint32(77), uint16(0)), nil})).
		client(in1(7).request(block1{delete1, words(uint16(0)), raw("\x04", "e")})).
		server(in1(7).answer(block1{command: delete1})).
		client(in1(8).request(block1{rename1, words(uint16(0)), func(at int) []byte { return append(raw("\x04", "f")(at), raw("\x04", "g")(at+6)...) }})).
		server(in1(8).refuse(rename1, 0x00050001))
	set := block1{transaction21, words(uint16(4), uint16(1), uint16(0), uint16(0), uint16(0), uint16(0), uint32(0), uint16(0), uint16(4), uint16(33+30+2), uint16(1), uint16(33+30+2+4), byte(1), byte(0), uint16(setFileInfo1)),
		func(int) []byte { return put(nil, uint16(9), uint16(setDisposed1), byte(1)) }}
	c.client(in1(9).request(set)).server(in1(9).answer(block1{command: transaction21, words: make([]byte, 20)}))
	c.close()
	var got []string
	for _, a := range c.kind(activity.SMBFile) {
		f := a.SMB
		got = append(got, strings.Join(strings.Fields(strings.Join([]string{f.Path, f.Disposed, a.Error, f.RenamedTo, map[bool]string{true: "deleted"}[f.Deleted]}, " ")), " "))
	}
	if diff := cmp.Diff([]string{"e deleted", "f ERRDOS 5", "b created", "cc created deleted", "d opened deleted"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if f := c.kind(activity.SMBFile)[2].SMB; f.Access != 0xc0000000 || f.Size != 99 {
		t.Errorf("%+v", f)
	}
}

func TestPipe1(t *testing.T) {
	c := connected1(t, `\\dc1\IPC$`, "IPC").
		client(in1(4).request(ntCreate(`\spoolss`, 0))).
		server(in1(4).answer(ntCreated(0x4002, 0))).
		client(in1(5).request(writeAndX(0x4002, bindPDU))).
		server(in1(5).answer(block1{command: writeAndX1, words: make([]byte, 12)})).
		client(in1(6).request(readAndX(0x4002))).
		server(in1(6).answer(readAndXed("\x05\x00\x0cack"))).
		client(in1(7).request(transact(0x4002, "request"))).
		server(in1(7).answer(transacted("first ", 0, 12)), in1(7).answer(transacted("second", 6, 12)))
	if len(c.pipes) != 1 {
		t.Fatalf("%d conversations", len(c.pipes))
	}
	p := c.pipes[0]
	if p.name != "spoolss" || p.fed[flow.ToServer] != bindPDU+"request" || p.fed[flow.ToClient] != "\x05\x00\x0cackfirst second" {
		t.Errorf("%+v", p)
	}
	// A request in pieces, and one that begins with its length.
	c.client(in1(8).request(transact(0x4002, "in "))).
		client(in1(8).request(block1{secondary1, words(uint16(0), uint16(9), uint16(0), uint16(0), uint16(0), uint16(6), uint16(52), uint16(3)), func(at int) []byte { return append(make([]byte, 52-at), "pieces"...) }}))
	long := writeAndX(0x4002, "\x04\x00more")
	le.PutUint16(long.words[14:], rawStart)
	c.client(in1(9).request(long))
	if want := bindPDU + "requestin piecesmore"; p.fed[flow.ToServer] != want {
		t.Errorf("fed %q, want %q", p.fed[flow.ToServer], want)
	}
	c.counted(reasonUnasked, 0)
	c.counted(reasonOther1, 0)
}

func TestExploits1(t *testing.T) {
	setup := block1{transaction21, words(uint16(12), uint16(0), uint16(0), uint16(0), uint16(0), uint16(0), uint32(0), uint16(0), uint16(0), uint16(66), uint16(0), uint16(78), byte(1), byte(0), uint16(setup21)), nil}
	c := connected1(t, `\\dc1\IPC$`, "IPC").
		client(in1(65).request(setup), in1(65).request(setup)).
		server(in1(81).refuse(transaction21, 0xc0000002))
	var got []string
	for _, a := range c.kind(activity.SMBSession)[1:] {
		got = append(got, a.Anomalies...)
		if a.Account.Name != "u" || a.Outcome != activity.Attempt {
			t.Errorf("%+v", a)
		}
	}
	if diff := cmp.Diff([]string{anomalyTrans2Setup, anomalyMultiplex}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	c = connected1(t, `\\dc1\IPC$`, "IPC").
		client(in1(64).request(block1{ntTransact1, make([]byte, 38), nil}), in1(64).request(block1{secondary21, make([]byte, 18), nil}))
	if a := c.kind(activity.SMBSession); len(a) != 2 || cmp.Diff([]string{anomalySecondary}, a[1].Anomalies) != "" {
		t.Errorf("%d sessions", len(a))
	}
}

func TestNetBIOS(t *testing.T) {
	name := func(s string) string {
		s += strings.Repeat(" ", 15-len(s)) + "\x00"
		e := "\x20"
		for i := range len(s) {
			e += string([]byte{'A' + s[i]>>4, 'A' + s[i]&15})
		}
		return e + "\x00"
	}
	ask := append([]byte{sessionRequest, 0, 0, 2 * sizeName}, name("DC1")+name("HYDRA")...)
	c := open(t, false).client(ask[:7], ask[7:]).server([]byte{sessionPositive, 0, 0, 0}).
		client(h1{mid: 2}.request(extended1("user u"))).
		server([]byte{sessionKeepAlive, 0, 0, 0}, h1{mid: 2, uid: 8}.answer(extendedAnswer1("accept")))
	if s := c.one(activity.SMBSession).SMB; s.Caller != "HYDRA" {
		t.Errorf("%+v", s)
	}
	c.counted(reasonSkipped, 0)
	c = open(t, false).client(ask).server([]byte{sessionNegative, 0, 0, 1, 0x82})
	c.counted(reasonNoSession, 1)
	c.counted(reasonSkipped, 0)
	if ask[4] = 7; netBIOSName(ask[4:]) != "" || netBIOSName(ask[:20]) != "" {
		t.Error("read a name that is none")
	}
}
