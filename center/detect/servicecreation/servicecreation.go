// Package servicecreation detects services created on a domain controller that
// look like those which attack tools make.
package servicecreation

import (
	_ "embed"
	"fmt"
	"regexp"
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
	ID:          "service-creation",
	Name:        "Suspicious service creation",
	MDIID:       2026,
	ATAIDs:      []int{2026},
	ATAKeys:     []string{"MaliciousServiceCreation"},
	Severity:    detect.Medium,
	Tactic:      "Execution",
	Techniques:  []string{"T1543.003", "T1569.002", "T1021", "T1059"},
	Consumes:    []activity.Kind{activity.ServiceControl},
	Retain:      100 * 24 * time.Hour,
	Exclusions:  []detect.ExclusionKind{detect.ExcludeAccount, detect.ExcludeComputer, detect.ExcludeAddress},
	Description: "A service was created on a domain controller that looks like those which attack tools make.",
	Needs: []string{
		"Windows events 7045 or 4697 of domain controllers",
		"or calls to the service manager that are not sealed",
	},
	BlindSpots: []string{
		"calls that are sealed, which Windows does by itself, or refused: remote-exec tells of those",
		"a service with an ordinary name that runs a program from an ordinary folder",
		"a service that exists and is given another program",
		"who signed the program, and whether other computers have the service",
		"whether a computer is a domain controller, when nothing shows it: of events the least level tells all the same",
	},
	Legitimate: "An administrator with PsExec, or software whose installer names its helper at random.",
	KeyMeans:   "source address, or account and computer where an event tells of it",
	Tunables: []detect.Tunable{
		{Name: "signs", Unit: "signs", High: 2, Medium: 2, Low: 2, Min: 1, Max: 8,
			Why: "one sign alone, a folder or a command interpreter, is any installer's"},
		{Name: "memory", Unit: "days", High: 100, Medium: 0, Low: 0, Min: 0, Max: 100,
			Why: "a tool of administrators comes back, monthly with patches, or once a quarter"},
	},
	README:  readme,
	Key:     key,
	New:     newDetector,
	Summary: summary,
}

const (
	day = activity.Time(24 * 3600 * 1e9)
	// same is how far events 7045 and 4697 of one service are apart at most.
	same = activity.Time(5 * 1e9)
	// maxKnown bounds the services known of one key: nobody makes as many with
	// names that stay.
	maxKnown = 64
	maxText  = 300
)

// tools are services of tools, by name, and how many signs the name is: some
// are of administrators too.
var tools = map[string]int{
	"psexesvc": 1, "paexec": 1, "csexecsvc": 1, "winexesvc": 1, "remcomsvc": 1,
	"btobto": 2, "mimidrv": 2, "mimikatzsvc": 2,
}

// patterns are signs in what runs. Those of a shape are of attack tools, others
// of installers too.
var patterns = []struct {
	what  string
	shape bool
	re    *regexp.Regexp
}{
	{"runs a command interpreter", false, regexp.MustCompile(`(?i)(^|[\\/"\s&|])(cmd|powershell|pwsh|rundll32|mshta)(\.exe)?($|["\s])|%comspec%`)},
	{"runs what is encoded", true, regexp.MustCompile(`(?i)\s[-/]e(nc|ncodedcommand|c)?\s+["']?[a-z0-9+/]{16}|frombase64string`)},
	{"goes by a share", true, regexp.MustCompile(`(?i)(^|["\s])\\\\[a-z0-9]|admin\$`)},
	{"leaves its output in a file for others", true, regexp.MustCompile(`(?i)__output`)},
	{"runs from a folder for temporary files", false, regexp.MustCompile(`(?i)\\te?mp\\|%te?mp%`)},
	{"runs a batch or temporary file", false, regexp.MustCompile(`(?i)\.(bat|tmp)($|["\s])`)},
	{"runs a program that lies directly in the Windows folder", false, regexp.MustCompile(`(?i)^"?(%systemroot%|%windir%|\\systemroot|[a-z]:\\windows)\\[^\\/\s"]+\.exe`)},
}

// detector remembers the services of one key for a day, so that the two events
// of one are one, and the names that it is known to use: added when one is told
// of, and the one unseen for longest dropped beyond maxKnown.
type detector struct {
	Recent detect.Recent
	Known  map[string]span `json:",omitempty"`
	Told   int
	tuning detect.Tuning
}

// span is when a service was first and last seen.
type span struct{ First, Last activity.Time }

func newDetector(t detect.Tuning) detect.Detector { return &detector{tuning: t} }

func (d *detector) Size() int { return d.Recent.Size() + len(d.Known) }

func key(r *resolve.Resolved) string {
	s := r.Service
	if s.Act != "create" || s.Image == "" || r.Outcome == activity.Failure {
		return ""
	}
	if r.Via != activity.ViaEvent {
		return detect.SourceAddress(r)
	}
	who := r.Account.SID
	if who == "" {
		who = r.Account.Key
	}
	return "account:" + who + "@" + r.Target.Name
}

// signs lists what makes a service suspicious, how much that counts, and whether
// any of it is more than an installer's way.
func signs(s *activity.Service) (list []string, score int, shape bool) {
	if n := tools[names.Fold(s.Name)]; n > 0 {
		list, score, shape = append(list, "has the name that a tool gives it"), n, true
	} else if random(s.Name) || random(program(s.Image)) {
		list, score, shape = append(list, "has a name of letters drawn at random, or its program has"), 1, true
	}
	for _, p := range patterns {
		if p.re.MatchString(s.Image) {
			list, score, shape = append(list, p.what), score+1, shape || p.shape
		}
	}
	return list, score, shape
}

// program is the name of the program that an image path begins with.
func program(image string) string {
	image = strings.TrimPrefix(image, `"`)
	if i := strings.Index(strings.ToLower(image), ".exe"); i >= 0 {
		image = image[:i]
	}
	return image[strings.LastIndexAny(image, `\/`)+1:]
}

// random tells a name of 4 to 8 or 16 letters, as tools draw them, that nobody
// could pronounce or has capitals where no word begins. Shortened words that end
// as services and drivers do are none.
func random(name string) bool {
	if n := len(name); n < 4 || n > 8 && n != 16 {
		return false
	}
	for _, end := range []string{"svc", "srv", "drv", "sys"} {
		if strings.HasSuffix(strings.ToLower(name), end) {
			return false
		}
	}
	capitals, run, longest := 0, 0, 0
	for i := range len(name) {
		c := name[i]
		lower := c | 0x20
		if lower < 'a' || lower > 'z' {
			return false
		}
		if i > 0 && c < 'a' && name[i-1] >= 'a' {
			capitals++
		}
		if run++; strings.IndexByte("aeiouy", lower) >= 0 {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest >= 5 || longest == len(name) || capitals > len(name)/4
}

func (d *detector) Process(r *resolve.Resolved, emit func(detect.Finding)) {
	s := r.Service
	list, score, shape := signs(s)
	remote := r.Via != activity.ViaEvent
	if score < d.tuning.Int("signs") || !shape && !remote {
		return
	}
	// On the wire remote-exec tells of services that a computer of unknown role
	// was given, and what runs.
	if r.Target.DC == "" && (remote || d.tuning.Level != detect.LevelLow) {
		return
	}
	act := detect.ActOf(r, names.Fold(s.Name))
	act.Account.Role = detect.Actor
	i := d.Recent.Add(act, day)
	if i < 0 || !remote && d.twice(i) || d.known(s, r.Time) {
		return
	}
	f := detect.FindingOf(r)
	if !detect.Report(d.Recent.Acts[i:i+1], &f, func(*detect.Act) bool { return true }) {
		return
	}
	f.Outcome = r.Outcome
	switch {
	case r.Account.Name != "":
	case r.Account.SID != "": // all that event 7045 says
		f.Accounts[0].Name, f.Accounts[0].Key = r.Account.SID, names.Fold(r.Account.SID)
	default:
		f.Accounts = nil
	}
	d.Told++
	f.Numbers = []detect.Number{
		{Name: "signs of an attack tool in one service", Value: score, Threshold: d.tuning.Int("signs")},
		{Name: "such services", Value: d.Told},
	}
	f.Notes = []string{describe(s), "It " + strings.Join(list, "; it ") + "."}
	if r.Target.DC == "" {
		f.Certainty = resolve.Low
		f.Notes = append(f.Notes, "Nothing seen shows whether "+r.Target.Label()+" is a domain controller.")
	}
	emit(f)
}

// twice tells that the act at i is another event of a service already seen.
func (d *detector) twice(i int) bool {
	acts := d.Recent.Acts
	for j := range acts {
		if j != i && acts[j].Key == acts[i].Key && acts[j].At >= acts[i].At-same && acts[j].At <= acts[i].At+same {
			return true
		}
	}
	return false
}

// known tells that a service of this name was seen for longer than a day, and
// remembers that it was. Names drawn at random are nobody's habit.
func (d *detector) known(s *activity.Service, at activity.Time) bool {
	memory := activity.Time(d.tuning.Int("memory")) * day
	if memory == 0 || random(s.Name) {
		return false
	}
	if d.Known == nil {
		d.Known = make(map[string]span)
	}
	k := names.Fold(s.Name) + "\n" + describe(s)
	v, ok := d.Known[k]
	if !ok || at-v.Last > memory {
		v = span{at, at}
	}
	v.First, v.Last = min(v.First, at), max(v.Last, at)
	d.Known[k] = v
	if len(d.Known) > maxKnown {
		oldest := k
		for x, y := range d.Known {
			if o := d.Known[oldest]; y.Last < o.Last || y.Last == o.Last && x < oldest {
				oldest = x
			}
		}
		delete(d.Known, oldest)
	}
	return at-v.First > day
}

func describe(s *activity.Service) string {
	image := s.Image
	if len(image) > maxText {
		image = strings.ToValidUTF8(image[:maxText], "") + "…"
	}
	text := fmt.Sprintf("Service %s: %s", s.Name, image)
	if s.RunAs != "" {
		text += ", as " + s.RunAs
	}
	return text + "."
}

func summary(f detect.Facts) string {
	who := f.First[detect.Actor]
	switch events := f.Source == (resolve.Host{}).Label(); {
	case who == "":
		who = f.Source
	case !events:
		who = f.Source + " as " + who
	}
	what := "a service that looks"
	if f.Count > 1 {
		what = fmt.Sprintf("%d services that look", f.Count)
	}
	return fmt.Sprintf("%s created %s like an attack tool's on %s.", who, what, f.Target)
}
