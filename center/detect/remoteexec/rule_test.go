package remoteexec_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/detect/remoteexec"
	"github.com/verderer/verderer/center/resolve"
)

type acts = []*resolve.Resolved

const days = 24 * 3600

func resolved(kind activity.Kind, at float64) *resolve.Resolved {
	r := detecttest.Resolved(kind, at)
	r.Account = detecttest.Account("ann")
	return r
}

func service(at float64, act, name string) *resolve.Resolved {
	r := resolved(activity.ServiceControl, at)
	r.Service = &activity.Service{Call: &activity.RPC{Interface: "svcctl"}, Act: act, Name: name}
	return r
}

func task(at float64, act, face string) *resolve.Resolved {
	r := resolved(activity.TaskScheduling, at)
	r.Task = &activity.Task{Call: &activity.RPC{Interface: face}, Act: act}
	return r
}

func wmi(at float64, operation, class string) *resolve.Resolved {
	r := resolved(activity.WMIExecution, at)
	r.Execution = &activity.Execution{Call: &activity.RPC{Interface: "IWbemServices", Operation: operation}, Class: class}
	return r
}

func pipe(at float64, path string) *resolve.Resolved {
	r := resolved(activity.SMBFile, at)
	r.SMB = &activity.SMB{ShareType: "pipe", Path: path}
	return r
}

func refused(r *resolve.Resolved) *resolve.Resolved {
	r.Outcome = activity.Failure
	return r
}

// event makes of an activity what a domain controller's log says of it.
func event(r *resolve.Resolved, who string) *resolve.Resolved {
	r.Via, r.Account = activity.ViaEvent, detecttest.Account(who)
	r.Account.SID = "S-1-5-21-1-2-3-" + fmt.Sprint(1000+len(who))
	r.Target = resolve.Host{Name: "dc1", DC: "listed in the directory"}
	if r.SMB == nil {
		r.Source = resolve.Host{}
	}
	return r
}

func failedEvent(machine, class, method string) *resolve.Resolved {
	r := event(wmi(0, "", class), "ann")
	r.Execution.Call, r.Execution.Method, r.Source = nil, method, resolve.Host{Name: machine}
	return refused(r)
}

func elsewhere(r *resolve.Resolved) *resolve.Resolved {
	r.Target.DC = ""
	return r
}

func run(at float64) acts {
	return acts{service(at, "create", "x"), service(at+1, "start", "x")}
}

func TestRule(t *testing.T) {
	exists := refused(service(0, "create", "x"))
	exists.Service.Call.Status = 1073
	changed := service(0, "change", "x")
	changed.Service.Image = `C:\x.exe`
	system := acts{event(pipe(0, "svcctl"), "system"), event(service(1, "create", "x"), "system")}
	for _, r := range system {
		r.Account.SID = "S-1-5-18"
	}
	nobody := refused(pipe(0, "atsvc"))
	nobody.SMB.Null = true
	shell := resolved(activity.PowerShell, 0)
	shell.Execution = &activity.Execution{Method: "Get-Process"}
	local := event(resolved(activity.PowerShell, 0), "ann")
	local.Execution = &activity.Execution{Method: "Get-Process"}
	unanswered := run(0)
	unanswered[1].Outcome = activity.Attempt
	other := run(0)
	other[1].Target.Addr = other[1].Target.Addr.Next()
	high := detect.LevelHigh

	detecttest.Rules(t, remoteexec.Definition, []detecttest.Rule{
		{Name: "created and started", Acts: run(0), Count: 2},
		{Name: "started, unanswered", Acts: unanswered, Count: 2},
		{Name: "created", Acts: acts{service(0, "create", "x")}},
		{Name: "started", Acts: acts{service(0, "start", "x")}},
		{Name: "start refused", Acts: acts{service(0, "create", "x"), refused(service(1, "start", "x"))}},
		{Name: "another started", Acts: acts{service(0, "create", "x"), service(1, "start", "y")}},
		{Name: "on another", Acts: other},
		{Name: "names unreadable", Acts: acts{service(0, "create", ""), service(1, "start", "")}, Count: 2},
		{Name: "started before", Acts: acts{service(0, "start", "x"), service(1, "create", "x")}},
		{Name: "told late", Acts: acts{service(1, "start", "x"), service(0, "create", "x")}, Count: 2},
		{Name: "ten minutes later", Acts: acts{service(0, "create", "x"), service(600, "start", "x")}, Count: 2},
		{Name: "more than that", Acts: acts{service(0, "create", "x"), service(600.001, "start", "x")}},
		{Name: "refused", Acts: acts{refused(service(0, "create", "x"))}, Count: 1},
		{Name: "exists", Acts: acts{exists}},
		{Name: "exists and started", Acts: acts{exists, service(1, "start", "x")}, Count: 2},
		{Name: "changed and started", Acts: acts{service(0, "change", "x"), service(1, "start", "x")}},
		{Name: "changed to another image and started", Acts: acts{changed, service(1, "start", "x")}, Count: 2},
		{Name: "task registered", Acts: acts{task(0, "create", "tsch")}},
		{Name: "task registered and run", Acts: acts{task(0, "create", "tsch"), task(1, "run", "tsch")}, Count: 2},
		{Name: "service created, task run", Acts: acts{service(0, "create", ""), task(1, "run", "tsch")}},
		{Name: "task refused", Acts: acts{refused(task(0, "create", "tsch"))}, Count: 1},
		{Name: "task by at", Acts: acts{task(0, "create", "atsvc")}, Count: 1},
		{Name: "pipe opened", Acts: acts{pipe(0, "svcctl"), pipe(1, "atsvc")}},
		{Name: "pipe refused", Acts: acts{refused(pipe(0, "svcctl")), refused(pipe(1, `\atsvc`))}, Count: 1},
		{Name: "pipe refused to nobody", Acts: acts{nobody}},
		{Name: "another pipe refused", Acts: acts{refused(pipe(0, "spoolss"))}},
		{Name: "WMI logon", Acts: acts{wmi(0, "RemoteCreateInstance", "")}},
		{Name: "WMI method", Acts: acts{wmi(0, "ExecMethodAsync", "Win32_Process")}, Count: 1},
		{Name: "WMI method, sealed", Acts: acts{wmi(0, "ExecMethod", "")}, Count: 1},
		{Name: "WMI inventory", Acts: acts{wmi(0, "ExecMethod", "StdRegProv")}},
		{Name: "WMI event", Acts: acts{failedEvent("ws1", "Win32_Process", "Create")}, Count: 1},
		{Name: "WMI event of its own computer", Acts: acts{failedEvent("dc1.lab.example", "Win32_Process", "Create")}},
		{Name: "WMI event of a query", Acts: acts{failedEvent("ws1", "", "ExecQuery")}},
		{Name: "PowerShell from elsewhere", Acts: acts{shell}, Count: 1},
		{Name: "PowerShell", Acts: acts{local}},
		{Name: "event of a service", Acts: acts{event(service(0, "create", "x"), "ann")}},
		{Name: "events of pipe and service", Acts: acts{event(pipe(0, "svcctl"), "ann"), event(service(600, "create", "x"), "ann")}, Count: 2},
		{Name: "after more than ten minutes", Acts: acts{event(pipe(0, "svcctl"), "ann"), event(service(600.001, "create", "x"), "ann")}},
		{Name: "of two accounts", Acts: acts{event(pipe(0, "svcctl"), "ann"), event(service(1, "create", "x"), "robert")}},
		{Name: "of the other pipe", Acts: acts{event(pipe(0, "svcctl"), "ann"), event(task(1, "create", ""), "ann")}},
		{Name: "of the system", Acts: system},
		{Name: "not known as a domain controller", Acts: acts{elsewhere(wmi(0, "ExecMethod", ""))}, Count: 1},
		{Name: "the same at a higher level", Level: detect.LevelMedium, Acts: acts{elsewhere(wmi(0, "ExecMethod", ""))}},
		{Name: "within a day", Level: high, Acts: detecttest.Join(run(0), run(days)), Count: 4},
		{Name: "a day later", Level: high, Acts: detecttest.Join(run(0), run(days+1)), Count: 2},
		{Name: "a day later at a lower level", Level: detect.LevelMedium, Acts: detecttest.Join(run(0), run(days+1)), Count: 4},
		{Name: "a hundred days later", Level: high, Acts: detecttest.Join(run(0), run(100*days)), Count: 2},
		{Name: "later", Level: high, Acts: detecttest.Join(run(0), run(100*days+1)), Count: 4},
		{Name: "another way later", Level: high, Acts: append(run(0), wmi(2*days, "ExecMethod", "")), Count: 3},
		{Name: "run after it was refused", Level: high, Acts: append(acts{refused(service(0, "create", "x"))}, run(2*days)...), Count: 3},
	})
}

func TestKnownIsBounded(t *testing.T) {
	d := remoteexec.Definition.New(remoteexec.Definition.Tune(detect.LevelHigh))
	for i := range 300 {
		r := wmi(float64(i), "ExecMethod", "")
		r.Account = detecttest.Account(fmt.Sprintf("ann%d", i))
		r.ID[0], r.ID[1] = byte(i>>8), byte(i)
		d.Process(r, func(detect.Finding) {})
	}
	if n := d.Size(); n != 300+256 {
		t.Errorf("remembers %d acts and accounts, want 300 and 256", n)
	}
}

func TestLongCommand(t *testing.T) {
	r := wmi(0, "ExecMethod", "Win32_Process")
	r.Execution.Command = strings.Repeat("ä", 1000)
	for _, f := range detecttest.Play(remoteexec.Definition, detect.LevelLow, acts{r}) {
		if len(f.Notes[0]) > 310 || !strings.HasSuffix(f.Notes[0], "ä….") {
			t.Errorf("note of %d bytes: %q", len(f.Notes[0]), f.Notes[0])
		}
	}
}
