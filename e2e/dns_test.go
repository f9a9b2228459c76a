package e2e

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/verderer/verderer/names"
)

// Types of DNS records (IANA "DNS Parameters").
const (
	typeA, typeNS, typeCNAME, typeSOA, typePTR, typeMX, typeAAAA, typeSRV = 1, 2, 5, 6, 12, 15, 28, 33
)

// dnsOverIPv6 rewrites a DNS message (RFC 1035 §4.1) for hosts that moved to
// IPv6: questions and records of addresses, and reverse names. A becomes AAAA
// and AAAA becomes A, so that a client which asks for both still asks two
// questions. Names come out uncompressed.
func dnsOverIPv6(b []byte) ([]byte, error) {
	if len(b) < 12 {
		return nil, errors.New("DNS message shorter than its header")
	}
	r := &dnsRewriter{in: b, at: 12, out: append([]byte(nil), b[:12]...)}
	for range binary.BigEndian.Uint16(b[4:]) {
		r.name()
		r.kind()
		r.copy(2)
	}
	records := int(binary.BigEndian.Uint16(b[6:])) + int(binary.BigEndian.Uint16(b[8:])) + int(binary.BigEndian.Uint16(b[10:]))
	for range records {
		r.record()
	}
	if r.err == nil && r.at != len(b) {
		r.err = fmt.Errorf("%d bytes after the DNS message", len(b)-r.at)
	}
	return r.out, r.err
}

type dnsRewriter struct {
	in, out []byte
	at      int
	err     error
}

// copy takes n bytes over as they are.
func (r *dnsRewriter) copy(n int) []byte {
	if r.err != nil || r.at+n > len(r.in) {
		r.err = errors.Join(r.err, errors.New("DNS message cut off"))
		return make([]byte, n)
	}
	b := r.in[r.at : r.at+n]
	r.at += n
	r.out = append(r.out, b...)
	return b
}

// kind takes a type over, with A and AAAA exchanged.
func (r *dnsRewriter) kind() uint16 {
	t := binary.BigEndian.Uint16(r.copy(2))
	to := t
	switch t {
	case typeA:
		to = typeAAAA
	case typeAAAA:
		to = typeA
	}
	binary.BigEndian.PutUint16(r.out[len(r.out)-2:], to)
	return t
}

func (r *dnsRewriter) name() {
	for _, l := range reverse6(r.labels()) {
		r.out = append(r.out, byte(len(l)))
		r.out = append(r.out, l...)
	}
	r.out = append(r.out, 0)
}

// labels reads a name, following its pointers (RFC 1035 §4.1.4).
func (r *dnsRewriter) labels() (labels []string) {
	at, jumped := r.at, false
	for range 128 {
		if at+2 > len(r.in) && (at >= len(r.in) || r.in[at] != 0) {
			break
		}
		n := int(r.in[at])
		if n >= 0xc0 {
			if !jumped {
				r.at, jumped = at+2, true
			}
			at = (n&0x3f)<<8 | int(r.in[at+1])
			continue
		}
		if at += 1 + n; at > len(r.in) {
			break
		}
		if n == 0 {
			if !jumped {
				r.at = at
			}
			return labels
		}
		labels = append(labels, string(r.in[at-n:at]))
	}
	r.err = errors.Join(r.err, errors.New("DNS name without end"))
	return nil
}

func (r *dnsRewriter) record() {
	r.name()
	t := r.kind()
	r.copy(2 + 4) // class, TTL
	n := int(binary.BigEndian.Uint16(r.copy(2)))
	start, end := len(r.out), r.at+n
	switch {
	case n == 0 || r.err != nil:
	case t == typeA:
		v4 := r.copy(4)
		r.out = append(r.out[:start], addr6(v4)...)
	case t == typeAAAA:
		v6 := r.copy(16)
		if !bytes.Equal(v6, addr6(v6[12:])) {
			r.err = errors.New("a record with an IPv6 address that no IPv4 address stands for")
		}
		r.out = append(r.out[:start], v6[12:]...)
	case t == typeNS || t == typeCNAME || t == typePTR:
		r.name()
	case t == typeSOA:
		r.name()
		r.name()
		r.copy(20)
	case t == typeMX:
		r.copy(2)
		r.name()
	case t == typeSRV:
		r.copy(6)
		r.name()
	default: // their names are never compressed (RFC 3597 §4)
		r.copy(n)
	}
	if r.err != nil {
		return
	}
	if r.at != end {
		r.err = fmt.Errorf("a record of type %d and %d bytes is %d bytes long", t, n, n+r.at-end)
		return
	}
	binary.BigEndian.PutUint16(r.out[start-2:], uint16(len(r.out)-start))
}

// TestReverseNames checks the rewriter against the product's reader of reverse
// names.
func TestReverseNames(t *testing.T) {
	got, ok := names.PTRAddr(strings.Join(reverse6(strings.Split("21.0.77.10.in-addr.arpa", ".")), "."))
	if want := netip.MustParseAddr("fd00::a4d:15"); !ok || got != want {
		t.Errorf("21.0.77.10.in-addr.arpa leads to %v, want %v", got, want)
	}
	for _, same := range []string{"dc1.lab.example", "0/25.2.0.192.in-addr.arpa"} {
		if got := strings.Join(reverse6(strings.Split(same, ".")), "."); got != same {
			t.Errorf("%s became %s", same, got)
		}
	}
}
