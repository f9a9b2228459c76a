package dns

import (
	"fmt"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/flow"
)

// transferOf is a zone of n hosts in messages of 20 records, all but the first
// without the question.
func transferOf(zone string, hosts int) [][]byte {
	records := []dnsmessage.Resource{soa(zone, 7)}
	for i := range hosts {
		records = append(records, a4(fmt.Sprintf("h%d.%s", i, zone), fmt.Sprintf("10.1.%d.%d", i/256, i%256)))
	}
	records = append(records, soa(zone, 7))
	var messages [][]byte
	for q := question(zone, dnsmessage.TypeAXFR); len(records) > 0; q = nil {
		n := min(20, len(records))
		messages = append(messages, build(dnsmessage.Header{ID: 99, Response: true, Authoritative: true}, dnsmessage.Message{Questions: q, Answers: records[:n]}))
		records = records[n:]
	}
	return messages
}

func TestTransfer(t *testing.T) {
	messages := transferOf("lab.", 100)
	for _, c := range []struct {
		name    string
		feed    func(v *conversation)
		outcome activity.Outcome
		fault   string
		answers int
		count   int
		ends    activity.Time // when the activity came
		unended int64
	}{
		{"whole", func(v *conversation) {
			v.ask(ask(99, "lab.", dnsmessage.TypeAXFR))
			for _, m := range messages {
				v.reply(m)
			}
		}, activity.Success, "", 102, 6, 7, 0},
		{"closed before its end", func(v *conversation) {
			v.ask(ask(99, "lab.", dnsmessage.TypeAXFR))
			v.reply(messages[0])
			v.reply(messages[1])
		}, activity.Success, "", 40, 2, 4, 1},
		{"with a gap", func(v *conversation) {
			v.ask(ask(99, "lab.", dnsmessage.TypeAXFR))
			v.reply(messages[0])
			v.handler.Gap(flow.ToClient, len(messages[1])+2, v.now)
			for _, m := range messages[2:] {
				v.reply(m)
			}
		}, activity.Success, "", 82, 5, 6, 0},
		{"refused", func(v *conversation) {
			v.ask(ask(99, "lab.", dnsmessage.TypeAXFR))
			v.reply(reply(99, "lab.", dnsmessage.TypeAXFR, dnsmessage.RCodeRefused))
		}, activity.Failure, "REFUSED", 0, 1, 2, 0},
		{"failed on the way", func(v *conversation) {
			v.ask(ask(99, "lab.", dnsmessage.TypeAXFR))
			v.reply(messages[0])
			v.reply(reply(99, "lab.", dnsmessage.TypeAXFR, dnsmessage.RCodeServerFailure))
		}, activity.Failure, "SERVFAIL", 20, 2, 3, 0},
		{"success without records", func(v *conversation) {
			v.ask(ask(99, "lab.", dnsmessage.TypeAXFR))
			v.reply(reply(99, "lab.", dnsmessage.TypeAXFR, 0))
		}, activity.Success, "", 0, 1, 2, 0},
		{"query not seen", func(v *conversation) {
			for _, m := range messages {
				v.reply(m)
			}
		}, activity.Success, "", 102, 6, 6, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := tcp(t)
			c.feed(v)
			got := v.close()
			if len(got) != 1 {
				t.Fatalf("%d activities, want one", len(got))
			}
			a := got[0]
			if a.Outcome != c.outcome || a.Error != c.fault || a.DNS.Answers != c.answers || a.DNS.Messages != c.count || a.Time != c.ends*second || len(a.Anomalies) != 0 {
				t.Errorf("%s %s at %d: %d answers in %d messages, anomalies %v; want %s %s at %d: %d in %d",
					a.Outcome, a.Error, a.Time/second, a.DNS.Answers, a.DNS.Messages, a.Anomalies, c.outcome, c.fault, c.ends, c.answers, c.count)
			}
			if a.DNS.Question != "lab" || a.DNS.Type != 252 || len(a.DNS.Records) > activity.MaxDNSRecords {
				t.Errorf("question %q type %d, %d records kept", a.DNS.Question, a.DNS.Type, len(a.DNS.Records))
			}
			v.counted(countUnended, c.unended)
		})
	}
}

func TestTransferPickedUpWithin(t *testing.T) {
	c := between(activity.TCP, 40000, 53)
	c.MidStream = true
	v := open(t, c)
	zone := []dnsmessage.Resource{a4("h1.lab.", "10.0.0.1"), a4("h2.lab.", "10.0.0.2")}
	v.reply(reply(1, "lab.", dnsmessage.TypeAXFR, 0, zone...))
	v.reply(reply(1, "lab.", dnsmessage.TypeAXFR, 0, append(zone, soa("lab.", 7))...))
	if len(v.got) != 1 || v.got[0].DNS.Answers != 5 || len(v.got[0].Anomalies) != 0 {
		t.Errorf("got %+v", v.got)
	}
}

func TestTransferWithoutSOA(t *testing.T) {
	v := tcp(t)
	v.ask(ask(1, "lab.", dnsmessage.TypeAXFR))
	v.reply(reply(1, "lab.", dnsmessage.TypeAXFR, 0, a4("h1.lab.", "10.0.0.1")))
	if len(v.got) != 1 || len(v.got[0].Anomalies) != 1 || v.got[0].Anomalies[0] != AnomalyTransferSOA {
		t.Errorf("got %+v", v.got)
	}
}

func TestTransferNamesAnAnomalyOnce(t *testing.T) {
	v := tcp(t)
	v.ask(ask(1, "lab.", dnsmessage.TypeAXFR))
	b := reply(1, "lab.", dnsmessage.TypeAXFR, 0, soa("lab.", 7))
	b[7] = 2 // answers claimed, of which one is there
	v.reply(b)
	v.reply(b)
	if len(v.got) != 1 || len(v.got[0].Anomalies) != 1 {
		t.Errorf("got %+v", v.got)
	}
	v.counted(AnomalyShort, 2)
}

func TestIncrementalTransfer(t *testing.T) {
	host := a4("h.lab.", "10.0.0.1")
	at := func(serial uint32) dnsmessage.Resource { return soa("lab.", serial) }
	for _, c := range []struct {
		name     string
		has      uint32 // serial of the asker
		messages [][]dnsmessage.Resource
		ended    bool
	}{
		{"nothing new", 7, [][]dnsmessage.Resource{{at(7)}}, true},
		{"the asker is ahead", 8, [][]dnsmessage.Resource{{at(7)}}, true},
		{"serials wrap around", 0xFFFFFFF0, [][]dnsmessage.Resource{{at(5)}}, false},
		{"first of one-record messages", 6, [][]dnsmessage.Resource{{at(7)}}, false},
		{"whole zone", 6, [][]dnsmessage.Resource{{at(7), host}, {host, at(7)}}, true},
		{"whole zone in one-record messages", 6, [][]dnsmessage.Resource{{at(7)}, {host}, {at(7)}}, true},
		{"empty zone", 6, [][]dnsmessage.Resource{{at(7), at(7)}}, true},
		{"differences", 5, [][]dnsmessage.Resource{{at(7), at(5), host, at(6), host, at(6), host, at(7), host, at(7)}}, true},
		{"differences, deletions only", 6, [][]dnsmessage.Resource{{at(7), at(6), host, at(7), at(7)}}, true},
		{"differences, end missing", 6, [][]dnsmessage.Resource{{at(7), at(6), host, at(7), host}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := tcp(t)
			v.ask(build(dnsmessage.Header{ID: 1}, dnsmessage.Message{
				Questions:   question("lab.", typeIXFR),
				Authorities: []dnsmessage.Resource{at(c.has)},
			}))
			answers := 0
			for i, records := range c.messages {
				if len(v.got) != 0 {
					t.Fatalf("ended before message %d", i)
				}
				answers += len(records)
				v.reply(reply(1, "lab.", typeIXFR, 0, records...))
			}
			if ended := len(v.got) == 1; ended != c.ended {
				t.Errorf("ended: %v, want %v", ended, c.ended)
			}
			got := v.close()
			if len(got) != 1 || got[0].DNS.Answers != answers || got[0].DNS.Messages != len(c.messages) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// Over UDP an IXFR is one message like any other answer (RFC 1995 §2).
func TestTransferOverUDP(t *testing.T) {
	v := udp(t)
	v.ask(ask(1, "lab.", typeIXFR))
	v.reply(reply(1, "lab.", typeIXFR, 0, soa("lab.", 7), a4("h.lab.", "10.0.0.1")))
	if len(v.got) != 1 || v.got[0].DNS.Answers != 2 {
		t.Errorf("got %+v", v.got)
	}
}
