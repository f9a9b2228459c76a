package winevent

import (
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
)

// What is counted.
const (
	otherProvider = "events of other providers"
	otherID       = "events of other ids"
	otherChannel  = "events of another channel than they belong to"
	zoneless      = "events with a time without zone, taken as UTC"
	cut           = "events with fields left out or shortened"
	nameless      = "events whose fields have no names, and are not as many as are known"
	noAccount     = "events that name no account"
	noObject      = "events that do not say what they are about"
	badNumber     = "events with a field that is no number"
	badXML        = "events with a field that should be XML and is not"
	otherServer   = "directory access events of another object server"
	dnsQuestions  = "questions to the DNS server, which are told with their answers"
)

// Events registers the reader.
var Events = decode.Events{
	Name: "winevent",
	Read: read,
	Reasons: []string{
		otherProvider, otherID, otherChannel, zoneless, cut, nameless, noAccount, noObject, badNumber, badXML, otherServer, dnsQuestions,
	},
}

// reader makes an activity of an event, or counts why it is none.
type reader func(x *decode.Context, now activity.Time, f fields) *activity.Activity

// kind is one kind of event.
type kind struct {
	read reader
	// names of the fields, in the order of the newest version of the event's
	// template; older ones have the first of them. For sources that state
	// values without names. "" where Windows itself has none.
	names string
}

// log is what a provider writes to a channel.
type log struct {
	channel string // "" any
	kinds   map[uint32]kind
}

func read(x *decode.Context, now activity.Time, e *decode.Event) {
	if e.Provider == decode.Samba {
		return
	}
	l, ok := catalogue[e.Provider]
	if !ok {
		if l, ok = catalogue[spelling[strings.ToLower(e.Provider)]]; !ok {
			x.Count(otherProvider, 1)
			return
		}
	}
	k, ok := l.kinds[e.ID]
	if !ok {
		x.Count(otherID, 1)
		return
	}
	if l.channel != "" && e.Channel != "" && !strings.EqualFold(e.Channel, l.channel) {
		x.Count(otherChannel, 1)
		return
	}
	if e.Zoneless {
		x.Count(zoneless, 1)
	}
	if e.Cut > 0 {
		x.Count(cut, 1)
	}
	f := fields{e}
	if k.names != "" && unnamed(e) {
		if f, ok = name(e, k.names); !ok {
			x.Count(nameless, 1)
			return
		}
	}
	if a := k.read(x, now, f); a != nil {
		x.Emit(a)
	}
}

// event starts an activity that record f states, with who did it.
func event(x *decode.Context, kind activity.Kind, now activity.Time, f fields) *activity.Activity {
	a := x.NewEvent(kind, now, f.Event)
	a.Outcome = activity.Success
	if f.Failure {
		a.Outcome = activity.Failure
	}
	return a
}

// refused sets the outcome by an NTSTATUS.
func refused(a *activity.Activity, status uint32) {
	if status == 0 {
		a.Outcome, a.Error = activity.Success, ""
		return
	}
	a.Outcome, a.Error = activity.Failure, activity.StatusName(status)
}
