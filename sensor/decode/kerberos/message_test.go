package kerberos

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/flow"
)

// exchanged is what one request and its answer become, over UDP. Either may be
// nil.
func exchanged(t *testing.T, request, answer []byte) *activity.Activity {
	t.Helper()
	cv := converse(t, activity.UDP)
	if request != nil {
		cv.Feed(flow.ToServer, request, 1)
	}
	if answer != nil {
		cv.Feed(flow.ToClient, answer, 2)
	}
	cv.Close(3)
	if len(cv.got) != 1 {
		t.Fatalf("got %d activities, want 1: %v", len(cv.got), cv.summaries())
	}
	return cv.got[0]
}

func at(s string) activity.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return activity.Time(t.UnixNano())
}

var ignoreID = cmpopts.IgnoreFields(activity.Activity{}, "ID", "Source", "Target", "Protocol", "Transport")

func TestASExchange(t *testing.T) {
	pa := seq(
		padata(2, sealed(18, "timestamp")),
		padata(128, seq(field(0, der(0x01, []byte{0})))),
		padata(149, nil),
	)
	addresses := field(9, seq(seq(field(0, num(20)), field(1, octets([]byte("WS01            "))))))
	request := kdcReq(10, pa, body(principal(10, "alice@lab.example"), krbtgt, 4000000000, addresses))
	reply := app(11, seq(field(0, num(5)), field(1, num(11)),
		field(2, seq(padata(19, etypeInfo(17)), padata(11, etypeInfo(23)))),
		field(3, str("lab.EXAMPLE")), field(4, alice),
		field(5, ticket("LAB.EXAMPLE", krbtgt, keyed(18, 2, "cipher"))), field(6, keyed(17, 3, "reply"))))
	yes := false
	want := &activity.Activity{
		Time: 2, Requested: 1, Kind: activity.KerberosAS, Outcome: activity.Success,
		Account: activity.Account{Name: "alice@lab.example", Domain: "lab.EXAMPLE"},
		Kerberos: &activity.Kerberos{
			ClientType: 10, Realm: "LAB.EXAMPLE", Service: "krbtgt/LAB.EXAMPLE", ServiceType: 2,
			Options: 0x40810010, ETypes: []int32{18, 17, 23}, PAData: []int32{2, 128, 149}, PreAuthEType: 18,
			PACRequest: &yes, Addresses: 1, Workstation: "WS01", Till: at("2037-09-13T02:48:05Z"), Renew: at("2037-09-13T02:48:05Z"),
			Nonce: 4000000000, OfferedETypes: []int32{17}, ReplyEType: 17, RequestSeen: true,
			Issued: &activity.Ticket{ID: activity.NewTicketID([]byte("cipher")), Realm: "LAB.EXAMPLE", Service: "krbtgt/LAB.EXAMPLE", EType: 18, KVNO: 2, Size: 6},
		},
	}
	if d := cmp.Diff(want, exchanged(t, request, reply), ignoreID); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestTGSExchange(t *testing.T) {
	pa := seq(padata(1, apReq(ticket("LAB.EXAMPLE", krbtgt, keyed(23, -65536, "tgt")))), padata(161, []byte("key list")))
	request := kdcReq(12, pa, body(nil, cifs, 5, field(10, sealed(18, "authorization data"))))
	want := &activity.Activity{
		Time: 2, Requested: 1, Kind: activity.KerberosTGS, Outcome: activity.Success,
		Account: activity.Account{Name: "alice", Domain: "LAB.EXAMPLE"},
		Kerberos: &activity.Kerberos{
			ClientType: 1, Realm: "LAB.EXAMPLE", Service: "cifs/fs1.lab.example", ServiceType: 2,
			Options: 0x40810010, ETypes: []int32{18, 17, 23}, PAData: []int32{1, 161},
			Till: at("2037-09-13T02:48:05Z"), Renew: at("2037-09-13T02:48:05Z"),
			Nonce: 5, EncAuthData: true, ReplyEType: 18, RequestSeen: true,
			Presented: &activity.Ticket{ID: activity.NewTicketID([]byte("tgt")), Realm: "LAB.EXAMPLE", Service: "krbtgt/LAB.EXAMPLE", EType: 23, KVNO: 0xffff0000, Size: 3},
			Issued:    &activity.Ticket{ID: activity.NewTicketID([]byte("st")), Realm: "LAB.EXAMPLE", Service: "cifs/fs1.lab.example", EType: 18, KVNO: 2, Size: 2},
		},
	}
	if d := cmp.Diff(want, exchanged(t, request, tgsRep("st")), ignoreID); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestErrors(t *testing.T) {
	methodData := field(12, octets(seq(padata(11, etypeInfo(3)), padata(19, seq(seq(field(0, num(18))), seq(field(0, num(23))))), padata(2, nil))))
	for _, tt := range []struct {
		name            string
		request, answer []byte
		kind            activity.Kind
		err             string
		code            int32
		account         string
		service         string
		offered         []int32
	}{
		{"asks for pre-authentication and offers keys", asReq(1), app(30, seq(
			field(0, num(5)), field(1, num(30)), field(4, times("20261123195646Z")), field(5, num(1)), field(6, num(25)),
			field(9, str("LAB.EXAMPLE")), field(10, krbtgt), methodData)),
			activity.KerberosAS, "KDC_ERR_PREAUTH_REQUIRED", 25, "alice", "krbtgt/LAB.EXAMPLE", []int32{18, 23}},
		{"offers keys after a wrong password", asReq(1), app(30, seq(
			field(0, num(5)), field(1, num(30)), field(4, times("20261123195646Z")), field(5, num(1)), field(6, num(24)),
			field(9, str("LAB.EXAMPLE")), field(10, krbtgt), field(12, octets(seq(padata(11, etypeInfo(23))))))),
			activity.KerberosAS, "KDC_ERR_PREAUTH_FAILED", 24, "alice", "krbtgt/LAB.EXAMPLE", []int32{23}},
		{"the client of the error counts only without a request", asReq(1), krbError(6, krbtgt, field(7, str("X")), field(8, principal(1, "mallory"))),
			activity.KerberosAS, "KDC_ERR_C_PRINCIPAL_UNKNOWN", 6, "alice", "krbtgt/LAB.EXAMPLE", nil},
		{"alone", nil, krbError(6, krbtgt, field(7, str("X")), field(8, principal(1, "mallory"))),
			activity.KerberosAS, "KDC_ERR_C_PRINCIPAL_UNKNOWN", 6, "mallory", "krbtgt/LAB.EXAMPLE", nil},
		{"TGS with KERB-ERROR-DATA", tgsReq(1), app(30, seq(field(0, num(5)), field(1, num(30)), field(4, times("20261123195646Z")), field(5, num(1)),
			field(6, num(13)), field(9, str("LAB.EXAMPLE")), field(10, cifs), field(12, octets(seq(field(1, num(3)), field(2, octets([]byte("status")))))))),
			activity.KerberosTGS, "KDC_ERR_BADOPTION", 13, "", "cifs/fs1.lab.example", nil},
		{"TYPED-DATA", tgsReq(1), app(30, seq(field(0, num(5)), field(1, num(30)), field(4, times("20261123195646Z")), field(5, num(1)),
			field(6, num(62)), field(9, str("LAB.EXAMPLE")), field(10, cifs), field(12, octets(seq(seq(field(0, num(104)), field(1, octets(nil)))))))),
			activity.KerberosTGS, "KDC_ERR_CLIENT_NOT_TRUSTED", 62, "", "cifs/fs1.lab.example", nil},
		{"a server without a name, as Heimdal sends", asReq(1), krbError(13, principal(0)),
			activity.KerberosAS, "KDC_ERR_BADOPTION", 13, "alice", "krbtgt/LAB.EXAMPLE", nil},
		{"response too big for UDP", tgsReq(1), krbError(52, cifs),
			activity.KerberosTGS, "KRB_ERR_RESPONSE_TOO_BIG", 52, "", "cifs/fs1.lab.example", nil},
		{"a code that nobody defined", asReq(1), krbError(-7, krbtgt),
			activity.KerberosAS, "KRB_ERROR_-7", -7, "alice", "krbtgt/LAB.EXAMPLE", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := exchanged(t, tt.request, tt.answer)
			if a.Kind != tt.kind || a.Outcome != activity.Failure || a.Error != tt.err || a.Kerberos.ErrorCode != tt.code ||
				a.Account.Name != tt.account || a.Kerberos.Service != tt.service || !slices.Equal(a.Kerberos.OfferedETypes, tt.offered) {
				t.Errorf("got %s, code %d, service %q, offered %v", summary(a), a.Kerberos.ErrorCode, a.Kerberos.Service, a.Kerberos.OfferedETypes)
			}
			if a.Anomalies != nil {
				t.Errorf("anomalies %v in a sound exchange", a.Anomalies)
			}
		})
	}
}

func TestAnomalies(t *testing.T) {
	// req is an AS-REQ of these fields.
	req := func(fields ...[]byte) []byte { return app(10, seq(fields...)) }
	sound := [][]byte{field(1, num(5)), field(2, num(10)), field(4, body(alice, krbtgt, 1))}
	name := func(kind byte, s []byte) []byte { return seq(field(0, num(1)), field(1, seq(der(kind, s)))) }
	long := slices.Repeat([][]byte{num(18)}, maxList+1)

	for _, tt := range []struct {
		name    string
		request []byte
		want    []string
		check   func(a *activity.Activity) bool // what was learned all the same
	}{
		{name: "none", request: asReq(1), want: nil},
		{name: "length in four octets", want: []string{"length-not-shortest"},
			request: append([]byte{0x6a, 0x84, 0, 0, 0, byte(len(seq(sound...)))}, seq(sound...)...)},
		{name: "length in two octets", want: []string{"length-not-shortest"},
			request: req([]byte{0xa1, 0x81, 3, 2, 1, 5}, sound[1], sound[2])},
		{name: "integer of two octets", want: []string{"integer-not-shortest"},
			request: req(field(1, []byte{2, 2, 0, 5}), sound[1], sound[2])},
		{name: "integer beyond 32 bits", want: []string{"integer-out-of-range"},
			request: kdcReq(10, nil, body(alice, krbtgt, 1<<32)),
			check:   func(a *activity.Activity) bool { return a.Kerberos.Nonce == 0 }},
		{name: "negative nonce", want: nil, request: asReq(-1),
			check: func(a *activity.Activity) bool { return a.Kerberos.Nonce == 1<<32-1 }},
		{name: "bytes after the message", want: []string{"trailing-bytes"}, request: append(asReq(1), 0, 0)},
		{name: "bytes within an explicit tag", want: []string{"trailing-bytes"},
			request: req(field(1, num(5), num(5)), sound[1], sound[2])},
		{name: "indefinite length", want: []string{"unreadable-element", "missing-field"},
			request: req(sound[0], sound[1], []byte{0xa4, 0x80, 0, 0})},
		{name: "empty explicit tag", want: []string{"unreadable-element"}, request: req(field(1), sound[1], sound[2])},
		{name: "element longer than its container", want: []string{"element-overrun", "missing-field"},
			request: req(sound[0], sound[1], []byte{0xa4, 0x20, 0x30, 0x1e, 0xa2, 0x0d, 0x1b, 0x0b, 'L', 'A', 'B', '.', 'E', 'X', 'A', 'M', 'P', 'L', 'E'}),
			check:   func(a *activity.Activity) bool { return a.Kerberos.Realm == "LAB.EXAMPLE" }},
		{name: "UTF8String for a name", want: []string{"wrong-type"}, request: kdcReq(10, nil, body(name(0x0c, []byte("zoë")), krbtgt, 1)),
			check: func(a *activity.Activity) bool { return a.Account.Name == "zoë" }},
		{name: "UTF-8 in a GeneralString", want: nil, request: kdcReq(10, nil, body(principal(1, "zoë"), krbtgt, 1)),
			check: func(a *activity.Activity) bool { return a.Account.Name == "zoë" && a.Account.Raw == nil }},
		{name: "Latin-1 in a GeneralString", want: []string{"text-not-utf8"}, request: kdcReq(10, nil, body(principal(1, "zo\xeb"), krbtgt, 1)),
			check: func(a *activity.Activity) bool {
				return a.Account.Name == "zo\ufffd" && string(a.Account.Raw) == "zo\xeb"
			}},
		{name: "a number for a sequence", want: []string{"wrong-type", "missing-field"}, request: req(sound[0], sound[1], field(4, num(1)))},
		{name: "a field of KDC-REQ that is none", want: []string{"unknown-field"}, request: req(append(slices.Clone(sound), field(9, num(1)))...)},
		{name: "a field with another class of tag", want: []string{"wrong-type"}, request: req(append(slices.Clone(sound), num(1))...)},
		{name: "fields out of order", want: []string{"field-order"}, request: req(sound[1], sound[0], sound[2])},
		{name: "no name", want: []string{"missing-field"}, request: kdcReq(10, nil, body(nil, krbtgt, 1))},
		{name: "a name of no components", want: []string{"missing-field"}, request: kdcReq(10, nil, body(principal(1), krbtgt, 1))},
		{name: "version 4", want: []string{"wrong-version"}, request: req(field(1, num(4)), sound[1], sound[2])},
		{name: "TGS-REQ in the clothes of AS-REQ", want: []string{"message-type-mismatch"}, request: req(sound[0], field(2, num(12)), sound[2])},
		{name: "fractions of a second", want: []string{"malformed-time"},
			request: kdcReq(10, nil, seq(field(0, flags(0)), field(1, alice), field(2, str("R")), field(5, times("20370913024805.5Z")), field(7, num(1)), field(8, nums(18)))),
			check:   func(a *activity.Activity) bool { return a.Kerberos.Till == 0 }},
		{name: "flags of one octet", want: []string{"short-flags"},
			request: kdcReq(10, nil, seq(field(0, der(0x03, []byte{6, 0x40})), field(1, alice), field(2, str("R")), field(5, times("20370913024805Z")), field(7, num(1)), field(8, nums(18)))),
			check:   func(a *activity.Activity) bool { return a.Kerberos.Options == 0x40000000 }},
		{name: "TGS-REQ without a ticket", want: []string{"no-ticket-presented"}, request: kdcReq(12, nil, body(nil, cifs, 1))},
		{name: "TGS-REQ with a client", want: []string{"cname-in-tgs-req"},
			request: kdcReq(12, seq(padata(1, apReq(ticket("R", krbtgt, sealed(18, "t"))))), body(alice, cifs, 1)),
			check:   func(a *activity.Activity) bool { return a.Account.Zero() && a.Kerberos.Presented != nil }},
		{name: "more etypes than are kept", want: []string{"list-cut"},
			request: kdcReq(10, nil, seq(field(0, flags(0)), field(1, alice), field(2, str("R")), field(5, times("20370913024805Z")), field(7, num(1)), field(8, seq(long...)))),
			check:   func(a *activity.Activity) bool { return len(a.Kerberos.ETypes) == maxList }},
		{name: "more pre-authentication data than is kept", want: []string{"list-cut"},
			request: kdcReq(10, seq(append(slices.Repeat([][]byte{padata(150, nil)}, maxList), padata(2, sealed(23, "t")))...), body(alice, krbtgt, 1)),
			check: func(a *activity.Activity) bool {
				return len(a.Kerberos.PAData) == maxList && a.Kerberos.PreAuthEType == 23
			}},
		{name: "cut by the snap length", want: []string{"message-cut"}, request: asReq(1)[:120],
			check: func(a *activity.Activity) bool {
				return a.Account.Name == "alice" && a.Kerberos.Service == "krbtgt/LAB.EXAMPLE" && a.Kerberos.ETypes == nil
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := exchanged(t, tt.request, nil)
			if !slices.Equal(a.Anomalies, tt.want) {
				t.Errorf("anomalies %q, want %q", a.Anomalies, tt.want)
			}
			if tt.check != nil && !tt.check(a) {
				t.Errorf("learned: %+v, account %+v", a.Kerberos, a.Account)
			}
		})
	}
}

// Every message is read however early it is cut, and a ticket is never
// identified by part of its cipher.
func TestCutAnywhere(t *testing.T) {
	whole := activity.NewTicketID([]byte("cipher"))
	for n := range asRep("cipher") {
		cv := converse(t, activity.TCP)
		cv.Feed(flow.ToServer, record(asReq(1)), 1)
		cv.Feed(flow.ToClient, record(asRep("cipher"))[:4+n], 2)
		cv.Close(3)
		for _, a := range cv.got {
			if k := a.Kerberos; k.Issued != nil && k.Issued.ID != whole {
				t.Errorf("cut at %d: ticket %v", n, k.Issued)
			}
			if n > 2 && // below, not even the length of the message is there
				!slices.Equal(a.Anomalies, []string{"message-cut"}) {
				t.Errorf("cut at %d: anomalies %q", n, a.Anomalies)
			}
		}
	}
}

// A ticket of the greatest size that Windows issues is kept whole; a larger
// message is cut, and what follows it is still found.
func TestLargeMessages(t *testing.T) {
	for _, tt := range []struct {
		size   int
		issued bool
	}{{48 << 10, true}, {100 << 10, false}} {
		cv := converse(t, activity.TCP)
		reply := record(tgsRep(strings.Repeat("c", tt.size)))
		cv.Feed(flow.ToServer, record(tgsReq(1)), 1)
		for len(reply) > 0 {
			n := min(1460, len(reply))
			cv.Feed(flow.ToClient, reply[:n], 2)
			reply = reply[n:]
		}
		cv.Feed(flow.ToServer, record(asReq(2)), 3)
		cv.Feed(flow.ToClient, record(asRep("a")), 4)
		cv.Close(5)
		if len(cv.got) != 2 || (cv.got[0].Kerberos.Issued != nil) != tt.issued || cv.got[1].Account.Name != "alice" {
			t.Errorf("%d bytes: %v", tt.size, cv.summaries())
		}
	}
}

func TestKerberosTime(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want string // "" for 0
		ok   bool
	}{
		{"20370913024805Z", "2037-09-13T02:48:05Z", true},
		{"20240229000000Z", "2024-02-29T00:00:00Z", true},
		{"22620411234715Z", "2262-04-11T23:47:15Z", true},
		{"19700101000000Z", "", true}, // no limit
		{"22620411234717Z", "", true}, // beyond int64 nanoseconds
		{"99991231235959Z", "", true},
		{"16000101000000Z", "", true},
		{"20230229000000Z", "", false},
		{"20231301000000Z", "", false},
		{"20231200000000Z", "", false},
		{"20231201240000Z", "", false},
		{"20231201006000Z", "", false},
		{"20231201000060Z", "", false},
		{"2023120100000Z", "", false},
		{"20231201000000", "", false},
		{"2023120100000 Z", "", false},
		{"", "", false},
	} {
		got, ok := kerberosTime([]byte(tt.in))
		var want activity.Time
		if tt.want != "" {
			want = at(tt.want)
		}
		if got != want || ok != tt.ok {
			t.Errorf("kerberosTime(%q) = %v, %t, want %v, %t", tt.in, got, ok, want, tt.ok)
		}
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{activity.KRBErrorName(0), "KDC_ERR_NONE"},
		{activity.KRBErrorName(activity.KRBPrincipalUnknown), "KDC_ERR_C_PRINCIPAL_UNKNOWN"},
		{activity.KRBErrorName(activity.KRBResponseTooBig), "KRB_ERR_RESPONSE_TOO_BIG"},
		{activity.KRBErrorName(91), "KDC_ERR_MORE_PREAUTH_DATA_REQUIRED"},
		{activity.KRBErrorName(99), "KRB_ERROR_99"},
		{activity.ETypeName(18), "aes256-cts-hmac-sha1-96"},
		{activity.ETypeName(-135), "rc4-hmac-old-exp"},
		{activity.ETypeName(6), "etype 6"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

func TestAnomalyNames(t *testing.T) {
	all := anomalies(1<<len(anomalyNames) - 1)
	if all&certificateUnreadable == 0 || all != certificateUnreadable|(certificateUnreadable-1) {
		t.Error("anomalyNames does not have one name for each anomaly")
	}
	if got := (trailingBytes | messageCut).names(); !slices.Equal(got, []string{"trailing-bytes", "message-cut"}) {
		t.Errorf("names %q", got)
	}
}
