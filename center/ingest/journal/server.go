package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"golang.org/x/time/rate"
)

// startWithin is how long the embedded server may take: it reads the log's
// index, and after a crash the newest blocks of it.
const startWithin = 2 * time.Minute

// StartServer starts an embedded NATS server that others connect to. What it
// logs goes to log, as it words it, and no higher than as a warning: its errors
// are those of who connects.
func StartServer(o *server.Options, log *slog.Logger) (*server.Server, error) {
	return startServer(o, log, nil)
}

// startServer calls onError whenever the server logs an error. nil: they are of
// no concern.
func startServer(o *server.Options, log *slog.Logger, onError func()) (*server.Server, error) {
	// Signals are the program's own business, and so is the exit.
	o.NoSigs, o.DisableJetStreamBanner = true, true
	s, err := server.NewServer(o)
	if err != nil {
		return nil, err
	}
	l := &serverLog{log: log, limit: rate.NewLimiter(10, 50), onError: onError}
	s.SetLoggerV2(l, false, false, false)
	s.Start()
	ready := false
	for end := time.Now().Add(startWithin); !ready && l.fatal() == nil && time.Now().Before(end); {
		ready = s.ReadyForConnections(100 * time.Millisecond) // it does not know of what is fatal
	}
	if !ready || l.fatal() != nil || o.JetStream && !s.JetStreamEnabled() {
		s.Shutdown()
		s.WaitForShutdown()
		if err := l.fatal(); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("not ready within %s", startWithin)
	}
	return s, nil
}

// serverLog hands on what the server logs. Much of it is caused by whoever
// connects, so it is limited: 10 lines a second, after 50 at once.
type serverLog struct {
	log     *slog.Logger
	onError func()
	limit   *rate.Limiter
	mu      sync.Mutex
	dropped int
	first   error // the first fatal one
}

func (l *serverLog) line(level slog.Level, format string, v []any) {
	l.mu.Lock()
	if !l.limit.Allow() {
		l.dropped++
		l.mu.Unlock()
		return
	}
	dropped := l.dropped
	l.dropped = 0
	l.mu.Unlock()
	args := []any{"text", fmt.Sprintf(format, v...)}
	if dropped > 0 {
		args = append(args, "lines_left_out", dropped)
	}
	l.log.Log(context.Background(), level, "embedded NATS server", args...)
}

func (l *serverLog) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}

func (l *serverLog) Noticef(format string, v ...any) { l.line(slog.LevelDebug, format, v) }
func (l *serverLog) Warnf(format string, v ...any) {
	if strings.HasPrefix(format, "Maximum payloads over") {
		return // MaxEntry: we know
	}
	l.line(slog.LevelWarn, format, v)
}
func (l *serverLog) Errorf(format string, v ...any) {
	if l.onError == nil {
		l.line(slog.LevelWarn, format, v)
		return
	}
	l.onError()
	l.line(slog.LevelError, format, v)
}
func (l *serverLog) Debugf(format string, v ...any) {}
func (l *serverLog) Tracef(format string, v ...any) {}
func (l *serverLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	l.first = errors.Join(l.first, fmt.Errorf(format, v...))
	l.mu.Unlock()
	l.line(slog.LevelError, format, v)
}
