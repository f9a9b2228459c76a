package winevent

import (
	"slices"
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
)

// service reads events 7045 of the System log and 4697 of the security log: a
// service was installed. Both stand for one installation.
func service(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	a := event(x, activity.ServiceControl, now, f)
	s := &activity.Service{Act: "create", Name: f.text("ServiceName")}
	a.Service = s
	if f.ID == 7045 {
		a.Account.SID = sid(f.User) // AccountName is the service's, whoever states it
		s.Image, s.RunAs = f.text("ImagePath"), f.text("AccountName")
		s.Type, s.Start = words(serviceTypes, f.text("ServiceType")), words(startTypes, f.text("StartType"))
	} else {
		a.Account = f.subject()
		s.Image, s.RunAs = f.text("ServiceFileName"), f.text("ServiceAccount")
		n, ok := f.numbers("ServiceType", "ServiceStartType")
		if !ok {
			x.Count(badNumber, 1)
			return nil
		}
		s.Type, s.Start = n[0], n[1]
	}
	if s.Name == "" {
		x.Count(noObject, 1)
		return nil
	}
	return a
}

// What event 7045 says in words, in English whatever the language of Windows,
// and what MS-SCMR §3.1.4.12 has for it. Numbers come from collectors.
var (
	serviceTypes = map[string]uint32{"kernel mode driver": 1, "file system driver": 2, "user mode service": 0x10}
	startTypes   = map[string]uint32{"boot start": 0, "system start": 1, "auto start": 2, "demand start": 3, "disabled": 4}
)

func words(list map[string]uint32, s string) uint32 {
	if n, ok := list[strings.ToLower(s)]; ok {
		return n
	}
	n, _ := parse(s, 32)
	return uint32(n)
}

// task reads events 4698 and 4702: a scheduled task was registered or changed.
func task(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	a := event(x, activity.TaskScheduling, now, f)
	a.Account = f.subject()
	t := &activity.Task{Act: "create", Path: f.text("TaskName")}
	content := "TaskContent"
	if f.ID == 4702 {
		t.Act, content = "change", "TaskContentNew"
	}
	if t.Path == "" {
		x.Count(noObject, 1)
		return nil
	}
	a.Task = t
	var command, arguments, class string
	ok := elements(f.Get(content), func(path []string, text string) {
		within := func(name string) bool { return slices.Contains(path, name) }
		switch last := path[len(path)-1]; {
		case last == "Command" && within("Exec") && command == "":
			command = text
		case last == "Arguments" && within("Exec") && arguments == "":
			arguments = text
		case last == "ClassId" && within("ComHandler") && class == "":
			class = text
		case (last == "UserId" || last == "GroupId") && within("Principal") && t.RunAs == "":
			t.RunAs = activity.Cut(text)
		case last == "Hidden" && within("Settings"):
			t.Hidden = strings.EqualFold(text, "true") || text == "1"
		}
	})
	if !ok {
		x.Count(badXML, 1) // that there is a task is known all the same
	}
	if t.Action = strings.TrimSpace(command + " " + arguments); t.Action == "" {
		t.Action = class
	}
	t.Action = activity.Cut(t.Action)
	return a
}

// share reads events 5140 and 5145: a share, or a file in one, was asked for.
// Event 5145 comes for each access check and so several times for one file.
func share(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	mask, ok := f.number("AccessMask")
	if !ok {
		x.Count(badNumber, 1)
		return nil
	}
	s := &activity.SMB{Share: f.text("ShareName"), Path: f.text("RelativeTargetName"), Access: mask}
	if s.Share == "" {
		x.Count(noObject, 1)
		return nil
	}
	kind := activity.SMBTree
	if f.ID == 5145 {
		kind = activity.SMBFile
	}
	a := event(x, kind, now, f)
	a.Protocol = activity.ProtoSMB
	a.Account = f.subject()
	a.Source = f.source("")
	a.SMB = s
	if strings.HasSuffix(strings.ToUpper(s.Share), `\IPC$`) {
		s.ShareType = "pipe"
	} else if f.text("ObjectType") == "File" {
		s.ShareType = "disk"
	}
	if a.Outcome == activity.Failure { // a refusal is all that these events know
		s.Status = 0xc0000022
		a.Error = activity.StatusName(s.Status)
	}
	return a
}

// maxCmdlets caps the names in Execution.Method.
const maxCmdlets = 32

// powerShell reads events 4103 and 4104: commands that ran, and the text of a
// script, in parts of 16 KiB or so, each an event.
func powerShell(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	a := event(x, activity.PowerShell, now, f)
	a.Account = f.user()
	e := &activity.Execution{}
	a.Execution = e
	if f.ID == 4104 {
		e.Command = f.text("ScriptBlockText")
	} else {
		e.Command = f.text("Payload")
		e.Method = cmdlets(f.Get("Payload"))
	}
	if e.Command == "" {
		x.Count(noObject, 1)
		return nil
	}
	return a
}

// cmdlets lists what stands in CommandInvocation(…), once each.
func cmdlets(payload string) string {
	var list []string
	for line := range strings.Lines(payload) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "CommandInvocation(")
		name, _, ok2 := strings.Cut(rest, ")")
		if ok && ok2 && len(list) < maxCmdlets && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return activity.Cut(strings.Join(list, ", "))
}

// wmi reads events 5857 to 5861 of WMI's log: a provider was loaded, an
// operation failed, and three of subscriptions to events.
func wmi(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	a := event(x, activity.WMIExecution, now, f)
	a.Account = logonName(f.text("User"))
	if a.Account.Zero() {
		a.Account = f.user()
	}
	e := &activity.Execution{}
	a.Execution = e
	code := "ResultCode"
	switch f.ID {
	case 5857:
		code = "Code"
		e.Class, e.Command = f.text("ProviderName"), f.text("ProviderPath")
	case 5858:
		a.Source.Host = f.text("ClientMachine")
		e.Class, e.Method, e.Command = operation(f.text("Operation"))
	case 5859, 5860:
		a.Source.Host = f.text("ClientMachine")
		e.Class, e.Command = f.text("NamespaceName"), f.text("Query")
	case 5861:
		e.Class, e.Command = f.text("Namespace"), f.text("CONSUMER")
		if e.Command == "" {
			e.Command = f.text("PossibleCause")
		}
	}
	if e.Class == "" && e.Command == "" && e.Method == "" {
		x.Count(noObject, 1)
		return nil
	}
	status, ok := f.number(code)
	if !ok {
		x.Count(badNumber, 1)
		return nil
	}
	if status != 0 {
		a.Outcome, a.Error = activity.Failure, strings.ToLower(f.text(code))
	}
	return a
}

// operation reads "Start IWbemServices::ExecMethod - root\cimv2 : Win32_Process::Create".
func operation(s string) (class, method, command string) {
	call, what, ok := strings.Cut(s, " : ")
	if !ok {
		return "", "", s
	}
	if c, m, ok := strings.Cut(what, "::"); ok && strings.Contains(call, "::ExecMethod") {
		return strings.TrimSpace(c), strings.TrimSpace(m), s
	}
	if _, m, ok := strings.Cut(call, "::"); ok {
		method, _, _ = strings.Cut(m, " ")
	}
	return "", method, s
}
