package flow

import (
	"testing"
	"time"
)

const opened = "open tcp 10.0.0.1:50000>10.0.0.2:445"

func TestInOrder(t *testing.T) {
	tr := newTrace(t, Config{})
	tr.handshake()
	tr.want() // a connection without bytes costs no Handler
	tr.send(c2s(1001, 5001, flagACK, "ask"), s2c(5001, 1004, flagACK, "answer"))
	tr.want(opened, "50000 > ask", "50000 < answer")
	tr.send(c2s(1004, 5007, flagACK|flagFIN, ""), s2c(5007, 1005, flagACK|flagFIN, "bye"))
	tr.want("50000 < bye", "50000 close")
	tr.send(c2s(1005, 5011, flagACK, ""))
	tr.table.Flush(tr.now)
	tr.want()
	checkEmpty(t, tr.table)
}

func TestBeginnings(t *testing.T) {
	rpc := "10.0.0.2:49152"
	for name, test := range map[string]struct {
		segs []seg
		want []string
	}{
		"SYN-ACK alone": {
			[]seg{s2c(5000, 1001, flagSYN|flagACK, ""), s2c(5001, 1004, flagACK, "answer")},
			[]string{opened, "50000 < answer"},
		},
		"SYN-ACK tells where the client begins": {
			[]seg{s2c(5000, 1001, flagSYN|flagACK, ""), c2s(1004, 5001, flagACK, "two"), c2s(1001, 5001, flagACK, "one")},
			[]string{opened, "50000 > one", "50000 > two"},
		},
		"client alone": {
			[]seg{c2s(1000, 0, flagSYN, ""), c2s(1001, 5001, flagACK, "ask"), c2s(1004, 5007, flagACK, "more")},
			[]string{opened, "50000 > ask", "50000 > more"},
		},
		"data with the SYN": {
			[]seg{c2s(1000, 0, flagSYN, "fast"), s2c(5000, 1005, flagSYN|flagACK, ""), c2s(1005, 5001, flagACK, "er")},
			[]string{opened, "50000 > fast", "50000 > er"},
		},
		"data with the SYN, refused and sent again": {
			[]seg{c2s(1000, 0, flagSYN, "fast"), s2c(5000, 1001, flagSYN|flagACK, ""), c2s(1001, 5001, flagACK, "faster")},
			[]string{opened, "50000 > fast", "50000 > er"},
		},
		"SYN sent twice": {
			[]seg{c2s(1000, 0, flagSYN, ""), c2s(1001, 5001, flagACK, "ask"), c2s(1000, 0, flagSYN, ""), c2s(1004, 5001, flagACK, "more")},
			[]string{opened, "50000 > ask", "50000 > more"},
		},
		"SYN overtaken by data": {
			[]seg{c2s(1001, 5001, flagACK, "ask"), c2s(1000, 0, flagSYN, ""), c2s(1004, 5001, flagACK, "more")},
			[]string{opened + " mid-stream", "50000 > ask", "50000 > more"},
		},
		"SYN-ACK sent anew": {
			[]seg{c2s(1000, 0, flagSYN, ""), s2c(5000, 1001, flagSYN|flagACK, ""), s2c(6000, 1001, flagSYN|flagACK, ""), s2c(6001, 1001, flagACK, "answer")},
			[]string{opened, "50000 < answer"},
		},
		"SYN-ACK sent anew, bytes held": {
			[]seg{c2s(1000, 0, flagSYN, ""), s2c(5000, 1001, flagSYN|flagACK, ""), s2c(5003, 1001, flagACK, "old"), s2c(6000, 1001, flagSYN|flagACK, ""), s2c(6001, 1001, flagACK, "answer")},
			[]string{opened, "50000 < answer"},
		},
		"mid-stream": {
			[]seg{c2s(1001, 5001, flagACK, ""), c2s(1001, 5001, flagACK, "ask"), s2c(5001, 1004, flagACK, "answer")},
			[]string{opened + " mid-stream", "50000 > ask", "50000 < answer"},
		},
		"mid-stream from the server": {
			[]seg{s2c(5001, 1004, flagACK, "answer"), c2s(1004, 5007, flagACK, "ask")},
			[]string{opened + " mid-stream", "50000 < answer", "50000 > ask"},
		},
		"mid-stream between followed ports": {
			[]seg{{"10.0.0.1:88", "10.0.0.2:445", 1, 1, flagACK, "x"}, {"10.0.0.2:445", "10.0.0.1:88", 1, 1, flagACK, "y"}},
			[]string{"open tcp 10.0.0.2:445>10.0.0.1:88 mid-stream", "445 < x", "445 > y"},
		},
		"mid-stream between equal ports": {
			[]seg{{"10.0.0.2:445", "10.0.0.1:445", 1, 1, flagACK, "x"}},
			[]string{"open tcp 10.0.0.2:445>10.0.0.1:445 mid-stream", "445 > x"},
		},
		"SYN between followed ports": {
			[]seg{{"10.0.0.1:88", "10.0.0.2:445", 0, 0, flagSYN, ""}, {"10.0.0.1:88", "10.0.0.2:445", 1, 1, flagACK, "x"}},
			[]string{"open tcp 10.0.0.1:88>10.0.0.2:445", "88 > x"},
		},
		"mid-stream without bytes": {
			[]seg{c2s(1001, 5001, flagACK, ""), c2s(1001, 5001, flagACK|flagFIN, ""), c2s(1002, 5001, flagRST, "gone")},
			nil,
		},
		"wrap-around": {
			[]seg{c2s(0xfffffffd, 0, flagSYN, ""), c2s(0xfffffffe, 0, flagACK, "abc"), c2s(2, 0, flagACK, "e"), c2s(1, 0, flagACK, "d")},
			[]string{opened, "50000 > abc", "50000 > d", "50000 > e"},
		},
		"neither port followed": {
			[]seg{{client, "10.0.0.2:443", 1, 1, flagACK, "RPC>"}, {"10.0.0.2:443", client, 1, 1, flagACK, "RPC<"}},
			nil,
		},
		"no signature": {
			[]seg{{client, rpc, 0, 0, flagSYN, ""}, {client, rpc, 1, 1, flagACK, "HTTP"}},
			nil,
		},
		"signature of a request": {
			[]seg{{client, rpc, 1, 1, flagACK, "RPC>bind"}, {rpc, client, 1, 9, flagACK, "ack"}},
			[]string{"open tcp 10.0.0.1:50000>10.0.0.2:49152", "50000 > RPC>bind", "50000 < ack"},
		},
		"signature of an answer": {
			[]seg{{rpc, client, 1, 9, flagACK, "RPC<ack"}, {client, rpc, 9, 8, flagACK, "call"}},
			[]string{"open tcp 10.0.0.1:50000>10.0.0.2:49152 mid-stream", "50000 < RPC<ack", "50000 > call"},
		},
		"client on a followed port": { // must not pass for a server
			[]seg{{"10.0.0.1:445", rpc, 0, 0, flagSYN, ""}, {rpc, "10.0.0.1:445", 0, 1, flagSYN | flagACK, ""},
				{"10.0.0.1:445", rpc, 1, 1, flagACK, "RPC>bind"}, {rpc, "10.0.0.1:445", 1, 9, flagACK, "ack"}},
			[]string{"open tcp 10.0.0.1:445>10.0.0.2:49152", "445 > RPC>bind", "445 < ack"},
		},
		"client on a followed port, nothing of ours": {
			[]seg{{"10.0.0.2:443", "10.0.0.1:445", 0, 1, flagSYN | flagACK, ""}, {"10.0.0.1:445", "10.0.0.2:443", 1, 1, flagACK, "GET"}},
			nil,
		},
		"IPv6": {
			[]seg{{"[fd00::1]:50000", "[fd00::2]:445", 1, 1, flagACK, "x"}, {"[fd00::2]:445", "[fd00::1]:50000", 1, 1, flagACK, "y"}},
			[]string{"open tcp [fd00::1]:50000>[fd00::2]:445 mid-stream", "50000 > x", "50000 < y"},
		},
		"to itself": {
			[]seg{{"10.0.0.1:445", "10.0.0.1:445", 1, 1, flagACK, "x"}, {"10.0.0.1:445", "10.0.0.1:445", 2, 1, flagACK, "y"}},
			[]string{"open tcp 10.0.0.1:445>10.0.0.1:445 mid-stream", "445 > x", "445 > y"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrace(t, Config{})
			tr.send(test.segs...)
			tr.want(test.want...)
			tr.table.Flush(tr.now)
			checkEmpty(t, tr.table)
		})
	}
}

func TestDeclinedIsDeclinedForGood(t *testing.T) {
	tr := newTrace(t, Config{})
	asked := 0
	tr.router.open = func(*Conn) Handler { asked++; return nil }
	tr.send(c2s(1, 1, flagACK, "one"), c2s(4, 1, flagACK, "two"), s2c(1, 7, flagACK, "three"))
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	tr.count("conversations declined by the decoders", 1)
	tr.send(c2s(99, 1, flagACK, "out of order"))
	if n := tr.table.held.budget.used; n != 0 {
		t.Errorf("%d pages held for it", n)
	}
	tr.send(c2s(7, 1, flagFIN|flagACK, ""), c2s(9000, 0, flagSYN, ""), c2s(9001, 1, flagACK, "new"))
	if asked != 2 {
		t.Errorf("asked %d times after the ports were used again", asked)
	}
	tr.table.Flush(tr.now)
	checkEmpty(t, tr.table)
}

func TestEndings(t *testing.T) {
	ask, answer := c2s(1001, 5001, flagACK, "ask"), s2c(5001, 1004, flagACK, "answer")
	for name, test := range map[string]struct {
		segs []seg
		want []string // after the opening and "> ask"
	}{
		"FIN from both": {
			[]seg{c2s(1004, 5001, flagFIN|flagACK, ""), s2c(5001, 1005, flagFIN|flagACK, ""), c2s(1005, 5002, flagACK, "")},
			[]string{"close"},
		},
		"half closed": {
			[]seg{c2s(1004, 5001, flagFIN|flagACK, ""), answer, s2c(5007, 1005, flagACK, "more")},
			[]string{"< answer", "< more"},
		},
		"FIN before the last bytes": {
			[]seg{s2c(5007, 1004, flagFIN|flagACK, ""), c2s(1004, 5001, flagFIN|flagACK, ""), answer},
			[]string{"< answer", "close"},
		},
		"FIN sent twice": {
			[]seg{c2s(1004, 5001, flagFIN|flagACK, ""), c2s(1004, 5001, flagFIN|flagACK, ""), answer},
			[]string{"< answer"},
		},
		"reset": {
			[]seg{c2s(1004, 5001, flagRST|flagACK, "")},
			[]string{"close"},
		},
		"reset that only claims to be": {
			[]seg{c2s(1009, 5001, flagRST|flagACK, ""), answer, c2s(1004, 5007, flagACK, "more")},
			[]string{"< answer", "> more"},
		},
		"bytes after the reset": { // it was not obeyed, or the ports were used again
			[]seg{c2s(1004, 5001, flagRST|flagACK, ""), c2s(1004, 5007, flagACK, "more")},
			[]string{"close", "open tcp 10.0.0.1:50000>10.0.0.2:445 mid-stream", "> more"},
		},
		"retransmission after the close": {
			[]seg{answer, c2s(1004, 5007, flagRST|flagACK, ""), answer, ask},
			[]string{"< answer", "close"},
		},
		"bytes instead of the FIN": {
			[]seg{c2s(1004, 5001, flagFIN|flagACK, ""), c2s(1004, 5001, flagACK, "more")},
			[]string{"> more"},
		},
		"one byte instead of the FIN": { // which looks like a keep-alive
			[]seg{c2s(1004, 5001, flagFIN|flagACK, ""), c2s(1004, 5001, flagACK, "m"), c2s(1005, 5001, flagACK, "ore")},
			[]string{"> m", "> ore"},
		},
		"forged SYN": {
			[]seg{answer, c2s(1004+1<<20, 0, flagSYN, ""), c2s(1004, 5007, flagACK, "go on"), s2c(5007, 1009, flagACK, "yes"), c2s(1009, 5010, flagACK, "and on")},
			[]string{"< answer", "close", "open tcp 10.0.0.1:50000>10.0.0.2:445", "> gap 0", "> go on", "< yes", "> and on"},
		},
		"forged SYN, receiver heard": {
			[]seg{answer, c2s(1004+1<<20, 0, flagSYN, ""), s2c(5007, 1004, flagACK, ""), c2s(1004, 5007, flagACK, "go on")},
			[]string{"< answer", "close", "open tcp 10.0.0.1:50000>10.0.0.2:445", "> gap 0", "> go on"},
		},
		"forged SYN-ACK": {
			[]seg{answer, s2c(77, 1004+1<<20, flagSYN|flagACK, ""), s2c(5007, 1004, flagACK, ""), c2s(1004, 5007, flagACK, "go on")},
			[]string{"< answer", "close", "open tcp 10.0.0.1:50000>10.0.0.2:445", "> gap 0", "> go on"},
		},
		"bytes behind the FIN": {
			[]seg{c2s(1004, 5001, flagFIN|flagACK, ""), c2s(1005, 5001, flagACK, "more"), c2s(1010, 5001, flagACK, "yet")},
			nil,
		},
		"FIN amid bytes": {
			[]seg{c2s(1008, 5001, flagACK, "more"), c2s(1006, 5001, flagFIN|flagACK, ""), c2s(1004, 5001, flagACK, "and ")},
			[]string{"> and ", "> more"},
		},
		"ports used again": {
			[]seg{c2s(1004, 5001, flagFIN|flagACK, ""), s2c(5001, 1005, flagFIN|flagACK, ""),
				c2s(9000, 0, flagSYN, ""), s2c(7000, 9001, flagSYN|flagACK, ""), c2s(9001, 7001, flagACK, "new")},
			[]string{"close", "open tcp 10.0.0.1:50000>10.0.0.2:445", "> new"},
		},
		"ports used again without a close": {
			[]seg{c2s(9000, 0, flagSYN, ""), s2c(7000, 9001, flagSYN|flagACK, ""), c2s(9001, 7001, flagACK, "new")},
			[]string{"close", "open tcp 10.0.0.1:50000>10.0.0.2:445", "> new"},
		},
		"ports used again, SYN missed": {
			[]seg{s2c(7000, 9001, flagSYN|flagACK, ""), c2s(9001, 7001, flagACK, "new")},
			[]string{"close", "open tcp 10.0.0.1:50000>10.0.0.2:445", "> new"},
		},
		"ports used again, all missed": {
			[]seg{c2s(1004, 5001, flagFIN|flagACK, ""), s2c(5001, 1005, flagFIN|flagACK, ""), c2s(90001, 7001, flagACK, "new")},
			[]string{"close", "open tcp 10.0.0.1:50000>10.0.0.2:445 mid-stream", "> new"},
		},
		"roles reversed": {
			[]seg{{server, client, 9000, 0, flagSYN, ""}, {client, server, 7000, 9001, flagSYN | flagACK, ""}, {server, client, 9001, 7001, flagACK, "RPC>"}},
			[]string{"close", "open tcp 10.0.0.2:445>10.0.0.1:50000", "445 > RPC>"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrace(t, Config{})
			tr.handshake()
			tr.send(ask)
			tr.want(opened, "50000 > ask")
			tr.send(test.segs...)
			for i, call := range test.want {
				if call[0] == '<' || call[0] == '>' || call == "close" {
					test.want[i] = "50000 " + call
				}
			}
			tr.want(test.want...)
			tr.table.Flush(tr.now)
			checkEmpty(t, tr.table)
		})
	}
}

func TestKeepAlivesAreNoBytes(t *testing.T) {
	tr := newTrace(t, Config{})
	tr.handshake()
	tr.send(c2s(1000, 5001, flagACK, "\x00"), c2s(1001, 5001, flagACK, "ask"), c2s(1003, 5001, flagACK, "\x00"), c2s(1003, 5001, flagACK, ""), c2s(1004, 5001, flagACK, "more"))
	tr.want(opened, "50000 > ask", "50000 > more")
	tr.count("segments that keep alive", 2)
	tr.count("segments retransmitted", 0)
}

func TestAbsurdSequenceNumbers(t *testing.T) {
	const gib = 1 << 30
	for name, test := range map[string]struct {
		acked bool
		seq   uint32
		want  []string
	}{
		"far ahead":                          {false, 1004 + gib + 1, []string{"50000 > gap 0", "50000 > far"}},
		"as far as a window":                 {false, 1004 + gib, nil},
		"far behind":                         {false, 1<<32 + 1004 - maxBehind - 1, []string{"50000 > gap 0", "50000 > far"}},
		"retransmitted":                      {false, 1<<32 + 1004 - maxBehind, nil},
		"far ahead of where the receiver is": {true, 1004 + gib + 1, nil},
		"far behind where the receiver is":   {true, 1<<32 + 1004 - maxBehind - 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrace(t, Config{})
			tr.send(c2s(1001, 5001, flagACK, "ask"))
			if test.acked {
				tr.send(s2c(5001, 1004, flagACK, ""))
			}
			tr.want(opened+" mid-stream", "50000 > ask")
			tr.send(c2s(test.seq, 5001, flagACK, "far"))
			tr.want(test.want...)
		})
	}
}

func TestIdleTimes(t *testing.T) {
	tick := func(tr *trace) { tr.send(seg{"10.0.0.9:1", "10.0.0.8:2", 1, 1, flagACK, "tick"}) }
	for name, test := range map[string]struct {
		segs []seg
		idle time.Duration
	}{
		"settled":                  {[]seg{c2s(1, 1, flagACK, "x"), s2c(1, 2, flagACK, "y")}, idleSettled},
		"unanswered":               {[]seg{c2s(1, 1, flagACK, "x")}, idleFresh},
		"one-sided":                {[]seg{c2s(1, 1, flagACK, "x"), c2s(2, 1, flagACK, "y")}, idleSettled},
		"after FIN":                {[]seg{c2s(1, 1, flagACK, "x"), s2c(1, 2, flagACK, "y"), c2s(2, 2, flagFIN|flagACK, "")}, idleClosing},
		"after FIN, bytes missing": {[]seg{c2s(1, 1, flagACK, "x"), s2c(1, 2, flagACK, "y"), c2s(3, 2, flagFIN|flagACK, ""), s2c(2, 2, flagACK, "")}, idleClosing},
		"after RST":                {[]seg{c2s(1, 1, flagACK, "x"), s2c(1, 2, flagACK, "y"), c2s(3, 2, flagRST, "")}, idleClosing},
		"alive after RST":          {[]seg{c2s(1, 1, flagACK, "x"), s2c(1, 2, flagACK, "y"), c2s(3, 2, flagRST, ""), c2s(2, 2, flagACK, "z")}, idleSettled},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrace(t, Config{})
			tr.send(test.segs...)
			tr.calls = nil
			tr.wait(test.idle - tickEvery)
			tick(tr)
			tr.want()
			tr.wait(tickEvery)
			tick(tr)
			if n := len(tr.calls); n == 0 || tr.calls[n-1] != "50000 close" {
				t.Errorf("not closed: %q", tr.calls)
			}
		})
	}
}
