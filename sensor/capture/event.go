package capture

import "unicode/utf8"

// Event is one record of a Windows event log or of an audit log of Samba,
// whatever format it came in.
type Event struct {
	Channel  string // "Security"
	Provider string // "Microsoft-Windows-Security-Auditing"; Samba
	ID       uint32
	Record   uint64  // EventRecordID, 0 where the input states none
	Computer string  // that wrote it
	User     string  // SID of the account that it was written for, "" where the input states none
	Failure  bool    // an audit of something that failed
	Fields   []Field // of EventData or UserData; at most maxFields

	// Zoneless tells that the time was stated without a zone and taken as UTC.
	Zoneless bool
	// Cut is how many fields were left out or shortened for their size.
	Cut int
}

// Samba is the Provider of a record of Samba's JSON audit logs. Channel is its
// type ("dsdbChange"), ID its eventId or 0, and a field's Name the path to a
// value, with dots, list items by their number: "attributes.member.actions.0.action".
const Samba = "Samba"

// Field is one named value, as Windows shows it: what an EVTX record has as a
// number of 32 bits in hex is 0x18 as in other formats. A value without a name
// is "Data"; there may be several.
type Field struct {
	Name, Value string
}

// auditFailure is the bit of Keywords that says it (winmeta.xml,
// WINEVENT_KEYWORD_AUDIT_FAILURE).
const auditFailure = 1 << 52

const (
	// maxFields caps the fields of an event: manifests of Windows define fewer
	// than 60 for the widest ones, and collectors add about 30 of their own.
	maxFields = 256
	// maxValue caps one value. Windows cuts event strings at 32 KiB (EvtWrite's
	// limit of 65,535 bytes of UTF-16 per record, [MS-EVEN6] §2.2.13).
	maxValue = 32 << 10
)

// Get is the value of the first field of that name, "" without one.
func (e *Event) Get(name string) string {
	for i := range e.Fields {
		if e.Fields[i].Name == name {
			return e.Fields[i].Value
		}
	}
	return ""
}

// add appends a field within the limits.
func (e *Event) add(name, value string) {
	if len(e.Fields) >= maxFields || len(name) > maxValue {
		e.Cut++
		return
	}
	if len(value) > maxValue {
		n := maxValue
		for n > maxValue-utf8.UTFMax && !utf8.RuneStart(value[n]) {
			n--
		}
		value = value[:n]
		e.Cut++
	}
	e.Fields = append(e.Fields, Field{name, value})
}
