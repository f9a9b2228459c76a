// Package remoteexec detects code that was run, or was to be run, on a domain
// controller from elsewhere: by a service, a scheduled task, WMI or PowerShell.
package remoteexec

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/resolve"
	"github.com/verderer/verderer/names"
)

//go:embed README.md
var readme string

// Definition of the detection.
var Definition = detect.Definition{
	ID:         "remote-exec",
	Name:       "Remote code execution attempt",
	MDIID:      2019,
	ATAIDs:     []int{2019},
	ATAKeys:    []string{"RemoteExecution"},
	Severity:   detect.Medium,
	Tactic:     "Execution",
	Techniques: []string{"T1021", "T1021.006", "T1059.001", "T1047", "T1569.002", "T1053"},
	Consumes: []activity.Kind{activity.ServiceControl, activity.TaskScheduling, activity.WMIExecution,
		activity.PowerShell, activity.SMBFile},
	Retain:      100 * 24 * time.Hour,
	Exclusions:  []detect.ExclusionKind{detect.ExcludeAccount, detect.ExcludeComputer, detect.ExcludeAddress},
	Description: "A computer ran code on a domain controller, or tried to: by a service, a scheduled task, WMI or PowerShell.",
	Needs: []string{
		"DCE/RPC calls to the service manager, the task scheduler or WMI",
		"or Windows events 7045, 4697 or 4698 of domain controllers, with event 5145 of the same account on the pipe that they came by",
	},
	BlindSpots: []string{
		"a service that is created and starts later, with the computer, and a task that waits for its time",
		"a service that exists and is only started, or, where calls are sealed, changed before",
		"SMB sessions that encrypt, when no event tells of them either",
		"services and tasks made over TCP, when only events are read: event 5145 tells of pipes",
		"PowerShell: its events do not say where from",
		"a service manager that refuses to be opened: who asks what runs opens it too",
		"whether a computer in a file is a domain controller, when nothing in the file shows it: the least level tells of any, others of known ones only",
		"which WMI method was run, when calls are sealed: any counts then",
	},
	Legitimate: "An administrator's tools, software distribution, backup agents and scanners that log on.",
	KeyMeans:   "source address, or account and computer where only events tell of it",
	Tunables: []detect.Tunable{
		{Name: "window", Unit: "seconds", High: 600, Medium: 600, Low: 600, Min: 10, Max: 86_400,
			Why: "tools start at once what they have just made"},
		{Name: "memory", Unit: "days", High: 100, Medium: 0, Low: 0, Min: 0, Max: 100,
			Why: "who manages servers that way does so again: monthly with patches, or once a quarter"},
	},
	README:  readme,
	Key:     key,
	New:     newDetector,
	Summary: summary,
}

// The ways of running code.
const (
	byService uint16 = iota + 1
	byTask
	byWMI
	byPowerShell
)

var ways = [...]string{byService: "a service", byTask: "a scheduled task", byWMI: "WMI", byPowerShell: "PowerShell"}

// bits of an act
const (
	first   = 1 << iota // made something that a second act runs; of events, opened the pipe
	second              // ran it; of events, made it
	alone               // needs no other
	refused             //
	done                // succeeded, as the answer says
)

const (
	day = activity.Time(24 * 3600 * 1e9)
	// maxKnown bounds what is known of one source: a jump host has dozens of
	// administrators, with four ways each.
	maxKnown = 256
	// maxText caps what is kept of a command.
	maxText = 300
	// serviceExists is ERROR_SERVICE_EXISTS: tools then start the one there is.
	serviceExists = 1073
	localSystem   = "S-1-5-18"
)

// runs are the WMI classes whose methods run something; inventories call those
// of others (StdRegProv) all day.
var runs = map[string]bool{
	"win32_process": true, "win32_product": true, "win32_service": true, "win32_baseservice": true,
	"win32_scheduledjob": true, "ps_scheduledtask": true,
}

// detector remembers the acts of one source. Process adds them, and Recent drops
// them after a day. Known has the ways of running code that the source was seen
// to use, by account: added when one is told of, dropped after the memory, and
// the one unseen for longest beyond maxKnown.
type detector struct {
	Recent detect.Recent
	Known  map[string]span `json:",omitempty"`
	Told   map[string]int  `json:",omitempty"` // by what a finding's number says, of which there are eight
	tuning detect.Tuning
}

// span is when something was first and last seen.
type span struct{ First, Last activity.Time }

func newDetector(t detect.Tuning) detect.Detector { return &detector{tuning: t} }

func (d *detector) Size() int { return d.Recent.Size() + len(d.Known) }

func key(r *resolve.Resolved) string {
	if way, bits, _ := reads(r); way == 0 || bits == 0 {
		return ""
	}
	if r.Via != activity.ViaEvent || r.Kind == activity.WMIExecution || r.Kind == activity.PowerShell {
		return detect.SourceAddress(r)
	}
	who := r.Account.SID
	if who == "" {
		who = r.Account.Key
	}
	if who == "" || who == localSystem || r.Source.Addr.IsLoopback() {
		return ""
	}
	return "account:" + who + "@" + r.Target.Name
}

// reads tells which way of running code the activity belongs to, what it is in
// it, and what it is about: a name, and after a line's end more for people.
func reads(r *resolve.Resolved) (way uint16, bits uint32, about string) {
	event := r.Via == activity.ViaEvent
	switch r.Outcome {
	case activity.Success:
		bits = done
	case activity.Failure:
		bits = refused
	}
	switch r.Kind {
	case activity.SMBFile:
		return pipe(r, event, bits)
	case activity.ServiceControl:
		s := r.Service
		about = names.Fold(s.Name) + "\n" + text("Service", s.Name, s.Image, s.RunAs)
		if s.Call != nil && s.Call.Status == serviceExists {
			bits &^= refused
		}
		switch {
		case event && s.Act == "create", !event && s.Act == "start" && bits&refused == 0:
			return byService, bits | second, about
		case !event && (s.Act == "create" || s.Act == "change" && s.Image != ""):
			return byService, bits | first, about
		}
	case activity.TaskScheduling:
		t := r.Task
		about = names.Fold(t.Path) + "\n" + text("Task", t.Path, t.Action, t.RunAs)
		switch {
		case event && t.Act == "create", !event && t.Act == "run" && bits&refused == 0:
			return byTask, bits | second, about
		case !event && t.Call != nil && t.Call.Interface == "atsvc": // it has a time to run at
			return byTask, bits | alone, about
		case !event && t.Act != "run":
			return byTask, bits | first, about
		}
	case activity.WMIExecution:
		e := r.Execution
		if event && (e.Class == "" || e.Method == "" || ownName(r)) ||
			!event && (e.Call == nil || !strings.HasPrefix(e.Call.Operation, "ExecMethod")) ||
			e.Class != "" && !runs[names.Fold(e.Class)] {
			return 0, 0, ""
		}
		return byWMI, bits | alone, "\n" + text("Method", strings.Trim(e.Class+"."+e.Method, "."), e.Command, "")
	case activity.PowerShell:
		if r.Source.Known() {
			return byPowerShell, bits | alone, "\n" + text("Commands", r.Execution.Method, r.Execution.Command, "")
		}
	}
	return 0, 0, ""
}

// pipe reads the opening of a pipe: on the wire the calls tell the rest, unless
// it is refused; events tell who came by it, and from where.
func pipe(r *resolve.Resolved, event bool, bits uint32) (way uint16, _ uint32, about string) {
	if r.SMB.ShareType == "disk" {
		return 0, 0, ""
	}
	switch strings.TrimPrefix(names.Fold(r.SMB.Path), `\`) {
	case "svcctl":
		way = byService
	case "atsvc":
		way = byTask
	default:
		return 0, 0, ""
	}
	switch {
	case bits&refused != 0: // the service manager is also asked what runs, the old scheduler hardly for anything but tasks
		if way != byTask || r.SMB.Null {
			return 0, 0, ""
		}
		bits |= alone
	case event:
		bits |= first
	default:
		return 0, 0, ""
	}
	if r.Source.Known() {
		about = detect.ComputerOf(r.Source).ID()
	}
	return way, bits, about + "\nPipe " + r.SMB.Path + "."
}

// ownName tells that an event names its own computer, with or without domain.
func ownName(r *resolve.Resolved) bool {
	s, _, _ := strings.Cut(r.Source.Name, ".")
	t, _, _ := strings.Cut(r.Target.Name, ".")
	return s == t
}

func text(what, name, command, as string) string {
	if name == "" && command == "" {
		return what + ": not readable."
	}
	if name != "" {
		what += " " + name
	}
	if command != "" {
		what += ": " + command
	}
	if len(what) > maxText {
		what = strings.ToValidUTF8(what[:maxText], "") + "…"
	}
	if as != "" {
		what += ", as " + as
	}
	return what + "."
}

func (d *detector) Process(r *resolve.Resolved, emit func(detect.Finding)) {
	if d.tuning.Level != detect.LevelLow && r.Target.DC == "" {
		return
	}
	way, bits, about := reads(r)
	act := detect.ActOf(r, about)
	act.Bits, act.Tag = bits, way
	act.Account.Role = detect.Actor
	i := d.Recent.Add(act, day)
	if i < 0 {
		return
	}
	from, to := d.pair(i)
	switch {
	case from >= 0:
	case bits&alone != 0, bits&(first|refused) == first|refused:
		from, to = i, i
	default:
		return
	}
	d.report(r, from, to, emit)
}

// pair finds the nearest act that makes a pair with the one at i: what was made
// before it ran.
func (d *detector) pair(i int) (from, to int) {
	var (
		acts   = d.Recent.Acts
		window = activity.Time(d.tuning.Seconds("window"))
	)
	if acts[i].Bits&second != 0 {
		for j := i - 1; j >= 0 && acts[j].At >= acts[i].At-window; j-- {
			if pairs(&acts[j], &acts[i]) {
				return j, i
			}
		}
	}
	if acts[i].Bits&first != 0 { // the other came first though it happened later
		for j := i + 1; j < len(acts) && acts[j].At <= acts[i].At+window; j++ {
			if pairs(&acts[i], &acts[j]) {
				return i, j
			}
		}
	}
	return -1, -1
}

func pairs(a, b *detect.Act) bool {
	if a.Bits&first == 0 || a.Bits&refused != 0 || b.Bits&second == 0 || a.Tag != b.Tag || a.Target.ID() != b.Target.ID() {
		return false
	}
	made, _, _ := strings.Cut(a.Key, "\n")
	ran, _, _ := strings.Cut(b.Key, "\n")
	return byPipe(a) || made == "" || ran == "" || made == ran
}

// byPipe tells that an act is the opening of a pipe, whose key says where from.
func byPipe(a *detect.Act) bool { return strings.Contains(a.Key, "\nPipe ") }

func (d *detector) report(r *resolve.Resolved, from, to int, emit func(detect.Finding)) {
	var (
		acts = d.Recent.Acts
		a, b = &acts[from], &acts[to]
		f    = detect.FindingOf(r)
	)
	f.Outcome = activity.Attempt
	if b.Bits&done != 0 {
		f.Outcome = activity.Success
	} else if b.Bits&refused != 0 {
		f.Outcome = activity.Failure
	}
	if d.known(a, f.Outcome) {
		return
	}
	if !detect.Report(acts[from:to+1], &f, func(x *detect.Act) bool { return x == a || x == b }) {
		return
	}
	f.Accounts = slices.DeleteFunc(f.Accounts, func(p detect.Party) bool { return p.Key == "" })
	n := detect.Number{Name: "times code was run by " + ways[a.Tag], Threshold: 1}
	if f.Outcome != activity.Success {
		n.Name = "attempts to run code by " + ways[a.Tag]
	}
	if d.Told == nil {
		d.Told = make(map[string]int)
	}
	d.Told[n.Name]++
	n.Value = d.Told[n.Name]
	if from != to {
		n.Window = d.tuning.Seconds("window")
	}
	f.Numbers = []detect.Number{n}
	for _, x := range []*detect.Act{a, b} {
		if _, note, _ := strings.Cut(x.Key, "\n"); !slices.Contains(f.Notes, note) {
			f.Notes = append(f.Notes, note)
		}
	}
	if where, _, _ := strings.Cut(a.Key, "\n"); byPipe(a) && where != "" && len(f.Sources) == 0 {
		f.Sources = []detect.Computer{{Address: where}}
		f.Notes = append(f.Notes, "That it came from "+where+" is inferred: the same account opened the pipe from there shortly before.")
	}
	if r.Target.DC == "" {
		f.Certainty = resolve.Low
		f.Notes = append(f.Notes, "Nothing seen shows whether "+r.Target.Label()+" is a domain controller.")
	}
	emit(f)
}

// known tells that the source was seen for longer than a day to run code that
// way, with that account, and remembers that it does. What was refused excuses
// nothing but being refused again.
func (d *detector) known(a *detect.Act, o activity.Outcome) bool {
	memory := activity.Time(d.tuning.Int("memory")) * day
	if memory == 0 {
		return false
	}
	if d.Known == nil {
		d.Known = make(map[string]span)
	}
	k := fmt.Sprintf("%d %t %s", a.Tag, o == activity.Failure, a.Account.Key)
	s, ok := d.Known[k]
	if !ok || a.At-s.Last > memory {
		s = span{a.At, a.At}
	}
	s.First, s.Last = min(s.First, a.At), max(s.Last, a.At)
	d.Known[k] = s
	if len(d.Known) > maxKnown {
		oldest := k
		for x, y := range d.Known {
			if y.Last < d.Known[oldest].Last || y.Last == d.Known[oldest].Last && x < oldest {
				oldest = x
			}
		}
		delete(d.Known, oldest)
	}
	return a.At-s.First > day
}

func summary(f detect.Facts) string {
	who := f.Source
	if name := f.First[detect.Actor]; name != "" {
		who += " as " + name
	}
	how := make([]string, 0, len(f.Numbers))
	for _, n := range f.Numbers {
		if _, way, ok := strings.Cut(n.Name, " by "); ok && !slices.Contains(how, way) {
			how = append(how, way)
		}
	}
	verb := "ran code"
	switch f.Outcome {
	case activity.Failure:
		verb = "tried, and failed, to run code"
	case activity.Attempt:
		verb = "tried to run code"
	}
	return fmt.Sprintf("%s %s on %s by %s.", who, verb, f.Target, strings.Join(how, " and "))
}
