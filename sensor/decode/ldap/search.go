package ldap

import (
	"slices"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode/ber"
)

// Limits on what is remembered of the searches of one connection.
const (
	// maxPending: clients that ask in parallel keep about ten searches open.
	maxPending = 128
	// maxHeld, in bytes of text, keeps 128 searches with the longest filters and
	// lists from holding megabytes for a connection.
	maxHeld = 256 << 10
	// maxAttributes: the largest lists are of collectors that name some 250 of
	// the schema's attributes. The tags in activity.LDAPSearch have the same caps.
	maxAttributes = 256
	// maxControls: AD knows some 40, a request carries a few.
	maxControls = 16
	// maxName caps the name of an attribute or the OID of a control; AD's longest
	// attribute name has 59 characters.
	maxName = 256
)

// search is one that has no result yet. They are pending in the order they were
// asked for: searchRequest adds, and searchResultDone, abandon, expire, the caps
// above and Close remove.
type search struct {
	id       int32
	asked    activity.Time
	alive    activity.Time // last sign of life: the request or an entry
	account  activity.Account
	detail   *activity.LDAPSearch
	netlogon bool     // a locator ping
	odd      []string // anomalies
	size     int      // bytes of text
}

// find returns the index of the pending search, −1 if there is none.
func (d *decoder) find(id int64) int {
	for i := range d.pending {
		if int64(d.pending[i].id) == id {
			return i
		}
	}
	return -1
}

func (d *decoder) searchRequest(m *LDAPMessage) {
	var r SearchRequest
	whole := r.parse(m.Body)
	if !m.Whole && r.BaseObject == nil {
		return // counted as read in part; there is nothing to tell
	}
	s := search{
		id: m.MessageID, asked: d.now, alive: d.now, account: d.bound,
		detail: &activity.LDAPSearch{MessageID: m.MessageID, Scope: int32(r.Scope), ResultCode: int32(noResult), Auth: d.auth},
	}
	if !m.Whole {
		s.odd = noted(s.odd, anomalyCut)
	} else if !whole {
		s.odd = noted(s.odd, anomalyRequest)
	}
	d.describe(&s, &r, m)
	if m.MessageID == 0 {
		s.odd = noted(s.odd, anomalyMessageID)
	}
	if i := d.find(int64(m.MessageID)); i >= 0 {
		if d.protocol() == activity.ProtoCLDAP && same(d.pending[i].detail, s.detail) {
			d.count(repeated, 1) // a datagram sent again
			return
		}
		s.odd = noted(s.odd, anomalyMessageID)
		d.giveUp(i)
	}
	for len(d.pending) >= maxPending || len(d.pending) > 0 && d.held+s.size > maxHeld {
		d.count(pendingFull, 1)
		d.giveUp(0)
	}
	d.held += s.size
	d.pending = append(d.pending, s)
}

// describe turns the request into text.
func (d *decoder) describe(s *search, r *SearchRequest, m *LDAPMessage) {
	var ok, more bool
	if s.detail.Base, _, ok = text(r.BaseObject); !ok {
		s.odd = noted(s.odd, anomalyText)
	}
	if r.Scope < 0 || r.Scope > 2 {
		s.odd = noted(s.odd, anomalyScope)
	}

	if w := &d.text; !r.Filter.Empty() {
		s.detail.Filter = w.read(r.Filter)
		if w.broken {
			s.odd = noted(s.odd, anomalyFilter)
		}
		if w.deep {
			s.odd = noted(s.odd, anomalyFilterDepth)
		}
		if w.cut {
			s.odd = noted(s.odd, anomalyFilterCut)
		}
	}

	for list := r.Attributes; !list.Empty(); {
		desc, ok := list.Expect(ber.OctetString)
		if !ok {
			s.odd = noted(s.odd, anomalyRequest)
			break
		}
		if s.detail.Attributes, more = listed(s.detail.Attributes, desc, maxAttributes); !more {
			s.odd = noted(s.odd, anomalyListCut)
			break
		}
		s.netlogon = s.netlogon || isNetlogon(desc)
	}
	if s.netlogon {
		s.detail.Ping = readPing(r.Filter)
	}
	for list := m.Controls; !list.Empty(); {
		var c Control
		if !c.parse(&list) {
			s.odd = noted(s.odd, anomalyRequest)
			break
		}
		if s.detail.Controls, more = listed(s.detail.Controls, c.ControlType, maxControls); !more {
			s.odd = noted(s.odd, anomalyListCut)
			break
		}
	}

	s.size = len(s.detail.Base) + len(s.detail.Filter)
	for _, list := range [...][]string{s.detail.Attributes, s.detail.Controls} {
		for _, name := range list {
			s.size += len(name) + 16 // and its string header
		}
	}
}

// listed appends a name to a list of at most limit.
func listed(list []string, name []byte, limit int) (_ []string, more bool) {
	if len(list) == limit {
		return list, false
	}
	if list == nil {
		list = make([]string, 0, 4) // most ask for few
	}
	s, _, _ := text(name[:min(len(name), maxName)])
	return append(list, s), true
}

// noted appends an anomaly once.
func noted(list []string, anomaly string) []string {
	if slices.Contains(list, anomaly) {
		return list
	}
	return append(list, anomaly)
}

// same tells whether two searches ask for the same.
func same(a, b *activity.LDAPSearch) bool {
	return a.Base == b.Base && a.Scope == b.Scope && a.Filter == b.Filter && slices.Equal(a.Attributes, b.Attributes)
}

func (d *decoder) searchResultEntry(m *LDAPMessage) {
	i := d.find(int64(m.MessageID))
	if i < 0 {
		d.count(unasked, 1)
		return
	}
	s := &d.pending[i]
	s.alive = d.now
	s.detail.Entries++
	if s.netlogon && s.detail.NetlogonOp == 0 {
		s.detail.NetlogonOp = netlogonOp(m.Body)
	}
}

func (d *decoder) searchResultDone(m *LDAPMessage) {
	i := d.find(int64(m.MessageID))
	if i < 0 {
		d.count(unasked, 1)
		return
	}
	s := d.take(i)
	var r LDAPResult
	body := ber.New(m.Body)
	if !r.parse(&body) && r.ResultCode == noResult {
		s.odd = noted(s.odd, anomalyResponse)
	}
	for list := m.Controls; !list.Empty(); {
		var c Control
		var more bool
		if !c.parse(&list) {
			break
		}
		if s.detail.ResultControls, more = listed(s.detail.ResultControls, c.ControlType, maxControls); !more {
			break
		}
	}
	a := d.searchActivity(&s)
	s.detail.ResultCode = int32(r.ResultCode)
	outcome(a, r.ResultCode)
	d.x.Emit(a)
}

// giveUp emits a pending search as an attempt.
func (d *decoder) giveUp(i int) {
	s := d.take(i)
	d.x.Emit(d.searchActivity(&s))
}

func (d *decoder) take(i int) search {
	s := d.pending[i]
	d.held -= s.size
	d.pending = slices.Delete(d.pending, i, i+1)
	return s
}

func (d *decoder) searchActivity(s *search) *activity.Activity {
	a := d.x.New(activity.LDAPQuery, d.protocol(), d.now)
	a.Requested, a.Account, a.Anomalies, a.LDAPSearch = s.asked, s.account, s.odd, s.detail
	return a
}

func (d *decoder) protocol() activity.Protocol {
	if d.x.Conn.Transport == activity.UDP {
		return activity.ProtoCLDAP
	}
	return activity.ProtoLDAP
}
