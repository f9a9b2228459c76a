package center_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/ingest"
)

// workload makes the activities of a domain of 2000 computers, mixed as domain
// controllers see them on an ordinary day: mostly look-ups and tickets, some
// wrong passwords, now and then a replication. Every 500th computer attacks, and
// a tenth of all comes from those.
type workload struct {
	rnd *rand.Rand
	now activity.Time
	n   uint64
}

func newWorkload(seed uint64) *workload {
	return &workload{rnd: rand.New(rand.NewPCG(seed, 0)), now: 1_700_000_000 * 1e9}
}

const computers = 2000

func (w *workload) next() *activity.Activity {
	w.n++
	w.now = w.now.Add(time.Duration(w.rnd.IntN(4)) * time.Millisecond)
	who := w.rnd.IntN(computers)
	if w.rnd.IntN(10) == 0 {
		who = w.rnd.IntN(4) * 500
	}
	dc := w.rnd.IntN(3)
	a := &activity.Activity{
		Time: w.now, Requested: w.now - 500_000, Transport: activity.TCP, Outcome: activity.Success,
		Source: activity.Endpoint{Addr: netip.AddrFrom4([4]byte{10, 1, byte(who >> 8), byte(who)}), Port: uint16(w.rnd.IntN(60_000))},
		Target: activity.Endpoint{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(dc + 1)})},
	}
	switch x := w.rnd.IntN(100); {
	case x < 40:
		w.dns(a, who)
	case x < 65:
		w.kerberos(a, activity.KerberosTGS, who)
	case x < 82:
		w.kerberos(a, activity.KerberosAS, who)
	case x < 90:
		a.Kind, a.Protocol, a.Target.Port = activity.KerberosAP, activity.ProtoLDAP, 389
		a.Auth = &activity.Auth{Mechanism: activity.MechKerberos, Ticket: w.ticket(who)}
	case x < 97:
		a.Kind, a.Protocol, a.Target.Port = activity.LDAPQuery, activity.ProtoLDAP, 389
		a.LDAPSearch = &activity.LDAPSearch{Base: "DC=lab,DC=example", Scope: 2, Filter: fmt.Sprintf("(&(objectCategory=person)(sAMAccountName=user%d))", who), Entries: 1}
	case x < 99:
		a.Kind, a.Protocol, a.Target.Port = activity.LDAPSimple, activity.ProtoLDAP, 389
		a.Account.Name = fmt.Sprintf("CN=User %d,OU=Staff,DC=lab,DC=example", who)
		a.LDAPBind = &activity.LDAPBind{Version: 3, PasswordTag: uint16(w.rnd.IntN(9) + 1)}
		if w.rnd.IntN(20) == 0 || who%500 == 0 {
			a.Outcome, a.Error, a.LDAPBind.ResultCode = activity.Failure, "invalidCredentials", 49
		}
	default:
		a.Kind, a.Protocol, a.Target.Port = activity.Replication, activity.ProtoDRSR, 49152
		if who%500 != 0 {
			a.Source.Addr = netip.AddrFrom4([4]byte{10, 0, 0, byte((dc+1)%3 + 1)})
		}
		a.DRS = &activity.DRS{Opnum: activity.DRSGetNCChanges, BindSeen: true, Sealed: true, RequestSize: 800, ResponseSize: 20_000}
	}
	a.Seal()
	return a
}

func (w *workload) ticket(who int) *activity.Ticket {
	t := &activity.Ticket{Realm: "LAB.EXAMPLE", Service: "krbtgt/LAB.EXAMPLE", EType: 18, KVNO: 2}
	binary.BigEndian.PutUint32(t.ID[:], uint32(who))
	t.ID[4] = byte(w.rnd.IntN(8))
	return t
}

func (w *workload) dns(a *activity.Activity, who int) {
	a.Kind, a.Protocol, a.Transport, a.Target.Port = activity.DNSQuery, activity.ProtoDNS, activity.UDP, 53
	host := fmt.Sprintf("ws%d.lab.example", w.rnd.IntN(computers))
	d := &activity.DNS{Question: host, Type: 1, Class: 1, Authoritative: w.rnd.IntN(2) == 0, Answers: 1}
	switch w.rnd.IntN(10) {
	case 0:
		d.Type, d.Question = 33, "_ldap._tcp.dc._msdcs.lab.example"
		d.Records = []activity.DNSRecord{{Name: d.Question, Type: 33, Data: "dc1.lab.example"}, {Name: "dc1.lab.example", Type: 1, Data: "10.0.0.1"}}
	case 1:
		d.Type, d.Question, d.Answers = 12, fmt.Sprintf("%d.1.1.10.in-addr.arpa", w.rnd.IntN(256)), 0
		if who%500 == 0 || w.rnd.IntN(4) == 0 {
			d.RCode, a.Outcome, a.Error = 3, activity.Failure, "NXDOMAIN"
		}
	default:
		d.Records = []activity.DNSRecord{{Name: host, Type: 1, Data: fmt.Sprintf("10.1.0.%d", w.rnd.IntN(256))}}
	}
	a.DNS = d
}

func (w *workload) kerberos(a *activity.Activity, kind activity.Kind, who int) {
	a.Kind, a.Protocol, a.Target.Port = kind, activity.ProtoKerberos, 88
	a.Account = activity.Account{Name: fmt.Sprintf("user%d", who), Domain: "LAB.EXAMPLE"}
	if w.rnd.IntN(10) == 0 {
		a.Account.Name = fmt.Sprintf("WS%d$", who)
	}
	k := &activity.Kerberos{ClientType: 1, Realm: "LAB.EXAMPLE", Service: "krbtgt/LAB.EXAMPLE", ServiceType: 2, ETypes: []int32{18, 17, 23}, RequestSeen: true}
	a.Kerberos = k
	switch {
	case kind == activity.KerberosTGS:
		k.PAData, k.Presented, k.Issued = []int32{1}, w.ticket(who), w.ticket(who)
	case who%500 == 0 || w.rnd.IntN(50) == 0:
		k.PAData = []int32{2, 128}
		a.Outcome, a.Error, k.ErrorCode = activity.Failure, "KDC_ERR_PREAUTH_FAILED", activity.KRBPreAuthFailed
		if w.rnd.IntN(2) == 0 {
			a.Account.Name = fmt.Sprintf("nobody%d", w.rnd.IntN(300))
			a.Error, k.ErrorCode = "KDC_ERR_C_PRINCIPAL_UNKNOWN", activity.KRBPrincipalUnknown
		}
	default:
		k.PAData, k.PreAuthEType, k.ReplyEType, k.Issued = []int32{2, 128}, 18, 18, w.ticket(who)
	}
}

// log is the workload as three sensors send it: their clocks differ, some
// activities come late, and one sensor goes away for a while.
func log(seed uint64, n int) []ingest.Record {
	w := newWorkload(seed)
	sensors := []string{"dc1", "dc2", "dc3"}
	var records []ingest.Record
	for _, s := range sensors {
		records = append(records, ingest.Record{Sensor: s, Ingest: w.now, Attach: w.now})
	}
	var spool []*activity.Activity // of dc3 while it is away
	away := func(i int) bool { return i > n/3 && i < n/2 }
	for i := range n {
		a := w.next()
		s := sensors[w.rnd.IntN(3)]
		switch {
		case i == n/3:
			records = append(records, ingest.Record{Sensor: "dc3", Ingest: w.now, Detach: true})
		case i == n/2:
			records = append(records, ingest.Record{Sensor: "dc3", Ingest: w.now, Attach: w.now})
			for _, late := range spool {
				records = append(records, ingest.Record{Sensor: "dc3", Ingest: w.now, Activity: late})
			}
		}
		if s == "dc3" && away(i) {
			spool = append(spool, a)
			continue
		}
		records = append(records, ingest.Record{Sensor: s, Ingest: w.now, Activity: a})
		if w.rnd.IntN(20) == 0 && !(s == "dc3" && away(i)) {
			records = append(records, ingest.Record{Sensor: s, Ingest: w.now, Progress: w.now})
		}
	}
	return records
}
