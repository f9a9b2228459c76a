package ship

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	bolt "go.etcd.io/bbolt"

	"github.com/verderer/verderer/activity/wire"
)

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

// Copied says that the center has other batches under the sequences of those
// that are unsent: a copy of this spool is in use. It takes a new identity.
func (s *Spool) Copied() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.renumber()
}

// renumber gives the spool a new identity and its unsent batches new sequences.
func (s *Spool) renumber() error {
	next := newState()
	next.Stated, next.Lost, next.Refused, next.Replay = s.state.Stated, s.state.Lost, s.state.Refused, s.state.Replay
	var unsent, bytes int64
	err := s.guarded(func() error {
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
	s.log.Warn("The center has more of this spool than the spool itself: it is an old copy, as after a restored disk, or another sensor runs with a copy of its state folder. It goes on under a new identity.",
		"old", s.state.ID, "new", next.ID, "unsent", unsent)
	s.state, s.unsent, s.bytes, s.kept, s.marks = next, unsent, bytes, 0, nil
	s.wake()
	return nil
}
