package receive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/ingest/journal"
)

const (
	// maxTogether and maxTogetherBytes cap what is stored as one entry: some
	// 20 ms of work for who reads it.
	maxTogether      = 1000
	maxTogetherBytes = 4 << 20
)

// appendAll stores what is decoded. What arrives while an entry is being synced
// goes into the next one together.
func (r *Receiver) appendAll() {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		select {
		case in := <-r.decoded:
			r.commit(r.gather(in), false)
		case <-tick.C:
			r.commit(nil, true)
			r.watch()
		case <-r.wake:
			r.commit(nil, true)
		case <-r.stop:
			return
		}
	}
}

func (r *Receiver) gather(first *incoming) []*incoming {
	work := []*incoming{first}
	for n := len(first.data); len(work) < maxTogether && n < maxTogetherBytes; {
		select {
		case in := <-r.decoded:
			work = append(work, in)
			n += len(in.data)
		default:
			return work
		}
	}
	return work
}

// A plan is an entry in the making: items, and the sensors as they will be when
// it is stored.
type plan struct {
	now    activity.Time
	wall   time.Time
	items  []journal.Item
	before map[*sensor]logged // of the sensors that change, for when it is not stored
	live   int                // live sensors attached
	newest activity.Time      // the clock of the one of them that is furthest; 0 none
	gone   []string           // sensors that were revoked, and are forgotten
}

// touch keeps what s was.
func (p *plan) touch(s *sensor) {
	if _, ok := p.before[s]; !ok {
		p.before[s] = s.logged
	}
}

func (p *plan) detach(s *sensor, why string) {
	p.touch(s)
	if !s.attachedFiles {
		p.live--
	}
	s.attached = false
	p.items = append(p.items, journal.Item{Sensor: s.id, Detach: why})
}

func (p *plan) attach(s *sensor) {
	p.touch(s)
	if !s.files {
		p.live++
	}
	s.attached, s.attachedFiles = true, s.files
	p.follow(s)
	p.items = append(p.items, journal.Item{Sensor: s.id, Attach: s.clock, Files: s.files})
}

// follow notes how far an attached sensor is.
func (p *plan) follow(s *sensor) {
	if s.attached && !s.attachedFiles {
		p.newest = max(p.newest, s.clock)
	}
}

// behind is how far a live sensor's progress is behind what the log waits for:
// the furthest of the live sensors attached, or the present when one of them is
// ahead of it. With none of them there, nobody has to wait for s.
func (p *plan) behind(s *sensor) time.Duration {
	if p.live == 0 {
		return 0
	}
	return s.lag(min(p.now, p.newest))
}

// commit stores batches and whatever they and the time lead to as one entry, and
// answers them. sweep: look at all sensors.
func (r *Receiver) commit(work []*incoming, sweep bool) {
	p := &plan{now: r.cfg.Journal.Now(), wall: r.cfg.Now(), before: make(map[*sensor]logged)}
	acks := make([]wire.Ack, len(work))
	var stored []int
	r.mu.Lock()
	for _, s := range r.sensors {
		if s.attached && !s.attachedFiles {
			p.live++
			p.follow(s)
		}
	}
	if sweep {
		r.sweep(p)
	}
	for n, in := range work {
		if r.plan(p, in, &acks[n]) {
			stored = append(stored, n)
		}
	}
	r.mu.Unlock()

	var err error
	if len(p.items) > 0 {
		_, err = r.cfg.Journal.Append(context.Background(), p.items...)
		r.outcome(err)
	}
	r.mu.Lock()
	if err != nil {
		for s, l := range p.before {
			s.logged = l
		}
		for _, n := range stored {
			acks[n] = wire.Ack{Hold: true, Why: err.Error()}
		}
	} else {
		for s := range p.before {
			if !s.attached {
				s.detach = ""
			}
			if s.gone && !s.attached {
				p.forget(r, s)
			}
		}
		for _, n := range stored {
			s := work[n].sensor
			s.Batches++
			s.Lost += work[n].skipped
			r.stats.Accepted++
			r.stats.Lost += work[n].skipped
			if s.FirstActivity == 0 && work[n].activities > 0 {
				s.FirstActivity = p.now
			}
		}
	}
	r.mu.Unlock()
	for n, in := range work {
		r.finish(in, acks[n])
	}
	for _, id := range p.gone {
		r.clear(id)
	}
	if err != nil {
		return
	}
	for _, i := range p.items {
		switch {
		case i.Attach != 0:
			r.cfg.Log.Info("sensor attached", "sensor", i.Sensor, "from", i.Attach, "files", i.Files)
		case i.Detach != "":
			r.cfg.Log.Info("sensor detached", "sensor", i.Sensor, "why", i.Detach)
		default:
			continue
		}
		r.cfg.Changed(i.Sensor)
	}
}

// sweep detaches whom the log should no longer wait for. mu is held.
func (r *Receiver) sweep(p *plan) {
	for _, s := range r.sensors {
		if why := s.mustDetach(p); why != "" {
			p.detach(s, why)
		} else if s.gone && !s.attached {
			p.forget(r, s)
		}
	}
}

// forget drops a sensor that was revoked. mu is held.
func (p *plan) forget(r *Receiver, s *sensor) {
	delete(r.sensors, s.id)
	p.gone = append(p.gone, s.id)
}

// plan adds a batch to the entry in the making and writes its answer, as it is
// if the entry is stored. It tells whether the batch is in the entry. mu is held.
func (r *Receiver) plan(p *plan, in *incoming, ack *wire.Ack) bool {
	s := in.sensor
	switch {
	case s.gone:
		*ack = wire.Ack{Hold: true, Why: "the sensor was revoked"}
		return false
	case in.err != nil:
		r.refuseBatch(s, "cannot be read", in.err, p.wall, ack)
		return false
	case s.skipped(in.spool, in.sequence):
		r.refuseBatch(s, "out of order", fmt.Errorf("batch %d comes after batch %d", in.sequence, s.stored(in.spool)), p.wall, ack)
		return false
	case in.sequence <= s.stored(in.spool):
		ack.Sequence = s.stored(in.spool)
		if s.other(in.spool, in.sequence, in.sum) {
			r.stats.Copies++
			ack.Sequence++
			r.warn("two sensors send under one identity: enroll one of them anew", "sensor", s.id)
		} else {
			r.stats.Repeated++
		}
		return false
	}
	p.touch(s)
	in.skipped = int64(s.store(in.spool, in.sequence, in.sum))
	s.finished = false
	if in.progress != 0 {
		s.clock = in.progress
		p.follow(s)
		s.Ahead = s.ahead(p.now)
		if s.mayAttach(p) {
			if !s.files {
				for _, f := range r.sensors {
					if f.attached && f.attachedFiles {
						p.detach(f, "a sensor that reads the present takes part")
					}
				}
			}
			p.attach(s)
		}
	}
	p.items = append(p.items, journal.Item{Sensor: s.id, Batch: in.data})
	// After its batch, which is still in order.
	if why := s.mustDetach(p); why != "" {
		p.detach(s, why)
	}
	ack.Sequence = in.sequence
	return true
}

// refuseBatch answers a batch that will never be stored. mu is held.
func (r *Receiver) refuseBatch(s *sensor, reason string, why error, now time.Time, ack *wire.Ack) {
	*ack = wire.Ack{Refused: true, Why: why.Error()}
	r.stats.Refused[reason]++
	s.Refused++
	s.RefusedWhy, s.refusedAt = why.Error(), now
	r.warn("batch refused", "sensor", s.id, "why", why)
}

// outcome notes whether the journal could store.
func (r *Receiver) outcome(err error) {
	full := errors.Is(err, journal.ErrFull)
	r.mu.Lock()
	r.full, r.failed = full, err != nil && !full
	r.mu.Unlock()
	r.storing(err)
}
