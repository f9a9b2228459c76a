package receive

import (
	"crypto/x509"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/verderer/verderer/activity/wire"
)

// TestCrowd: somebody without a certificate opens connections, says nothing, and
// opens others when they are closed. A sensor gets through all the same, and one
// that is connected stays so.
func TestCrowd(t *testing.T) {
	most, each := maxConnections, crowdOf
	maxConnections, crowdOf = 20, 3
	t.Cleanup(func() { maxConnections, crowdOf = most, each }) // after the center is closed
	n := newCenter(t, nil, nil, nil)
	early := n.sensor("early")
	early.hello(false)

	stop := make(chan struct{})
	var crowd sync.WaitGroup
	defer crowd.Wait()
	defer close(stop)
	var full sync.Once
	filled := make(chan struct{})
	crowd.Go(func() {
		var open []net.Conn
		defer func() {
			for _, c := range open {
				c.Close()
			}
		}()
		for {
			kept := open[:0]
			for _, c := range open {
				_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
				if _, err := c.Read(make([]byte, 4096)); err == nil || isTimeout(err) {
					kept = append(kept, c)
				} else {
					c.Close()
				}
			}
			for open = kept; len(open) < maxConnections+5; {
				c, err := net.Dial("tcp", n.Addr().String())
				if err != nil {
					break
				}
				open = append(open, c)
			}
			if n.server.NumClients() >= maxConnections {
				full.Do(func() { close(filled) })
			}
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	select {
	case <-filled:
	case <-time.After(20 * time.Second):
		t.Fatal("the crowd does not fill the port")
	}
	cert := n.ca.sign(t, "late", 77, time.Hour, x509.ExtKeyUsageClientAuth)
	until(t, "a sensor gets through", func() bool {
		c, err := n.dial(cert, wire.InboxPrefix("late"))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	if early.IsClosed() || early.Stats().Reconnects > 0 {
		t.Error("a sensor was taken for one of the crowd")
	}
	early.hello(false)
	until(t, "the log says so", func() bool { return n.log.has("connections without a certificate", "from=127.0.0.1") })
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}
