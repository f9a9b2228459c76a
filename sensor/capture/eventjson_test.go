package capture

import (
	"fmt"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

const flat = `{"EventID":4771,"Channel":"Security","SourceName":"Microsoft-Windows-Security-Auditing","Hostname":"dc1","RecordNumber":9,"@timestamp":"2024-05-01T12:00:00.5Z","EventTime":"2024-05-01 08:00:00","Status":"0x18","TargetUserName":"a \"}{ b","tags":["x"]}`

const nested = `{"Event":{"System":{"Provider":{"Name":"P"},"EventID":{"#text":"4662"},"EventRecordID":7,"Channel":"Security","Computer":"dc1",
 "TimeCreated":{"SystemTime":"2024-05-01T12:00:00.25Z"}},"EventData":{"AccessMask":"0x100","ObjectServer":"DS"}}}`

func TestEventJSON(t *testing.T) {
	other := `{"name":"x"}`
	for _, c := range []struct {
		name    string
		content string
		events  string // frame:id:record@time
		damage  []string
	}{
		{"lines", flat + "\n" + flat + "\n", "1:4771:9@12:00:00.5 2:4771:9@12:00:00.5", nil},
		{"lines without the last end, with a mark", "\xef\xbb\xbf" + flat + "\r\n\r\n" + flat, "1:4771:9@12:00:00.5 2:4771:9@12:00:00.5", nil},
		{"array", "[ " + flat + ",\n" + nested + "]\n", "1:4771:9@12:00:00.5 2:4662:7@12:00:00.25", nil},
		{"empty object in between", flat + "\n{}\n" + flat, "1:4771:9@12:00:00.5 3:4771:9@12:00:00.5",
			[]string{fmt.Sprintf("%d: 1 of 3 objects, of which this is the first, are no Windows event in a shape that is read", len(flat)+1)}},
		{"other objects", flat + "\n" + other + "\n" + other, "1:4771:9@12:00:00.5",
			[]string{fmt.Sprintf("%d: 2 of 3 objects, of which this is the first, are no Windows event in a shape that is read", len(flat)+1)}},
		{"a line cut short", flat + "\n" + flat[:50] + "\n" + flat, "1:4771:9@12:00:00.5 3:4771:9@12:00:00.5",
			[]string{fmt.Sprintf("%d: an object does not end with its line", len(flat)+1)}},
		{"text in between", flat + "\nhello\n" + flat, "1:4771:9@12:00:00.5 3:4771:9@12:00:00.5",
			[]string{fmt.Sprintf("%d: no object where one should begin", len(flat)+1)}},
		{"cut at the end", flat + "\n" + flat[:60], "1:4771:9@12:00:00.5",
			[]string{fmt.Sprintf("%d: cut off in an object: has 60 of 61 bytes", len(flat)+1)}},
		{"too long", flat + "\n{\"a\":\"" + strings.Repeat("x", maxObject) + "\"}\n" + flat, "1:4771:9@12:00:00.5 3:4771:9@12:00:00.5",
			[]string{fmt.Sprintf("%d: an object of more than 1048576 bytes", len(flat)+1)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, damage := events(t, []byte(c.content))
			var got []string
			for _, e := range list {
				got = append(got, fmt.Sprintf("%d:%d:%d@%s", e.Frame, e.Event.ID, e.Event.Record, strings.TrimSuffix(e.Time.String()[11:], "Z")))
			}
			if strings.Join(got, " ") != c.events {
				t.Errorf("events %q, want %q", got, c.events)
			}
			equalLines(t, damage, c.damage...)
		})
	}
	list, _ := events(t, []byte(flat))
	e := list[0].Event
	if e.Get("TargetUserName") != `a "}{ b` || e.Get("Status") != "0x18" || e.Computer != "dc1" || e.Provider != "Microsoft-Windows-Security-Auditing" || e.Zoneless {
		t.Errorf("%+v", e)
	}
}

// TestEventTime has the times that collectors write, and which of them counts.
func TestEventTime(t *testing.T) {
	for _, c := range []struct {
		fields string
		want   string
		local  bool
	}{
		{`"EventTime":"2024-05-01 08:00:00"`, "2024-05-01T08:00:00Z", true},
		{`"EventTime":"2024-05-01T08:00:00-04:00","@timestamp":"2024-05-01T12:00:09Z"`, "2024-05-01T12:00:00Z", false},
		{`"EventTime":"2024-05-01 08:00:00","@timestamp":"2024-05-01T12:00:09Z"`, "2024-05-01T12:00:09Z", false},
		{`"UtcTime":"2024-05-01 12:00:00.125","@timestamp":"2024-05-01T12:00:09Z"`, "2024-05-01T12:00:00.125Z", false},
		{`"TimeCreated":"2024-05-01T12:00:00.5Z","@timestamp":"2024-05-01T12:00:09Z"`, "2024-05-01T12:00:00.5Z", false},
		{`"EventTime":"yesterday"`, "", false},
		{`"EventTime":"0001-01-01T00:00:00Z"`, "", false},
	} {
		e, at, err := parseEvent([]byte(`{"EventID":1,"Channel":"Security",` + c.fields + `}`))
		switch {
		case c.want == "" && err == nil:
			t.Errorf("%s: %s, want none", c.fields, at)
		case c.want != "" && (err != nil || at.String() != c.want || e.Zoneless != c.local):
			t.Errorf("%s: %s, %v, want %s", c.fields, at, err, c.want)
		}
	}
}

// TestEventBounds has more fields, and longer ones, than are kept.
func TestEventBounds(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"EventID":1,"Channel":"Security","UtcTime":"2024-05-01 12:00:00","A":"` + strings.Repeat("x", maxValue+1) + `"`)
	for i := range maxFields {
		fmt.Fprintf(&b, `,"f%d":1`, i)
	}
	list, _ := events(t, []byte(b.String()+"}"))
	e := list[0].Event
	if len(e.Fields) != maxFields || len(e.Get("A")) != maxValue || e.Cut != 5 {
		t.Errorf("%d fields, %d bytes, %d cut", len(e.Fields), len(e.Get("A")), e.Cut)
	}
}

func TestEventJSONTruncated(t *testing.T) {
	whole := "[" + flat + ",\n" + nested + "]"
	for n := range len(whole) {
		events(t, []byte(whole[:n]))
		events(t, []byte(flat+"\n"+whole[1:n+1]))
	}
}

// TestEventJSONTwice: the order of names in an object must not show.
func TestEventJSONTwice(t *testing.T) {
	a, _ := events(t, []byte(flat))
	b, _ := events(t, []byte(flat))
	if diff := gocmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
}

func FuzzEventJSON(f *testing.F) {
	f.Add([]byte(flat + "\n" + flat[:40] + "\n{}\n" + flat))
	f.Add([]byte("[" + nested + ", " + flat + "]"))
	for _, s := range shapes {
		f.Add([]byte(s))
	}
	f.Add([]byte(`  {"timestamp":"2024-05-01T14:00:00+0200","type":"a","a":{"b":[{"c":1}]}}`))
	f.Add([]byte(`{"Id":1,"LogName":"a","TimeCreated":"/Date(1714564800250)/","Properties":[{"Value":1}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		if sniff(content) == JSON {
			events(t, content)
		}
	})
}
