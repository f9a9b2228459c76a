package capture

// Event is one record of a Windows event log, whatever format it came in.
type Event struct {
	Channel  string // "Security"
	Provider string // "Microsoft-Windows-Security-Auditing"
	ID       uint32
	Record   uint64  // EventRecordID, 0 where the input states none
	Computer string  // that wrote it
	Fields   []Field // of EventData or UserData; at most maxFields

	// Zoneless tells that the time was stated without a zone and taken as UTC.
	Zoneless bool
	// Cut is how many fields were left out or shortened for their size.
	Cut int
}

// Field is one named value. Numbers are text as the input has it: an EVTX
// record may say 24 where the same event says 0x18 in JSON.
type Field struct {
	Name, Value string
}

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
	for _, f := range e.Fields {
		if f.Name == name {
			return f.Value
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
		value = value[:maxValue]
		e.Cut++
	}
	e.Fields = append(e.Fields, Field{name, value})
}
