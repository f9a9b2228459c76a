package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/ingest"
)

// Item is one thing that the log holds. Exactly one field besides Sensor is
// set; Files goes with Attach. Sensor is set for what a sensor states or what is
// stated of one.
type Item struct {
	Sensor    string
	Batch     []byte        // as sent: wire.Decode reads it
	Attach    activity.Time // the sensor takes part in the watermark from this time on
	Files     bool          // the attached sensor reads files
	Detach    string        // the sensor no longer holds the watermark back: why, for people
	Directory []byte        // a directory snapshot in JSON
	Act       *ingest.Act
	Settings  *ingest.Settings
}

// Entry is what one Append stored.
type Entry struct {
	Position uint64        // 1, 2, 3 … without gaps
	Ingest   activity.Time // when the center stored it: never before that of an earlier entry
	Items    []Item
}

// layout is the version of what is stored. Readers refuse others.
const layout = 1

// maxDirectory caps a directory snapshot: a million accounts of some 250 bytes.
const maxDirectory = 256 << 20

type storedEntry struct {
	Layout int64         `pb:"1"`
	Ingest activity.Time `pb:"2"`
	Items  []storedItem  `pb:"3"`
}

type storedItem struct {
	Sensor    string        `pb:"1"`
	Batch     []byte        `pb:"2"`
	Attach    activity.Time `pb:"3"`
	Files     bool          `pb:"4"`
	Detach    string        `pb:"5"`
	Directory []byte        `pb:"6"` // zstd
	Act       []byte        `pb:"7"` // JSON, as everywhere: rare and small
	Settings  []byte        `pb:"8"` // JSON
}

// check tells whether exactly one field besides Sensor is set.
func (i *Item) check() error {
	n := 0
	for _, set := range []bool{len(i.Batch) > 0, i.Attach != 0, i.Detach != "", len(i.Directory) > 0, i.Act != nil, i.Settings != nil} {
		if set {
			n++
		}
	}
	ofSensor := len(i.Batch) > 0 || i.Attach != 0 || i.Detach != ""
	switch {
	case n != 1:
		return fmt.Errorf("%d things in it, want one", n)
	case ofSensor != (i.Sensor != ""):
		return errors.New("an item names a sensor exactly when it is about one")
	case i.Files && i.Attach == 0:
		return errors.New("only an attached sensor reads files")
	case len(i.Directory) > maxDirectory:
		return fmt.Errorf("a directory of %d bytes, at most %d", len(i.Directory), maxDirectory)
	}
	return nil
}

func encode(e *Entry) ([]byte, error) {
	if len(e.Items) == 0 {
		return nil, errors.New("an entry of no items")
	}
	stored := storedEntry{Layout: layout, Ingest: e.Ingest, Items: make([]storedItem, len(e.Items))}
	for n := range e.Items {
		i := &e.Items[n]
		if err := i.check(); err != nil {
			return nil, fmt.Errorf("item %d: %w", n+1, err)
		}
		s := storedItem{Sensor: i.Sensor, Batch: i.Batch, Attach: i.Attach, Files: i.Files, Detach: i.Detach}
		if i.Directory != nil {
			s.Directory = compressor().EncodeAll(i.Directory, nil)
		}
		var err error
		if i.Act != nil {
			s.Act, err = json.Marshal(i.Act)
		}
		if err == nil && i.Settings != nil {
			s.Settings, err = json.Marshal(i.Settings)
		}
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", n+1, err)
		}
		stored.Items[n] = s
	}
	return wire.Marshal(nil, &stored)
}

func decode(b []byte) (*Entry, error) {
	var stored storedEntry
	if err := wire.Unmarshal(b, &stored); err != nil {
		return nil, err
	}
	if stored.Layout != layout {
		return nil, fmt.Errorf("an entry of layout %d, want %d: written by another release, or damaged", stored.Layout, layout)
	}
	e := &Entry{Ingest: stored.Ingest, Items: make([]Item, len(stored.Items))}
	for n := range stored.Items {
		s := &stored.Items[n]
		i := Item{Sensor: s.Sensor, Batch: s.Batch, Attach: s.Attach, Files: s.Files, Detach: s.Detach}
		var err error
		if len(s.Directory) > 0 {
			i.Directory, err = decompressor().DecodeAll(s.Directory, nil)
		}
		if err == nil && len(s.Act) > 0 {
			i.Act = new(ingest.Act)
			err = json.Unmarshal(s.Act, i.Act)
		}
		if err == nil && len(s.Settings) > 0 {
			i.Settings = new(ingest.Settings)
			err = json.Unmarshal(s.Settings, i.Settings)
		}
		if err == nil {
			err = i.check()
		}
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", n+1, err)
		}
		e.Items[n] = i
	}
	return e, nil
}

// Both for directory snapshots, which come once in a while: one goroutine each.
var (
	compressor = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			panic(err) // options are constants
		}
		return e
	})
	decompressor = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxDirectory))
		if err != nil {
			panic(err) // options are constants
		}
		return d
	})
)
