package ship

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// errDamaged says that a spool's file is not one, or no longer.
var errDamaged = errors.New("the file is damaged")

// open opens the file, makes what is missing in it, and takes stock. The error
// is errDamaged when a new file would help.
func (s *Spool) open() error {
	if info, err := os.Stat(s.path); err == nil && info.Size() > 0 {
		// bbolt looks for free pages when it opens a file to write, in a goroutine
		// of its own, where a damaged page ends the process. So everything is
		// visited beforehand, where it does not.
		if err := s.visit(info.Size()); err != nil {
			return err
		}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.with(false, func(db *bolt.DB) error {
		s.state = newState()
		err := db.Update(func(tx *bolt.Tx) error {
			for _, name := range [][]byte{bucketBatches, bucketState} {
				if _, err := tx.CreateBucketIfNotExists(name); err != nil {
					return err
				}
			}
			if b := tx.Bucket(bucketState).Get(keyState); b != nil {
				return json.Unmarshal(b, &s.state)
			}
			return putState(tx, s.state)
		})
		s.db = db
		return err
	}, s.takeStock)
}

// visit reads the whole tree of a file, and the ends of its values.
func (s *Spool) visit(size int64) error {
	return s.with(true, func(db *bolt.DB) error {
		defer db.Close()
		return db.View(func(tx *bolt.Tx) error {
			if tx.Size() > size {
				return fmt.Errorf("%w: it was cut to %d of %d bytes", errDamaged, size, tx.Size())
			}
			batches, st := tx.Bucket(bucketBatches), tx.Bucket(bucketState)
			if batches == nil && st == nil {
				return nil // made, and interrupted before it was filled
			}
			if batches == nil || st == nil {
				return fmt.Errorf("%w: a part is missing", errDamaged)
			}
			var known state
			if err := json.Unmarshal(st.Get(keyState), &known); err != nil || known.ID == 0 {
				return fmt.Errorf("%w: its state cannot be read", errDamaged)
			}
			var last uint64
			return batches.ForEach(func(k, v []byte) error {
				if len(k) != 8 || v == nil || binary.BigEndian.Uint64(k) <= last || binary.BigEndian.Uint64(k) > known.Last {
					return fmt.Errorf("%w: batch after %d is out of order", errDamaged, last)
				}
				last = binary.BigEndian.Uint64(k)
				if len(v) > 0 {
					touched = v[len(v)-1]
				}
				return nil
			})
		})
	})
}

// touched keeps the compiler from leaving out reads that are made to fault.
var touched byte

// with opens the file and runs the steps on it, until one fails.
func (s *Spool) with(readOnly bool, steps ...func(*bolt.DB) error) error {
	var file *os.File
	err := guarded(func() error {
		db, err := bolt.Open(s.path, 0o600, &bolt.Options{
			ReadOnly: readOnly,
			Timeout:  lockWait,
			// The list of free pages is as long as the file once was full; it would
			// be written with every batch.
			NoFreelistSync: true,
			FreelistType:   bolt.FreelistMapType,
			OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
				var err error
				file, err = os.OpenFile(name, flag, perm)
				return file, err
			},
		})
		if err != nil {
			return err
		}
		for _, step := range steps {
			if err := step(db); err != nil {
				db.Close()
				return err
			}
		}
		return nil
	})
	if err == nil {
		return nil
	}
	if file != nil {
		file.Close() // after a panic nobody else does; twice does no harm
	}
	var path *fs.PathError
	var errno syscall.Errno
	switch {
	case errors.Is(err, errDamaged):
		return err
	case errors.Is(err, berrors.ErrTimeout):
		return errors.New("another process has it open: does a sensor run already?")
	case errors.As(err, &path), errors.As(err, &errno):
		return err
	}
	return fmt.Errorf("%w: %v", errDamaged, err)
}

// takeStock counts what the spool holds.
func (s *Spool) takeStock(db *bolt.DB) error {
	return db.View(func(tx *bolt.Tx) error {
		s.unsent, s.bytes, s.kept, s.marks = 0, 0, 0, nil
		return tx.Bucket(bucketBatches).ForEach(func(k, v []byte) error {
			if binary.BigEndian.Uint64(k) <= s.state.Acked {
				s.kept += charge(v)
			} else {
				s.unsent++
				s.bytes += charge(v)
			}
			return nil
		})
	})
}
