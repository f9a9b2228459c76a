package service

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// link is a TCP connection between sensors and the center that a test can slow
// down and cut.
type link struct {
	addr  string
	delay atomic.Int64 // nanoseconds before each piece that a sensor sends is passed on
	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

// newLink forwards to what to returns at the time of each connection.
func newLink(t testing.TB, delay time.Duration, to func() string) *link {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	k := &link{addr: l.Addr().String(), conns: make(map[net.Conn]bool)}
	k.slow(delay)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go k.forward(in, to())
		}
	}()
	return k
}

func (k *link) forward(in net.Conn, to string) {
	out, err := net.Dial("tcp", to)
	if err != nil {
		in.Close()
		return
	}
	k.mu.Lock()
	if k.cut {
		in.Close()
		out.Close()
	}
	k.conns[in], k.conns[out] = true, true
	k.mu.Unlock()
	go func() {
		io.Copy(in, out)
		in.Close()
	}()
	buf := make([]byte, 4<<10)
	for {
		n, err := in.Read(buf)
		if err != nil {
			break
		}
		time.Sleep(time.Duration(k.delay.Load()))
		if _, err := out.Write(buf[:n]); err != nil {
			break
		}
	}
	in.Close()
	out.Close()
	k.mu.Lock()
	delete(k.conns, in)
	delete(k.conns, out)
	k.mu.Unlock()
}

// slow changes how long each piece takes.
func (k *link) slow(delay time.Duration) { k.delay.Store(int64(delay)) }

// set cuts the link, or mends it.
func (k *link) set(cut bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cut = cut
	if cut {
		for c := range k.conns {
			c.Close()
		}
	}
}
