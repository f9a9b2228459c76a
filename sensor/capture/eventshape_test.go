package capture

import (
	"fmt"
	"strings"
	"testing"
)

// shapes are ways to write the same event.
var shapes = map[string]string{
	"nested": `{"Event":{"System":{"Provider":{"Name":"P"},"EventID":4625,"EventRecordID":7,"Channel":"Security","Computer":"dc1","Keywords":"0x8010000000000000",
		"Security":{"UserID":"S-1-5-18"},"TimeCreated":{"SystemTime":"2024-05-01T12:00:00.25Z"}},"EventData":{"A":"1","B":"x"}}}`,
	"nested, attributes by @": `{"Event":{"System":{"Provider":{"@Name":"P","@Guid":"g"},"EventID":{"@Qualifiers":"0","#text":"4625"},"EventRecordID":"7","Channel":"Security","Computer":"dc1",
		"Keywords":"0x8010000000000000","Security":{"@UserID":"S-1-5-18"},"TimeCreated":{"@SystemTime":"2024-05-01T12:00:00.25Z"}},
		"EventData":{"Data":[{"@Name":"A","#text":"1"},{"@Name":"B","#text":"x"}]}}}`,
	"nested, attributes below": `{"Event":{"#attributes":{"xmlns":"x"},"System":{"Provider":{"#attributes":{"Name":"P"}},"EventID":4625,"EventRecordID":7,"Channel":"Security","Computer":"dc1",
		"Keywords":"0x8010000000000000","Security":{"#attributes":{"UserID":"S-1-5-18"}},"TimeCreated":{"#attributes":{"SystemTime":"2024-05-01T12:00:00.25Z"}}},
		"EventData":{"#attributes":{"Name":"n"},"A":1,"B":"x"}}}`,
	"nested, of a user's own": `{"Event":{"System":{"Provider":{"Name":"P"},"EventID":4625,"EventRecordID":7,"Channel":"Security","Computer":"dc1","Keywords":"0x8010000000000000",
		"Security":{"UserID":"S-1-5-18"},"TimeCreated":"2024-05-01T12:00:00.25Z"},"UserData":{"Op":{"@xmlns":"x","A":"1","B":{"#text":"x"}}}}}`,
	"Winlogbeat": `{"@timestamp":"2024-05-01T12:00:00.250Z","event":{"code":"4625","outcome":"failure"},"winlog":{"channel":"Security","provider_name":"P","event_id":"4625","record_id":7,
		"computer_name":"dc1","user":{"identifier":"S-1-5-18"},"event_data":{"A":"1","B":"x"},"keywords":["Audit Failure"]}}`,
	"Winlogbeat 6": `{"@timestamp":"2024-05-01T12:00:00.250Z","log_name":"Security","source_name":"P","event_id":4625,"record_number":"7","computer_name":"dc1",
		"user":{"identifier":"S-1-5-18"},"event_data":{"A":"1","B":"x"},"keywords":["Audit Failure"]}`,
	"NXLog": `{"EventID":4625,"Channel":"Security","SourceName":"P","Hostname":"dc1","RecordNumber":7,"Keywords":-9218868437227405312,"UserID":"S-1-5-18",
		"EventTime":"2024-05-01T12:00:00.25Z","A":"1","B":"x","tags":["t"]}`,
}

func TestShapes(t *testing.T) {
	for name, text := range shapes {
		e, at, err := parseEvent([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := fmt.Sprint(e.Provider, e.Channel, e.Computer, e.ID, e.Record, e.User, e.Failure, at, e.Get("A"), e.Get("B"))
		want := "P Security dc1 4625 7 S-1-5-18 true 2024-05-01T12:00:00.25Z 1 x"
		if strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") || e.Zoneless || e.Cut != 0 {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestCmdlet has what PowerShell makes of an event, whose values have no names.
func TestCmdlet(t *testing.T) {
	const event = `{"Id":4728,"Keywords":-9214364837600034816,"RecordId":7,"ProviderName":"P","LogName":"Security","MachineName":"dc1","UserId":%s,"TimeCreated":%s,"Properties":[%s]}`
	for _, c := range []struct {
		user, at, properties string
		want                 string
	}{
		{`null`, `"\/Date(1714564800250)\/"`, `{"Value":"CN=eve"},{"Value":{"BinaryLength":12,"Value":"S-1-5-18"}},{"Value":null},{"Value":5}`, ` 12:00:00.25Z [{Data CN=eve} {Data S-1-5-18} {Data } {Data 5}] 0`},
		{`{"Value":"S-1-5-18"}`, `{"value":"\/Date(1714564800250+0200)\/","DateTime":"Wednesday"}`, ``, `S-1-5-18 12:00:00.25Z [] 0`},
		{`"S-1-5-18"`, `"2024-05-01T14:00:00.25+02:00"`, `"System.Diagnostics.Eventing.Reader.EventProperty"`, `S-1-5-18 12:00:00.25Z [] 1`},
	} {
		e, at, err := parseEvent(fmt.Appendf(nil, event, c.user, c.at, c.properties))
		if err != nil {
			t.Errorf("%s: %v", c.at, err)
			continue
		}
		if got := fmt.Sprint(e.User, " ", at.String()[11:], " ", e.Fields, " ", e.Cut); got != c.want || e.ID != 4728 || e.Failure || e.Record != 7 {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
	for _, bad := range []string{`"\/Date(x)\/"`, `"\/Date(99999999999999999)\/"`, `7`} {
		if _, at, err := parseEvent(fmt.Appendf(nil, event, "null", bad, "")); err == nil {
			t.Errorf("%s: %s", bad, at)
		}
	}
}

// TestUnnamed has values without names in shapes that have names for others.
func TestUnnamed(t *testing.T) {
	const event = `{"Event":{"System":{"Provider":{"Name":"P"},"EventID":1,"TimeCreated":"2024-05-01T12:00:00Z"},"EventData":%s}}`
	for data, want := range map[string]string{
		`{"Data":"a"}`:                 "[{Data a}]",
		`{"Data":["a","b"]}`:           "[{Data a} {Data b}]",
		`{"Data":{"#text":["a","b"]}}`: "[{Data a} {Data b}]",
		`{"Data":[{"#text":"a"},{"-Name":"n","Value":"b"}],"Binary":"00"}`: "[{Binary 00} {Data a} {n b}]",
		`null`: "[]",
	} {
		e, _, err := parseEvent(fmt.Appendf(nil, event, data))
		if err != nil || fmt.Sprint(e.Fields) != want {
			t.Errorf("%s: %v, %v, want %s", data, e.Fields, err, want)
		}
	}
}

func TestSamba(t *testing.T) {
	const text = `  {"timestamp":"2024-05-01T14:00:00.250000+0200","type":"dsdbChange","dsdbChange":{"eventId":7,"dn":"CN=a","attributes":{"b":{"actions":[{"action":"add","values":[{"value":"1"},{"value":"2"}]}]}},"n":null}}` + "\n"
	list, damage := events(t, []byte(text+text))
	equalLines(t, damage)
	if len(list) != 2 {
		t.Fatalf("%d events", len(list))
	}
	e := list[0].Event
	want := "[{attributes.b.actions.0.action add} {attributes.b.actions.0.values.0.value 1} {attributes.b.actions.0.values.1.value 2} {dn CN=a} {eventId 7}]"
	if e.Provider != Samba || e.Channel != "dsdbChange" || e.ID != 7 || list[0].Time.String() != "2024-05-01T12:00:00.25Z" || fmt.Sprint(e.Fields) != want {
		t.Errorf("%s %+v", list[0].Time, e)
	}
	deep := `{"timestamp":"2024-05-01T14:00:00+0200","type":"t","t":` + strings.Repeat(`{"a":`, 50) + "1" + strings.Repeat("}", 50) + "}"
	if e, _, err := parseEvent([]byte(deep)); err != nil || len(e.Fields) != 0 || e.Cut != 1 {
		t.Errorf("%v, %+v", err, e)
	}
}
