package ldap

import (
	"slices"
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode/ber"
)

// Limits on what is remembered of the changes of one connection.
const (
	// maxChanges: programs that change in bulk wait for each answer; those that
	// do not have some ten under way.
	maxChanges = 64
	// maxChangeText caps the bytes of text in pending changes, as maxHeld does
	// for searches: three requests of the greatest size.
	maxChangeText = 256 << 10
)

// Acts of a change; see activity.Change.
const (
	actCreate  = "create"
	actModify  = "modify"
	actRename  = "rename"
	actDelete  = "delete"
	actRestore = "restore"
	actChange  = "password-change"
	actReset   = "password-reset"
)

// change is one that has no answer yet, pending in the order they were asked
// for: hold adds, and changeResult, expire, the caps above and Close remove.
type change struct {
	id      int32
	asked   activity.Time
	account activity.Account
	detail  *activity.Change
	odd     []string // anomalies
	size    int      // bytes of text
}

// beginChange starts what every request that changes something has.
func (d *decoder) beginChange(m *LDAPMessage, act string, object []byte) change {
	c := change{id: m.MessageID, asked: d.now, account: d.bound,
		detail: &activity.Change{Act: act, MessageID: m.MessageID, ResultCode: int32(noResult), Auth: d.auth}}
	c.detail.Object = c.text(object)
	c.identify()
	if m.MessageID == 0 {
		c.note(anomalyMessageID)
	}
	for list := m.Controls; !list.Empty(); {
		var ctl Control
		var more bool
		if !ctl.parse(&list) {
			c.note(anomalyRequest)
			break
		}
		if c.detail.Controls, more = listed(c.detail.Controls, ctl.ControlType, maxControls); !more {
			c.note(anomalyListCut)
			break
		}
	}
	return c
}

func (c *change) note(anomaly string) { c.odd = noted(c.odd, anomaly) }

// malformed notes that a request was not read to its end, and why.
func (c *change) malformed(m *LDAPMessage) {
	if m.Whole {
		c.note(anomalyRequest)
	} else {
		c.note(anomalyCut)
	}
}

// text takes a DN or a name.
func (c *change) text(b []byte) string {
	s, _, ok := text(b)
	if !ok {
		c.note(anomalyText)
	}
	c.size += len(s)
	return s
}

// identify takes SID or GUID from the forms of a DN that name an object by them
// (MS-ADTS §3.1.1.3.1.2.4).
func (c *change) identify() {
	const sid, guid = "<SID=", "<GUID="
	s := c.detail.Object
	in, ok := strings.CutSuffix(s, ">")
	switch {
	case !ok:
	case len(in) > len(sid) && strings.EqualFold(in[:len(sid)], sid):
		c.detail.SID = in[len(sid):]
	case len(in) > len(guid) && strings.EqualFold(in[:len(guid)], guid):
		c.detail.GUID = in[len(guid):]
	}
}

// hold keeps a change for its answer.
func (d *decoder) hold(c change) {
	if i := d.findChange(c.id); i >= 0 {
		c.note(anomalyMessageID)
		d.giveUpChange(i)
	}
	for len(d.changes) >= maxChanges || len(d.changes) > 0 && d.changeText+c.size > maxChangeText {
		d.count(changesFull, 1)
		d.giveUpChange(0)
	}
	d.changeText += c.size
	d.changes = append(d.changes, c)
}

// findChange returns the index of the pending change, −1 if there is none.
func (d *decoder) findChange(id int32) int {
	return slices.IndexFunc(d.changes, func(c change) bool { return c.id == id })
}

func (d *decoder) giveUpChange(i int) { d.endChange(i, noResult, nil) }

// endChange emits a pending change with its result.
func (d *decoder) endChange(i int, code ResultCode, odd []string) {
	c := d.changes[i]
	d.changeText -= c.size
	d.changes = slices.Delete(d.changes, i, i+1)
	a := d.x.New(activity.DirectoryChange, d.protocol(), d.now)
	a.Requested, a.Account, a.Change = c.asked, c.account, c.detail
	a.Anomalies = append(c.odd, odd...)
	c.detail.ResultCode = int32(code)
	outcome(a, code)
	d.x.Emit(a)
}

// changeResult reads the answer to a change.
func (d *decoder) changeResult(m *LDAPMessage) {
	i := d.findChange(m.MessageID)
	if i < 0 {
		d.count(unasked, 1)
		return
	}
	var r LDAPResult
	var odd []string
	body := ber.New(m.Body)
	if !r.parse(&body) && r.ResultCode == noResult {
		odd = []string{anomalyResponse}
	}
	d.endChange(i, r.ResultCode, odd)
}

func (d *decoder) addRequest(m *LDAPMessage) {
	var r AddRequest
	whole := r.parse(m.Body)
	if r.Entry == nil {
		d.count(unnamed, 1)
		return
	}
	c := d.beginChange(m, actCreate, r.Entry)
	for whole && !r.Attributes.Empty() {
		var p PartialAttribute
		if whole = p.parse(&r.Attributes); !whole {
			break
		}
		if isNamed(p.Type, "objectClass") {
			c.detail.Class = class(p.Vals)
		}
		d.attribute(&c, "add", &p)
	}
	if !whole || !m.Whole {
		c.malformed(m)
	}
	d.hold(c)
}

// modifyOperations are the operations of a ModifyRequest by their number (RFC
// 4511 §4.6, RFC 4525 for increment).
var modifyOperations = [...]string{"add", "delete", "replace", "increment"}

func (d *decoder) modifyRequest(m *LDAPMessage) {
	var r ModifyRequest
	whole := r.parse(m.Body)
	if r.Object == nil {
		d.count(unnamed, 1)
		return
	}
	c := d.beginChange(m, actModify, r.Object)
	var old, renewed, undeleted bool // of a password: the old one given, a new one set
	for whole && !r.Changes.Empty() {
		var g Change
		if whole = g.parse(&r.Changes); !whole {
			break
		}
		act := "operation unknown"
		if g.Operation >= 0 && g.Operation < int64(len(modifyOperations)) {
			act = modifyOperations[g.Operation]
		} else {
			c.note(anomalyOperation)
		}
		if isPassword(g.Modification.Type) {
			old, renewed = old || act == "delete", renewed || act != "delete"
		}
		switch {
		case act == "delete" && isNamed(g.Modification.Type, "isDeleted"):
			undeleted = true
		case isNamed(g.Modification.Type, "distinguishedName"):
			vals := g.Modification.Vals
			if v, ok := vals.Expect(ber.OctetString); ok {
				c.detail.NewName = c.text(v)
			}
		}
		d.attribute(&c, act, &g.Modification)
	}
	switch {
	case undeleted && c.detail.NewName != "": // MS-ADTS §3.1.1.5.3.7.2
		c.detail.Act = actRestore
	case old && renewed: // MS-ADTS §3.1.1.3.1.5.1
		c.detail.Act = actChange
	case renewed:
		c.detail.Act = actReset
	}
	if !whole || !m.Whole {
		c.malformed(m)
	}
	d.hold(c)
}

// delRequest is a DN and nothing else (RFC 4511 §4.8).
func (d *decoder) delRequest(m *LDAPMessage) {
	if !m.Whole {
		d.count(unnamed, 1) // half a DN would be another object's
		return
	}
	d.hold(d.beginChange(m, actDelete, m.Body))
}

func (d *decoder) modifyDNRequest(m *LDAPMessage) {
	var r ModifyDNRequest
	whole := r.parse(m.Body)
	if r.Entry == nil {
		d.count(unnamed, 1)
		return
	}
	c := d.beginChange(m, actRename, r.Entry)
	above := parent(c.detail.Object)
	if r.HasNewSuperior {
		above = c.text(r.NewSuperior)
	}
	if r.NewRDN != nil {
		c.detail.NewName = c.text(r.NewRDN)
		if above != "" {
			c.detail.NewName = activity.Cut(c.detail.NewName + "," + above)
			c.size += len(above)
		}
	}
	if !whole || !m.Whole {
		c.malformed(m)
	}
	d.hold(c)
}

// passwordModify is the request of RFC 3062; AD has it since Windows Server 2012
// R2 in AD LDS, other directories for longer.
func (d *decoder) passwordModify(m *LDAPMessage, value []byte) {
	var r PasswdModifyRequest
	whole := r.parse(value)
	c := d.beginChange(m, actReset, r.UserIdentity)
	if r.HasOldPasswd {
		c.detail.Act = actChange
	}
	if c.detail.Object == "" {
		c.detail.Object = c.account.Name // "absent: the password of the current user", §2.1
	}
	if !whole || !m.Whole {
		c.malformed(m)
	}
	d.hold(c)
}

// attribute adds what is done to one attribute.
func (d *decoder) attribute(c *change, act string, p *PartialAttribute) {
	if len(c.detail.Attributes) == activity.MaxChanges {
		c.note(anomalyListCut)
		return
	}
	name, _, ok := text(p.Type[:min(len(p.Type), maxName)])
	if !ok {
		c.note(anomalyText)
	}
	g := activity.AttributeChange{Name: name, Act: act}
	hidden := isSecret(name)
	for vals := p.Vals; !vals.Empty(); {
		v, ok := vals.Expect(ber.OctetString)
		if !ok {
			c.note(anomalyRequest)
			break
		}
		g.Count++
		if hidden || len(g.Values) == activity.MaxValues {
			continue
		}
		if s, ok := valueText(name, v); ok {
			g.Values = append(g.Values, s)
			c.size += len(s) + 16
		}
	}
	if hidden && g.Count > 0 {
		d.count(secretValues, g.Count)
	}
	c.size += len(name) + 64
	c.detail.Attributes = append(c.detail.Attributes, g)
}

// class is the most specific of an object's classes, by rank where we know them:
// senders do not keep to an order.
func class(vals ber.Reader) (name string) {
	best := -1
	for !vals.Empty() {
		v, ok := vals.Expect(ber.OctetString)
		if !ok {
			break
		}
		s, _, _ := text(v[:min(len(v), maxName)])
		rank, known := classRank[strings.ToLower(s)]
		if !known {
			rank = 3
		}
		if rank >= best {
			name, best = s, rank
		}
	}
	return name
}

// classRank is how deep classes with subclasses are in AD's tree of them; others
// are as deep as user, under which nearly nothing of interest is.
var classRank = map[string]int{
	"top": 0, "person": 1, "organizationalperson": 2, "securityprincipal": 1, "mailrecipient": 1,
	"user": 3, "group": 3, "contact": 3, "container": 3,
	"computer": 4, "inetorgperson": 4,
	"msds-groupmanagedserviceaccount": 5, "msds-managedserviceaccount": 5, "msds-delegatedmanagedserviceaccount": 5,
}

// parent is a DN without its first RDN (RFC 4514): what follows the first comma
// that is neither escaped nor quoted.
func parent(dn string) string {
	quoted := false
	for i := 0; i < len(dn); i++ {
		switch dn[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case ',':
			if !quoted {
				return strings.TrimLeft(dn[i+1:], " ")
			}
		}
	}
	return ""
}
