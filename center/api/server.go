package api

import (
	"context"
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/danielgtaylor/huma/v2"
	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/health"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/center/ingest/receive"
	"github.com/verderer/verderer/center/store"
)

// Config is what a Server shows, and asks. All of it is needed but Now.
type Config struct {
	Store  *store.Store
	Health *health.Registry

	// Act appends what a person did to the ingest log, and waits until it has
	// been applied and stored: a read after it shows the new state.
	Act func(context.Context, ingest.Act) error
	// Sensors is how sensors are right now, by id.
	Sensors func() map[string]receive.State
	// Disconnect ends the connection of a sensor that was revoked.
	Disconnect func(id string)
	// SignSensor makes the certificate of a sensor's key.
	SignSensor func(csr []byte, id string) (certificate []byte, serial string, expires time.Time, err error)
	// Evaluations says of each detection, by id, whether it has what it needs.
	Evaluations func() map[string]Evaluation
	// Ready is "" when the center can do its work, and one word otherwise: for
	// /healthz.
	Ready func() string

	Definitions   []*detect.Definition
	Level         func() detect.Level
	CA            []byte // DER: what sensors trust
	Fingerprint   string // of the CA, as it stands in access keys
	SensorAddress string // host:port of the sensors' port
	ConsoleURL    string // https://host:port of this server
	Console       fs.FS  // the console's files: index.html, assets/…
	Version       string
	Log           *slog.Logger
	Now           func() time.Time
}

// Evaluation says whether a detection can work.
type Evaluation struct {
	Working bool
	Text    string // what it looked at, or what it waits for
}

// Server answers the API and serves the console.
type Server struct {
	cfg       Config
	sessions  *scs.SessionManager
	passwords *hasher
	addresses *limiter // logins and set-ups by address
	pairs     *limiter // logins by address and name
	logins    *limiter // logins by name, from where the name has not logged in before
	enrolling *limiter // enrolments by address
	denials   *limiter // audit entries of nobody's denials
	known     places
	hub       hub
	beat      time.Duration
	guidance  map[string]Guidance // by detection
	document  []byte              // openapi.json
	handler   http.Handler

	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// New makes a Server.
func New(cfg Config) (*Server, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{
		cfg:      cfg,
		sessions: newSessions(cfg.Store.Sessions(), cfg.Log),
		// Guessing: 10 tries, then 6 a minute from one address, of these 2 against
		// one name, and 20 a minute against one name from everywhere: 10 million a
		// year. A person who mistypes notices none of them.
		addresses: newLimiter(10*time.Second, 10, cfg.Now),
		pairs:     newLimiter(30*time.Second, 10, cfg.Now),
		logins:    newLimiter(3*time.Second, 30, cfg.Now),
		// A rollout enrols hundreds of sensors from one address within minutes.
		enrolling: newLimiter(time.Second, 100, cfg.Now),
		// Of those who are not logged in, enough to see that it goes on.
		denials:  newLimiter(10*time.Second, 100, cfg.Now),
		beat:     heartbeat,
		guidance: make(map[string]Guidance),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "verderer_api_requests_total", Help: "API calls by operation and HTTP status.",
		}, []string{"operation", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "verderer_api_seconds", Help: "Time that API calls took, by operation; live updates left out.",
			Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10},
		}, []string{"operation"}),
	}
	var err error
	if s.passwords, err = newHasher(); err != nil {
		return nil, fmt.Errorf("preparing logins: %w", err)
	}
	for _, d := range cfg.Definitions {
		if s.guidance[d.ID], err = guidance(d.README); err != nil {
			return nil, fmt.Errorf("reading the page of detection %s: %w", d.ID, err)
		}
	}
	if s.document, err = OpenAPI(); err != nil {
		return nil, fmt.Errorf("describing the API: %w", err)
	}
	if s.handler, err = s.routesAndFiles(); err != nil {
		return nil, err
	}
	return s, nil
}

// Metrics registers what the server counts.
func (s *Server) Metrics(reg prometheus.Registerer) {
	reg.MustRegister(s.requests, s.seconds)
}

// Handler answers everything on the console's port.
func (s *Server) Handler() http.Handler { return s.handler }

// Close ends the streams of live updates, and lets no more begin.
func (s *Server) Close() { s.hub.close() }

const (
	maxHeader = 32 << 10 // browsers send 1 KB to a host with one cookie
	// readTime is for a whole request, writeTime for a whole answer: the largest
	// is the console's code. Live updates set their own.
	readTime  = 30 * time.Second
	writeTime = time.Minute
)

// HTTP is a server for the handler, with limits. Its Shutdown ends the streams
// of live updates first.
func (s *Server) HTTP(config *tls.Config) *http.Server {
	h := &http.Server{
		Handler:           s.handler,
		TLSConfig:         config,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
		// Handshakes that scanners break off: not for an operator to act on.
		ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
	h.RegisterOnShutdown(s.Close)
	return h
}

// routesAndFiles is the way of a request: compression, headers, refusals by
// origin and size, then the API with its sessions, or a file.
func (s *Server) routesAndFiles() (http.Handler, error) {
	calls := http.NewServeMux()
	s.register(calls)
	calls.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, refuse(http.StatusNotFound, "not-found", "There is no such call: see /openapi.json."))
	})
	files, err := newFiles(s.cfg.Console)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", uncached(s.sessions.LoadAndSave(calls)))
	mux.Handle("GET /healthz", uncached(http.HandlerFunc(s.healthz)))
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(s.document)
	})
	mux.Handle("/", files)

	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(s.crossOrigin))

	compress, err := gzhttp.NewWrapper(gzhttp.MinSize(1024), gzhttp.ContentTypes([]string{
		"application/json", "application/problem+json", "text/html", "text/css", "text/javascript", "text/plain", "image/svg+xml"}))
	if err != nil {
		return nil, err
	}
	return compress(secured(s.recovered(origin.Handler(http.MaxBytesHandler(mux, maxBody))))), nil
}

func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy(""))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Strict-Transport-Security", "max-age=31536000")
		next.ServeHTTP(w, r)
	})
}

// stack of a panic, cut: a log line is read by people.
func stack() string {
	b := debug.Stack()
	return string(b[:min(len(b), 4096)])
}

// uncached is for answers that are true now and for one person.
func uncached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// recovered logs a panic and answers like any other fault, if nothing was
// answered yet.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			_, fault := v.(runtime.Error)
			if err, ok := v.(error); ok && !fault {
				// How net/http and huma say that a client went away or was too slow.
				if err != http.ErrAbortHandler {
					s.cfg.Log.Warn("answer could not be sent", "method", r.Method, "path", r.URL.Path, "error", err)
				}
				panic(http.ErrAbortHandler)
			}
			s.cfg.Log.Error("request handler panicked", "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(v), "stack", stack())
			writeProblem(w, errInternal)
		}()
		next.ServeHTTP(w, r)
	})
}

// crossOrigin refuses a change that another site's page asks for.
func (s *Server) crossOrigin(w http.ResponseWriter, r *http.Request) {
	s.stranger(r.Context(), "cross-origin",
		fmt.Sprintf("%s %.100q for a page of %.100q, from %s", r.Method, r.URL.Path, r.Header.Get("Origin"), client(r.RemoteAddr)))
	writeProblem(w, refuse(http.StatusForbidden, "cross-origin", "A page of another site asked for this."))
}

// healthz answers whoever watches the process.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if word := s.cfg.Ready(); word != "" {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, word)
		return
	}
	fmt.Fprintln(w, "ok")
}

// measure counts a call and its time.
func (s *Server) measure(ctx huma.Context, next func(huma.Context)) {
	start := time.Now()
	next(ctx)
	op := ctx.Operation().OperationID
	status := ctx.Status()
	if status == 0 {
		status = http.StatusOK
	}
	s.requests.WithLabelValues(op, strconv.Itoa(status)).Inc()
	if op != streamID {
		s.seconds.WithLabelValues(op).Observe(time.Since(start).Seconds())
	}
}
