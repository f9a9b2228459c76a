package receive

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/counter"
)

// incoming is a batch under way.
type incoming struct {
	sensor *sensor
	reply  string
	data   []byte

	spool, sequence uint64
	sum             uint32        // CRC-32 of data
	progress        activity.Time // the last one it states; 0 none
	activities      int
	skipped         int64 // sequences before it that never came
	err             error // it cannot be read
}

// dispatch takes a message. Its subject says whose it is: the server lets a
// sensor publish under its own id only. It runs on one goroutine, so it leaves
// what takes long to others.
func (r *Receiver) dispatch(m *nats.Msg) {
	id, verb, ok := strings.Cut(strings.TrimPrefix(m.Subject, "sensor."), ".")
	if !ok {
		return
	}
	// A reply goes where its sensor may listen, and nowhere else: it would carry
	// our words into another's inbox.
	if m.Reply != "" && (!strings.HasPrefix(m.Reply, wire.InboxPrefix(id)+".") || strings.ContainsAny(m.Reply, "*>")) {
		r.ignore("asks for the answer to go elsewhere")
		return
	}
	r.mu.Lock()
	s := r.sensors[id]
	if s == nil || s.gone {
		r.mu.Unlock()
		r.ignore("of a sensor that was revoked")
		return
	}
	news := wire.BatchSubject(id) != m.Subject || s.heard.IsZero()
	s.heard = r.cfg.Now()
	s.LastSeen = activity.Time(s.heard.UnixNano())
	allowed := verb == "batch" || s.limit.Allow()
	r.mu.Unlock()
	switch {
	case !allowed:
		r.ignore("too many in a second")
	case verb == "batch":
		r.batch(s, m)
	case len(m.Data) > maxStatus:
		r.ignore("larger than 64 KiB")
	case verb == "hello":
		r.hello(s, m)
	case verb == "status":
		r.status(s, m)
	case verb == "renew":
		r.renew(s, m)
	}
	if news {
		r.cfg.Changed(id)
	}
}

func (r *Receiver) ignore(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Ignored[why]++
}

// answer sends v to who asked, if he did.
func (r *Receiver) answer(reply string, v any) {
	if reply == "" {
		return
	}
	b, err := json.Marshal(v)
	if err == nil {
		err = r.conn.Publish(reply, b)
	}
	if err != nil && !r.closed.Load() {
		r.warn("answering a sensor failed", "inbox", reply, "error", err)
	}
}

func (r *Receiver) hello(s *sensor, m *nats.Msg) {
	var h wire.Hello
	if err := json.Unmarshal(m.Data, &h); err != nil {
		r.answer(m.Reply, wire.Welcome{Refused: "this hello cannot be read: " + err.Error(), Now: r.now()})
		return
	}
	h.Version, h.OS, h.Host = clip(h.Version), clip(h.OS), clip(h.Host)
	w := wire.Welcome{Now: r.now()}
	r.mu.Lock()
	r.stats.Hellos++
	if w.Refused = s.misused(&h); w.Refused == "" {
		w.Refused = wrongVersion(h.Protocol)
		s.Hello, s.files = h, h.Files
	}
	w.Sequence = s.stored(h.Spool)
	r.mu.Unlock()
	if w.Refused == "" {
		w.TagKeys = r.cfg.TagKeys()
	} else {
		r.warn("sensor refused", "sensor", s.id, "why", w.Refused)
	}
	r.answer(m.Reply, w)
}

func (r *Receiver) now() activity.Time { return activity.Time(r.cfg.Now().UnixNano()) }

// wrongVersion says why a sensor of that protocol cannot be understood; "" it can.
func wrongVersion(protocol int) string {
	switch {
	case protocol == wire.Version:
		return ""
	case protocol > wire.Version:
		return fmt.Sprintf("the sensor speaks version %d, this center %d: upgrade the center", protocol, wire.Version)
	}
	return fmt.Sprintf("the sensor speaks version %d, this center %d: upgrade the sensor", protocol, wire.Version)
}

// clip cuts what a sensor says of itself to a length that can be shown.
func clip(s string) string {
	if len(s) > 255 {
		s = s[:255]
	}
	return strings.ToValidUTF8(s, "�")
}

const (
	maxSources  = 64  // of a sensor, which reads a few; they are shown in a line
	maxCounters = 500 // of a sensor: what each becomes a line and a series; it has some 200
)

// bound makes of a status what can be shown and counted: a sensor may say
// anything. Of counters with the same name the first stands.
func bound(st *wire.Status) {
	st.Sources = st.Sources[:min(len(st.Sources), maxSources)]
	for n := range st.Sources {
		st.Sources[n] = clip(st.Sources[n])
	}
	for _, n := range []*int64{&st.Packets, &st.Events, &st.Activities, &st.Dropped, &st.Memory,
		&st.Spool.Batches, &st.Spool.Bytes, &st.Spool.Limit, &st.Spool.Lost} {
		*n = max(*n, 0)
	}
	seen := make(map[counter.Row]bool)
	kept := st.Counters[:0]
	for _, c := range st.Counters {
		c.Stage, c.Name, c.Count = clip(c.Stage), clip(c.Name), max(c.Count, 0)
		name := counter.Row{Stage: c.Stage, Name: c.Name}
		if !seen[name] && len(kept) < maxCounters {
			seen[name] = true
			kept = append(kept, c)
		}
	}
	st.Counters = kept
}

func (r *Receiver) status(s *sensor, m *nats.Msg) {
	var st wire.Status
	if err := json.Unmarshal(m.Data, &st); err != nil {
		r.ignore("status that cannot be read")
		return
	}
	bound(&st)
	now := r.cfg.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Statuses++
	old := s.Status
	if old.Now != 0 && st.Spool.Lost > old.Spool.Lost {
		s.lostAt = now
	}
	if old.Started == st.Started && st.Dropped > old.Dropped {
		s.droppedAt = now
	}
	if s.FirstPacket == 0 && st.Packets+st.Events > 0 {
		s.FirstPacket = r.now()
	}
	s.Status = st
	s.finished = st.Done && st.Spool.Batches == 0 && !s.busy
	s.Skew = st.Now.Sub(r.now())
}

// renew hands a request to who signs, which may take a while.
func (r *Receiver) renew(s *sensor, m *nats.Msg) {
	var req wire.Renewal
	if err := json.Unmarshal(m.Data, &req); err != nil {
		r.answer(m.Reply, wire.Renewed{Refused: "this request cannot be read: " + err.Error()})
		return
	}
	r.mu.Lock()
	busy := s.sign
	s.sign = true
	r.stats.Renewals++
	r.mu.Unlock()
	if busy {
		r.ignore("renewal while one is under way")
		return
	}
	r.done.Go(func() { // one for each sensor at most
		renewed, err := r.cfg.Renew(s.id, req.CSR)
		r.mu.Lock()
		s.sign = false
		if err == nil && s.gone {
			err = fmt.Errorf("the sensor was revoked")
		}
		r.mu.Unlock()
		if err != nil {
			r.warn("certificate not renewed", "sensor", s.id, "error", err)
			renewed = wire.Renewed{Refused: err.Error()}
		}
		r.answer(m.Reply, renewed)
	})
}

// batch puts a batch into the queue of those to decode.
func (r *Receiver) batch(s *sensor, m *nats.Msg) {
	r.mu.Lock()
	why := ""
	switch {
	case s.busy:
		// Its first is answered when it is stored; to answer this one too would
		// let a sensor fill the queue.
		r.stats.Ignored["batch while one is under way"]++
		r.mu.Unlock()
		return
	case s.Hello.Protocol == 0:
		why = "say hello first"
	case wrongVersion(s.Hello.Protocol) != "":
		why = wrongVersion(s.Hello.Protocol)
	case r.stats.Waiting+int64(len(m.Data)) > maxWaiting:
		why = "the center is busy"
	}
	if why != "" {
		r.hold(s, why)
		r.mu.Unlock()
		r.answer(m.Reply, wire.Ack{Hold: true, Why: why})
		return
	}
	s.busy = true
	r.stats.Waiting += int64(len(m.Data))
	r.mu.Unlock()
	in := &incoming{sensor: s, reply: m.Reply, data: m.Data}
	select {
	case r.decode <- in:
	default:
		r.finish(in, wire.Ack{Hold: true, Why: "the center is busy"})
	}
}

// hold notes that a batch of s could not be stored yet. mu is held.
func (r *Receiver) hold(s *sensor, why string) {
	s.Holding, s.HoldWhy = true, why
	reason, _, _ := strings.Cut(why, ":") // without its numbers
	r.stats.Held[reason]++
}

func (r *Receiver) decodeAll() {
	for {
		select {
		case in := <-r.decode:
			in.read()
			select {
			case r.decoded <- in:
			case <-r.stop:
				return
			}
		case <-r.stop:
			return
		}
	}
}

// read decodes the batch, as whoever reads the log will, and keeps what has to be
// known of it before it is stored.
func (in *incoming) read() {
	b, err := wire.Decode(in.data)
	if err == nil && (b.Spool == 0 || b.Sequence == 0) {
		err = fmt.Errorf("a batch of spool %d with sequence %d", b.Spool, b.Sequence)
	}
	if err != nil {
		in.err = err
		return
	}
	in.spool, in.sequence, in.sum = b.Spool, b.Sequence, crc32.ChecksumIEEE(in.data)
	for i := range b.Entries {
		if b.Entries[i].Activity != nil {
			in.activities++
		} else {
			in.progress = b.Entries[i].Progress
		}
	}
}

// finish answers a batch and lets its sensor send the next.
func (r *Receiver) finish(in *incoming, ack wire.Ack) {
	s := in.sensor
	r.mu.Lock()
	s.busy = false
	r.stats.Waiting -= int64(len(in.data))
	switch {
	case ack.Hold:
		r.hold(s, ack.Why)
	default:
		s.Holding, s.HoldWhy = false, ""
	}
	r.mu.Unlock()
	r.answer(in.reply, ack)
}
