package dnsrecon

import (
	"net/netip"

	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/names"
)

// tally counts the distinct questions of a window.
type tally struct {
	thresholds
	own, rare map[string]int // → acts
	reverse   map[string]question
	networks  map[netip.Prefix]network
	swept     int // networks that are being swept
}

// thresholds are the tunables of the same names.
type thresholds struct {
	names, rareNames        int
	addresses, missingShare int
}

// question is a reverse name asked for.
type question struct {
	acts    int
	missing bool // by the latest answer
}

// network counts the reverse names of one network: asked for, and those without
// an answer.
type network struct{ asked, missing int }

// sweep tells whether a network is being swept: many of its addresses are asked
// for, whoever uses them.
func (t *tally) sweep(n network) bool {
	return n.asked >= t.addresses && 100*n.missing >= n.asked*t.missingShare
}

func (t *tally) Reset() {
	*t = tally{
		thresholds: t.thresholds,
		own:        make(map[string]int),
		rare:       make(map[string]int),
		reverse:    make(map[string]question),
		networks:   make(map[netip.Prefix]network),
	}
}

func (t *tally) Enter(a *detect.Act) { t.count(a, 1, a.Bits&missing != 0) }
func (t *tally) Leave(a *detect.Act) { t.count(a, -1, t.reverse[a.Key].missing) }

func (t *tally) count(a *detect.Act, n int, gone bool) {
	if a.Bits&own != 0 {
		add(t.own, a.Key, n)
	}
	if a.Bits&rare != 0 {
		add(t.rare, a.Key, n)
	}
	if a.Bits&reverse == 0 {
		return
	}
	was := t.reverse[a.Key]
	is := question{was.acts + n, gone}
	if is.acts == 0 {
		delete(t.reverse, a.Key)
	} else {
		t.reverse[a.Key] = is
	}
	if was.acts > 0 && is.acts > 0 && was.missing == is.missing {
		return
	}
	t.move(around(a.Key), was, is)
}

// move takes a question's old state out of its network's counts and puts the
// new one in.
func (t *tally) move(p netip.Prefix, was, is question) {
	old := t.networks[p]
	now := old.plus(was, -1).plus(is, 1)
	if t.sweep(old) {
		t.swept--
	}
	if t.sweep(now) {
		t.swept++
	}
	if now.asked == 0 {
		delete(t.networks, p)
	} else {
		t.networks[p] = now
	}
}

func (n network) plus(q question, sign int) network {
	if q.acts > 0 {
		n.asked += sign
		if q.missing {
			n.missing += sign
		}
	}
	return n
}

func add(m map[string]int, k string, n int) {
	if m[k] += n; m[k] == 0 {
		delete(m, k)
	}
}

// around is the /24 or /120 around a reverse name's address.
func around(question string) netip.Prefix {
	addr, _ := names.PTRAddr(question)
	n := 24
	if addr.Is6() {
		n = 120
	}
	p, _ := addr.Prefix(n)
	return p
}
