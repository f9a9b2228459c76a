package dns

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/verderer/verderer/activity"
)

// raw is a message with the given flags, counts and body, however wrong.
func raw(flags uint16, counts [4]uint16, body string) []byte {
	b := binary.BigEndian.AppendUint16([]byte{0, 1}, flags)
	for _, n := range counts {
		b = binary.BigEndian.AppendUint16(b, n)
	}
	return append(b, body...)
}

const (
	isResponse = 0x8000
	isUpdate   = opUpdate << 11
	qA         = "\x00\x01\x00\x01"                         // QTYPE A, QCLASS IN
	rrA        = "\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" // A IN TTL 60 RDLENGTH 4
)

func TestMalformed(t *testing.T) {
	// pointers is a response whose last record has a name of n+1 pointers: its
	// own, then n in the data of the record before, the first of them at 28.
	pointers := func(n int) []byte {
		data := "\xc0\x0c"
		for i := range n - 1 {
			data += string([]byte{0xC0, byte(28 + 2*i)})
		}
		return raw(isResponse, [4]uint16{1, 2}, "\x00"+qA+
			"\x00\x00\x10"+rrA[2:8]+string([]byte{0, byte(len(data))})+data+
			string([]byte{0xC0, byte(28 + 2*(n-1))})+rrA+"\x0a\x00\x00\x01")
	}
	long := strings.Repeat("\x3f"+strings.Repeat("x", 63), 4) + "\x00"
	for _, c := range []struct {
		name      string
		b         []byte
		anomalies []string
		question  string
		qtype     uint16
		answers   int
		records   int
	}{
		{"no question", raw(0, [4]uint16{}, ""), []string{AnomalyNoQuestion}, "", 0, 0, 0},
		{"two questions", raw(0, [4]uint16{2}, "\x01a\x00"+qA+"\x01b\x00"+qA), []string{AnomalySeveralQuestions}, "a", 1, 0, 0},
		{"two questions claimed", raw(0, [4]uint16{2}, "\x01a\x00"+qA), []string{AnomalySeveralQuestions, AnomalyShort}, "a", 1, 0, 0},
		{"question cut off", raw(0, [4]uint16{1}, "\x01a\x00\x00"), []string{AnomalyShort}, "", 0, 0, 0},
		{"question claimed", raw(0, [4]uint16{1}, ""), []string{AnomalyShort}, "", 0, 0, 0},
		{"label over the end", raw(0, [4]uint16{1}, "\x09a\x00"+qA), []string{AnomalyNameOverrun}, "", 0, 0, 0},
		{"pointer over the end", raw(0, [4]uint16{1}, "\xc0\xff"+qA), []string{AnomalyShort}, "", 0, 0, 0},
		{"pointer cut off", raw(0, [4]uint16{1}, "\xc0"), []string{AnomalyNameOverrun}, "", 0, 0, 0},
		{"pointer to itself", raw(0, [4]uint16{1}, "\xc0\x0c"+qA), []string{AnomalyNameLoop}, "", 0, 0, 0},
		{"two pointers to each other", raw(isResponse, [4]uint16{1, 1}, "\xc0\x0e\xc0\x0c"+qA), []string{AnomalyNameLoop, AnomalyShort}, "", 0, 0, 0},
		{"ten pointers", pointers(9), nil, "", 1, 2, 1},
		{"eleven pointers", pointers(10), []string{AnomalyNameLoop}, "", 1, 2, 0},
		{"reserved label type", raw(0, [4]uint16{1}, "\x41a\x00"+qA), []string{AnomalyNameReserved}, "", 0, 0, 0},
		{"name above 255 bytes", raw(0, [4]uint16{1}, long+qA), []string{AnomalyNameLong}, "", 0, 0, 0},
		{"dot within a label", raw(isResponse, [4]uint16{1, 1}, "\x03a.b\x00"+qA+"\x01x\x00"+rrA+"\x0a\x00\x00\x01"), []string{AnomalyNameDot}, "", 0, 1, 1},
		{"answers claimed", raw(isResponse, [4]uint16{1, 9}, "\x01a\x00"+qA+"\xc0\x0c"+rrA+"\x0a\x00\x00\x01"), []string{AnomalyShort}, "a", 1, 1, 1},
		{"65535 of all claimed", raw(isResponse, [4]uint16{0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}, ""), []string{AnomalyShort}, "", 0, 0, 0},
		{"record over the end", raw(isResponse, [4]uint16{1, 1}, "\x01a\x00"+qA+"\xc0\x0c"+rrA+"\x0a"), []string{AnomalyShort, AnomalyRecordOverrun}, "a", 1, 0, 0},
		{"A of three bytes", raw(isResponse, [4]uint16{1, 2}, "\x01a\x00"+qA+"\xc0\x0c"+rrA[:9]+"\x03abc"+"\xc0\x0c"+rrA+"\x0a\x00\x00\x01"), []string{AnomalyRecordLength}, "a", 1, 2, 1},
		{"PTR that loops, read on", raw(isResponse, [4]uint16{1, 2}, "\x01a\x00"+qA+"\xc0\x0c\x00\x0c"+rrA[2:9]+"\x02\xc0\x1f"+"\xc0\x0c"+rrA+"\x0a\x00\x00\x01"), []string{AnomalyNameLoop}, "a", 1, 2, 1},
		{"large SIG", raw(isResponse, [4]uint16{1, 1}, "\x01a\x00"+qA+"\xc0\x0c\x00\x18"+rrA[2:8]+"\xff\xf6"+strings.Repeat("s", 0xfff6)), []string{AnomalySIGLarge}, "a", 1, 1, 0},
		{"large record in an update", raw(isUpdate, [4]uint16{1, 0, 1}, "\x01a\x00"+qA+"\xc0\x0c\x00\x10"+rrA[2:8]+"\x02\x01"+strings.Repeat("s", 0x201)), []string{AnomalyUpdateLarge}, "a", 1, 0, 0},
		{"record of 512 bytes in an update", raw(isUpdate, [4]uint16{1, 0, 1}, "\x01a\x00"+qA+"\xc0\x0c\x00\x10"+rrA[2:8]+"\x02\x00"+strings.Repeat("s", 0x200)), nil, "a", 1, 0, 0},
		{"bytes after the end", raw(0, [4]uint16{1}, "\x01a\x00"+qA+"padding"), nil, "a", 1, 0, 0},
		{"answers in a query", raw(0, [4]uint16{1, 1}, "\x01a\x00"+qA+"\xc0\x0c"+rrA+"\x0a\x00\x00\x01"), nil, "a", 1, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := udp(t)
			if c.b[2]&0x80 != 0 {
				v.reply(c.b)
			} else {
				v.ask(c.b)
			}
			got := v.close()
			if len(got) != 1 {
				t.Fatalf("%d activities, want one", len(got))
			}
			a := got[0]
			if !slices.Equal(a.Anomalies, c.anomalies) {
				t.Errorf("anomalies %q, want %q", a.Anomalies, c.anomalies)
			}
			for _, name := range a.Anomalies {
				v.counted(name, 1)
			}
			if d := a.DNS; d.Question != c.question || d.Type != c.qtype || d.Answers != c.answers || len(d.Records) != c.records {
				t.Errorf("question %q type %d, %d answers, records %v; want %q %d, %d, %d", d.Question, d.Type, d.Answers, d.Records, c.question, c.qtype, c.answers, c.records)
			}
		})
	}
}

// dnsmessage does not export its errors: this holds the texts we go by.
func TestNameErrorsAreStillWordedSo(t *testing.T) {
	seen := make(map[string]bool)
	for _, body := range []string{
		"", "\x09a", "\xc0", "\xc0\x0c", "\x80", strings.Repeat("\x3f"+strings.Repeat("x", 63), 4) + "\x00", "\x01.\x00",
	} {
		var p dnsmessage.Parser
		if _, err := p.Start(raw(0, [4]uint16{1}, body)); err != nil {
			t.Fatal(err)
		}
		_, err := p.Question()
		seen[textOf(t, err)] = true
	}
	var p dnsmessage.Parser
	if _, err := p.Start(raw(0, [4]uint16{0, 1}, "\x00"+rrA)); err != nil {
		t.Fatal(err)
	}
	if err := p.SkipAllQuestions(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.AnswerHeader(); err != nil {
		t.Fatal(err)
	}
	seen[textOf(t, p.SkipAnswer())] = true
	for _, e := range nameErrors {
		if !seen[e.text] {
			t.Errorf("no error ends in %q", e.text)
		}
	}
}

func textOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, e := range nameErrors {
		if strings.HasSuffix(err.Error(), e.text) {
			return e.text
		}
	}
	t.Errorf("error %q has no anomaly", err)
	return ""
}

func TestNames(t *testing.T) {
	for wire, want := range map[string]string{
		"\x00":                  "",
		"\x03DC1\x03lab\x00":    "DC1.lab",
		"\x05_ldap\x04_tcp\x00": "_ldap._tcp",
		"\x04a\x1b[J\x00":       `a\027[J`,
		"\x05a b\x00c\x00":      `a\032b\000c`,
		"\x03a\\b\x00":          `a\\b`,
		"\x05j\xc3\xb6rg\x00":   "jörg",
		"\x02\xc3\x28\x00":      `\195(`,
		"\x03\xe2\x80\xae\x00":  `\226\128\174`, // U+202E, right-to-left override
		"\x02\xff\x7f\x00":      `\255\127`,
		"\x02\xc2\x9b\x00":      `\194\155`, // C1 CSI
		"\x3f" + strings.Repeat("\xff", 63) + "\x3f" + strings.Repeat("\xff", 63) + "\x3f" + strings.Repeat("\xff", 63) + "\x3c" + strings.Repeat("\xff", 60) + "\x00": strings.Join([]string{
			strings.Repeat(`\255`, 63), strings.Repeat(`\255`, 63), strings.Repeat(`\255`, 63), strings.Repeat(`\255`, 60)}, "."),
	} {
		v := udp(t)
		v.ask(raw(0, [4]uint16{1}, wire+qA))
		got := v.close()[0].DNS.Question
		if got != want {
			t.Errorf("%q is %q, want %q", wire, got, want)
		}
		if len(got) > activity.MaxText {
			t.Errorf("%q has %d bytes", wire, len(got))
		}
	}
}

func TestEqualName(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"", "", true},
		{"DC1.lab", "dc1.LAB", true},
		{"a", "b", false},
		{"a", "ab", false},
		{"@", "`", false}, // not letters
		{"[", "{", false},
	} {
		if got := equalName([]byte(c.a), c.b); got != c.want {
			t.Errorf("equalName(%q, %q) = %v", c.a, c.b, got)
		}
	}
}

func TestRCodeNames(t *testing.T) {
	for code, want := range map[int]string{0: "NOERROR", 3: "NXDOMAIN", 5: "REFUSED", 9: "NOTAUTH", 12: "RCODE12", 16: "BADVERS", 4095: "RCODE4095"} {
		if got := activity.DNSRCodeName(code); got != want {
			t.Errorf("activity.DNSRCodeName(%d) = %q, want %q", code, got, want)
		}
	}
}
