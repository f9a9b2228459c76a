// Package detect runs the detections: it routes resolved activities to the
// state of the key each detection counts by, and collects findings.
//
// This file is the contract of a detection. A detection sees resolved
// activities and event time: no I/O, no store, no wall clock, no state but that
// of its own key. Same activities, same findings.
package detect

import (
	"cmp"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/resolve"
)

// Severity of an alert.
type Severity string

const (
	Low    Severity = "low"
	Medium Severity = "medium"
	High   Severity = "high"
)

// Level chooses how much a detection must see. LevelHigh is the default of a
// running center, with learning; LevelMedium does without learning; LevelLow
// fires on the least that is meaningful and is what analyze and test mode use.
type Level string

const (
	LevelHigh   Level = "high"
	LevelMedium Level = "medium"
	LevelLow    Level = "low"
)

// Tunable is a number a detection compares with.
type Tunable struct {
	Name              string // kebab-case
	Unit              string // "account names", "failures"; durations are in seconds
	High, Medium, Low int    // the default by level
	Min, Max          int    // what a setting may say
	Why               string // why this default
}

// ExclusionKind is what an exclusion of a detection may name.
type ExclusionKind string

const (
	ExcludeComputer ExclusionKind = "computer"
	ExcludeAddress  ExclusionKind = "address"
	ExcludeAccount  ExclusionKind = "account"
)

// Definition is the single source of what is known of a detection: the engine,
// docs, console text, CEF and exclusion forms read it.
type Definition struct {
	ID          string   // kebab-case, never changed or reused; the folder is the ID without dashes
	Name        string   // title of its alerts
	MDIID       int      // external id in Defender for Identity; 0 when it has none
	ATAIDs      []int    // external ids in ATA; the two numberings differ
	ATAKeys     []string // exclusion sections of an ATA installation that map here
	Severity    Severity
	Tactic      string
	Techniques  []string // MITRE ATT&CK
	Consumes    []activity.Kind
	Learning    time.Duration // before it may fire at LevelHigh; 0 none
	Retain      time.Duration // how long state is kept after its last activity, at least 24 h, for late ones
	Tunables    []Tunable
	Exclusions  []ExclusionKind
	Needs       []string // what must be seen for it to work, in words
	BlindSpots  []string // what it cannot see, in words
	Legitimate  string   // the nearest harmless cause, shown in every alert
	KeyMeans    string   // what Key names, for people: "source address"
	Description string   // one sentence: what happened, for lists
	README      string   // Markdown for the analyst: what happened, how to check, false positives, response

	// Key tells whose state the activity belongs to; "" when it is nothing to
	// this detection.
	Key func(r *resolve.Resolved) string
	// New makes the empty state of one key. The value must survive a round trip
	// through JSON, its tunables aside.
	New func(t Tuning) Detector
	// Summary is the alert's sentence.
	Summary func(f Facts) string
}

// Detector is the state of one key of one detection.
type Detector interface {
	// Process takes the next activity of the key. Late ones come out of order,
	// and belong into the window of their own time.
	Process(r *resolve.Resolved, emit func(Finding))
	// Size is the number of acts remembered, which the engine bounds in all.
	Size() int
}

// Tuning gives a detection its numbers.
type Tuning struct {
	Level  Level
	values map[string]int
}

// Tune takes a definition's defaults for a level.
func (d *Definition) Tune(level Level) Tuning {
	t := Tuning{Level: level, values: make(map[string]int)}
	for _, u := range d.Tunables {
		switch level {
		case LevelHigh:
			t.values[u.Name] = u.High
		case LevelMedium:
			t.values[u.Name] = u.Medium
		default:
			t.values[u.Name] = u.Low
		}
	}
	return t
}

// Int is the value of a tunable. It panics for a name the definition does not
// list: a programming error.
func (t Tuning) Int(name string) int {
	v, ok := t.values[name]
	if !ok {
		panic("detect: no tunable " + name)
	}
	return v
}

// Seconds is the value of a tunable that is a duration.
func (t Tuning) Seconds(name string) time.Duration {
	return time.Duration(t.Int(name)) * time.Second
}

// Baseline says whether a rule that learns what is normal had done so.
type Baseline string

const (
	BaselineUnneeded Baseline = "unneeded" // the rule does not learn
	BaselineNone     Baseline = "none"     // it ran without having learned
	BaselineLearned  Baseline = "learned"  // it compared with what it had learned
)

// Role says what part an entity has in a finding.
type Role string

const (
	Attacked Role = "attacked" // a password was tried on it
	Guessed  Role = "guessed"  // and found
	Exists   Role = "exists"   // its name was confirmed
	Unknown  Role = "unknown"  // the name belongs to nobody
	Exposed  Role = "exposed"  // a secret derived from its password was handed out
	Actor    Role = "actor"    // it did it
)

// Computer is a source or target of a finding.
type Computer struct {
	Address   string            `json:"address,omitempty"` // none when an event named it without one
	Name      string            `json:"name,omitempty"`
	Method    string            `json:"method,omitempty"` // how the name was found
	Certainty resolve.Certainty `json:"certainty,omitempty"`
}

// Party is an account of a finding.
type Party struct {
	Name   string `json:"name"`
	Domain string `json:"domain,omitempty"`
	SID    string `json:"sid,omitempty"`
	Role   Role   `json:"role,omitempty"`
	Method string `json:"method,omitempty"` // "ticket": known by the ticket it presented
	Key    string `json:"key,omitempty"`    // folded identity, the same for every way of writing the account
}

// Number is a comparison the verdict rests on.
type Number struct {
	Name      string        `json:"name"` // "distinct unknown account names"
	Value     int           `json:"value"`
	Threshold int           `json:"threshold"` // 0: stated, not compared
	Window    time.Duration `json:"-"`         // 0: no window
}

// Finding is what a detection concluded from one activity: that it, with those
// before it which were not yet reported, belongs to an attack. Alerts fold the
// findings of a key.
type Finding struct {
	ID        string // set by the engine: of detection, key and activity
	Detection string // set by the engine
	Key       string // set by the engine

	Time       activity.Time // of the activity concluded from
	Start      activity.Time // of the earliest activity reported
	End        activity.Time // of the latest
	Sources    []Computer
	Targets    []Computer
	Accounts   []Party
	Protocol   activity.Protocol
	Outcome    activity.Outcome // of the attack as far as this finding shows
	Count      int              // acts reported by this finding
	Numbers    []Number
	Notes      []string // further evidence, one sentence each
	Activities []activity.ID
	Certainty  resolve.Certainty
	Baseline   Baseline // set by the engine
	Late       bool     // concluded from an activity that arrived late
}

// Facts is what Summary writes its sentence from: the alert's fold so far.
type Facts struct {
	Source   string // label of the first source
	Target   string // label of the first target, with "and N more"
	Accounts map[Role]int
	First    map[Role]string // name of one account of the role
	Count    int
	Outcome  activity.Outcome
	Numbers  []Number // as of the last finding
}

// ComputerOf makes a Computer of a resolved host.
func ComputerOf(h resolve.Host) Computer {
	c := Computer{Name: h.Name, Method: h.Method, Certainty: h.Certainty}
	if h.Addr.IsValid() {
		c.Address = h.Addr.String()
	}
	return c
}

// ID tells computers apart: the address, or the name of one without.
func (c Computer) ID() string { return cmp.Or(c.Address, c.Name) }

// PartyOf makes a Party of a resolved account.
func PartyOf(a resolve.Account, role Role) Party {
	p := Party{Name: a.Name, Domain: a.Domain, SID: a.SID, Role: role, Key: a.Key}
	if a.Method == "ticket" {
		p.Method = "ticket"
	}
	return p
}

// FindingOf starts a finding from the activity that completes it.
func FindingOf(r *resolve.Resolved) Finding {
	f := Finding{
		Protocol:  r.Protocol,
		Outcome:   activity.Attempt,
		Certainty: resolve.High,
	}
	if r.Source.Known() {
		f.Sources = []Computer{ComputerOf(r.Source)}
	}
	return f
}

// ActOf is what a detection remembers of an activity, counted under key.
func ActOf(r *resolve.Resolved, key string) Act {
	return Act{At: r.Time, ID: r.ID, Account: PartyOf(r.Account, ""), Key: key, Target: ComputerOf(r.Target)}
}

// SourceAddress is the Key of detections that count per source address. A
// source whose address is not stated counts by its name; one that is not stated
// at all cannot be counted by.
func SourceAddress(r *resolve.Resolved) string {
	switch {
	case !r.Source.Known() || r.Source.Addr == r.Target.Addr && r.Source.Name == r.Target.Name:
		return "" // nobody, or a domain controller talking to itself
	case !r.Source.Addr.IsValid():
		return "host:" + r.Source.Name
	}
	return r.Source.Addr.String()
}
