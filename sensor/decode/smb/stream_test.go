package smb

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/flow"
)

// turn is bytes of one side, as many messages as it sends at once.
type turn struct {
	dir   flow.Dir
	bytes []byte
}

// talk has a bit of everything that a connection has, both of SMB1 and SMB2.
func talk() []turn {
	ask := func(b ...[]byte) turn { return turn{flow.ToServer, join(b)} }
	answer := func(b ...[]byte) turn { return turn{flow.ToClient, join(b)} }
	long := strings.Repeat("0123456789", 700)
	rel := func(n uint64) h2 { return h2{id: n, session: 1<<64 - 1, tree: 1<<32 - 1, flags: flagRelated} }
	pipe := fileID{5, 6}
	return []turn{
		ask(netbios(h2{command: negotiate2}.with(make([]byte, 40)))),
		answer(netbios(negotiateAnswer(0x0311, 3))),
		ask(netbios(h2{id: 1}.setup("negotiate"))),
		answer(netbios(h2{id: 1, session: 7}.setupAnswer(statusMoreProcessing, 0, "challenge"))),
		ask(netbios(h2{id: 2, session: 7}.setup("user " + long))),
		answer(netbios(h2{id: 2, session: 7}.setupAnswer(0, 0, ""))),
		ask(netbios(h2{id: 3, session: 7}.treeConnect(`\\dc1\public`), in(4).create("early", 1, 0))),
		answer(netbios(h2{id: 3, session: 7, tree: 3}.treeAnswer(1, 0, 0x1f01ff), in(4).refuse(create2, 0xc00000c9))),
		ask(compound(in(5).create("a", 1, 0), rel(6).write(related, 0, long), rel(7).read(related, 0, 7000), rel(8).closeFile(related))),
		answer(compound(in(5).createAnswer(1, 5, 0, id), h2{command: write2, id: 6}.answer(0, make([]byte, 16)), in(7).readAnswer(0, long), in(8).closeAnswer())),
		ask(netbios(h2{id: 9, session: 7}.treeConnect(`\\dc1\IPC$`)), netbios(put([]byte("\xfdSMB"), make([]byte, 48), []byte(long)))),
		answer(netbios(h2{id: 9, session: 7, tree: 4}.treeAnswer(2, 0, 0x1f01ff))),
		ask(netbios(h2{id: 10, session: 7, tree: 4}.create("samr", 3, 0))),
		answer(netbios(h2{id: 10, session: 7, tree: 4}.createAnswer(1, 0, 0, pipe))),
		ask(netbios(in(11).write(pipe, 0, bindPDU), in(12).read(pipe, 0, 100), in(13).transceive(pipe, "request"+long))),
		answer(netbios(in(12).readAnswer(0, "\x05\x00\x0cack"), in(13).transceiveAnswer(0, pipe, "response"+long))),
		ask(h1{mid: 2}.request(extended1("user one"), treeConnect(`\\dc1\IPC$`))),
		answer(h1{mid: 2, uid: 8, tid: 9}.answer(extendedAnswer1("accept"), treeAnswer1("IPC"))),
		ask(in1(4).request(ntCreate(`\spoolss`, 0))),
		answer(in1(4).answer(ntCreated(0x4002, 0))),
		ask(in1(5).request(writeAndX(0x4002, bindPDU+long)), in1(6).request(readAndX(0x4002)), in1(7).request(transact(0x4002, "request"))),
		answer(in1(6).answer(readAndXed("\x05\x00\x0cack"+long)), in1(7).answer(transacted("first ", 0, 6))),
		ask([]byte{sessionKeepAlive, 0, 0, 0}, in1(8).request(legacy1(24, 24, "never answered"))),
	}
}

func join(parts [][]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// play feeds the talk in pieces of at most size bytes, all at one instant, so
// that times do not depend on the pieces.
func play(c *conversation, turns []turn, size int, r *rand.Rand) {
	for _, turn := range turns {
		b := turn.bytes
		for len(b) > 0 {
			n := min(len(b), size)
			if r != nil {
				n = min(len(b), 1+r.IntN(size))
			}
			c.handler.Feed(turn.dir, b[:n], c.now)
			b = b[n:]
		}
	}
	c.handler.Close(c.now)
}

type outcome struct {
	Got   []*activity.Activity
	Pipes []string
	Rows  any
}

func (c *conversation) outcome() outcome {
	o := outcome{Got: c.got, Rows: c.counters.Rows()}
	for _, p := range c.pipes {
		o.Pipes = append(o.Pipes, fmt.Sprintf("%s %q %q %d", p.name, p.fed[0], p.fed[1], p.gaps))
	}
	return o
}

func TestSegmentation(t *testing.T) {
	whole := open(t, false)
	play(whole, talk(), 1<<20, nil)
	want := whole.outcome()
	kinds := make(map[activity.Kind]int)
	for _, a := range want.Got {
		kinds[a.Kind]++
	}
	if diff := cmp.Diff(map[activity.Kind]int{activity.NTLMLogon: 3, activity.SMBSession: 3, activity.SMBTree: 3, activity.SMBFile: 4}, kinds); diff != "" || len(want.Pipes) != 2 {
		t.Fatalf("%d pipes; -want +got:\n%s", len(want.Pipes), diff)
	}
	whole.counted(reasonSkipped, 0)
	for seed := range uint64(200) {
		size := []int{1, 7, 100, 1460}[seed%4]
		c := open(t, false)
		play(c, talk(), size, rand.New(rand.NewPCG(seed, 0)))
		if diff := cmp.Diff(want, c.outcome(), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Fatalf("pieces of up to %d bytes (seed %d): -whole +pieces:\n%s", size, seed, diff)
		}
	}
}

// TestReset: a pooled decoder knows nothing of the conversation before, and
// keeps no room for it.
func TestReset(t *testing.T) {
	c := open(t, false)
	play(c, talk(), 1000, nil)
	want := c.outcome().Got
	empty := newDecoder()
	if got, most := c.d.Held(), empty.Held()+2*maxKept+keepPending*sizePending; got > most {
		t.Errorf("%d bytes held by a closed decoder, at most %d wanted", got, most)
	}
	c.got = nil
	c.open(false)
	play(c, talk(), 1000, nil)
	if diff := cmp.Diff(want, c.got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("-first +second:\n%s", diff)
	}
}

func TestGap(t *testing.T) {
	body := strings.Repeat("x", 5000)
	for _, tt := range []struct {
		name        string
		from, n     int // of the WRITE
		skipped     int64
		written     int64
		afterwards  bool // the next command is read
		announced   bool
		unknownSize bool
	}{
		{"within the body", 2000, 1000, 0, 5000 + 3, true, true, false},
		{"to its end", 2000, 5000 + sizeWrite + 4 - 2000, 0, 5000 + 3, true, true, false},
		{"in the header", 30, 100, 5000 + sizeWrite + 4 - 130, 3, true, false, false},
		{"of unknown size", 2000, 0, 5000 + sizeWrite + 4 - 2000, 5000 + 3, true, true, true},
		{"beyond the message", 2000, 5000 + sizeWrite + 4 - 2000 + 20, 0, 5000, false, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := connected(t, `\\dc1\public`, 1).
				client(netbios(in(4).create("f", 1, 0))).
				server(netbios(in(4).createAnswer(1, 0, 0, id)))
			b := netbios(in(5).write(id, 0, body))
			next := netbios(in(6).write(id, 5000, "abc"))
			c.client(b[:tt.from])
			c.gap(flow.ToServer, tt.n)
			if rest := tt.from + tt.n; rest < len(b) {
				c.client(b[rest:])
			}
			if over := tt.from + tt.n - len(b); over > 0 {
				c.client(next[over:])
			} else {
				c.client(next)
			}
			c.close()
			if f := c.one(activity.SMBFile).SMB; f.Written != tt.written {
				t.Errorf("%d bytes written, want %d", f.Written, tt.written)
			}
			if !tt.afterwards {
				return
			}
			c.counted(reasonSkipped, tt.skipped)
		})
	}
}

// TestLost: after bytes that are no message, reading goes on at a segment that
// begins with one.
func TestLost(t *testing.T) {
	c := open(t, false).
		client([]byte("GET / HTTP/1.1\r\n\r\n"), []byte("more"), netbios(h2{id: 2, session: 7}.setup("user u")))
	c.server(netbios([]byte("\xfbSMB what")), netbios(h2{id: 2, session: 7}.setupAnswer(0, 0, "")))
	c.one(activity.NTLMLogon)
	c.counted(reasonSkipped, 18+4+9)
}

// TestLengthBombs: lengths and offsets that lie cost nothing but the command.
func TestLengthBombs(t *testing.T) {
	for at := range 64 {
		for _, value := range []byte{0xff, 0x80, 0x00, 0x7f} {
			for _, h := range [][]byte{
				h2{id: 2, session: 7}.setup("user u"), in(3).treeConnect(`\\dc1\x`), in(4).create("f", 1, 0, 1, 2, 3, 4), in(5).write(id, 0, "data"),
				in(6).transceive(id, bindPDU), in(7).setInfo(id, infoRename, rename("x")),
				h1{mid: 2}.message(false, legacy1(24, 24, "u")), in1(4).message(false, ntCreate("f", 0)), in1(5).message(false, writeAndX(1, "data")),
				in1(6).message(false, transact(1, "data")), in1(7).message(false, treeConnect("x")),
			} {
				b := append([]byte(nil), h...)
				from := sizeHeader1
				if b[0] == magicSMB2 {
					from = sizeHeader2
				}
				for i := range 4 {
					if from+at+i < len(b) {
						b[from+at+i] = value
					}
				}
				c := connected(t, `\\dc1\IPC$`, 2)
				c.client(netbios(b), netbios(in(99).create("still here", 1, 0)))
				c.close()
				if files := c.kind(activity.SMBFile); len(files) == 0 || files[len(files)-1].SMB.Path != "still here" {
					t.Fatalf("%x at %d of command % x: %d files", value, at, b[:from+2], len(files))
				}
			}
		}
	}
}

// TestDeepCompound: a packet of 16 MiB full of commands is read up to the cap.
func TestDeepCompound(t *testing.T) {
	var commands [][]byte
	for i := range 20000 {
		commands = append(commands, in(uint64(i+10)).create(strings.Repeat("x", 300), 1, 0))
	}
	c := connected(t, `\\dc1\public`, 1).client(compound(commands...))
	c.counted(reasonCompound, 1)
	if len(c.d.pending) != maxCompound {
		t.Errorf("%d requests wait", len(c.d.pending))
	}
	c.close()
	if n := len(c.kind(activity.SMBFile)); n != maxCompound {
		t.Errorf("%d files", n)
	}
	c.counted(reasonSkipped, 0)
}

// TestCaps: one connection that opens everything it can, for ever.
func TestCaps(t *testing.T) {
	n := uint64(20000)
	most := sizeDecoder + maxSessions*sizeSession + maxTrees*sizeTree + 2*maxFiles*sizeFile + 2*maxPending*sizePending
	for _, tt := range []struct {
		name string
		do   func(c *conversation, i uint64)
		most int
	}{
		{"sessions, never answered", func(c *conversation, i uint64) { c.client(netbios(h2{id: i}.setup("user somebody"))) }, most},
		{"sessions", func(c *conversation, i uint64) {
			c.client(netbios(h2{id: i}.setup("user somebody"))).server(netbios(h2{id: i, session: i}.setupAnswer(0, 0, "")))
		}, most},
		{"shares", func(c *conversation, i uint64) {
			c.client(netbios(h2{id: i, session: 7}.treeConnect(`\\dc1\share`))).server(netbios(h2{id: i, session: 7, tree: uint32(i)}.treeAnswer(1, 0, 0)))
		}, most},
		{"files", func(c *conversation, i uint64) {
			c.client(netbios(in(i).create("file", 1, 0))).server(netbios(in(i).createAnswer(1, 1, 0, fileID{i, i})))
		}, most},
		{"files, never answered", func(c *conversation, i uint64) { c.client(netbios(in(i).create("file", 1, 0))) }, most},
		{"reads, never answered", func(c *conversation, i uint64) { c.client(netbios(in(i).read(id, 0, 1000))) }, most},
		{"pipes", func(c *conversation, i uint64) {
			c.client(netbios(in(i).create("pipe", 1, 0))).server(netbios(in(i).createAnswer(1, 1, 0, fileID{i, i})))
			c.client(netbios(in(i).write(fileID{i, i}, 0, bindPDU)))
			if len(c.d.pipes) > maxPipes {
				c.t.Fatalf("%d pipes", len(c.d.pipes))
			}
		}, most + maxPipes*1000},
		{"pipes nobody opened", func(c *conversation, i uint64) {
			c.client(netbios(in(i).transceive(fileID{i, i}, bindPDU)))
		}, most + maxPipes*1000},
		{"renamings, never answered", func(c *conversation, i uint64) {
			c.client(netbios(in(i).setInfo(id, infoRename, rename(strings.Repeat("x", 100)))))
		}, most},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := connected(t, `\\dc1\IPC$`, 2)
			for i := range n {
				c.now = start // or patience would bound what waits
				tt.do(c, i+100)
				if held := c.d.Held(); held > tt.most {
					t.Fatalf("%d bytes held after %d, at most %d wanted", held, i, tt.most)
				}
			}
			c.ended()
		})
	}
}

// TestText: what is counted of text is what is kept.
func TestText(t *testing.T) {
	c := open(t, false)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 20000 {
		random(c, r)
		if c.d.text < 0 || c.d.nested < 0 {
			t.Fatalf("after %d messages: %d bytes of text, %d in pipes", i, c.d.text, c.d.nested)
		}
		if len(c.d.pending) > maxPending || len(c.d.sessions) > maxSessions || len(c.d.trees) > maxTrees || len(c.d.files) > maxFiles || len(c.d.pipes) > maxPipes {
			t.Fatalf("after %d messages: %d pending, %d sessions, %d shares, %d files, %d pipes", i, len(c.d.pending), len(c.d.sessions), len(c.d.trees), len(c.d.files), len(c.d.pipes))
		}
	}
	c.ended()
	if len(c.kind(activity.SMBFile)) == 0 || len(c.kind(activity.SMBTree)) == 0 || len(c.kind(activity.NTLMLogon)) == 0 {
		t.Error("nothing came out: the test does not reach what it tests")
	}
}

// ended ends the conversation: nothing is left then, nor counted as held.
func (c *conversation) ended() {
	c.t.Helper()
	d := c.d
	d.now = c.now
	d.end()
	if d.text != 0 || d.nested != 0 || len(d.pending)+len(d.files)+len(d.sessions)+len(d.trees)+len(d.pipes) != 0 {
		c.t.Errorf("after the end: %d bytes of text, %d in pipes; %d pending, %d files, %d sessions, %d shares, %d pipes",
			d.text, d.nested, len(d.pending), len(d.files), len(d.sessions), len(d.trees), len(d.pipes))
	}
	c.close()
}

// random feeds any message, sometimes damaged, about few things.
func random(c *conversation, r *rand.Rand) {
	n, k := uint64(r.IntN(40)), uint64(r.IntN(4))
	h := h2{id: n, session: k, tree: uint32(k), flags: uint32(r.IntN(8)) &^ flagResponse}
	f := fileID{k, k}
	if r.IntN(4) == 0 {
		f = related
	}
	path := strings.Repeat("p", r.IntN(20))
	o := h1{mid: uint16(n), uid: uint16(k), tid: uint16(k)}
	requests := [][]byte{
		netbios(h.setup("user " + path)), netbios(h.setup("ticket " + path)), netbios(h.treeConnect(path + `\IPC$`)), netbios(h.create(path, 1, 0)),
		compound(h.create(path, 1, 0), h.write(f, 0, bindPDU), h.setInfo(f, infoRename, rename(path)), h.closeFile(f)),
		netbios(h.write(f, 0, bindPDU)), netbios(h.read(f, 0, 9)), netbios(h.transceive(f, "x")), netbios(h.closeFile(f)),
		netbios(h2{command: logoff2, id: n, session: k}.with(uint32(4))), netbios(h2{command: treeDisconnect2, id: n, session: k, tree: uint32(k)}.with(uint32(4))),
		o.request(extended1("user "+path), treeConnect(path)), o.request(ntCreate(path, 0)), o.request(writeAndX(uint16(k), bindPDU)), o.request(readAndX(uint16(k))),
		o.request(transact(uint16(k), "x")), o.request(legacy1(24, 24, path)), o.request(block1{delete1, words(uint16(0)), raw("\x04", path)}),
	}
	status := uint32(0)
	if r.IntN(3) == 0 {
		status = 0xc0000022
	}
	answers := [][]byte{
		netbios(h.setupAnswer(status, 0, "")), netbios(h.setupAnswer(statusMoreProcessing, 0, "challenge")), netbios(h.treeAnswer(byte(1+k%2), 0, 0)),
		netbios(h.createAnswer(1, 0, 0, fileID{k, k})), netbios(h.refuse(create2, status)), netbios(h.readAnswer(0, "\x05\x00\x0cx")), netbios(h.transceiveAnswer(0, f, "x")),
		netbios(h.closeAnswer()), netbios(h.setInfoAnswer()), netbios(h2{command: logoff2, id: n}.answer(status)), netbios(h2{command: treeDisconnect2, id: n}.answer(status)),
		o.answer(extendedAnswer1("accept"), treeAnswer1("IPC")), o.refuse(sessionSetup1, 0xc000006d), o.answer(ntCreated(uint16(k), 0)), o.answer(readAndXed("\x05\x00\x0cx")), o.answer(transacted("x", 0, 1)),
		o.answer(block1{command: delete1}),
	}
	dir, b := flow.ToServer, requests[r.IntN(len(requests))]
	if r.IntN(2) == 0 {
		dir, b = flow.ToClient, answers[r.IntN(len(answers))]
	}
	if r.IntN(6) == 0 {
		b[4+r.IntN(len(b)-4)] ^= byte(1 << r.IntN(8))
	}
	if r.IntN(100) == 0 {
		c.gap(dir, r.IntN(100))
	}
	c.feed(dir, [][]byte{b})
}

func FuzzFeed(f *testing.F) {
	for _, turn := range talk() {
		f.Add(turn.bytes, byte(turn.dir))
		f.Add(turn.bytes, byte(turn.dir)|2)
	}
	c := open(f, false)
	f.Fuzz(func(t *testing.T, b []byte, how byte) {
		c.got, c.pipes = nil, nil
		c.open(how&4 != 0)
		c.client(netbios(h2{id: 1}.setup("user u"), h2{id: 3, session: 7}.treeConnect("IPC$"), in(4).create("samr", 1, 0)))
		dir := flow.Dir(how & 1)
		half := len(b) / 2
		c.feed(dir, [][]byte{b[:half]})
		if how&2 != 0 {
			c.gap(dir, int(how))
		}
		c.feed(dir, [][]byte{b[half:]})
		c.feed(1-dir, [][]byte{b})
		d := c.d
		if d.Held() > 1<<20 || d.text < 0 || d.nested < 0 {
			t.Errorf("%d bytes held, %d text, %d in pipes", d.Held(), d.text, d.nested)
		}
		c.t = t
		c.ended()
		for _, a := range c.got {
			if a.SMB != nil && (len(a.SMB.Path) > activity.MaxText || len(a.SMB.Magic) > activity.MaxMagic || a.SMB.Read < 0 || a.SMB.Written < 0) || a.Outcome == "" || !a.HasDetail() {
				t.Errorf("%+v %+v", a, a.SMB)
			}
		}
	})
}
