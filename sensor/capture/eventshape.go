package capture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/verderer/verderer/activity"
)

// The shapes of an object that are read, told by the names in it:
//
//   - nested, as converters from XML write it: {"Event": {"System": …,
//     "EventData": …}}, with attributes as "@Name", "-Name", "_Name" or below
//     "#attributes", and <Data> by its name or as a list;
//   - Winlogbeat's: {"winlog": {…, "event_data": …}}, and the same without
//     "winlog" as its version 6 wrote it;
//   - that of Get-WinEvent | ConvertTo-Json: Id, ProviderName, LogName, and
//     Properties with values in the order of the event's template;
//   - flat, as NXLog writes it: EventID, Channel, Hostname, EventTime and the
//     event's fields beside each other;
//   - Samba's audit: {"timestamp": …, "type": T, T: {…}}.

// maxFlat caps the objects within objects whose values are taken.
const maxFlat = 8

type object = map[string]any

// parseEvent reads one object. Its names may come in any order; of a name that
// stands twice the last counts, as in most readers.
func parseEvent(b []byte) (*Event, activity.Time, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var o object
	if err := d.Decode(&o); err != nil {
		return nil, 0, fmt.Errorf("reading an object: %w", err)
	}
	e := new(Event)
	stated := e.shape(o) // the time, by how well it is stated
	if e.Provider != Samba && (e.ID == 0 || e.Channel == "" && e.Provider == "") {
		return nil, 0, errors.New("no EventID with a Channel or SourceName")
	}
	at := e.time(o, stated)
	if at == 0 {
		return nil, 0, errors.New("an event without a time")
	}
	return e, at, nil
}

// shape fills e and returns the times that o states.
func (e *Event) shape(o object) (stated []string) {
	if inner, ok := o["Event"].(object); ok {
		return e.nested(inner)
	}
	if log, ok := o["winlog"].(object); ok {
		e.beat(log)
		e.Failure = e.Failure || jsonText(o["event"], "outcome") == "failure"
		if e.ID == 0 {
			e.ID = jsonID(first(o["event"], "code"))
		}
		return nil
	}
	if _, ok := o["event_data"].(object); ok {
		e.beat(o)
		return nil
	}
	if kind := jsonText(o["type"]); kind != "" {
		if inner, ok := o[kind].(object); ok && o["timestamp"] != nil {
			e.Provider, e.Channel = Samba, kind
			e.ID = jsonID(inner["eventId"])
			e.flatten("", inner, 0)
			return []string{jsonText(o["timestamp"])}
		}
	}
	if _, ok := o["LogName"]; ok && o["Id"] != nil {
		return e.cmdlet(o)
	}
	e.Channel, e.Computer = jsonText(o["Channel"]), jsonText(first(o, "Hostname", "Computer", "ComputerName"))
	e.Provider = jsonText(first(o, "SourceName", "ProviderName", "Provider_Name"))
	e.ID = jsonID(o["EventID"])
	e.Record = number(first(o, "RecordNumber", "EventRecordID"))
	e.User = jsonText(o["UserID"])
	e.Failure = failure(o["Keywords"]) || jsonText(o["EventType"]) == "AUDIT_FAILURE"
	e.take(o)
	return []string{jsonText(o["SystemTime"]), jsonText(o["TimeCreated"])}
}

// nested reads what is below "Event".
func (e *Event) nested(o object) []string {
	system, _ := o["System"].(object)
	e.Provider = attr(system["Provider"], "Name")
	e.Channel, e.Computer = jsonText(system["Channel"]), jsonText(system["Computer"])
	e.ID, e.Record = jsonID(system["EventID"]), number(system["EventRecordID"])
	e.User = attr(system["Security"], "UserID")
	e.Failure = failure(system["Keywords"])
	if data, ok := o["EventData"].(object); ok {
		e.data(data)
	}
	if data, ok := o["UserData"].(object); ok {
		e.leaves(data, 0)
	}
	at := attr(system["TimeCreated"], "SystemTime")
	if at == "" {
		at = jsonText(system["TimeCreated"])
	}
	return []string{at}
}

// data reads EventData.
func (e *Event) data(o object) {
	for _, k := range slices.Sorted(maps.Keys(o)) {
		if k != "Data" || jsonText(o[k]) != "" {
			if v, ok := plain(o[k]); ok && !markup(k) {
				e.add(k, v)
			}
			continue
		}
		list, ok := o[k].([]any)
		if !ok {
			list = []any{o[k]}
		}
		for _, item := range list {
			if v, ok := plain(item); ok {
				e.add("Data", v)
				continue
			}
			text := first(item, "#text", "Value", "value", "content", "text", "_", "$t")
			if several, ok := text.([]any); ok { // Data without names
				for _, v := range several {
					e.add("Data", jsonText(v))
				}
				continue
			}
			name := attr(item, "Name")
			if name == "" {
				name = "Data"
			}
			e.add(name, jsonText(text))
		}
	}
}

// markup tells a name that stands for an attribute of XML.
func markup(name string) bool {
	return strings.HasPrefix(name, "@") || strings.HasPrefix(name, "#") || name == "xmlns"
}

// leaves adds the plain values at any depth by their own names.
func (e *Event) leaves(o object, depth int) {
	for _, k := range slices.Sorted(maps.Keys(o)) {
		if markup(k) {
			continue
		}
		if v, ok := plain(o[k]); ok {
			e.add(k, v)
			continue
		}
		list, ok := o[k].([]any)
		if !ok {
			list = []any{o[k]}
		}
		for _, item := range list {
			if v, ok := plain(item); ok {
				e.add(k, v)
			} else if text, ok := plain(first(item, "#text")); ok {
				e.add(k, text)
			} else if inner, ok := item.(object); ok && depth < maxFlat {
				e.leaves(inner, depth+1)
			}
		}
	}
}

// beat reads Winlogbeat's names.
func (e *Event) beat(o object) {
	e.Provider = jsonText(first(o, "provider_name", "source_name"))
	e.Channel = jsonText(first(o, "channel", "log_name"))
	e.Computer = jsonText(o["computer_name"])
	e.ID, e.Record = jsonID(o["event_id"]), number(first(o, "record_id", "record_number"))
	e.User = jsonText(o["user"], "identifier")
	if list, ok := o["keywords"].([]any); ok {
		e.Failure = slices.ContainsFunc(list, func(v any) bool { return jsonText(v) == "Audit Failure" })
	}
	for _, part := range []string{"event_data", "user_data"} {
		if data, ok := o[part].(object); ok {
			e.leaves(data, 0)
		}
	}
}

// cmdlet reads what ConvertTo-Json makes of an EventLogRecord. Nested deeper
// than its -Depth, a property is the name of its class.
func (e *Event) cmdlet(o object) []string {
	e.Provider, e.Channel, e.Computer = jsonText(o["ProviderName"]), jsonText(o["LogName"]), jsonText(o["MachineName"])
	e.ID, e.Record = jsonID(o["Id"]), number(o["RecordId"])
	e.User = jsonText(first(o["UserId"], "Value"))
	if e.User == "" {
		e.User = jsonText(o["UserId"])
	}
	e.Failure = failure(o["Keywords"])
	properties, _ := o["Properties"].([]any)
	for _, p := range properties {
		v := first(p, "Value")
		if sid := first(v, "Value"); sid != nil { // a SecurityIdentifier
			v = sid
		}
		if text, ok := plain(v); ok || v == nil && jsonText(p) == "" {
			e.add("Data", text)
		} else {
			e.Cut++
		}
	}
	at := o["TimeCreated"]
	if v := first(at, "value", "DateTime"); v != nil {
		at = v
	}
	return []string{dotNetTime(jsonText(at))}
}

// dotNetTime turns /Date(1714564800500)/, milliseconds since 1970, into RFC 3339.
func dotNetTime(s string) string {
	inner, ok := strings.CutPrefix(s, "/Date(")
	if !ok {
		return s
	}
	inner = strings.TrimSuffix(inner, ")/")
	if i := strings.LastIndexAny(inner, "+-"); i > 0 { // the offset of whoever wrote it; the number is UTC
		inner = inner[:i]
	}
	ms, err := strconv.ParseInt(inner, 10, 64)
	if err != nil {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano)
}

// flatten adds every value below o by its path.
func (e *Event) flatten(path string, v any, depth int) {
	if s, ok := plain(v); ok {
		e.add(path, s)
		return
	}
	if depth > maxFlat {
		e.Cut++
		return
	}
	if path != "" {
		path += "."
	}
	switch v := v.(type) {
	case object:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			e.flatten(path+k, v[k], depth+1)
		}
	case []any:
		for i, item := range v {
			e.flatten(path+strconv.Itoa(i), item, depth+1)
		}
	}
}

// take adds the plain values as fields, by name: JSON objects have no order.
func (e *Event) take(o object) {
	for _, k := range slices.Sorted(maps.Keys(o)) {
		if v, ok := plain(o[k]); ok {
			e.add(k, v)
		}
	}
}

// time reads when the event was written. Times with a zone come first; UtcTime
// is Sysmon's and UTC by its name. @timestamp is the collector's word, near
// enough, and better than an EventTime without a zone, which NXLog writes in
// the local time of wherever it ran.
func (e *Event) time(o object, stated []string) activity.Time {
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

// stamps are the ways to write a time: the first two with a zone, the second as
// Samba does.
var stamps = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700", "2006-01-02T15:04:05.999999999"}

// parseStamp reads a time, 0 for none, and whether it names its zone.
func parseStamp(s string) (t activity.Time, zoned bool) {
	if s == "" || len(s) > 64 {
		return 0, false
	}
	s = strings.Replace(s, " ", "T", 1)
	for i, layout := range stamps {
		v, err := time.Parse(layout, s)
		if err == nil && v.Year() >= 1970 && v.Year() < 2262 && v.UnixNano() > 0 {
			return activity.Time(v.UnixNano()), i < 2
		}
	}
	return 0, false
}

// failure tells that Keywords, a number, say so.
func failure(v any) bool {
	s := jsonText(v)
	n, err := strconv.ParseInt(s, 0, 64)
	if err == nil {
		return n&auditFailure != 0
	}
	u, _ := strconv.ParseUint(s, 0, 64)
	return u&auditFailure != 0
}

func number(v any) uint64 {
	n, _ := strconv.ParseUint(jsonText(v), 10, 64)
	return n
}

// first is the first value in v, an object, by one of the names; nil without.
func first(v any, names ...string) any {
	o, _ := v.(object)
	for _, name := range names {
		if v := o[name]; v != nil {
			return v
		}
	}
	return nil
}

// attr is an attribute, in the ways that converters from XML name them.
func attr(v any, name string) string {
	if s := jsonText(first(v, name, "@"+name, "-"+name, "_"+name)); s != "" {
		return s
	}
	return jsonText(first(v, "#attributes", "$"), name)
}

// jsonID is an EventID: a number, the text of one, or an object with Qualifiers.
func jsonID(v any) uint32 {
	s := jsonText(v)
	if s == "" {
		s = jsonText(first(v, "Value", "#text"))
	}
	n, _ := strconv.ParseUint(s, 10, 32)
	return uint32(n)
}

// jsonText is the text of a plain value, or of the one at path below it.
func jsonText(v any, path ...string) string {
	for _, name := range path {
		v = first(v, name)
	}
	s, _ := plain(v)
	return s
}

// plain is the text of a value, false for an object, a list or nothing.
func plain(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}
