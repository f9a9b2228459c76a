package live

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/capture"
)

// maxSeen bounds the addresses that a check tells of. A mirror of a few domain
// controllers has a few servers; forged sources are the only way to more.
const maxSeen = 1024

// Report is what a Check saw.
type Report struct {
	Seconds    float64 `json:"seconds"`
	Interfaces []State `json:"interfaces"`
	Packets    int64   `json:"packets"` // the filter's, fragments and tunnels included
	// Servers have an entry for each domain controller of the Config, seen or
	// not, and for whoever else was spoken to on a port of it, most packets first.
	Servers []Server `json:"servers"`
	Ignored int64    `json:"ignored"` // packets of servers beyond the 1,024th
}

// Server is what was seen of the traffic of one address with its server ports.
type Server struct {
	Addr       netip.Addr `json:"addr"`
	Configured bool       `json:"configured"` // one of Config.Servers, or of this host's addresses
	To         int64      `json:"to"`         // packets to it
	From       int64      `json:"from"`       // packets from it
	Ports      []Port     `json:"ports"`      // by transport and number
}

// Port is the part of one server port. 0 stands for the dynamic ones of RPC.
type Port struct {
	Transport activity.Transport `json:"transport"`
	Port      uint16             `json:"port"`
	To        int64              `json:"to"`
	From      int64              `json:"from"`
}

// oneSided is how many packets in a direction without any in the other make us
// sure: a client repeats an unanswered request a few times at most.
const oneSided = 20

// OneSided tells that only one direction of a server's traffic was seen, and
// which: a mirror port that copies what is received, or sent, only.
func (s *Server) OneSided() (missing string, yes bool) {
	switch {
	case s.To >= oneSided && s.From == 0:
		return "from", true
	case s.From >= oneSided && s.To == 0:
		return "to", true
	}
	return "", false
}

// Check captures until ctx ends and tells which servers' traffic it saw, and in
// which directions, with the filter that a Source with cfg has.
func Check(ctx context.Context, cfg Config) (*Report, error) {
	s, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	configured := cfg.Servers
	if len(configured) == 0 {
		if configured, err = ownAddresses(); err != nil {
			return nil, err
		}
	}
	begun := time.Now()
	defer context.AfterFunc(ctx, s.Stop)()
	c := check{cfg: &cfg, servers: make(map[netip.Addr]*tally)}
	for _, a := range configured {
		c.server(a.Unmap()).Configured = true
	}
	for {
		var chunk capture.Chunk
		if err := s.Next(&chunk); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("checking interfaces: %w", err)
		}
		if !chunk.Tick {
			c.packet(chunk.Data)
		}
	}
	r := c.report(len(cfg.Servers) > 0)
	r.Seconds, r.Interfaces = time.Since(begun).Seconds(), s.State()
	return r, nil
}

// check counts packets by server.
type check struct {
	cfg              *Config
	servers          map[netip.Addr]*tally // at most maxSeen beside the configured ones
	packets, ignored int64
}

type tally struct {
	Server
	ports map[portKey]*Port // at most those of the Config
}

type portKey struct {
	transport activity.Transport
	port      uint16
}

func (c *check) server(a netip.Addr) *tally {
	t := c.servers[a]
	if t == nil {
		t = &tally{Server{Addr: a}, make(map[portKey]*Port)}
		c.servers[a] = t
	}
	return t
}

func (c *check) packet(b []byte) {
	c.packets++
	transport, src, dst, ok := ends(b, c.cfg.Tunnels)
	if !ok {
		return
	}
	from, isFrom := c.port(transport, src)
	to, isTo := c.port(transport, dst)
	switch {
	case isFrom && (!isTo || src.Port() < dst.Port()):
		c.count(src.Addr(), transport, from, false)
	case isTo:
		c.count(dst.Addr(), transport, to, true)
	}
}

// port tells whether an end is a server's, and the port it is counted under.
func (c *check) port(t activity.Transport, end netip.AddrPort) (uint16, bool) {
	ports := c.cfg.UDP
	if t == activity.TCP {
		ports = c.cfg.TCP
	}
	if slices.Contains(ports, end.Port()) {
		return end.Port(), true
	}
	s := c.servers[end.Addr()]
	return 0, t == activity.TCP && end.Port() >= dynamic && s != nil && s.Configured
}

func (c *check) count(a netip.Addr, transport activity.Transport, port uint16, toServer bool) {
	if len(c.servers) >= maxSeen+maxServers && c.servers[a] == nil {
		c.ignored++
		return
	}
	s := c.server(a)
	k := portKey{transport, port}
	p := s.ports[k]
	if p == nil {
		p = &Port{Transport: transport, Port: port}
		s.ports[k] = p
	}
	if toServer {
		s.To++
		p.To++
	} else {
		s.From++
		p.From++
	}
}

// report lists what was counted. Servers of the Config stand there unseen too;
// of this host's addresses most serve nobody.
func (c *check) report(unseen bool) *Report {
	r := &Report{Packets: c.packets, Ignored: c.ignored}
	for _, t := range c.servers {
		if t.To+t.From == 0 && !unseen {
			continue
		}
		for _, p := range t.ports {
			t.Ports = append(t.Ports, *p)
		}
		slices.SortFunc(t.Ports, func(a, b Port) int {
			return cmp.Or(cmp.Compare(a.Transport, b.Transport), cmp.Compare(a.Port, b.Port))
		})
		r.Servers = append(r.Servers, t.Server)
	}
	slices.SortFunc(r.Servers, func(a, b Server) int {
		return cmp.Or(cmp.Compare(b.To+b.From, a.To+a.From), a.Addr.Compare(b.Addr))
	})
	return r
}

// ends reads the addresses and ports of a TCP or UDP packet in an Ethernet frame,
// without the care that flow takes: what is fragmented or has IPv6 extension
// headers is left out. With tunnels it looks into one.
func ends(b []byte, tunnels bool) (t activity.Transport, src, dst netip.AddrPort, ok bool) {
	at := etherHeader
	for range maxTags {
		if len(b) < at {
			return
		}
		if e := binary.BigEndian.Uint16(b[at-2:]); e != etherVLAN && e != etherSVLAN && e != etherQinQ {
			break
		}
		at += 4
	}
	if len(b) < at {
		return
	}
	return ipEnds(b[at:], tunnels)
}

// ipEnds is ends for an IP packet.
func ipEnds(b []byte, tunnels bool) (t activity.Transport, src, dst netip.AddrPort, ok bool) {
	if len(b) < 20 {
		return
	}
	var proto byte
	var from, to netip.Addr
	var header int
	switch {
	case b[0]>>4 == 4 && binary.BigEndian.Uint16(b[6:])&0x3fff == 0:
		proto, header = b[9], int(b[0]&0xf)*4
		from, to = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
	case b[0]>>4 == 6 && len(b) >= 40:
		proto, header = b[6], 40
		from, to = netip.AddrFrom16([16]byte(b[8:])).Unmap(), netip.AddrFrom16([16]byte(b[24:])).Unmap()
	default:
		return
	}
	if header < 20 || len(b) < header+4 {
		return
	}
	b = b[header:]
	switch proto {
	case ipTCP:
		t = activity.TCP
	case ipUDP:
		t = activity.UDP
		if tunnels && binary.BigEndian.Uint16(b[2:]) == portVXLAN && len(b) >= 16 {
			return ends(b[16:], false)
		}
	case ipGRE:
		if tunnels {
			return greEnds(b)
		}
		return
	default:
		return
	}
	return t, netip.AddrPortFrom(from, binary.BigEndian.Uint16(b)), netip.AddrPortFrom(to, binary.BigEndian.Uint16(b[2:])), true
}

// greEnds is ends for what is in GRE: see flow for the formats.
func greEnds(b []byte) (t activity.Transport, src, dst netip.AddrPort, ok bool) {
	flags, kind := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	at := 4
	for _, field := range [...]uint16{0x8000, 0x2000, 0x1000} { // checksum, key, sequence number
		if flags&field != 0 {
			at += 4
		}
	}
	const erspan, erspanIII = 0x88be, 0x22eb
	switch {
	case kind == erspan && flags&0x1000 != 0:
		at += 8
	case kind == erspanIII && len(b) >= at+12:
		if b[at+11]&1 != 0 { // platform specific subheader
			at += 8
		}
		at += 12
	}
	if len(b) < at {
		return
	}
	if kind == etherIPv4 || kind == etherIPv6 {
		return ipEnds(b[at:], false)
	}
	return ends(b[at:], false)
}
