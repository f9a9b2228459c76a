// Package alert folds findings into alerts: it merges those of one attack,
// leaves out what is excluded, and keeps the result in the form that analyze
// prints and the API and webhooks carry.
package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/resolve"
)

// Status of an alert.
type Status string

const (
	Open       Status = "open"
	Closed     Status = "closed"
	Suppressed Status = "suppressed"
)

// Alert is what an analyst handles. Its JSON is alert/schema.json.
type Alert struct {
	ID         string            `json:"id"`        // 32 hex digits, of detection, key and first finding
	Detection  string            `json:"detection"` // id of the detection
	MDIID      int               `json:"mdiId"`     // external id in Defender for Identity, 0 without one
	ATAIDs     []int             `json:"ataIds"`    // external ids in ATA
	Title      string            `json:"title"`
	Severity   detect.Severity   `json:"severity"`
	Status     Status            `json:"status"`
	Start      activity.Time     `json:"start"` // of the first activity
	End        activity.Time     `json:"end"`   // of the last
	Sources    []detect.Computer `json:"sources"`
	Accounts   []detect.Party    `json:"accounts"`
	Targets    []detect.Computer `json:"targets"`
	Protocol   activity.Protocol `json:"protocol,omitempty"` // none where an event does not tell
	Outcome    activity.Outcome  `json:"outcome"`
	Count      int               `json:"count"`      // acts, all of them
	Techniques []string          `json:"techniques"` // MITRE ATT&CK
	Summary    string            `json:"summary"`    // one sentence
	Evidence   []Evidence        `json:"evidence"`
	Certainty  resolve.Certainty `json:"certainty"`
	Baseline   detect.Baseline   `json:"baseline"`
	Late       bool              `json:"late,omitempty"`     // rests on activities that arrived late
	Previous   string            `json:"previous,omitempty"` // id of the closed alert that this one repeats
}

// EvidenceKind sorts evidence.
type EvidenceKind string

const (
	Comparison EvidenceKind = "comparison" // a number and its threshold
	Statement  EvidenceKind = "statement"  // something the detection states
	Resolution EvidenceKind = "resolution" // how a name was found, and how sure that is
	Activities EvidenceKind = "activities" // the activities it rests on
	Legitimate EvidenceKind = "legitimate" // the nearest harmless cause
)

// Evidence is one reason for the verdict, or against it.
type Evidence struct {
	Kind       EvidenceKind  `json:"kind"`
	Text       string        `json:"text"`
	Value      *int          `json:"value,omitempty"`     // comparison: what was seen
	Threshold  *int          `json:"threshold,omitempty"` // comparison: what it was compared with
	Seconds    int           `json:"seconds,omitempty"`   // comparison: the window
	Activities []activity.ID `json:"activities,omitempty"`
}

const (
	// mergeWindow is how long after its last activity an alert takes in further
	// findings of the same detection and key.
	mergeWindow = activity.Time(24 * 3600 * 1e9)
	// maxListed caps the accounts, computers and activity ids that one alert
	// lists; Count still counts everything. A page with more helps nobody.
	maxListed = 1000
	// maxNotes caps the statements, which may quote up to activity.MaxText.
	maxNotes = 100
	// maxAlerts caps the alerts of one detection, at about 3 KB each and often
	// less. Beyond it, findings of further keys share one alert: whoever forges
	// sources can neither fill the memory nor hide an attack that comes after.
	// Closed ones make room: see Fold.makeRoom.
	maxAlerts = 10_000
)

// Fold merges findings into alerts, and takes what people do to them. It
// belongs to one goroutine, and takes findings in the engine's order.
type Fold struct {
	// OnPanic is told of an alert that cannot be written, which is then left
	// out. nil: panics pass.
	OnPanic func(where string, value any, stack []byte)

	defs       map[string]*detect.Definition
	exclusions []*Exclusion
	alerts     []*folded          // in order of their first finding
	byID       map[string]*folded // alerts
	current    map[string]*folded // detection and key → the newest alert, which may still grow unless it is closed
	count      map[string]int     // alerts by detection
	changed    []*folded          // since Changed was last asked, once each
}

// folded is an alert with what its fold needs besides.
type folded struct {
	Alert      Alert           `json:"alert"`
	Numbers    []detect.Number `json:"numbers"`
	Windows    []time.Duration `json:"windows"` // of Numbers, which their JSON leaves out
	Notes      []string        `json:"notes"`
	Activities []activity.ID   `json:"activities"`
	Key        string          `json:"key"` // in Fold.current
	seen       map[string]int  // account key → index in Accounts
	known      map[string]bool // addresses listed as source or target
	changed    bool            // is in Fold.changed
}

// NewFold makes an empty fold.
func NewFold(defs []*detect.Definition, exclusions []*Exclusion) *Fold {
	f := &Fold{defs: make(map[string]*detect.Definition), exclusions: exclusions,
		byID: make(map[string]*folded), current: make(map[string]*folded), count: make(map[string]int)}
	for _, d := range defs {
		f.defs[d.ID] = d
	}
	return f
}

// Add folds a finding in.
func (f *Fold) Add(n *detect.Finding) {
	d := f.defs[n.Detection]
	if d == nil {
		return // a finding of a detection that is not run any more
	}
	for _, x := range f.exclusions {
		if x.matches(n) {
			x.Excluded++
			return
		}
	}
	a := f.growing(n, n.Key)
	if a == nil && f.count[d.ID] >= maxAlerts {
		f.makeRoom(d.ID, n.Key)
	}
	if a == nil && f.count[d.ID] >= maxAlerts {
		if a = f.growing(n, ""); a == nil {
			a = f.open(d, n, "")
			a.Notes = append(a.Notes, fmt.Sprintf("There are %d alerts of this detection. What others did is told of here together.", f.count[d.ID]-1))
		}
	}
	if a == nil {
		a = f.open(d, n, n.Key)
	}
	a.add(n)
	f.touch(a)
}

// growing is the alert that a finding of a key belongs to, nil if there is none yet.
func (f *Fold) growing(n *detect.Finding, key string) *folded {
	a := f.current[n.Detection+"\x00"+key]
	if a == nil || a.Alert.Status == Closed || n.Start > a.Alert.End+mergeWindow {
		return nil
	}
	return a
}

func (f *Fold) open(d *detect.Definition, n *detect.Finding, key string) *folded {
	h := sha256.Sum256([]byte("verderer/alert/1\x00" + n.Detection + "\x00" + n.Key + "\x00" + n.ID))
	a := &folded{
		Key: n.Detection + "\x00" + key,
		Alert: Alert{
			ID:         hex.EncodeToString(h[:16]),
			Detection:  d.ID,
			MDIID:      d.MDIID,
			ATAIDs:     d.ATAIDs,
			Title:      d.Name,
			Severity:   d.Severity,
			Status:     Open,
			Start:      n.Start,
			End:        n.End,
			Protocol:   n.Protocol,
			Outcome:    n.Outcome,
			Techniques: d.Techniques,
			Certainty:  n.Certainty,
			Baseline:   n.Baseline,
		},
		seen:  make(map[string]int),
		known: make(map[string]bool),
	}
	if old := f.current[a.Key]; old != nil && old.Alert.Status == Closed {
		a.Alert.Previous = old.Alert.ID
	}
	f.alerts = append(f.alerts, a)
	f.byID[a.Alert.ID] = a
	f.current[a.Key] = a
	f.count[d.ID]++
	return a
}

func (a *folded) add(n *detect.Finding) {
	t := &a.Alert
	t.Start, t.End = min(t.Start, n.Start), max(t.End, n.End)
	t.Count += n.Count
	t.Outcome = stronger(t.Outcome, n.Outcome)
	t.Late = t.Late || n.Late
	if n.Certainty == resolve.High {
		t.Certainty = resolve.High
	}
	for _, c := range n.Sources {
		a.computer(&t.Sources, "source ", c)
	}
	for _, c := range n.Targets {
		a.computer(&t.Targets, "target ", c)
	}
	for _, p := range n.Accounts {
		a.account(p)
	}
	for _, m := range n.Numbers {
		i := slices.IndexFunc(a.Numbers, func(o detect.Number) bool { return o.Name == m.Name })
		if i < 0 {
			a.Numbers = append(a.Numbers, m)
			a.Windows = append(a.Windows, m.Window)
		} else if m.Value >= a.Numbers[i].Value {
			a.Numbers[i], a.Windows[i] = m, m.Window
		}
	}
	for _, s := range n.Notes {
		if len(a.Notes) < maxNotes && !slices.Contains(a.Notes, s) {
			a.Notes = append(a.Notes, s)
		}
	}
	if room := maxListed - len(a.Activities); room > 0 {
		a.Activities = append(a.Activities, n.Activities[:min(room, len(n.Activities))]...)
	}
}

// stronger of two outcomes: what succeeded once succeeded.
func stronger(a, b activity.Outcome) activity.Outcome {
	rank := map[activity.Outcome]int{activity.Attempt: 0, activity.Failure: 1, activity.Success: 2}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

func (a *folded) computer(list *[]detect.Computer, as string, c detect.Computer) {
	if k := as + c.ID(); !a.known[k] && len(*list) < maxListed {
		a.known[k] = true
		*list = append(*list, c)
		return
	}
	for i := range *list {
		if o := &(*list)[i]; o.Name == "" && o.Address == c.Address {
			*o = c // it has become known who that is
		}
	}
}

func (a *folded) account(p detect.Party) {
	if p.Name == "" && p.SID == "" {
		return
	}
	i, ok := a.seen[p.Key]
	switch {
	case !ok && len(a.Alert.Accounts) < maxListed:
		a.seen[p.Key] = len(a.Alert.Accounts)
		a.Alert.Accounts = append(a.Alert.Accounts, p)
	case ok && a.Alert.Accounts[i].Role != detect.Guessed:
		a.Alert.Accounts[i].Role = p.Role
	}
}

// Alerts returns the alerts so far by start and id, with summary and evidence.
func (f *Fold) Alerts() []*Alert {
	all := make([]*Alert, 0, len(f.alerts))
	for _, a := range f.alerts {
		if t := f.finished(a); t != nil {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, compare)
	return all
}

func (f *Fold) finished(a *folded) *Alert {
	if f.OnPanic != nil {
		defer func() {
			if v := recover(); v != nil {
				f.OnPanic("writing an alert of "+a.Alert.Detection, v, debug.Stack())
			}
		}()
	}
	return a.finish(f.defs[a.Alert.Detection])
}

func compare(a, b *Alert) int {
	switch {
	case a.Start < b.Start:
		return -1
	case a.Start > b.Start:
		return 1
	case a.ID < b.ID:
		return -1
	case a.ID > b.ID:
		return 1
	}
	return 0
}

func (a *folded) finish(d *detect.Definition) *Alert {
	t := a.Alert
	// Lists are never null in JSON, and the fold goes on with its own.
	t.ATAIDs, t.Techniques = append([]int{}, t.ATAIDs...), append([]string{}, t.Techniques...)
	t.Sources, t.Targets = append([]detect.Computer{}, t.Sources...), append([]detect.Computer{}, t.Targets...)
	t.Accounts = append([]detect.Party{}, t.Accounts...)
	t.Summary = d.Summary(a.facts())
	for _, n := range a.Numbers {
		t.Evidence = append(t.Evidence, comparison(n))
	}
	for _, s := range a.Notes {
		t.Evidence = append(t.Evidence, Evidence{Kind: Statement, Text: s})
	}
	for _, c := range t.Sources {
		if c.Name != "" && c.Address != "" {
			t.Evidence = append(t.Evidence, Evidence{Kind: Resolution,
				Text: fmt.Sprintf("%s is %s, by %s (certainty %s).", c.Address, c.Name, c.Method, c.Certainty)})
		}
	}
	for _, p := range t.Accounts {
		if p.Method == "ticket" {
			t.Evidence = append(t.Evidence, Evidence{Kind: Resolution,
				Text: fmt.Sprintf("%s is named by the ticket that was presented: it had been issued to that account.", p.Name)})
		}
	}
	if t.Baseline == detect.BaselineNone {
		t.Evidence = append(t.Evidence, Evidence{Kind: Statement, Text: "The rule ran without a learned baseline, at its most sensitive level."})
	}
	t.Evidence = append(t.Evidence,
		Evidence{Kind: Activities, Text: activitiesText(len(a.Activities), t.Count), Activities: slices.Clone(a.Activities)},
		Evidence{Kind: Legitimate, Text: d.Legitimate})
	return &t
}

func activitiesText(listed, count int) string {
	if listed < count {
		return fmt.Sprintf("The first %d of %d activities.", listed, count)
	}
	if listed == 1 {
		return "1 activity."
	}
	return strconv.Itoa(listed) + " activities."
}

func comparison(n detect.Number) Evidence {
	e := Evidence{Kind: Comparison, Value: &n.Value, Seconds: int(n.Window / time.Second)}
	e.Text = fmt.Sprintf("%s: %d", n.Name, n.Value)
	if n.Window > 0 {
		e.Text += " within " + windowText(n.Window)
	}
	if n.Threshold > 0 {
		e.Threshold = &n.Threshold
		e.Text += fmt.Sprintf(" (threshold %d)", n.Threshold)
	}
	return e
}

func windowText(d time.Duration) string {
	switch {
	case d%time.Hour == 0 && d > time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	case d == time.Hour:
		return "an hour"
	case d == time.Minute:
		return "a minute"
	case d%time.Minute == 0:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return d.String()
}

func (a *folded) facts() detect.Facts {
	t := &a.Alert
	f := detect.Facts{
		Source:   label(t.Sources),
		Target:   label(t.Targets),
		Accounts: make(map[detect.Role]int),
		First:    make(map[detect.Role]string),
		Count:    t.Count,
		Outcome:  t.Outcome,
		Numbers:  a.Numbers,
	}
	for _, p := range t.Accounts {
		if f.Accounts[p.Role]++; f.First[p.Role] == "" {
			f.First[p.Role] = p.Name
		}
	}
	return f
}

func label(list []detect.Computer) string {
	if len(list) == 0 {
		return "an unknown computer"
	}
	s := list[0].ID()
	if list[0].Name != "" && list[0].Address != "" {
		s = list[0].Name + " (" + s + ")"
	}
	if n := len(list) - 1; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}
