package live

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/verderer/verderer/activity"
)

var (
	// errDown: the interface is there and down.
	errDown = errors.New("the interface is down")
	// errEmpty: the kernel has handed over nothing more.
	errEmpty = errors.New("no packet")
)

// open opens the interface with the filter of now.
func (r *ring) open() (*socket, error) {
	f, foreign, err := r.s.filter()
	if err != nil {
		return nil, err
	}
	return openSocket(r.name, f, r.s.cfg.Ring, foreign)
}

// filter is the one of now, and whether it wants packets for other hosts.
func (s *Source) filter() (f *Filter, foreign bool, err error) {
	f = &Filter{TCP: s.cfg.TCP, UDP: s.cfg.UDP, Servers: s.cfg.Servers, Tunnels: s.cfg.Tunnels}
	own, err := ownAddresses()
	if err != nil {
		return nil, false, err
	}
	if s.own {
		if f.Servers = own; len(own) > maxServers {
			// Whoever has more of them is a router, not a domain controller.
			s.log.Warn("too many addresses on this host: RPC is followed for some only, unless the domain controller's address is configured",
				"addresses", len(own), "followed", maxServers)
			f.Servers = own[:maxServers]
		}
		return f, false, nil
	}
	foreign = slices.ContainsFunc(f.Servers, func(a netip.Addr) bool { return !slices.Contains(own, a.Unmap()) })
	return f, foreign, nil
}

// run captures until the Source stops. k is nil while the interface is down.
func (r *ring) run(k *socket) {
	defer func() {
		close(r.full)
		r.s.notify()
	}()
	var err error = errDown
	for {
		if k != nil {
			v := visit{ring: r, sock: k, before: now(), begun: time.Now(), filterRead: time.Now(), opened: k.since}
			err = v.read()
			k.close()
			if err == nil {
				return
			}
		}
		r.s.log.Error("capture interrupted", "interface", r.name, "error", err)
		if k = r.reopen(err); k == nil {
			return
		}
		r.s.log.Info("capture resumed", "interface", r.name)
	}
}

// reopen waits for the interface to come back. It returns nil when the Source
// stops first.
func (r *ring) reopen(err error) *socket {
	pause := backoff
	next := time.Now().Add(pause)
	r.problem(err)
	for {
		// Nothing comes from here; the others must not wait for it.
		r.upTo.Store(int64(now()) - int64(settled))
		r.s.notify()
		select {
		case <-r.s.stop:
			return nil
		case <-r.s.quit:
			return nil
		case <-time.After(pollWait):
		}
		if time.Now().Before(next) {
			continue
		}
		k, err := r.open()
		if err == nil {
			r.mu.Lock()
			r.state.Problem = ""
			r.state.Reopened++
			r.mu.Unlock()
			return k
		}
		r.problem(err)
		pause = min(2*pause, maxBackoff)
		next = time.Now().Add(pause)
	}
}

func (r *ring) problem(err error) {
	r.mu.Lock()
	r.state.Problem = err.Error()
	r.mu.Unlock()
}

// A visit is the time between opening an interface and losing it.
type visit struct {
	*ring
	sock *socket
	b    *batch // being filled

	begun      time.Time
	before     activity.Time // the clock before the last look at the ring
	statsRead  time.Time
	filterRead time.Time
	counted    stats // the kernel's counters at statsRead
	taken      int64 // packets read

	// Packets from before the filter was attached are passed over.
	opened   activity.Time // 0 once there can be none
	draining time.Time     // since when; zero while capturing
	failed   error         // the interface is gone: read what is left
}

// read reads the ring until it was drained after Stop (nil) or the interface is
// lost.
func (v *visit) read() error {
	if !v.take() {
		return nil
	}
	for {
		data, at, wire, err := v.sock.next()
		switch {
		case err == nil:
			v.taken++
			if at < v.opened {
				continue
			}
			v.opened = 0
			if !v.b.room(len(data)) || len(v.b.packets) > 0 && at-v.b.packets[0].time >= batchSpan {
				if !v.push() || !v.look() {
					return nil
				}
			}
			v.b.add(data, at, wire)
			continue
		case !errors.Is(err, errEmpty) && v.failed == nil:
			// The kernel hands over what it has within blockWait.
			v.failed, v.draining = err, time.Now()
		}
		if time.Since(v.begun) > drainWait {
			v.opened = 0
		}
		pause := pollWait
		if len(v.b.packets) > 0 {
			pause = busyWait
			if !v.push() {
				return nil
			}
		}
		v.upTo.Store(int64(v.before) - int64(settled))
		v.s.notify()
		if !v.look() {
			return v.failed
		}
		time.Sleep(pause)
		v.before = now()
	}
}

// look does what is due now and then. It is false at the end.
func (v *visit) look() bool {
	t := time.Now()
	if t.Sub(v.statsRead) >= refresh || !v.draining.IsZero() {
		v.statsRead = t
		v.count()
	}
	if !v.draining.IsZero() {
		// Whatever came before the filter closed is in the ring, and the block it
		// is in will be handed over. A second is more than any timer is late.
		waited := t.Sub(v.draining)
		return waited < settled || v.taken < v.counted.packets && waited < drainWait
	}
	select {
	case <-v.s.quit:
		return false
	case <-v.s.stop:
		if err := v.sock.filter(nothing); err != nil {
			v.s.log.Error("closing the packet filter", "interface", v.name, "error", err)
		}
		v.draining = time.Now()
	default:
		if v.s.own && t.Sub(v.filterRead) >= reread {
			v.filterRead = t
			v.refilter()
		}
	}
	return true
}

// drainWait is how long the end may be put off for packets that the kernel says
// it has, and for how long one from before the filter may come: no timer is later.
const drainWait = time.Second

// refilter attaches the filter anew, with the addresses of now.
func (v *visit) refilter() {
	f, _, err := v.s.filter()
	if err == nil {
		err = v.sock.attach(f)
	}
	if err != nil {
		v.s.log.Error("renewing the packet filter", "interface", v.name, "error", err)
	}
}

// count adds what the kernel counted since the last time.
func (v *visit) count() {
	n, err := v.sock.stats()
	if err != nil {
		v.s.log.Error("reading the kernel's counters", "interface", v.name, "error", err)
		return
	}
	v.mu.Lock()
	v.state.Dropped += n.dropped
	v.state.Freezes += n.freezes
	v.mu.Unlock()
	v.counted.packets += n.packets
}

// stats are the kernel's counters since they were last read.
type stats struct {
	packets int64 // put into the ring
	dropped int64
	freezes int64
}

// push hands over the batch and takes an empty one. It is false when the Source
// is closed.
func (v *visit) push() bool {
	v.ring.read.Add(int64(len(v.b.packets)))
	last := v.b.packets[len(v.b.packets)-1].time
	v.full <- v.b // never blocks: it has room for all there are
	v.upTo.Store(int64(last))
	v.s.notify()
	return v.take()
}

func (v *visit) take() bool {
	select {
	case v.b = <-v.free:
		v.b.packets, v.b.data = v.b.packets[:0], v.b.data[:0]
		return true
	case <-v.s.quit:
		return false
	}
}

func (b *batch) room(n int) bool {
	return len(b.packets) < batchPackets && len(b.data)+n <= batchData
}

func (b *batch) add(data []byte, at activity.Time, wire int) {
	if b.data == nil {
		b.data = make([]byte, 0, batchData)
		b.packets = make([]packet, 0, batchPackets)
	}
	from := len(b.data)
	b.data = append(b.data, data...)
	b.packets = append(b.packets, packet{at, from, len(b.data), wire})
}
