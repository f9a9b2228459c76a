// Package journal is the ingest log on disk: numbered entries, each stored and
// synced before Append returns, in an embedded NATS JetStream that nobody
// outside the process reaches.
//
// What Append acknowledged is there after a crash, in order, once. When the
// disk is full it says so, and goes on by itself when there is room again.
package journal

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/verderer/verderer/activity"
)

const (
	streamName = "INGEST"
	subject    = "ingest"

	// MaxEntry caps an entry as stored: JetStream takes longer records than
	// 32 MiB for damage.
	MaxEntry = 24 << 20

	defaultMaxBytes = 10 << 30
	defaultMinFree  = 512 << 20

	// answerWithin is how long the embedded server may take to store or find an
	// entry: above the longest sync of a disk that is still worth waiting for.
	answerWithin = 30 * time.Second
	// reviveEvery spaces the attempts to start a server again that failed.
	reviveEvery = time.Second
)

var (
	// ErrFull says that there is no room: what was to be stored is not, and the
	// same may succeed later. Errors that wrap it name the numbers.
	ErrFull = errors.New("no room to store")
	// ErrClosed is what a closed journal answers.
	ErrClosed = errors.New("the journal is closed")
)

// fullError is an ErrFull in words for people.
type fullError string

func (e fullError) Error() string        { return string(e) }
func (e fullError) Is(target error) bool { return target == ErrFull }

// Config of a Journal.
type Config struct {
	Dir      string           // made when it is not there; nobody else may use it
	MaxBytes int64            // the log's own size at most; 0: 10 GiB
	MinFree  int64            // of the disk, never used up by the log; 0: 512 MiB
	Now      func() time.Time // stamps entries; nil: time.Now
	Log      *slog.Logger
}

// Journal is an open log. Its methods may be called from any goroutine.
type Journal struct {
	cfg Config

	append sync.Mutex // held by the one who writes, and by who restarts the server
	down   error      // why the server could not be started again; guarded by append

	mu     sync.Mutex // guards what follows; never held for long
	srv    *embedded  // nil while it is down
	first  uint64
	last   uint64
	ingest activity.Time
	bytes  uint64
	grown  chan struct{} // closed when last, first or srv changes, and made anew
	closed bool
	full   bool // MaxBytes is reached: until something is forgotten, or fits
	stats  Stats
}

// Stats counts since Open.
type Stats struct {
	Entries  int64 // appended
	Items    int64
	Bytes    int64  // of appended entries
	Full     int64  // appends refused for want of room
	Failed   int64  // appends that failed otherwise
	Restarts int64  // of the embedded server
	Stored   uint64 // bytes that the log has on disk
	First    uint64
	Last     uint64
}

// embedded is a running server with the one connection to it.
type embedded struct {
	server *server.Server
	conn   *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	// failing ends soon after the server logged an error. It leaves who waits
	// for an answer in the dark when its disk fails; with this, they ask the disk
	// after a second and not after half a minute.
	failing context.Context
	end     context.CancelFunc
	blocks  time.Time // when a file last came to the log's folder, as of the last sync of it
}

// Open opens the log in cfg.Dir, or starts one.
func Open(cfg Config) (*Journal, error) {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = defaultMaxBytes
	}
	if cfg.MinFree <= 0 {
		cfg.MinFree = defaultMinFree
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening journal: %w", err)
	}
	j := &Journal{cfg: cfg, grown: make(chan struct{})}
	if err := j.start(); err != nil {
		return nil, fmt.Errorf("opening journal %s: %w", cfg.Dir, err)
	}
	return j, nil
}

// begun is a file that says that the log exists. A log that is gone must not
// be taken for one that never was: positions would start again, and mean
// something else to everybody who keeps one.
func (j *Journal) begun() string { return filepath.Join(j.cfg.Dir, "begun") }

// start starts the server and learns where the log ends.
func (j *Journal) start() (err error) {
	e, err := j.startServer()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			e.stop()
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	cfg := jetstream.StreamConfig{
		Name:        streamName,
		Subjects:    []string{subject},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		MaxBytes:    j.cfg.MaxBytes,
		MaxMsgs:     -1,
		MaxMsgSize:  MaxEntry,
		Replicas:    1,
		AllowDirect: true,
	}
	_, begun := os.Stat(j.begun())
	e.stream, err = e.js.Stream(ctx, streamName)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound) && begun == nil:
		return fmt.Errorf("the log is gone or cannot be read, though %s says that there was one: restore it from a backup, or remove the folder to begin a new one", j.begun())
	case errors.Is(err, jetstream.ErrStreamNotFound):
		e.stream, err = e.js.CreateStream(ctx, cfg)
	case err == nil && e.stream.CachedInfo().Config.MaxBytes != j.cfg.MaxBytes:
		e.stream, err = e.js.UpdateStream(ctx, cfg)
	}
	if err != nil {
		return fmt.Errorf("opening the stream: %w", err)
	}
	if begun != nil {
		if err := writeSynced(j.begun()); err != nil {
			return err
		}
	}
	info, err := e.stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("asking for the stream: %w", err)
	}
	var ingest activity.Time
	if info.State.Msgs > 0 {
		// An entry that cannot be read is Read's to report; its time is also
		// the server's, which was no earlier than ours.
		ingest = activity.Time(info.State.LastTime.UnixNano())
		if entry, err := e.entry(ctx, info.State.LastSeq); err == nil {
			ingest = entry.Ingest
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.srv = e
	j.last = info.State.LastSeq
	j.first = j.last + 1
	if info.State.Msgs > 0 {
		j.first = info.State.FirstSeq
	}
	j.ingest = max(j.ingest, ingest)
	j.bytes = info.State.Bytes
	j.changed()
	return nil
}

func writeSynced(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (j *Journal) startServer() (*embedded, error) {
	// The server listens nowhere: who has the process has the token, and this
	// is against mistakes within it.
	token := rand.Text()
	e := new(embedded)
	e.failing, e.end = context.WithCancel(context.Background())
	s, err := startServer(&server.Options{
		ServerName:    "verderer-journal",
		DontListen:    true,
		Authorization: token,
		MaxConn:       4, // ours, and one that is being replaced
		JetStream:     true,
		StoreDir:      j.cfg.Dir,
		SyncAlways:    true,
		// Stated, since the default depends on how full the disk is: a stream
		// whose MaxBytes is above it is not opened. MinFree is what keeps us
		// off the disk's end.
		JetStreamMaxStore:  2*j.cfg.MaxBytes + MaxEntry,
		JetStreamMaxMemory: 1 << 20, // nothing of ours is kept in memory
		MaxPayload:         MaxEntry + 64<<10,
		MaxPending:         4 * MaxEntry,
	}, j.cfg.Log, func() { time.AfterFunc(time.Second, e.end) })
	if err != nil {
		e.end()
		return nil, fmt.Errorf("starting the embedded server: %w", err)
	}
	e.server = s
	e.conn, err = nats.Connect("", nats.InProcessServer(s), nats.Token(token), nats.NoReconnect())
	if err == nil {
		e.js, err = jetstream.New(e.conn)
	}
	if err != nil {
		e.stop()
		return nil, fmt.Errorf("connecting to the embedded server: %w", err)
	}
	return e, nil
}

func (e *embedded) stop() {
	e.end()
	if e.conn != nil {
		e.conn.Close()
	}
	e.server.Shutdown()
	e.server.WaitForShutdown()
}

// entry reads the entry at a position.
func (e *embedded) entry(ctx context.Context, position uint64) (*Entry, error) {
	m, err := e.stream.GetMsg(ctx, position)
	if err != nil {
		return nil, err
	}
	entry, err := decode(m.Data)
	if err != nil {
		return nil, err
	}
	entry.Position = position
	return entry, nil
}

// changed wakes who waits for the log to grow. mu is held.
func (j *Journal) changed() {
	close(j.grown)
	j.grown = make(chan struct{})
}

// Now is the time that an entry would be stamped with: the clock's, unless that
// went back.
func (j *Journal) Now() activity.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	return max(j.ingest, activity.Time(j.cfg.Now().UnixNano()))
}

// Append stores items as one entry and returns its position once it is synced.
// After an error nothing is stored, with one exception: if the server failed
// and could not be started again at once, the entry may be found in the log
// later, as after a crash between storing and acknowledging.
func (j *Journal) Append(ctx context.Context, items ...Item) (uint64, error) {
	j.append.Lock()
	defer j.append.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	e, err := j.running()
	if err != nil {
		return 0, err
	}
	entry := &Entry{Ingest: j.Now(), Items: items}
	b, err := encode(entry)
	if err != nil {
		return 0, fmt.Errorf("appending to the journal: %w", err)
	}
	if len(b) > MaxEntry {
		return 0, fmt.Errorf("appending to the journal: %d bytes, at most %d in one entry", len(b), MaxEntry)
	}
	if err := j.room(len(b)); err != nil {
		j.count(func(s *Stats) { s.Full++ })
		return 0, err
	}
	last := j.Last()
	if err = e.publish(b, last); err == nil {
		err = j.syncFolder(e)
	}
	if err != nil && isLogFull(err) {
		j.count(func(s *Stats) { s.Full++; j.full = true })
		return 0, j.logFull()
	}
	if err != nil {
		if err = j.settle(b, last, err); err != nil {
			j.count(func(s *Stats) { s.Failed++ })
			return 0, err
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last, j.full = last+1, false
	j.ingest = max(j.ingest, entry.Ingest)
	j.bytes += uint64(len(b))
	j.stats.Entries++
	j.stats.Items += int64(len(items))
	j.stats.Bytes += int64(len(b))
	j.changed()
	return last + 1, nil
}

func (j *Journal) count(f func(*Stats)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f(&j.stats)
}

// publish stores b after the entry at position last. Not the caller's context
// but a deadline of its own ends it: giving up halfway would leave open whether
// the entry is stored.
func (e *embedded) publish(b []byte, last uint64) error {
	ctx, cancel := context.WithTimeout(e.failing, answerWithin)
	defer cancel()
	ack, err := e.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: b}, jetstream.WithExpectLastSequence(last))
	if err != nil && e.failing.Err() != nil {
		err = fmt.Errorf("the embedded server failed, its log says how: %w", err)
	}
	if err == nil && ack.Sequence != last+1 {
		err = fmt.Errorf("stored at %d, not at %d", ack.Sequence, last+1)
	}
	return err
}

// syncFolder syncs the folder of the log's files if one was added. The server
// syncs what it writes to a new file, and the file's name minutes later; not
// every file system does that by itself.
func (j *Journal) syncFolder(e *embedded) error {
	if runtime.GOOS == "windows" {
		return nil // knows no such thing
	}
	dir := filepath.Join(j.cfg.Dir, "jetstream", server.DEFAULT_GLOBAL_ACCOUNT, "streams", streamName, "msgs")
	info, err := os.Stat(dir)
	if err != nil || info.ModTime().Equal(e.blocks) {
		return err
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	e.blocks = info.ModTime()
	return nil
}

// isLogFull tells an answer of DiscardNew from other failures to store.
func isLogFull(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == 10077 && api.Description == server.ErrMaxBytes.Error()
}

// room tells whether n more bytes leave MinFree of the disk free.
func (j *Journal) room(n int) error {
	have, err := free(j.cfg.Dir)
	if err != nil {
		return fmt.Errorf("asking for the disk's free space: %w", err)
	}
	if have-int64(n) < j.cfg.MinFree {
		return fullError(fmt.Sprintf("the disk is full: %s free of %s kept free", size(have), size(j.cfg.MinFree)))
	}
	return nil
}

func size(n int64) string {
	if n >= 10<<30 {
		return fmt.Sprintf("%d GiB", n>>30)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// settle starts the server anew after it failed to store b with cause: only
// what it then finds on disk tells whether b is stored. It returns nil if so.
func (j *Journal) settle(b []byte, last uint64, cause error) error {
	j.cfg.Log.Error("storing in the journal failed: starting its server anew", "error", cause)
	if err := j.restart(); err != nil {
		return j.hold(errors.Join(cause, err))
	}
	switch j.Last() {
	case last:
		return j.hold(cause)
	case last + 1:
		ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
		defer cancel()
		m, err := j.server().stream.GetMsg(ctx, last+1)
		if err == nil && bytes.Equal(m.Data, b) {
			return nil
		}
		return fmt.Errorf("the journal holds another entry than ours at %d: %w", last+1, cause)
	}
	return fmt.Errorf("the journal ended at %d and now ends at %d: %w", last, j.Last(), cause)
}

// hold words a failure as one of room if there is none.
func (j *Journal) hold(cause error) error {
	if have, err := free(j.cfg.Dir); err == nil && have < 1<<20 {
		return fullError(fmt.Sprintf("the disk is full: %d KiB free", have>>10))
	}
	return fmt.Errorf("appending to the journal: %w", cause)
}

// restart stops the server, if it runs, and starts it again. append is held.
func (j *Journal) restart() error {
	j.mu.Lock()
	e := j.srv
	j.srv = nil
	j.stats.Restarts++
	j.changed()
	j.mu.Unlock()
	if e != nil {
		e.stop()
	}
	if j.down = j.start(); j.down != nil {
		time.AfterFunc(reviveEvery, j.revive)
	}
	return j.down
}

// revive starts a server that could not be started before.
func (j *Journal) revive() {
	j.append.Lock()
	defer j.append.Unlock()
	j.mu.Lock()
	needed := j.srv == nil && !j.closed
	j.mu.Unlock()
	if needed {
		if err := j.restart(); err != nil {
			j.cfg.Log.Warn("starting the journal's server again failed", "error", err)
		}
	}
}

// running returns the server, unless it is down. append is held.
func (j *Journal) running() (*embedded, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.closed:
		return nil, ErrClosed
	case j.srv == nil:
		return nil, j.hold(j.down)
	}
	return j.srv, nil
}

func (j *Journal) server() *embedded {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.srv
}

// First is the position of the oldest entry that is kept; Last()+1 when there
// is none.
func (j *Journal) First() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.first
}

// Last is the position of the newest entry; 0 when there never was one.
func (j *Journal) Last() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// Stats tells what was done so far.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.stats
	s.Stored, s.First, s.Last = j.bytes, j.first, j.last
	return s
}

// Close stops the server. Reads end with ErrClosed.
func (j *Journal) Close() error {
	j.append.Lock()
	defer j.append.Unlock()
	j.mu.Lock()
	e := j.srv
	j.srv, j.closed = nil, true
	j.changed()
	j.mu.Unlock()
	if e != nil {
		e.stop()
	}
	return nil
}

// Room tells whether an Append would find room now; nil: it would.
func (j *Journal) Room() error {
	j.append.Lock()
	defer j.append.Unlock()
	if _, err := j.running(); err != nil {
		return err
	}
	j.mu.Lock()
	full := j.full
	j.mu.Unlock()
	if full {
		return j.logFull()
	}
	return j.room(0)
}

func (j *Journal) logFull() error {
	return fullError(fmt.Sprintf("the log is full: it may hold %s", size(j.cfg.MaxBytes)))
}
