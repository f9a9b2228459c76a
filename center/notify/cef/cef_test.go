package cef

import (
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
)

func TestAppend(t *testing.T) {
	a := &alert.Alert{
		ID: "0102", Detection: "dcsync", MDIID: 2006, Title: "Suspected DCSync | attack", Severity: detect.High,
		Status: alert.Open, Start: 1_500_000_000_123_456_700, End: 1_500_000_001_000_000_000,
		Sources:  []detect.Computer{{Address: "10.0.0.66", Name: "ws01.lab.example"}},
		Accounts: []detect.Party{{Name: `a=b\c`, Domain: "LAB"}},
		Targets:  []detect.Computer{{Address: "fe80::1%eth0", Name: "dc1.lab.example"}},
		Protocol: activity.ProtoDRSR, Outcome: activity.Success, Count: 3,
		Techniques: []string{"T1003.006"}, Summary: "line one\nline = two\x1b[31m",
	}
	got := string(Append(nil, a, "1.0", New))
	want := `CEF:0|Verderer|Verderer|1.0|dcsync|Suspected DCSync \| attack|10|` +
		`start=2017-07-14T02:40:00.1234567Z app=DRSR shost=ws01 suser=a\=b\\c outcome=Success ` +
		`msg=line one\nline \= two[31m cnt=3 externalId=2006 cs2Label=trigger cs2=new cs3Label=shostfqdn cs3=ws01.lab.example ` +
		`end=2017-07-14T02:40:01.0000000Z sntdom=LAB src=10.0.0.66 dhost=dc1 dst=fe80::1 cs4Label=mitre cs4=T1003.006 cs6Label=alertId cs6=0102 act=open`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAppendCutsLongMessages(t *testing.T) {
	a := &alert.Alert{Summary: strings.Repeat("ä", 2000), Title: "two\nlines"}
	got := string(Append(nil, a, "1", Update))
	if strings.ContainsAny(got, "\r\n") {
		t.Error("a record must stay on one line")
	}
	_, msg, _ := strings.Cut(got, "msg=")
	msg, _, _ = strings.Cut(msg, " cnt=")
	if len(msg) > maxMessage || !strings.HasSuffix(msg, "…") {
		t.Errorf("message has %d bytes and ends %q", len(msg), msg[len(msg)-6:])
	}
}
