package capture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/verderer/verderer/activity"
)

// maxObject caps one JSON object. An event is at most 64 KiB of UTF-16 in
// Windows ([MS-EVEN6] §2.2.13); as JSON, with its message rendered and every
// character escaped, it stays below this.
const maxObject = 1 << 20

// eventJSON reads Windows events in JSON: one object a line, or one array of
// objects. Two shapes are read: flat, as NXLog writes it (EventID, Channel,
// Hostname, EventTime and the event's fields beside each other), and nested as
// {"Event": {"System": …, "EventData": …}}.
type eventJSON struct {
	w     *window
	begun bool
	array bool
	lines bool // objects end at the line's end: so did the first one
	frame int64

	foreign int64 // objects that are no event
	first   int64 // offset of the first of these
}

// refuse says why the content is not read, by its first object: "" when it is
// an event, or cannot be told yet. Nothing is consumed.
func (j *eventJSON) refuse() string {
	at, _ := j.start()
	n, err := j.object(at)
	switch {
	case err != nil && j.w.err == io.EOF && j.w.hi-j.w.lo < maxObject:
		return "JSON without a whole object"
	case err != nil:
		return ""
	}
	if _, _, err := parseEvent(j.w.peek(at + n)[at:]); err != nil {
		return fmt.Sprintf("JSON, but its first object is no Windows event in a shape that is read: %v", err)
	}
	return ""
}

// start finds where the first object begins and whether it is in an array.
func (j *eventJSON) start() (at int, array bool) {
	b := j.w.peek(sniffed)
	at = len(b) - len(bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n"))
	if at < len(b) && b[at] == '[' {
		array = true
		at++
		for {
			b = j.w.peek(at + 1)
			if len(b) <= at || !space(b[at]) || at >= maxObject {
				break
			}
			at++
		}
	}
	return at, array
}

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

var (
	errCut  = errors.New("cut off in an object")
	errLong = fmt.Errorf("an object of more than %d bytes", maxObject)
	errLine = errors.New("an object does not end with its line")
	errNone = errors.New("no object where one should begin")
)

// object returns the length of the object that begins at from in the content
// not yet consumed. It judges by quotes and brackets alone.
func (j *eventJSON) object(from int) (n int, err error) {
	depth, quoted, escaped := 0, false, false
	i := from
	for want := from + 4096; ; want = min(2*want, from+maxObject) {
		b := j.w.peek(want)
		for ; i < len(b); i++ {
			c := b[i]
			switch {
			case i == from && c != '{':
				return 0, errNone
			case c == '\n' && (quoted || j.lines):
				return i - from, errLine // a quoted one would be escaped
			case escaped:
				escaped = false
			case quoted && c == '\\':
				escaped = true
			case c == '"':
				quoted = !quoted
			case quoted:
			case c == '{' || c == '[':
				depth++
			case c == '}' || c == ']':
				if depth--; depth == 0 {
					return i - from + 1, nil
				}
			}
		}
		switch {
		case len(b) < want:
			return i - from, errCut
		case want >= from+maxObject:
			return i - from, errLong
		}
	}
}

func (j *eventJSON) next(c *Chunk) error {
	if !j.begun {
		j.begun = true
		at, array := j.start()
		j.array = array
		j.w.skip(at)
	}
	for {
		j.separator()
		if b := j.w.peek(1); len(b) == 0 || j.array && b[0] == ']' {
			j.w.discard(math.MaxInt)
			return j.end()
		}
		n, err := j.object(0)
		if err == errCut {
			return j.w.cut("an object", n, n+1)
		}
		if err != nil {
			d := &Damage{Offset: j.w.off, Reason: err.Error()}
			j.frame++
			j.recover(n)
			return d
		}
		b := j.w.peek(n)
		j.frame++
		j.lines = j.lines || j.frame == 1 && !j.array && !bytes.Contains(b, []byte("\n"))
		event, at, err := parseEvent(b)
		if err != nil {
			if j.foreign++; j.foreign == 1 {
				j.first = j.w.off
			}
			j.w.skip(n)
			continue
		}
		j.w.skip(n)
		*c = Chunk{Time: at, Frame: j.frame, Event: event}
		return nil
	}
}

// end tells of the objects that were no events, once, then that there is no more.
func (j *eventJSON) end() error {
	if j.foreign > 0 {
		d := &Damage{Offset: j.first, Reason: fmt.Sprintf("%d of %d objects, of which this is the first, are no Windows event in a shape that is read", j.foreign, j.frame)}
		j.foreign = 0
		return d
	}
	return j.w.end()
}

// separator passes over what stands between objects.
func (j *eventJSON) separator() {
	for {
		b := j.w.peek(1)
		if len(b) == 0 || !space(b[0]) && !(j.array && b[0] == ',') {
			return
		}
		j.w.skip(1)
	}
}

// recover passes over n bytes and what follows up to a line that begins with
// an object.
func (j *eventJSON) recover(n int) {
	j.w.discard(n)
	newline := false
	for {
		b := j.w.peek(1)
		switch {
		case len(b) == 0 || newline && b[0] == '{':
			return
		case b[0] == '\n':
			newline = true
		case !space(b[0]):
			newline = false
		}
		j.w.skip(1)
	}
}

// parseEvent reads one object. Its names may come in any order; of a name that
// stands twice the last counts, as in most readers.
func parseEvent(b []byte) (*Event, activity.Time, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var o map[string]any
	if err := d.Decode(&o); err != nil {
		return nil, 0, fmt.Errorf("reading an object: %w", err)
	}
	e := new(Event)
	var stated []string // the time, by how well it is stated
	var record any
	if inner, ok := o["Event"].(map[string]any); ok {
		system, _ := inner["System"].(map[string]any)
		stated = append(stated, systemTime(system))
		provider, _ := system["Provider"].(map[string]any)
		e.Provider, e.Channel, e.Computer = jsonText(provider["Name"]), jsonText(system["Channel"]), jsonText(system["Computer"])
		if e.Provider == "" {
			e.Provider = jsonText(provider["#attributes"], "Name")
		}
		e.ID, record = jsonID(system["EventID"]), system["EventRecordID"]
		data, _ := inner["EventData"].(map[string]any)
		e.take(data)
	} else {
		e.Channel, e.Computer = jsonText(o["Channel"]), jsonText(o["Hostname"])
		e.Provider = jsonText(o["SourceName"])
		if e.Provider == "" {
			e.Provider = jsonText(o["ProviderName"])
		}
		e.ID, record = jsonID(o["EventID"]), o["RecordNumber"]
		if record == nil {
			record = o["EventRecordID"]
		}
		stated = []string{jsonText(o["SystemTime"]), jsonText(o["TimeCreated"])}
		e.take(o)
	}
	if e.ID == 0 || e.Channel == "" && e.Provider == "" {
		return nil, 0, errors.New("no EventID with a Channel or SourceName")
	}
	e.Record, _ = strconv.ParseUint(jsonText(record), 10, 64)
	at := e.time(o, stated)
	if at == 0 {
		return nil, 0, errors.New("an event without a time")
	}
	return e, at, nil
}

// take adds the plain values as fields, by name: JSON objects have no order.
func (e *Event) take(o map[string]any) {
	for _, k := range slices.Sorted(maps.Keys(o)) {
		switch o[k].(type) {
		case string, json.Number, bool:
			e.add(k, jsonText(o[k]))
		}
	}
}

// time reads when the event was written. Times with a zone come first; UtcTime
// is Sysmon's and UTC by its name. @timestamp is the collector's word, near
// enough, and better than an EventTime without a zone, which NXLog writes in
// the local time of wherever it ran.
func (e *Event) time(o map[string]any, stated []string) activity.Time {
	local := jsonText(o["EventTime"])
	for _, s := range append(stated, local) {
		if t, zoned := parseStamp(s); t != 0 && zoned {
			return t
		}
	}
	if t, _ := parseStamp(jsonText(o["UtcTime"])); t != 0 {
		return t
	}
	for _, s := range append([]string{jsonText(o["@timestamp"])}, append(stated, local)...) {
		if t, zoned := parseStamp(s); t != 0 {
			e.Zoneless = !zoned
			return t
		}
	}
	return 0
}

// parseStamp reads a time, 0 for none, and whether it names its zone.
func parseStamp(s string) (t activity.Time, zoned bool) {
	if s == "" || len(s) > 64 {
		return 0, false
	}
	s = strings.Replace(s, " ", "T", 1)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		v, err := time.Parse(layout, s)
		if err == nil && v.Year() >= 1970 && v.Year() < 2262 {
			return activity.Time(v.UnixNano()), layout == time.RFC3339Nano
		}
	}
	return 0, false
}

// systemTime is System/TimeCreated, in the ways that converters from XML name
// an attribute.
func systemTime(system map[string]any) string {
	created, _ := system["TimeCreated"].(map[string]any)
	for _, name := range []string{"SystemTime", "@SystemTime", "-SystemTime"} {
		if s := jsonText(created[name]); s != "" {
			return s
		}
	}
	return jsonText(created["#attributes"], "SystemTime")
}

// jsonID is an EventID: a number, the text of one, or an object with Qualifiers.
func jsonID(v any) uint32 {
	s := jsonText(v)
	for _, name := range []string{"Value", "#text"} {
		if s == "" {
			s = jsonText(v, name)
		}
	}
	n, _ := strconv.ParseUint(s, 10, 32)
	return uint32(n)
}

// jsonText is the text of a plain value, or of the one at path below it.
func jsonText(v any, path ...string) string {
	for _, name := range path {
		o, _ := v.(map[string]any)
		v = o[name]
	}
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}
