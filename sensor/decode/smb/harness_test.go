package smb

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// conversation feeds bytes to a decoder as a flow would.
type conversation struct {
	t        testing.TB
	stage    *decode.Stage
	counters counter.Set
	handler  flow.Handler
	d        *decoder // behind handler
	now      activity.Time
	got      []*activity.Activity
	pipes    []*pipeDecoder
}

const (
	start  = activity.Time(1_700_000_000_000_000_000)
	second = activity.Time(1e9)
)

func open(t testing.TB, midStream bool) *conversation {
	t.Helper()
	c := &conversation{t: t, now: start}
	p := Protocol
	p.New = func() decode.Decoder { c.d = newDecoder(); return c.d }
	set := decode.Set{
		Protocols: []decode.Protocol{p, {Name: "dcerpc", New: func() decode.Decoder {
			d := &pipeDecoder{c: c}
			c.pipes = append(c.pipes, d)
			return d
		}}},
		Inner: []decode.Inner{{Name: "gssapi", Read: readToken}},
	}
	var err error
	c.stage, err = decode.NewStage(set, nil, &c.counters, func(a *activity.Activity) { c.got = append(c.got, a) })
	if err != nil {
		t.Fatal(err)
	}
	c.open(midStream)
	return c
}

func (c *conversation) open(midStream bool) {
	c.handler = c.stage.Open(&flow.Conn{
		Client:    netip.MustParseAddrPort("10.0.0.21:50000"),
		Server:    netip.MustParseAddrPort("10.0.0.10:445"),
		Transport: activity.TCP,
		MidStream: midStream,
	})
}

// pipeDecoder stands for DCE/RPC: it keeps what it is fed.
type pipeDecoder struct {
	c        *conversation
	x        *decode.Context
	name     string
	fed      [2]string
	gaps     int
	closed   bool
	auth     *activity.Auth
	account  activity.Account
	midStrem bool
}

func (p *pipeDecoder) Reset(x *decode.Context) {
	*p = pipeDecoder{c: p.c, x: x, name: x.Carrier.Pipe, midStrem: x.Carrier.MidStream}
}
func (p *pipeDecoder) Feed(dir flow.Dir, b []byte, _ activity.Time) {
	p.fed[dir] += string(b)
	p.auth, p.account = p.x.Carrier.Auth()
}
func (p *pipeDecoder) Gap(flow.Dir, int, activity.Time) { p.gaps++ }
func (p *pipeDecoder) Close(activity.Time)              { p.closed = true }
func (p *pipeDecoder) Held() int                        { return 100 + len(p.fed[0]) + len(p.fed[1]) }

// readToken stands for GSS-API: "ticket X" is an AP-REQ, "negotiate",
// "challenge" and "user X" are NTLM, "refuse X" is a KRB-ERROR.
func readToken(_ *decode.Context, dir flow.Dir, token []byte, auth *activity.Auth) bool {
	word, rest, _ := strings.Cut(string(token), " ")
	switch word {
	case "ticket":
		*auth = activity.Auth{Mechanism: activity.MechKerberos, Ticket: &activity.Ticket{ID: activity.NewTicketID([]byte(rest))}}
	case "negotiate":
		*auth = activity.Auth{Mechanism: activity.MechNTLM, NTLM: &activity.NTLM{}}
	case "challenge":
		*auth = activity.Auth{Mechanism: activity.MechNTLM, NTLM: &activity.NTLM{Challenge: true}}
	case "user":
		*auth = activity.Auth{Mechanism: activity.MechNTLM, NTLM: &activity.NTLM{User: rest, Domain: "LAB", Flags: 1}}
	case "nobody":
		*auth = activity.Auth{Mechanism: activity.MechNTLM, NTLM: &activity.NTLM{Anonymous: true}}
	case "refuse":
		auth.Verdict, auth.Refusal = activity.Failure, rest
	case "accept":
		auth.Verdict = activity.Success
	default:
		return false
	}
	return true
}

// client feeds what the client sends, one segment an argument, a second apart.
func (c *conversation) client(segments ...[]byte) *conversation {
	return c.feed(flow.ToServer, segments)
}

// server feeds what the server sends.
func (c *conversation) server(segments ...[]byte) *conversation {
	return c.feed(flow.ToClient, segments)
}

func (c *conversation) feed(dir flow.Dir, segments [][]byte) *conversation {
	for _, s := range segments {
		c.handler.Feed(dir, s, c.now)
		c.now += second
	}
	return c
}

func (c *conversation) gap(dir flow.Dir, n int) { c.handler.Gap(dir, n, c.now) }

func (c *conversation) close() []*activity.Activity {
	c.handler.Close(c.now)
	return c.got
}

// kind lists what was emitted of one kind.
func (c *conversation) kind(k activity.Kind) (list []*activity.Activity) {
	for _, a := range c.got {
		if a.Kind == k {
			list = append(list, a)
		}
	}
	return list
}

// one returns the only activity of a kind.
func (c *conversation) one(k activity.Kind) *activity.Activity {
	c.t.Helper()
	list := c.kind(k)
	if len(list) != 1 {
		c.t.Fatalf("%d activities of kind %s, want 1", len(list), k)
	}
	return list[0]
}

func (c *conversation) counted(reason string, want int64) {
	c.t.Helper()
	if got := c.counters.Of("smb", reason).Value(); got != want {
		c.t.Errorf("%s: %d, want %d", reason, got, want)
	}
}

func utf16le(s string) (b []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		b = le.AppendUint16(b, u)
	}
	return b
}

// netbios puts messages into packets of their own.
func netbios(messages ...[]byte) (b []byte) {
	for _, m := range messages {
		b = append(b, 0, byte(len(m)>>16), byte(len(m)>>8), byte(len(m)))
		b = append(b, m...)
	}
	return b
}

// compound chains SMB2 commands in one packet.
func compound(commands ...[]byte) (b []byte) {
	for i, c := range commands {
		if i < len(commands)-1 {
			for len(c)%8 != 0 {
				c = append(c, 0)
			}
			le.PutUint32(c[20:], uint32(len(c)))
		}
		b = append(b, c...)
	}
	return netbios(b)
}

// h2 is an SMB2 header to be built.
type h2 struct {
	command uint16
	id      uint64
	session uint64
	tree    uint32
	status  uint32
	flags   uint32
}

func (h h2) with(parts ...any) []byte {
	b := make([]byte, sizeHeader2)
	copy(b, "\xfeSMB")
	le.PutUint16(b[4:], sizeHeader2)
	le.PutUint32(b[8:], h.status)
	le.PutUint16(b[12:], h.command)
	le.PutUint32(b[16:], h.flags)
	le.PutUint64(b[24:], h.id)
	le.PutUint32(b[36:], h.tree)
	le.PutUint64(b[40:], h.session)
	return put(b, parts...)
}

func (h h2) answer(status uint32, parts ...any) []byte {
	h.flags |= flagResponse
	h.status = status
	return h.with(parts...)
}

// refuse is an ERROR response.
func (h h2) refuse(command uint16, status uint32) []byte {
	h.command = command
	return h.answer(status, uint16(9), make([]byte, 7))
}

func (h h2) setInfoAnswer() []byte {
	h.command = setInfo2
	return h.answer(0, uint16(2))
}

// put appends little-endian numbers and bytes.
func put(b []byte, parts ...any) []byte {
	for _, p := range parts {
		b, _ = binary.Append(b, le, p)
	}
	return b
}

func negotiateAnswer(dialect uint16, mode byte, contexts ...[]byte) []byte {
	b := h2{command: negotiate2}.answer(0, uint16(65), uint16(mode), dialect, uint16(len(contexts)), make([]byte, 48), uint32(0), uint32(sizeHeader2+64))
	for _, c := range contexts {
		b = append(b, c...)
	}
	return b
}

func (h h2) setup(token string) []byte {
	h.command = sessionSetup2
	return h.with(uint16(25), byte(0), byte(1), uint32(0), uint32(0), uint16(sizeHeader2+24), uint16(len(token)), uint64(0), []byte(token))
}

func (h h2) setupAnswer(status uint32, flags uint16, token string) []byte {
	h.command = sessionSetup2
	return h.answer(status, uint16(9), flags, uint16(sizeHeader2+8), uint16(len(token)), []byte(token))
}

func (h h2) treeConnect(path string) []byte {
	h.command = treeConnect2
	p := utf16le(path)
	return h.with(uint16(9), uint16(0), uint16(sizeHeader2+8), uint16(len(p)), p)
}

func (h h2) treeAnswer(kind byte, flags, access uint32) []byte {
	h.command = treeConnect2
	return h.answer(0, uint16(16), kind, byte(0), flags, uint32(0), access)
}

func (h h2) create(path string, access, options uint32, contexts ...byte) []byte {
	h.command = create2
	p := utf16le(path)
	at := sizeHeader2 + 56
	b := h.with(uint16(57), byte(0), byte(0), uint32(2), uint64(0), uint64(0), access, uint32(0), uint32(7), uint32(1), options,
		uint16(at), uint16(len(p)), uint32(at+len(p)), uint32(len(contexts)), p)
	return append(b, contexts...)
}

func (h h2) createAnswer(action uint32, size uint64, attributes uint32, id fileID) []byte {
	h.command = create2
	return h.answer(0, uint16(89), uint16(0), action, make([]byte, 32), uint64(0), size, attributes, uint32(0), id.persistent, id.volatile, uint64(0))
}

func (h h2) closeFile(id fileID) []byte {
	h.command = close2
	return h.with(uint16(24), uint16(0), uint32(0), id.persistent, id.volatile)
}

func (h h2) closeAnswer() []byte {
	h.command = close2
	return h.answer(0, uint16(60), make([]byte, 58))
}

func (h h2) write(id fileID, offset uint64, data string) []byte {
	h.command = write2
	return h.with(uint16(49), uint16(sizeWrite), uint32(len(data)), offset, id.persistent, id.volatile, make([]byte, 16), []byte(data))
}

func (h h2) read(id fileID, offset uint64, n int) []byte {
	h.command = read2
	return h.with(uint16(49), uint16(0), uint32(n), offset, id.persistent, id.volatile, make([]byte, 17))
}

func (h h2) readAnswer(status uint32, data string) []byte {
	h.command = read2
	return h.answer(status, uint16(17), uint16(sizeReadAnswer), uint32(len(data)), uint64(0), []byte(data))
}

func (h h2) transceive(id fileID, data string) []byte {
	h.command = ioctl2
	return h.with(uint16(57), uint16(0), uint32(0x0011c017), id.persistent, id.volatile, uint32(sizeIOCTL), uint32(len(data)), make([]byte, 24), []byte(data))
}

func (h h2) transceiveAnswer(status uint32, id fileID, data string) []byte {
	h.command = ioctl2
	return h.answer(status, uint16(49), uint16(0), uint32(fsctlPipeTransceive), id.persistent, id.volatile,
		uint32(0), uint32(0), uint32(sizeIOCTLAnswer), uint32(len(data)), uint64(0), []byte(data))
}

func (h h2) setInfo(id fileID, class byte, info []byte) []byte {
	h.command = setInfo2
	return h.with(uint16(33), byte(infoFile), class, uint32(len(info)), uint16(sizeSetInfo), uint16(0), uint32(0), id.persistent, id.volatile, info)
}

func rename(to string) []byte {
	p := utf16le(to)
	return put(nil, make([]byte, 16), uint32(len(p)), p)
}

// logged is a connection with a session of user u, id 7.
func logged(t testing.TB) *conversation {
	return open(t, false).
		client(netbios(h2{command: negotiate2}.with(make([]byte, 40)))).
		server(netbios(negotiateAnswer(0x0302, 1))).
		client(netbios(h2{id: 1}.setup("negotiate"))).
		server(netbios(h2{id: 1, session: 7}.setupAnswer(statusMoreProcessing, 0, "challenge"))).
		client(netbios(h2{id: 2, session: 7}.setup("user u"))).
		server(netbios(h2{id: 2, session: 7}.setupAnswer(0, 0, "")))
}

// connected is logged with a share, tree 3.
func connected(t testing.TB, share string, kind byte) *conversation {
	return logged(t).
		client(netbios(h2{id: 3, session: 7}.treeConnect(share))).
		server(netbios(h2{id: 3, session: 7, tree: 3}.treeAnswer(kind, 0, 0x1f01ff)))
}

// in is the header of a command in that share.
func in(id uint64) h2 { return h2{id: id, session: 7, tree: 3} }
