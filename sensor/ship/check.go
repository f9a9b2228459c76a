package ship

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/verderer/verderer/activity/wire"
)

// CheckCenter tries the way to the center step by step, and tells what it found
// of each, for people. The error is of the step that failed. A sensor that runs
// with the same identity is not disturbed: nothing but Hello is sent, without a
// spool.
func CheckCenter(ctx context.Context, id *Identity, h wire.Hello, tell func(string)) error {
	host, port, _ := net.SplitHostPort(id.Address) // checked by check
	p := id.pairs[0]
	if now := time.Now(); now.After(p.leaf.NotAfter) {
		tell(fmt.Sprintf("certificate: expired on %s", clockText(p.leaf.NotAfter)))
	} else {
		tell(fmt.Sprintf("certificate: sensor %s, valid for %d more days, renewed by itself", id.ID, int(p.leaf.NotAfter.Sub(now).Hours()/24)))
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return fmt.Errorf("finding the center: %w", err)
	}
	tell(fmt.Sprintf("name: %s is %s", host, strings.Join(addrs, ", ")))
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return fmt.Errorf("connecting to the center: %w", err)
	}
	conn.Close()
	tell("connection: " + conn.RemoteAddr().String() + " answers")
	var state tls.ConnectionState
	l, err := dial(ctx, id, p)
	if err != nil {
		return err
	}
	defer l.conn.Close()
	if state, err = l.conn.TLSConnectionState(); err != nil {
		return fmt.Errorf("reading the state of TLS: %w", err)
	}
	left := time.Until(state.PeerCertificates[0].NotAfter)
	tell(fmt.Sprintf("TLS: %s, the center's certificate is valid for %d more days, and it takes this sensor's", tls.VersionName(state.Version), int(left.Hours()/24)))
	w, skew, err := l.hello(ctx, h)
	if err != nil {
		return err
	}
	tell("center: it welcomes this sensor")
	if skew.Abs() > maxSkew {
		tell(fmt.Sprintf("clocks: the center's is %s off this computer's: set one of them right", skew.Round(time.Second)))
	} else {
		tell(fmt.Sprintf("clocks: they differ by %s", skew.Abs().Round(time.Millisecond)))
	}
	if w.Renew {
		tell("certificate: the center wants it renewed; a sensor that runs does so by itself")
	}
	return nil
}
