// Package ship brings what the sensor states to the center: into batches, onto
// disk, over mutual TLS, until each is acknowledged as stored. It also enrols
// the sensor and renews its certificate.
package ship

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
)

const (
	// DefaultLimit is how much a spool holds unless told otherwise: at 50 bytes
	// an activity about a day of 200 activities a second, a large domain
	// controller's.
	DefaultLimit = 1 << 30
	// MinLimit is the least: some of the largest batches.
	MinLimit = 4 * wire.MaxBatch

	// perBatch is charged for a batch on top of its bytes, so that the limit
	// bounds small ones too: its key, its place in the tree, its share of the
	// page it is on.
	perBatch = 128
	// markEvery is how exactly the spool knows when a batch was acknowledged.
	markEvery = 10 * time.Second
	// maxRemoved caps the batches that one transaction removes for their age: a
	// second of a drained spool is not spent at once on it.
	maxRemoved = 1000
	// lockWait is how long the file may be locked by another process: one that
	// is just ending.
	lockWait = 5 * time.Second
)

var (
	bucketBatches = []byte("batches") // sequence, 8 bytes big-endian → CRC-32C of the rest, the batch as it is sent
	bucketState   = []byte("state")
	keyState      = []byte("state") // → state as JSON
	checksum      = crc32.MakeTable(crc32.Castagnoli)
)

// state is what the spool keeps besides batches, in the transaction that changes it.
type state struct {
	ID      uint64  `json:"id"`
	Last    uint64  `json:"last"`    // sequence of the newest batch ever appended
	Acked   uint64  `json:"acked"`   // batches up to here are stored at the center
	Stated  uint64  `json:"stated"`  // entries ever appended, of the present replay
	Lost    int64   `json:"lost"`    // batches dropped unsent, for want of room or damaged on disk
	Refused int64   `json:"refused"` // batches that the center will not have
	Replay  *Replay `json:"replay,omitempty"`
}

// Replay identifies what a sensor of files reads, so that it can be taken up.
type Replay struct {
	Inputs  string        `json:"inputs"`  // whatever changes when the files or how they are read do
	Version string        `json:"version"` // of the program: another one may state other things of the same files
	Started activity.Time `json:"started"` // when it was begun, by the wall clock
	Done    bool          `json:"done"`    // everything was appended
}

// Spool keeps batches on disk until the center has stored them, and some time
// longer. One goroutine may append and one send; the rest of its methods may be
// called from any.
type Spool struct {
	path  string
	limit int64
	log   *slog.Logger
	db    *bolt.DB

	appending sync.Mutex // held while a batch is appended, its waiting for room included

	mu      sync.Mutex // of what follows, and held while the file is written
	state   state
	unsent  int64 // batches after state.Acked
	bytes   int64 // of those
	kept    int64 // bytes of batches up to state.Acked
	marks   []mark
	changed chan struct{} // closed and replaced when room was made or a batch appended
}

// A mark says that batches up to Seq had been acknowledged at Time. There is one
// for every markEvery, up to wire.KeepSent.
type mark struct {
	seq  uint64
	time time.Time
}

// OpenSpool opens the spool at path, or makes it. A file that is damaged is set
// aside, under a name that ends in ".damaged", and a new spool begun. The error
// is of the disk, or says that another process has the file.
func OpenSpool(path string, limit int64, log *slog.Logger) (*Spool, error) {
	s := &Spool{path: path, limit: max(limit, MinLimit), log: log, changed: make(chan struct{})}
	err := s.open()
	if errors.Is(err, errDamaged) {
		aside := path + ".damaged"
		log.Error("The spool is damaged. It is set aside, what it held is lost, and a new one is begun.", "error", err, "aside", aside)
		if err := replaceFile(path, aside); err != nil {
			return nil, fmt.Errorf("setting aside spool %s: %w", path, err)
		}
		err = s.open()
	}
	if err != nil {
		return nil, fmt.Errorf("opening spool %s: %w", path, err)
	}
	return s, nil
}

// guarded runs f and makes an error of what bbolt does about a damaged file:
// it panics, or reads memory that the file does not reach.
func guarded(f func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errDamaged, r)
		}
	}()
	return f()
}

func sequenceKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// charge is what a stored batch counts for in the limit.
func charge(value []byte) int64 { return int64(len(value)) + perBatch }

// newState is that of a spool that nothing was appended to.
func newState() state {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return state{ID: binary.BigEndian.Uint64(b[:]) | 1}
}

func putState(tx *bolt.Tx, st state) error {
	b, err := json.Marshal(st)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketState).Put(keyState, b)
}

// Append stores entries as the next batch, synced. When there is no room the
// oldest batches are dropped: acknowledged ones, then unsent ones, which are
// counted as lost. After an error nothing was stored.
func (s *Spool) Append(entries []wire.Entry) (seq uint64, err error) {
	return s.append(context.Background(), entries, false)
}

// AppendWait is Append that waits for room until ctx ends, instead of dropping
// what is unsent.
func (s *Spool) AppendWait(ctx context.Context, entries []wire.Entry) (seq uint64, err error) {
	return s.append(ctx, entries, true)
}

func (s *Spool) append(ctx context.Context, entries []wire.Entry, wait bool) (uint64, error) {
	s.appending.Lock()
	defer s.appending.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		// Encoded anew after waiting: the spool may have got another identity.
		seq := s.state.Last + 1
		value, err := s.encode(seq, entries)
		if err != nil {
			return 0, err
		}
		if !wait || s.bytes+charge(value) <= s.limit {
			return seq, s.store(seq, value, len(entries))
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		s.mu.Lock()
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
}

// encode gives a batch as it is stored.
func (s *Spool) encode(seq uint64, entries []wire.Entry) ([]byte, error) {
	b := wire.Batch{Spool: s.state.ID, Sequence: seq, Entries: entries}
	value, err := b.Append(make([]byte, 4))
	if err != nil {
		return nil, &EncodingError{err}
	}
	binary.BigEndian.PutUint32(value, crc32.Checksum(value[4:], checksum))
	return value, nil
}

// EncodingError says that entries make no batch: they are too large for one.
type EncodingError struct{ err error }

func (e *EncodingError) Error() string { return "encoding batch: " + e.err.Error() }
func (e *EncodingError) Unwrap() error { return e.err }

// store writes a batch and the state after it, in one transaction.
func (s *Spool) store(seq uint64, value []byte, entries int) error {
	next, unsent, bytes, kept := s.state, s.unsent+1, s.bytes+charge(value), s.kept
	next.Last = seq
	next.Stated += uint64(entries)
	old := s.aged(time.Now())
	err := guarded(func() error {
		return s.db.Update(func(tx *bolt.Tx) error {
			batches := tx.Bucket(bucketBatches)
			batches.FillPercent = 1 // sequences only grow
			removed := 0
			c := batches.Cursor()
			for k, v := c.First(); k != nil; k, v = c.First() {
				n := binary.BigEndian.Uint64(k)
				full := bytes+kept > s.limit
				if !full && (n > old || removed >= maxRemoved) {
					break
				}
				if n <= next.Acked {
					kept -= charge(v)
				} else {
					bytes -= charge(v)
					unsent--
					next.Lost++
				}
				removed++
				if err := batches.Delete(k); err != nil {
					return err
				}
			}
			if err := batches.Put(sequenceKey(seq), value); err != nil {
				return err
			}
			return putState(tx, next)
		})
	})
	if err != nil {
		return fmt.Errorf("writing spool %s: %w", s.path, err)
	}
	if lost := next.Lost - s.state.Lost; lost > 0 {
		s.log.Warn("The spool is full. The oldest batches that were not sent are dropped.", "batches", lost, "lost", next.Lost)
	}
	s.state, s.unsent, s.bytes, s.kept = next, unsent, bytes, kept
	s.wake()
	return nil
}

// aged is the sequence up to which batches were acknowledged long enough ago.
func (s *Spool) aged(now time.Time) (seq uint64) {
	s.mark(now)
	for len(s.marks) > 0 && now.Sub(s.marks[0].time) > wire.KeepSent {
		seq = s.marks[0].seq
		s.marks = s.marks[1:]
	}
	return seq
}

// mark notes what is acknowledged now, unless that was done just before.
func (s *Spool) mark(now time.Time) {
	if n := len(s.marks); n > 0 && (now.Sub(s.marks[n-1].time) < markEvery || s.marks[n-1].seq == s.state.Acked) {
		return
	}
	s.marks = append(s.marks, mark{s.state.Acked, now})
}

func (s *Spool) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Next is the first stored batch after a sequence, as it is to be sent. It waits
// for one until ctx ends. Batches that are damaged on disk are dropped, and
// counted as lost.
func (s *Spool) Next(ctx context.Context, after uint64) (seq uint64, batch []byte, err error) {
	for {
		s.mu.Lock()
		changed := s.changed
		seq, batch, err = s.after(after)
		s.mu.Unlock()
		if err != nil || seq != 0 {
			return seq, batch, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		}
	}
}

func (s *Spool) after(after uint64) (seq uint64, batch []byte, err error) {
	if after >= s.state.Last {
		return 0, nil, nil
	}
	var bad []uint64
	err = guarded(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			c := tx.Bucket(bucketBatches).Cursor()
			for k, v := c.Seek(sequenceKey(after + 1)); k != nil; k, v = c.Next() {
				n := binary.BigEndian.Uint64(k)
				if len(v) > 4 && binary.BigEndian.Uint32(v) == crc32.Checksum(v[4:], checksum) {
					seq, batch = n, append([]byte(nil), v[4:]...)
					return nil
				}
				bad = append(bad, n)
			}
			return nil
		})
	})
	for _, n := range bad {
		if err == nil {
			s.log.Error("A batch is damaged on disk and dropped.", "sequence", n)
			err = s.remove(n)
		}
	}
	if err != nil {
		return 0, nil, fmt.Errorf("reading spool %s: %w", s.path, err)
	}
	return seq, batch, nil
}

// remove drops one batch that cannot be read.
func (s *Spool) remove(seq uint64) error {
	next, unsent, bytes, kept := s.state, s.unsent, s.bytes, s.kept
	err := guarded(func() error {
		return s.db.Update(func(tx *bolt.Tx) error {
			batches := tx.Bucket(bucketBatches)
			size := charge(batches.Get(sequenceKey(seq)))
			if seq <= next.Acked {
				kept -= size
			} else {
				bytes -= size
				unsent--
				next.Lost++
			}
			if err := batches.Delete(sequenceKey(seq)); err != nil {
				return err
			}
			return putState(tx, next)
		})
	})
	if err == nil {
		s.state, s.unsent, s.bytes, s.kept = next, unsent, bytes, kept
	}
	return err
}

// MarkAcked notes that the center has stored everything up to seq. It reaches
// the disk with the next append, or by Close: a center says Hello's answer with
// its own number, so nothing hangs on it.
func (s *Spool) MarkAcked(seq uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.markAcked(seq)
}

func (s *Spool) markAcked(seq uint64) error {
	seq = min(seq, s.state.Last)
	if seq <= s.state.Acked {
		return nil
	}
	n, bytes, err := s.measure(s.state.Acked, seq)
	if err != nil {
		return err
	}
	s.unsent -= n
	s.bytes -= bytes
	s.kept += bytes
	s.state.Acked = seq
	s.mark(time.Now())
	s.wake()
	return nil
}

// measure counts the batches after one sequence and up to another.
func (s *Spool) measure(after, upTo uint64) (n, bytes int64, err error) {
	err = guarded(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			c := tx.Bucket(bucketBatches).Cursor()
			for k, v := c.Seek(sequenceKey(after + 1)); k != nil && binary.BigEndian.Uint64(k) <= upTo; k, v = c.Next() {
				n++
				bytes += charge(v)
			}
			return nil
		})
	})
	if err != nil {
		err = fmt.Errorf("reading spool %s: %w", s.path, err)
	}
	return n, bytes, err
}

// CountRefused notes that the center will never store a batch, and goes on as if
// it had.
func (s *Spool) CountRefused(seq uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Refused++
	return s.markAcked(seq)
}

// Resume sets what the center has stored, by its own word. It may be less than
// it acknowledged, when it was restored from a backup: what is kept is unsent
// again. It may be more than was ever appended, when the spool is an old copy
// of itself: then it takes a new identity, for its sequences were used for other
// batches.
func (s *Spool) Resume(stored uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stored > s.state.Last {
		return s.renumber()
	}
	if stored >= s.state.Acked {
		return s.markAcked(stored)
	}
	n, bytes, err := s.measure(stored, s.state.Acked)
	if err != nil {
		return err
	}
	s.log.Warn("The center lacks batches that it acknowledged. Those kept are sent again.", "stored", stored, "acknowledged", s.state.Acked, "kept", n)
	s.unsent += n
	s.bytes += bytes
	s.kept -= bytes
	s.state.Acked = stored
	s.marks = nil
	s.wake()
	return nil
}

// renumber gives the spool a new identity and its unsent batches new sequences.
func (s *Spool) renumber() error {
	next := newState()
	next.Stated, next.Lost, next.Refused, next.Replay = s.state.Stated, s.state.Lost, s.state.Refused, s.state.Replay
	var unsent, bytes int64
	err := guarded(func() error {
		return s.db.Update(func(tx *bolt.Tx) error {
			old := tx.Bucket(bucketBatches)
			var keys [][]byte
			var values [][]byte
			c := old.Cursor()
			for k, v := c.First(); k != nil; k, v = c.Next() {
				keys = append(keys, append([]byte(nil), k...))
				if binary.BigEndian.Uint64(k) <= s.state.Acked || len(v) <= 4 {
					continue
				}
				b, err := wire.Decode(v[4:])
				if err != nil { // of no use to the center either
					next.Lost++
					continue
				}
				next.Last++
				b.Spool, b.Sequence = next.ID, next.Last
				value, err := b.Append(make([]byte, 4))
				if err != nil {
					return err
				}
				binary.BigEndian.PutUint32(value, crc32.Checksum(value[4:], checksum))
				values = append(values, value)
				unsent++
				bytes += charge(value)
			}
			for _, k := range keys {
				if err := old.Delete(k); err != nil {
					return err
				}
			}
			for i, v := range values {
				if err := old.Put(sequenceKey(uint64(i+1)), v); err != nil {
					return err
				}
			}
			return putState(tx, next)
		})
	})
	if err != nil {
		return fmt.Errorf("renumbering spool %s: %w", s.path, err)
	}
	s.log.Warn("The spool is older than what the center has of it, as after a restored disk. It goes on under a new identity.",
		"old", s.state.ID, "new", next.ID, "unsent", unsent)
	s.state, s.unsent, s.bytes, s.kept, s.marks = next, unsent, bytes, 0, nil
	s.wake()
	return nil
}

// BeginReplay tells what is about to be read. When that is what was read before,
// the earlier replay goes on: it is returned, and Stated says how many entries
// of it are in the spool already. Otherwise, and always with again, r is a new
// one, and Stated is 0.
func (s *Spool) BeginReplay(r Replay, again bool) (Replay, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.state.Replay; !again && old != nil && old.Inputs == r.Inputs && (old.Done || old.Version == r.Version) {
		return *old, nil
	}
	next := s.state
	next.Replay, next.Stated = &r, 0
	return r, s.write(next)
}

// EndReplay notes that everything of the replay was appended.
func (s *Spool) EndReplay() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Replay == nil || s.state.Replay.Done {
		return nil
	}
	next, done := s.state, *s.state.Replay
	done.Done = true
	next.Replay = &done
	return s.write(next)
}

// write stores a state.
func (s *Spool) write(next state) error {
	if err := guarded(func() error {
		return s.db.Update(func(tx *bolt.Tx) error { return putState(tx, next) })
	}); err != nil {
		return fmt.Errorf("writing spool %s: %w", s.path, err)
	}
	s.state = next
	return nil
}

// ID tells this spool from any other.
func (s *Spool) ID() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.ID
}

// Stated is the number of entries ever appended, of the present replay.
func (s *Spool) Stated() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Stated
}

// Acked is the sequence up to which the center has stored everything.
func (s *Spool) Acked() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Acked
}

// Refused is how many batches the center would not have.
func (s *Spool) Refused() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Refused
}

// Status is how full the spool is.
func (s *Spool) Status() wire.SpoolStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return wire.SpoolStatus{Batches: s.unsent, Bytes: s.bytes, Limit: s.limit, Lost: s.state.Lost}
}

// Drained waits until every batch is acknowledged, or ctx ends.
func (s *Spool) Drained(ctx context.Context) error {
	for {
		s.mu.Lock()
		unsent, changed := s.unsent, s.changed
		s.mu.Unlock()
		if unsent == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close writes what is not on disk yet, and closes the file.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.write(s.state)
	if closed := guarded(s.db.Close); err == nil && closed != nil {
		err = fmt.Errorf("closing spool %s: %w", s.path, closed)
	}
	return err
}
