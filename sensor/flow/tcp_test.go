package flow

import (
	"testing"
	"time"
)

func TestInOrder(t *testing.T) {
	tr := newTrace(t, Config{})
	tr.handshake()
	tr.want()
	tr.send(c2s(1001, 5001, flagACK, "ask"), s2c(5001, 1004, flagACK, "answer"))
	tr.want("open tcp 10.0.0.1:50000>10.0.0.2:445", "50000 > ask", "50000 < answer")
	tr.send(c2s(1004, 5007, flagACK|flagFIN, ""), s2c(5007, 1005, flagACK|flagFIN, "bye"))
	tr.want("50000 < bye", "50000 close")
	tr.send(c2s(1005, 5011, flagACK, ""))
	tr.table.Flush(tr.now)
	tr.want()
}

func TestReordered(t *testing.T) {
	tr := newTrace(t, Config{})
	tr.handshake()
	tr.send(c2s(1004, 5001, flagACK, "two"), c2s(1007, 5001, flagACK|flagFIN, "three"), c2s(1001, 5001, flagACK, "one"))
	tr.want("open tcp 10.0.0.1:50000>10.0.0.2:445", "50000 > one", "50000 > two", "50000 > three")
	tr.wait(11 * time.Second)
	tr.send(seg{"10.0.0.9:1", "10.0.0.8:2", 1, 1, flagACK, "tick"})
	tr.want("50000 close")
	tr.count("segments out of order", 2)
}

func TestGapAcknowledged(t *testing.T) {
	tr := newTrace(t, Config{})
	tr.handshake()
	tr.send(c2s(1001, 5001, flagACK, "one"), c2s(1007, 5001, flagACK, "three"))
	tr.send(s2c(5001, 1012, flagACK, ""))
	tr.want("open tcp 10.0.0.1:50000>10.0.0.2:445", "50000 > one")
	tr.wait(100 * time.Millisecond)
	tr.send(s2c(5001, 1012, flagACK, ""))
	tr.want("50000 > gap 3", "50000 > three")
}
