package kerberos

import (
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/flow"
)

// BenchmarkASExchange is one AS-REQ with its AS-REP over UDP, the ticket of the
// size of a user in few groups.
func BenchmarkASExchange(b *testing.B) {
	request := kdcReq(10, seq(padata(2, sealed(18, strings.Repeat("t", 56))), padata(128, seq(field(0, der(0x01, []byte{0xff}))))), body(alice, krbtgt, 1))
	reply := kdcRep(11, alice, krbtgt, strings.Repeat("c", 1100))
	benchmark(b, request, reply)
}

func BenchmarkTGSExchange(b *testing.B) {
	benchmark(b, tgsReq(1), tgsRep(strings.Repeat("c", 1100)))
}

func benchmark(b *testing.B, request, reply []byte) {
	cv := converse(b, activity.UDP)
	b.ReportAllocs()
	b.SetBytes(int64(len(request) + len(reply)))
	for b.Loop() {
		cv.got = cv.got[:0]
		cv.Feed(flow.ToServer, request, 1)
		cv.Feed(flow.ToClient, reply, 2)
	}
	if len(cv.got) != 1 {
		b.Fatalf("%d activities", len(cv.got))
	}
}
