package smb

import (
	"slices"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// Protocol registers the decoder: over TCP, and over the NetBIOS session service.
var Protocol = decode.Protocol{
	Name:    "smb",
	TCP:     []uint16{445, 139},
	New:     func() decode.Decoder { return newDecoder() },
	Reasons: reasons,
}

const (
	// patience is how long an answer is waited for. Windows clients give up
	// after a minute (SessTimeout), after more for what a server says takes
	// longer.
	patience = 2 * time.Minute
	// sweepEvery is how often it is looked for what waits no longer.
	sweepEvery = 15 * time.Second
)

// decoder follows one connection: the Decoder of decode.Protocol.
type decoder struct {
	x       *decode.Context
	now     activity.Time
	swept   activity.Time
	streams [2]stream

	caller      string // NetBIOS name of the client
	dialect     string
	required    bool // the server requires signing
	compression bool // was negotiated
	server      server1
	odd         []string // anomalies of messages that were emitted, each once

	sessions []*session // in the order they came
	trees    []*tree
	files    map[fileID]*file // open ones
	last     *file            // of files, the one asked for last
	pipes    []*file          // whose conversation is followed
	pending  []pending        // oldest first
	uses     int              // of files and pipes, to tell which was used last
	text     int              // bytes of text in sessions, trees, files and pending
	nested   int              // held by the conversations in pipes

	trace func(version byte, command uint16, answer bool) // nil but in tests: gets every command
}

func newDecoder() *decoder {
	d := new(decoder)
	for dir := range d.streams {
		d.streams[dir] = stream{d: d, dir: flow.Dir(dir)}
	}
	return d
}

// Reset implements decode.Decoder.
func (d *decoder) Reset(x *decode.Context) {
	streams, p := d.streams, d.pending
	clear(p)
	if cap(p) > keepPending {
		p = nil
	}
	*d = decoder{x: x, streams: streams, pending: p[:0], trace: d.trace}
	for i := range d.streams {
		midStream := x != nil && x.Conn.MidStream
		d.streams[i].reset(midStream)
	}
}

// Feed implements flow.Handler.
func (d *decoder) Feed(dir flow.Dir, data []byte, now activity.Time) {
	d.now = now
	if now.Sub(d.swept) >= sweepEvery {
		d.sweep()
	}
	d.streams[dir].feed(data)
}

// Gap implements flow.Handler.
func (d *decoder) Gap(dir flow.Dir, n int, now activity.Time) {
	d.now = now
	d.count(reasonGap, 1)
	d.streams[dir].gap(n)
}

// Close implements flow.Handler: what has no answer is an attempt, what is open
// is closed.
func (d *decoder) Close(now activity.Time) {
	d.now = now
	d.end()
	d.Reset(nil)
}

// end gives up what waits and closes what is open.
func (d *decoder) end() {
	for len(d.pending) > 0 {
		d.giveUp(0)
	}
	d.closeFiles(func(*file) bool { return true })
	for len(d.sessions) > 0 {
		d.dropSession(d.sessions[0])
	}
	for len(d.trees) > 0 {
		d.dropTree(d.trees[0])
	}
}

// Held implements decode.Decoder.
func (d *decoder) Held() int {
	return sizeDecoder + cap(d.streams[0].buf) + cap(d.streams[1].buf) + cap(d.pending)*sizePending +
		len(d.sessions)*sizeSession + len(d.trees)*sizeTree + len(d.files)*sizeFile + d.text + d.nested
}

// What an entry of each kind keeps beside its text.
const (
	sizeDecoder = 1 << 10
	sizePending = 136
	sizeSession = 900 // with its tokens' structs, twice
	sizeTree    = 100
	sizeFile    = 640
)

func (d *decoder) count(reason string, n int) { d.x.Count(reason, n) }

// sweep gives up what has waited longer than patience, and reminds the
// conversations in pipes of the time.
func (d *decoder) sweep() {
	d.swept = d.now
	for i := 0; i < len(d.pending); {
		if d.now.Sub(d.pending[i].asked) > patience {
			d.giveUp(i)
		} else {
			i++
		}
	}
	for _, f := range d.pipes {
		d.feedPipe(f, flow.ToServer, nil)
	}
}

// noted emits an anomaly of a message that no other activity can carry, once a
// connection.
func (d *decoder) noted(s *session, anomaly string) {
	if slices.Contains(d.odd, anomaly) {
		return
	}
	d.odd = append(d.odd, anomaly)
	a := d.x.New(activity.SMBSession, activity.ProtoSMB, d.now)
	detail := d.detail(s, nil)
	a.SMB, a.Anomalies = &detail, []string{anomaly}
	_, a.Account = s.who()
	d.x.Emit(a)
}

// detail is what every activity says of its session and share.
func (d *decoder) detail(s *session, t *tree) activity.SMB {
	m := activity.SMB{Dialect: d.dialect, Caller: d.caller}
	if s != nil {
		m.Session, m.Signed, m.Encrypted, m.Guest, m.Null = s.id, s.signs(d), s.encrypted, s.guest, s.null
		m.Auth = s.identity
	}
	if t != nil {
		m.Share, m.ShareType = t.share, t.kind
		m.Encrypted = m.Encrypted || t.encrypted
	}
	return m
}

// transformed counts an encrypted message (MS-SMB2 §2.2.41) of n bytes.
func (d *decoder) transformed(b []byte, n int) {
	d.count(reasonEncrypted, 1)
	d.count(reasonEncryptedBytes, n)
	if len(b) < sizeTransform {
		d.count(reasonShort, 1)
		return
	}
	if s := d.session(le.Uint64(b[44:])); s != nil && !s.sealed {
		s.sealed, s.encrypted = true, true
		d.count(reasonEncryptedSessions, 1)
	}
}

// maxDecompressed is the largest size that is believed of a compressed message:
// servers take 8 MiB at once (MS-SMB2 §3.3.5.4, MaxTransactSize).
const maxDecompressed = 64 << 20

// compressed counts a compressed message (MS-SMB2 §2.2.42) of n bytes.
func (d *decoder) compressed(b []byte, n int) {
	d.count(reasonCompressed, 1)
	if len(b) < sizeCompressed {
		d.count(reasonShort, 1)
		return
	}
	size, chained, offset := uint64(le.Uint32(b[4:])), le.Uint16(b[10:])&1 != 0, uint64(le.Uint32(b[12:]))
	switch {
	case !d.compression && d.dialect != "":
		d.noted(nil, anomalyCompressionUnasked)
	case chained:
		// The last field is a length, of the first of several parts (§2.2.42.1).
	case size+offset >= 1<<32:
		d.noted(nil, anomalyCompressionWraps)
	case offset > uint64(n-sizeCompressed):
		d.noted(nil, anomalyCompressionOffset)
	}
	if size > maxDecompressed {
		d.noted(nil, anomalyCompressionSize)
	}
}
