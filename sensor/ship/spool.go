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
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"

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
	// leastShrunk is the size from which on a file that is mostly empty is
	// written anew.
	leastShrunk = 16 << 20
	// lockWait is how long the file may be locked by another process: one that
	// is just ending.
	lockWait = 2 * time.Second
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
	damaged error         // what was found wrong with the file since it was opened
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
		if err := s.setAside(err); err != nil {
			return nil, err
		}
		err = s.open()
	}
	if err != nil {
		return nil, fmt.Errorf("opening spool %s: %w", path, err)
	}
	return s, nil
}

// setAside renames a file that is damaged.
func (s *Spool) setAside(why error) error {
	aside := s.path + ".damaged"
	s.log.Error("The spool is damaged. It is set aside, what it held is lost, and a new one is begun.", "error", why, "aside", aside)
	if err := replaceFile(s.path, aside); err != nil {
		return fmt.Errorf("setting aside spool %s: %w", s.path, err)
	}
	s.damaged = nil
	return nil
}

// guarded runs f and makes an error of what bbolt does about a damaged file:
// it panics, or reads memory that the file does not reach.
func (s *Spool) guarded(f func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errDamaged, r)
			s.damaged = err
		}
	}()
	if err = f(); errors.Is(err, syscall.EFBIG) {
		// Nothing of ours is that large: it was told to write at a place that
		// cannot be.
		err = fmt.Errorf("%w: %v", errDamaged, err)
		s.damaged = err
	}
	return err
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
	var size int64 // of the file
	err := s.guarded(func() error {
		return s.db.Update(func(tx *bolt.Tx) error {
			size = tx.Size()
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
	if err := s.shrink(size); err != nil {
		// The batch is stored. Without its file the next one fails, and says so.
		s.log.Error("The spool cannot be made smaller.", "error", err)
	}
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
	err = s.guarded(func() error {
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
	err := s.guarded(func() error {
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
	err = s.guarded(func() error {
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

// write stores a state.
func (s *Spool) write(next state) error {
	if err := s.guarded(func() error {
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

// Close writes what is not on disk yet, and closes the file. One that turned out
// damaged is set aside, so that the next start is not stopped by it.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.damaged != nil {
		_ = s.guarded(s.db.Close) // it did all it could
		return s.setAside(s.damaged)
	}
	err := s.write(s.state)
	if closed := s.guarded(s.db.Close); err == nil && closed != nil {
		err = fmt.Errorf("closing spool %s: %w", s.path, closed)
	}
	return err
}
