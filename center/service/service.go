// Package service is the running center: it opens what the center keeps, starts
// its parts in the order that data flows, and stops them in the other.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center"
	"github.com/verderer/verderer/center/api"
	"github.com/verderer/verderer/center/config"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/health"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/center/ingest/journal"
	"github.com/verderer/verderer/center/ingest/receive"
	"github.com/verderer/verderer/center/pki"
	"github.com/verderer/verderer/center/store"
	"github.com/verderer/verderer/center/worker"
	"github.com/verderer/verderer/console"
	"github.com/verderer/verderer/counter"
)

// Options of Run.
type Options struct {
	Config      *config.Config
	Definitions []*detect.Definition
	Version     string
	Log         *slog.Logger
	// Ready is called once everything answers.
	Ready func(Ready)
}

// Ready says how to reach the center.
type Ready struct {
	Console string // URL
	Setup   string // one-time link to make the first account; "" when there is one
	Sensors string // host:port that sensors are told
}

const (
	// setupFor is how long the set-up link works. A start without an account
	// makes a new one.
	setupFor = 24 * time.Hour
	// stopFor is how long answers under way may take at the end.
	stopFor = 5 * time.Second
)

// service is what Run starts.
type service struct {
	Options
	health    *health.Registry
	authority *pki.Authority
	store     *store.Store
	journal   *journal.Journal
	worker    *worker.Worker
	receiver  *receive.Receiver
	api       *api.Server
	tagRoot   []byte
	told      sync.Map // what stands in the audit log already
	ready     atomic.Bool
	lag       atomic.Int64 // from storing the last entry to its Result, in ns
}

// Run runs a center until ctx ends, or a part of it fails for good.
func Run(ctx context.Context, o Options) (err error) {
	s := &service{Options: o}
	s.health = health.NewRegistry(func() {
		if s.api != nil {
			s.api.Publish(api.HealthEvent{Open: len(s.health.Issues())})
		}
	})
	var closers []func() error
	defer func() {
		for _, c := range slices.Backward(closers) {
			err = errors.Join(err, c())
		}
	}()
	if err := os.MkdirAll(o.Config.Data, 0o700); err != nil {
		return fmt.Errorf("making the data folder: %w", err)
	}
	if st, err := os.Stat(o.Config.Data); err != nil {
		return fmt.Errorf("looking at the data folder: %w", err)
	} else if mode := st.Mode().Perm(); runtime.GOOS != "windows" && mode&0o002 != 0 {
		return fmt.Errorf("opening the data folder %s: anybody may write to it (mode %#o): chmod 700 it", o.Config.Data, mode)
	}
	unlock, err := lock(filepath.Join(o.Config.Data, "lock"))
	if err != nil {
		return fmt.Errorf("locking the data folder %s: another center uses it: %w", o.Config.Data, err)
	}
	closers = append(closers, unlock)
	if s.authority, err = pki.Open(filepath.Join(o.Config.Data, "pki"), o.Config.CertificateNames()); err != nil {
		return err
	}
	if s.tagRoot, err = pki.Secret(filepath.Join(o.Config.Data, "tag.key")); err != nil {
		return err
	}
	if s.store, err = store.Open(filepath.Join(o.Config.Data, "verderer.db")); err != nil {
		return err
	}
	closers = append(closers, s.store.Close)
	if s.journal, err = journal.Open(journal.Config{
		Dir: filepath.Join(o.Config.Data, "journal"), MaxBytes: int64(o.Config.Journal.MaxSize),
		MinFree: int64(o.Config.Disk.MinFree), Log: o.Log.With("part", "journal"),
	}); err != nil {
		return err
	}
	closers = append(closers, s.journal.Close)
	if err := s.newWorker(); err != nil {
		return err
	}
	if err := s.startAPI(); err != nil {
		return err
	}
	servers, failed, err := s.listen()
	if err != nil {
		return err
	}
	hangUp := sync.OnceValue(func() error {
		s.api.Close()
		return shut(servers)
	})
	closers = append(closers, hangUp)
	if err := s.catchUp(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // stopped while starting
		}
		return err
	}
	work, stop := context.WithCancelCause(context.Background())
	defer stop(nil)
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		if err := s.worker.Run(work); work.Err() == nil {
			stop(fmt.Errorf("working through the log: %w", err))
		}
	}()
	closers = append(closers, func() error {
		stop(nil)
		<-worked
		return nil
	})
	if err := s.settings(work); err != nil {
		return err
	}
	if err := s.startReceiver(); err != nil {
		return err
	}
	closers = append(closers, s.receiver.Close, s.saveSensors, hangUp) // people first: they wait for the others
	if err := s.announce(ctx); err != nil {
		return err
	}
	save := time.NewTicker(saveEvery)
	defer save.Stop()
	for {
		select {
		case <-ctx.Done():
			o.Log.Info("stopping")
			return nil
		case <-work.Done():
			return context.Cause(work)
		case err := <-failed:
			return err
		case <-save.C:
			if err := s.saveSensors(); err != nil {
				o.Log.Warn("sensors' figures not stored", "error", err)
			}
		}
	}
}

func (s *service) newWorker() (err error) {
	shards := s.Config.Detection.Shards
	if shards == 0 {
		shards = runtime.GOMAXPROCS(0)
	}
	s.worker, err = worker.New(worker.Config{
		Journal: s.journal, Dir: filepath.Join(s.Config.Data, "snapshots"), KeepFor: s.Config.Journal.Keep, KeepBytes: int64(s.Config.Journal.MaxSize) / 2,
		Definitions: s.Definitions, Shards: shards, Health: s.health, Emit: s.emit, Stored: s.store.Position,
		OnLag: func(d time.Duration) { s.lag.Store(int64(d)) }, Log: s.Log.With("part", "worker"),
	})
	return err
}

// catchUp brings the core's state up to the end of the log. That takes long
// only where the snapshots are lost.
func (s *service) catchUp(ctx context.Context) error {
	done := make(chan struct{})
	defer close(done)
	go func() {
		for tick := time.NewTicker(10 * time.Second); ; {
			select {
			case <-tick.C:
				at := s.worker.Stats()
				s.Log.Info("working through the log", "position", at.Position, "last", s.journal.Last())
			case <-done:
				tick.Stop()
				return
			}
		}
	}()
	return s.worker.CatchUp(ctx)
}

// emit stores what an entry of the log led to, and tells those who look.
func (s *service) emit(ctx context.Context, r *worker.Result) error {
	if err := s.store.Write(ctx, r); err != nil {
		return err
	}
	if len(r.Alerts) == 0 || !s.ready.Load() {
		return nil // before ready nobody looks
	}
	raised, err := s.store.RaisedBy(ctx, r)
	if err != nil {
		return err
	}
	for _, a := range r.Alerts {
		s.api.Publish(api.AlertEvent{ID: a.ID, Status: a.Status, New: raised[a.ID]})
	}
	return nil
}

// settings puts the configured settings into the log, where they differ from
// those in force.
func (s *service) settings(ctx context.Context) error {
	want := ingest.Settings{Level: string(s.Config.Detection.Level), Exclusions: s.Config.Detection.Exclusions}
	have := s.worker.Settings()
	if have.Level == want.Level && slices.Equal(have.Exclusions, want.Exclusions) {
		return nil
	}
	at, err := s.journal.Append(ctx, journal.Item{Settings: &want})
	if err != nil {
		return fmt.Errorf("putting the settings into the log: %w", err)
	}
	return s.worker.Wait(ctx, at)
}

// act puts what a person did into the log and waits for its effect.
func (s *service) act(ctx context.Context, a ingest.Act) error {
	at, err := s.journal.Append(ctx, journal.Item{Act: &a})
	if err != nil {
		return err
	}
	return s.worker.Wait(ctx, at)
}

func (s *service) startAPI() (err error) {
	s.api, err = api.New(api.Config{
		Store: s.store, Health: s.health, Act: s.act,
		Sensors: s.sensors, Disconnect: func(id string) {
			if s.receiver != nil {
				s.receiver.Disconnect(id)
			}
			s.health.Clear(oldCertificate, id)
		},
		SignSensor:  s.authority.SignSensor,
		Evaluations: s.evaluations, Ready: s.state,
		Definitions: s.Definitions, Level: func() detect.Level { return detect.Level(s.worker.Settings().Level) },
		CA: s.authority.CADER(), Fingerprint: s.authority.Fingerprint(),
		SensorAddress: s.Config.SensorAddress(), ConsoleURL: s.Config.ConsoleURL(),
		Console: console.Files(), Version: s.Version, Log: s.Log.With("part", "api"),
	})
	return err
}

func (s *service) evaluations() map[string]api.Evaluation {
	m := make(map[string]api.Evaluation)
	var unread counter.Set
	for _, st := range s.sensors() {
		for _, r := range st.Status.Counters {
			for _, h := range center.Hidden { // names are never taken from what a sensor says
				if r.Stage == h.Stage && r.Name == h.Name {
					unread.Of(h.Stage, h.Name).Add(int(r.Count))
				}
			}
		}
	}
	for _, e := range s.worker.Evaluations(unread.Rows()) {
		m[e.ID] = api.Evaluation{Working: e.Working, Text: e.Why}
	}
	return m
}

// state is the word of /healthz: "" when all is well enough to work.
func (s *service) state() string {
	switch {
	case !s.ready.Load():
		return "starting"
	case slices.ContainsFunc(s.health.Issues(), func(i health.Issue) bool { return i.Kind == "disk-full" || i.Kind == "log-failed" }):
		return "holding" // nothing that sensors send is stored
	}
	return ""
}

// gate answers that the center is starting until it is ready; /healthz says so
// by itself. Who is at the console sees the page come by itself.
func (s *service) gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.ready.Load() || r.URL.Path == "/healthz" {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Refresh", "2")
		w.Header().Set("Retry-After", "2")
		http.Error(w, "Verderer is starting: it works through its log.", http.StatusServiceUnavailable)
	})
}

// listen opens the console's port, and that of the metrics.
func (s *service) listen() ([]*http.Server, chan error, error) {
	failed := make(chan error, 2)
	config, err := s.authority.ConsoleTLS(s.Config.Console.Certificate, s.Config.Console.Key, wire.EnrolProtocol)
	if err != nil {
		return nil, nil, err
	}
	main := s.api.HTTP(config)
	main.Handler = s.gate(main.Handler)
	l, err := net.Listen("tcp", s.Config.Console.Listen)
	if err != nil {
		return nil, nil, fmt.Errorf("listening for the console: %w", err)
	}
	servers := []*http.Server{main}
	go func() { failed <- main.ServeTLS(l, "", "") }()
	if s.Config.Metrics.Listen != "" {
		m := s.metrics()
		m.Handler = s.gate(m.Handler)
		l, err := net.Listen("tcp", s.Config.Metrics.Listen)
		if err != nil {
			shut(servers)
			return nil, nil, fmt.Errorf("listening for metrics: %w", err)
		}
		servers = append(servers, m)
		go func() { failed <- m.Serve(l) }()
	}
	return servers, failed, nil
}

func shut(servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopFor)
	defer cancel()
	for _, srv := range servers {
		if srv.Shutdown(ctx) != nil {
			srv.Close() // somebody holds on: cut off
		}
	}
	return nil
}

// announce says where the center is, with a set-up link where there is no account.
func (s *service) announce(ctx context.Context) error {
	r := Ready{Console: s.Config.ConsoleURL(), Sensors: s.Config.SensorAddress()}
	n, err := s.store.CountUsers(ctx)
	if err != nil {
		return err
	}
	if n == 0 {
		token, err := s.store.NewSetupToken(ctx, setupFor)
		if err != nil {
			return err
		}
		r.Setup = r.Console + "/setup#" + token
	}
	s.ready.Store(true)
	s.Log.Info("ready", "console", r.Console, "sensors", r.Sensors, "version", s.Version)
	if s.Ready != nil {
		s.Ready(r)
	}
	return nil
}
