package receive

import (
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// crowdOf is how many connections one address may have that have not shown a
// certificate, while the port is crowded: more than half of maxConnections. A
// thousand sensors that come back at once, from behind one address too, are no
// crowd. Tests set a smaller one.
var crowdOf = 50

// crowdAge is how long each of them may take then, instead of TLSTimeout.
const crowdAge = 2 * time.Second

// thinOut sees to it that whoever opens connections and says nothing does not
// keep the sensors out: it would take opening thousands again for every look.
func (r *Receiver) thinOut() {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if r.server.NumClients() > maxConnections/2 {
				r.thin(time.Now())
			}
		case <-r.stop:
			return
		}
	}
}

// thin closes connections of a crowd.
func (r *Receiver) thin(now time.Time) {
	open, err := r.server.Connz(&server.ConnzOptions{Limit: 2 * maxConnections})
	if err != nil {
		return // it is being shut down
	}
	// After the list is made: who became known meanwhile is.
	known := make(map[uint64]bool)
	if ours, err := r.conn.GetClientID(); err == nil {
		known[ours] = true
	}
	r.mu.Lock()
	for _, s := range r.sensors {
		for _, c := range s.conns {
			known[c] = true
		}
	}
	r.mu.Unlock()
	from := make(map[string]int)
	closed, most := 0, ""
	for _, c := range open.Conns { // the oldest first
		if known[c.Cid] || c.IP == "" {
			continue
		}
		if from[c.IP]++; from[c.IP] > from[most] {
			most = c.IP
		}
		if from[c.IP] > crowdOf || now.Sub(c.Start) > crowdAge {
			_ = r.server.DisconnectClientByID(c.Cid) // an error says that it is gone already
			closed++
		}
	}
	if closed > 0 {
		r.warn("connections without a certificate crowd the port: closed", "connections", closed, "from", most)
	}
}
