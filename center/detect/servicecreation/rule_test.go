package servicecreation_test

import (
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/detect/servicecreation"
	"github.com/verderer/verderer/center/resolve"
)

type acts = []*resolve.Resolved

const days = 24 * 3600

func wire(at float64, name, image string) *resolve.Resolved {
	r := detecttest.Resolved(activity.ServiceControl, at)
	r.Account = detecttest.Account("ann")
	r.Service = &activity.Service{Act: "create", Name: name, Image: image}
	return r
}

func event(at float64, name, image string) *resolve.Resolved {
	r := wire(at, name, image)
	r.Via, r.Account.SID = activity.ViaEvent, "S-1-5-21-1-2-3-1105"
	r.Source, r.Target = resolve.Host{}, resolve.Host{Name: "dc1", DC: "listed in the directory"}
	return r
}

func TestRule(t *testing.T) {
	const psexec = `%SystemRoot%\PSEXESVC.exe`
	refused := wire(0, "PSEXESVC", psexec)
	refused.Outcome = activity.Failure
	changed := wire(0, "PSEXESVC", psexec)
	changed.Service.Act = "change"
	member := event(0, "PSEXESVC", psexec)
	member.Target.DC = ""
	memberHigher := event(0, "PSEXESVC", psexec)
	memberHigher.Target.DC = ""
	memberWire := wire(0, "PSEXESVC", psexec)
	memberWire.Target.DC = ""
	high := detect.LevelHigh

	detecttest.Rules(t, servicecreation.Definition, []detecttest.Rule{
		{Name: "PsExec", Acts: acts{wire(0, "PSEXESVC", psexec)}, Count: 1},
		{Name: "PsExec by event", Acts: acts{event(0, "PSEXESVC", psexec)}, Count: 1},
		{Name: "from another folder", Acts: acts{wire(0, "PSEXESVC", `C:\Tools\psexesvc.exe`)}},
		{Name: "refused", Acts: acts{refused}},
		{Name: "unreadable", Acts: acts{wire(0, "", "")}},
		{Name: "changed", Acts: acts{changed}},
		{Name: "a driver of attack tools", Acts: acts{event(0, "mimidrv", `C:\Tools\mimidrv.sys`)}, Count: 1},
		{Name: "random", Acts: acts{event(0, "kqzvwxtr", `C:\Tools\a.exe`)}},
		{Name: "random, in the Windows folder", Acts: acts{event(0, "kqzvwxtr", `%systemroot%\a.exe`)}, Count: 1},
		{Name: "of a random program", Acts: acts{event(0, "Backup", `"C:\Windows\dgszhIls.exe" -s`)}, Count: 1},
		{Name: "capitals", Acts: acts{event(0, "bAfEdOkI", `C:\Windows\a.exe`)}, Count: 1},
		{Name: "words", Acts: acts{event(0, "EdrAgent", `C:\Windows\EdrAgent.exe`)}},
		{Name: "abbreviation", Acts: acts{event(0, "wscntsvc", `C:\Windows\wscntsvc.exe`)}},
		{Name: "too short", Acts: acts{event(0, "kqz", `C:\Windows\a.exe`)}},
		{Name: "of nine letters", Acts: acts{event(0, "kqzvwxtrp", `C:\Windows\a.exe`)}},
		{Name: "of sixteen", Acts: acts{event(0, "kqzvwxtrplkjhgfd", `C:\Windows\a.exe`)}, Count: 1},
		{Name: "deeper in the Windows folder", Acts: acts{event(0, "kqzvwxtr", `C:\Windows\System32\a.exe`)}},
		{Name: "interpreter", Acts: acts{event(0, "spoolfool", "cmd.exe")}},
		{Name: "encoded", Acts: acts{event(0, "Updater", `%COMSPEC% /b /c powershell -noP -enc SQBmACgAJABQAFMAVgBl`)}, Count: 1},
		{Name: "output left", Acts: acts{event(0, "Agent", `%COMSPEC% /Q /c whoami ^> \\127.0.0.1\C$\__output`)}, Count: 1},
		{Name: "batch in Temp, locally", Acts: acts{event(0, "Agent", `C:\Windows\Temp\update.bat`)}},
		{Name: "batch in Temp, from elsewhere", Acts: acts{wire(0, "Agent", `C:\Windows\Temp\update.bat`)}, Count: 1},
		{Name: "random, from a share", Acts: acts{event(0, "kqzvwxtr", `\\DC1\sysvol\a.exe`)}, Count: 1},
		{Name: "random, by a device path", Acts: acts{event(0, "kqzvwxtr", `\\?\C:\Tools\a.exe`)}},
		{Name: "two events of one", Acts: acts{event(0, "PSEXESVC", psexec), event(5, "PSEXESVC", psexec)}, Count: 1},
		{Name: "of two", Acts: acts{event(0, "PSEXESVC", psexec), event(5.001, "PSEXESVC", psexec)}, Count: 2},
		{Name: "not known as a domain controller", Acts: acts{member}, Count: 1},
		{Name: "the same at a higher level", Level: detect.LevelMedium, Acts: acts{memberHigher}},
		{Name: "nor on the wire", Acts: acts{memberWire}},
		{Name: "within a day", Level: high, Acts: acts{wire(0, "PSEXESVC", psexec), wire(days, "PSEXESVC", psexec)}, Count: 2},
		{Name: "a day later", Level: high, Acts: acts{wire(0, "PSEXESVC", psexec), wire(days+1, "PSEXESVC", psexec)}, Count: 1},
		{Name: "a hundred days later", Level: high, Acts: acts{wire(0, "PSEXESVC", psexec), wire(100*days, "PSEXESVC", psexec)}, Count: 1},
		{Name: "later", Level: high, Acts: acts{wire(0, "PSEXESVC", psexec), wire(100*days+1, "PSEXESVC", psexec)}, Count: 2},
		{Name: "a random one again", Level: high, Acts: acts{event(0, "kqzvwxtr", `C:\Windows\a.exe`), event(2*days, "kqzvwxtr", `C:\Windows\a.exe`)}, Count: 2},
	})
}
