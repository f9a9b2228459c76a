package service

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verderer/verderer/activity/wire"
)

// A courier stands between a sensor and the center and knows what passes: to
// the sensor it is the center, with its certificate, to the center the sensor.
// It delivers each batch again, and loses answers.
type courier struct {
	t      testing.TB
	addr   string
	center *center
	mine   *tls.Config // to the sensor
	ours   *tls.Config // to the center
	rand   *rand.Rand

	lose atomic.Bool // answers to batches

	mu        sync.Mutex
	sent      [][]byte // batches that were delivered
	delivered int      // deliveries of batches, repeats included
	lost      int      // answers
}

// newCourier listens. Its sensor is set with carry, once that is enrolled.
func newCourier(t testing.TB) *courier {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	k := &courier{t: t, addr: l.Addr().String(), rand: steps(t)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go k.serve(conn)
		}
	}()
	return k
}

// carry takes the center's certificate and the sensor's.
func (k *courier) carry(c *center, s *sensor) {
	k.t.Helper()
	k.center = c
	server := filepath.Join(c.dir, "data", "pki", "server.pem")
	theirs, err := tls.LoadX509KeyPair(server, server)
	if err != nil {
		k.t.Fatal(err)
	}
	k.mine = &tls.Config{Certificates: []tls.Certificate{theirs}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13}
	k.ours = s.tls()
}

// tls is how the sensor connects.
func (s *sensor) tls() *tls.Config {
	s.t.Helper()
	cert, err := tls.LoadX509KeyPair(filepath.Join(s.state, "cert.pem"), filepath.Join(s.state, "key.pem"))
	if err != nil {
		s.t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(s.state, "ca.pem"))
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(ca) {
		s.t.Fatalf("reading the sensor's CA: %v", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13}
}

func (k *courier) serve(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", k.center.sensors)
	if err != nil {
		return
	}
	defer out.Close()
	// The server's first line comes before TLS.
	line := make([]byte, 0, 4096)
	for b := make([]byte, 1); !bytes.HasSuffix(line, []byte("\r\n")); line = append(line, b...) {
		if _, err := out.Read(b); err != nil {
			return
		}
	}
	if _, err := in.Write(line); err != nil {
		return
	}
	toSensor, toCenter := tls.Server(in, k.mine), tls.Client(out, k.ours)
	answers := make(chan []byte, 1)
	batch := make(chan string, 1) // the reply subject of the batch under way
	var writing sync.Mutex        // to the sensor
	go func() {
		defer in.Close()
		defer close(answers)
		waiting := ""
		for r := bufio.NewReader(toCenter); ; {
			m, err := message(r)
			if err != nil {
				return
			}
			select {
			case waiting = <-batch:
			default:
			}
			if f := strings.Fields(string(m[:bytes.IndexByte(m, '\n')])); f[0] == "MSG" && f[1] == waiting {
				answers <- m
				continue
			}
			writing.Lock()
			_, err = toSensor.Write(m)
			writing.Unlock()
			if err != nil {
				return
			}
		}
	}()
	defer out.Close()
	for r := bufio.NewReader(toSensor); ; {
		m, err := message(r)
		if err != nil {
			return
		}
		f := strings.Fields(string(m[:bytes.IndexByte(m, '\n')]))
		if f[0] != "PUB" || !strings.HasSuffix(f[1], ".batch") {
			if _, err := toCenter.Write(m); err != nil {
				return
			}
			continue
		}
		batch <- f[2]
		var answer []byte
		for _, m := range k.deliveries(m, f) {
			if _, err := toCenter.Write(m); err != nil {
				return
			}
			var ok bool
			if answer, ok = <-answers; !ok {
				return
			}
		}
		if k.lose.CompareAndSwap(true, false) {
			k.mu.Lock()
			k.lost++
			k.mu.Unlock()
			continue
		}
		writing.Lock()
		_, err = toSensor.Write(answer)
		writing.Unlock()
		if err != nil {
			return
		}
	}
}

// deliveries are what the center gets for a batch: it twice, and of some three an
// older one as well, under the name of the same question.
func (k *courier) deliveries(m []byte, f []string) [][]byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := [][]byte{m, m}
	if n := len(k.sent); n > 0 && k.rand.IntN(3) == 0 {
		old := k.sent[k.rand.IntN(n)]
		list = append(list, fmt.Appendf(nil, "PUB %s %s %d\r\n%s\r\n", f[1], f[2], len(old), old))
	}
	size, _ := strconv.Atoi(f[3])
	k.sent = append(k.sent, m[len(m)-2-size:len(m)-2])
	k.delivered += len(list)
	return list
}

// message reads one message of the NATS protocol, whole.
func message(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	f := strings.Fields(string(line))
	if len(f) == 0 || f[0] != "PUB" && f[0] != "MSG" {
		return line, nil
	}
	n, err := strconv.Atoi(f[len(f)-1])
	if err != nil || n > 2*wire.MaxBatch {
		return nil, fmt.Errorf("a message of %s bytes", f[len(f)-1])
	}
	b := append(line, make([]byte, n+2)...)
	_, err = io.ReadFull(r, b[len(line):])
	return b, err
}

// TestTwice: every batch of a sensor reaches the center twice, some of them
// again later.
func TestTwice(t *testing.T) {
	t.Parallel()
	p := pace(t, 6*time.Second)
	k := newCourier(t)
	c := newCenter(t, k.addr, "")
	c.start()
	c.login()
	e := c.enroll("--files")
	k.carry(c, e)
	if code, out := e.run(p.args()...); code != 0 {
		t.Fatalf("the sensor ended with %d\n%s", code, out)
	}
	c.shows(offline(t, p.inputs))
	stored, repeated := c.became("stored"), c.became("repeated")
	k.mu.Lock()
	defer k.mu.Unlock()
	t.Logf("%d batches of the sensor, delivered %d times, %d stored, %d repeated", len(k.sent), k.delivered, stored, repeated)
	if stored != len(k.sent) || stored < 10 || repeated != k.delivered-stored || repeated <= stored {
		t.Error("not every batch was stored once and repeated")
	}
}

// TestAnswersLost: the sensor asks again what is not answered, half a minute
// later. It is the slowest test here, and waits all the time.
func TestAnswersLost(t *testing.T) {
	t.Parallel()
	p := pace(t, 3*time.Second)
	k := newCourier(t)
	c := newCenter(t, k.addr, "")
	c.start()
	c.login()
	e := c.enroll("--files")
	k.carry(c, e)
	s := e.start(p.args()...)
	c.more(2)
	k.lose.Store(true)
	if code := s.wait(); code != 0 {
		t.Fatalf("the sensor ended with %d\n%s", code, s.tail())
	}
	c.shows(offline(t, p.inputs))
	k.mu.Lock()
	defer k.mu.Unlock()
	// The one whose answer was lost came from the sensor a second time.
	if stored := c.became("stored"); k.lost != 1 || len(k.sent) != stored+1 {
		t.Errorf("%d answers lost, %d batches sent, %d stored", k.lost, len(k.sent), stored)
	}
}
