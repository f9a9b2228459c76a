package activity

// Service is the detail of a Windows service that was created, changed or
// started (MS-SCMR §3.1.4; Windows events 7045 and 4697).
type Service struct {
	Call    *RPC   `json:"call,omitempty" pb:"1"`
	Act     string `json:"act" pb:"2"`               // "create", "change", "start"
	Name    string `json:"name,omitempty" pb:"3"`    // of the service; a start names it only where its handle was seen to be opened
	Display string `json:"display,omitempty" pb:"4"` //
	Image   string `json:"image,omitempty" pb:"5"`   // what runs: lpBinaryPathName
	RunAs   string `json:"runAs,omitempty" pb:"6"`   // account; "" LocalSystem
	Type    uint32 `json:"type,omitempty" pb:"7"`    // dwServiceType
	Start   uint32 `json:"start,omitempty" pb:"8"`   // dwStartType: 2 automatic, 3 on demand, 4 disabled
}

func (s *Service) canon(c *canonical) {
	s.Call.canon(c)
	c.text(s.Act)
	c.text(s.Name)
	c.text(s.Image)
	c.text(s.RunAs)
}

// Task is the detail of a scheduled task (MS-TSCH §3.2.5; Windows events 4698
// and 4702).
type Task struct {
	Call   *RPC   `json:"call,omitempty" pb:"1"`
	Act    string `json:"act" pb:"2"` // "create", "change", "run"
	Path   string `json:"path,omitempty" pb:"3"`
	Action string `json:"action,omitempty" pb:"4"` // command with its arguments, or class of a COM handler
	RunAs  string `json:"runAs,omitempty" pb:"5"`
	Hidden bool   `json:"hidden,omitempty" pb:"6"`
}

func (t *Task) canon(c *canonical) {
	t.Call.canon(c)
	c.text(t.Act)
	c.text(t.Path)
	c.text(t.Action)
}

// Execution is the detail of what was run on a server by WMI or PowerShell
// (MS-WMI §3.1.4.3, WS-Management; Windows events 5857 to 5861, 4103, 4104).
type Execution struct {
	Call    *RPC   `json:"call,omitempty" pb:"1"`
	Class   string `json:"class,omitempty" pb:"2"`   // of WMI: Win32_Process; class id of a DCOM activation
	Method  string `json:"method,omitempty" pb:"3"`  // of the class; cmdlets of PowerShell, with ", " between them
	Command string `json:"command,omitempty" pb:"4"` // command line or script, cut to MaxText
}

func (e *Execution) canon(c *canonical) {
	e.Call.canon(c)
	c.text(e.Class)
	c.text(e.Method)
	c.text(e.Command)
}

// Certificate is the detail of a request to a certification authority or of its
// decision (MS-ICPR §3.2.4.1; Windows events 4886, 4887, 4888 and 4870).
type Certificate struct {
	Call       *RPC     `json:"call,omitempty" pb:"1"`
	Act        string   `json:"act" pb:"2"` // "request", "issue", "deny", "revoke"
	Authority  string   `json:"authority,omitempty" pb:"3"`
	RequestID  string   `json:"requestId,omitempty" pb:"4"`
	Requester  string   `json:"requester,omitempty" pb:"5"`
	Template   string   `json:"template,omitempty" pb:"6"`
	Subject    string   `json:"subject,omitempty" pb:"7"`
	Names      []string `json:"names,omitempty" pb:"8,max=64"` // subject alternative names, as upn:…, dns:…, sid:…
	Attributes string   `json:"attributes,omitempty" pb:"9"`   // as sent with the request
	Serial     string   `json:"serial,omitempty" pb:"10"`
	SKI        string   `json:"ski,omitempty" pb:"11"` // subject key identifier, hex
}

func (t *Certificate) canon(c *canonical) {
	t.Call.canon(c)
	c.text(t.Act)
	c.text(t.Authority)
	c.text(t.RequestID)
	c.text(t.Requester)
	c.text(t.Template)
	c.text(t.Serial)
}

// Setting is the detail of a change of how a certification authority or AD FS
// is set up, or of deleting what it recorded (Windows events 4882, 4885, 4890,
// 4896; AD FS 307 and 510).
type Setting struct {
	Event uint32 `json:"event" pb:"1"`
	Entry string `json:"entry,omitempty" pb:"2"` // which setting, or table
	Value string `json:"value,omitempty" pb:"3"` // the new value
	Old   string `json:"old,omitempty" pb:"4"`   // the value before, where the event tells

	Instance string `json:"instance,omitempty" pb:"5"` // of AD FS: an id that the events of one change share
}

func (s *Setting) canon(c *canonical) {
	c.int(int64(s.Event))
	c.text(s.Instance)
	c.text(s.Entry)
	c.text(s.Value)
}
