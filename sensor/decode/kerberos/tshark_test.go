package kerberos_test

import (
	"bytes"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
	"github.com/verderer/verderer/sensor/decode/kerberos"
)

// TestAgreesWithTshark compares what the decoder and tshark read of every
// capture of the corpus: requests and answers, each as one line.
func TestAgreesWithTshark(t *testing.T) {
	if testing.Short() {
		t.Skip("starts tshark once per capture of the corpus: not in the short tests")
	}
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed: nothing to compare with")
	}
	captures := decodetest.Corpus(t, 3)
	var requests, answers, files int
	for _, path := range captures {
		t.Run(filepath.Base(path), func(t *testing.T) {
			want := dissect(t, tshark, path)
			activities, _, _ := decodetest.Readable(t, path, decode.Set{Protocols: []decode.Protocol{kerberos.Protocol}})
			got := read(activities)
			if len(got.requests)+len(got.answers) > 0 {
				files++
			}
			requests += compare(t, "request", want.requests, got.requests)
			answers += compare(t, "answer", want.answers, got.answers)
		})
	}
	t.Logf("agreed on %d requests and %d answers in %d of %d captures", requests, answers, files, len(captures))
}

// compare reports the lines that only one side has, and returns how many both
// have.
func compare(t *testing.T, what string, want, got []string) (agreed int) {
	slices.Sort(want)
	slices.Sort(got)
	for len(want) > 0 || len(got) > 0 {
		switch {
		case len(got) == 0 || len(want) > 0 && want[0] < got[0]:
			t.Errorf("only tshark has %s\n  %s", what, want[0])
			want = want[1:]
		case len(want) == 0 || got[0] < want[0]:
			t.Errorf("only the decoder has %s\n  %s", what, got[0])
			got = got[1:]
		default:
			agreed++
			want, got = want[1:], got[1:]
		}
	}
	return agreed
}

// lines are the messages of a capture, as text to compare.
type lines struct{ requests, answers []string }

func (l *lines) request(r request) { l.requests = append(l.requests, fmt.Sprintf("%+v", r)) }
func (l *lines) answer(a answer)   { l.answers = append(l.answers, fmt.Sprintf("%+v", a)) }

type request struct {
	at             activity.Time
	port           string // of the client
	kind           string
	cname          principal // of an AS-REQ
	realm          string
	sname          principal
	options        uint32
	till, renew    activity.Time
	nonce          uint32
	etypes, padata []int32
	preAuth        int32
	pac            string
	presented      string
	addresses      int
	hasAuthData    bool
	workstation    string
	fast           bool
	armor          string
	forUser        string
	additional     string
	pacOptions     uint32
	certificates   int32
	serial         string
}

type answer struct {
	frame   int64
	port    string
	kind    string // of an error "error"
	account string // of a TGS-REP
	code    int32
	issued  string
	etype   int32
	offered []int32
}

type principal struct {
	name string
	kind int32
}

// read is the decoder's side.
func read(activities []*activity.Activity) (l lines) {
	for _, a := range activities {
		k := a.Kerberos
		kind := strings.TrimPrefix(string(a.Kind), "logon.kerberos.")
		port := strconv.Itoa(int(a.Source.Port))
		if k.RequestSeen {
			r := request{at: a.Requested, port: port, kind: kind, realm: k.Realm, sname: principal{k.Service, k.ServiceType},
				options: k.Options, till: k.Till, renew: k.Renew, nonce: k.Nonce, etypes: k.ETypes, padata: k.PAData,
				preAuth: k.PreAuthEType, presented: outside(k.Presented), addresses: k.Addresses, hasAuthData: k.EncAuthData,
				workstation: k.Workstation, fast: k.FAST, armor: outside(k.Armor), additional: outside(k.Additional), pacOptions: k.PACOptions}
			if k.ForUser != "" {
				r.forUser = k.ForUser + "@" + k.ForRealm
			}
			if k.PKINIT != nil {
				r.certificates, r.serial = k.PKINIT.Chain, k.PKINIT.Serial
			}
			if kind == "as" {
				r.cname = principal{a.Account.Name, k.ClientType}
			}
			if k.PACRequest != nil {
				r.pac = strconv.FormatBool(*k.PACRequest)
			}
			l.request(r)
		}
		if a.Outcome == activity.Attempt {
			continue
		}
		w := answer{frame: a.Origin.Frame, port: port, kind: kind, code: k.ErrorCode, issued: outside(k.Issued),
			etype: k.ReplyEType, offered: k.OfferedETypes}
		if a.Outcome == activity.Failure {
			w.kind = "error"
			if k.ErrorCode != activity.KRBPreAuthRequired && k.ErrorCode != activity.KRBPreAuthFailed {
				w.offered = nil // tshark does not open the e-data of other errors
			}
		} else if kind == "tgs" {
			w.account = a.Account.Name + "@" + a.Account.Domain
		}
		l.answer(w)
	}
	return l
}

func outside(t *activity.Ticket) string {
	if t == nil {
		return ""
	}
	return fmt.Sprintf("%+v", *t)
}

// node is an element of PDML, tshark's tree of a packet.
type node struct {
	Name   string `xml:"name,attr"`
	Show   string `xml:"show,attr"`
	Protos []node `xml:"proto"`
	Fields []node `xml:"field"`
}

// all lists the nodes below n with a name, in their order.
func (n *node) all(name string) (out []*node) {
	for _, list := range [][]node{n.Protos, n.Fields} {
		for i := range list {
			if list[i].Name == name {
				out = append(out, &list[i])
			}
			out = append(out, list[i].all(name)...)
		}
	}
	return out
}

// at is the first node below n with a name, or an empty one.
func (n *node) at(name string) *node {
	if all := n.all(name); len(all) > 0 {
		return all[0]
	}
	return &node{}
}

func (n *node) int(name string) int64 {
	v, _ := strconv.ParseInt(n.at(name).Show, 0, 64)
	return v
}

func (n *node) ints(name string) (out []int32) {
	for _, e := range n.all(name) {
		v, _ := strconv.ParseInt(e.Show, 0, 64)
		out = append(out, int32(v))
	}
	return out
}

func (n *node) principal(element, component string) principal {
	e := n.at(element)
	var parts []string
	for _, c := range e.all(component) {
		parts = append(parts, c.Show)
	}
	return principal{strings.Join(parts, "/"), int32(e.int("kerberos.name_type"))}
}

func (n *node) time(name string) activity.Time {
	t, err := time.Parse("Jan _2, 2006 15:04:05.000000000 MST", n.at(name).Show)
	if err != nil || t.Unix() == 0 {
		return 0
	}
	return activity.Time(t.UnixNano())
}

// ticket is the first ticket below n.
func (n *node) ticket() string { return n.at("kerberos.ticket_element").asTicket() }

func (t *node) asTicket() string {
	cipher, _ := hex.DecodeString(strings.ReplaceAll(t.at("kerberos.cipher").Show, ":", ""))
	if len(cipher) == 0 {
		return ""
	}
	return outside(&activity.Ticket{
		ID:      activity.NewTicketID(cipher),
		Realm:   t.at("kerberos.realm").Show,
		Service: t.principal("kerberos.sname_element", "kerberos.SNameString").name,
		EType:   int32(t.int("kerberos.etype")),
		KVNO:    uint32(t.int("kerberos.kvno")),
		Size:    uint32(len(cipher)),
	})
}

// dissect is tshark's side.
func dissect(t *testing.T, tshark, path string) (l lines) {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(tshark, "-n", "-r", path, "-T", "pdml", "-J", "frame udp tcp kerberos cms pkinit x509af",
		"-Y", "kerberos && (tcp.port == 88 || udp.port == 88)")
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(out)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "packet" {
			var packet node
			if err := d.DecodeElement(&packet, &e); err != nil {
				t.Fatal(err)
			}
			l.packet(&packet)
		}
	}
	if err := cmd.Wait(); err != nil && !bytes.Contains(stderr.Bytes(), []byte("cut short")) {
		t.Fatalf("running tshark on %s: %v: %s", path, err, stderr.Bytes())
	}
	return l
}

func (l *lines) packet(p *node) {
	seconds, fraction, _ := strings.Cut(p.at("frame.time_epoch").Show, ".")
	s, _ := strconv.ParseInt(seconds, 10, 64)
	ns, _ := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	at, frame := activity.Time(s*1e9+ns), p.int("frame.number")
	source, target := p.at("tcp.srcport").Show+p.at("udp.srcport").Show, p.at("tcp.dstport").Show+p.at("udp.dstport").Show

	for i := range p.Protos {
		k := &p.Protos[i]
		if k.Name != "kerberos" {
			continue
		}
		for _, kind := range []string{"as", "tgs"} {
			for _, m := range k.all("kerberos." + kind + "_req_element") {
				l.request(asked(m, kind, at, source))
			}
			if source != "88" {
				continue // what goes to a KDC answers nothing
			}
			for _, m := range k.all("kerberos." + kind + "_rep_element") {
				a := answer{frame: frame, port: target, kind: kind, issued: m.ticket(), offered: offered(m)}
				if kind == "tgs" {
					a.account = m.principal("kerberos.cname_element", "kerberos.CNameString").name + "@" + m.at("kerberos.crealm").Show
				}
				if sealed := m.all("kerberos.enc_part_element"); len(sealed) > 0 { // the last: the first is the ticket's
					a.etype = int32(sealed[len(sealed)-1].int("kerberos.etype"))
				}
				l.answer(a)
			}
		}
		if source != "88" {
			continue
		}
		for _, m := range k.all("kerberos.krb_error_element") {
			l.answer(answer{frame: frame, port: target, kind: "error", code: int32(m.int("kerberos.error_code")), offered: offered(m)})
		}
	}
}

func asked(m *node, kind string, at activity.Time, source string) request {
	body := m.at("kerberos.req_body_element")
	options, _ := strconv.ParseUint(strings.ReplaceAll(body.at("kerberos.kdc_options").Show, ":", ""), 16, 32)
	r := request{at: at, port: source, kind: kind,
		realm:   body.at("kerberos.realm").Show,
		sname:   body.principal("kerberos.sname_element", "kerberos.SNameString"),
		options: uint32(options), till: body.time("kerberos.till"), renew: body.time("kerberos.rtime"),
		nonce: uint32(body.int("kerberos.nonce")), etypes: body.ints("kerberos.ENCTYPE"),
		addresses:   len(body.all("kerberos.HostAddress_element")),
		hasAuthData: len(body.all("kerberos.enc_authorization_data_element")) > 0,
	}
	if kind == "as" {
		r.cname = body.principal("kerberos.cname_element", "kerberos.CNameString")
	}
	r.workstation = strings.TrimRight(body.at("kerberos.addr_nb").Show, " ")
	r.additional = body.at("kerberos.additional_tickets").at("kerberos.Ticket_element").asTicket()
	for _, pa := range m.all("kerberos.PA_DATA_element") {
		number := int32(pa.int("kerberos.padata_type"))
		r.padata = append(r.padata, number)
		switch number {
		case activity.PATGSReq:
			r.presented = pa.ticket()
		case activity.PAFXFast:
			r.fast = len(pa.all("kerberos.armored_data_element")) > 0
			r.armor = pa.ticket()
		case activity.PAForUser:
			r.forUser = pa.principal("kerberos.name_element", "kerberos.KerberosString").name + "@" + pa.at("kerberos.realm").Show
		case activity.PAS4UX509User:
			if r.forUser == "" {
				r.forUser = pa.principal("kerberos.cname_element", "kerberos.KerberosString").name + "@" + pa.at("kerberos.crealm").Show
			}
		case activity.PAPACOptions:
			v, _ := strconv.ParseUint(strings.ReplaceAll(pa.at("kerberos.flags").Show, ":", ""), 16, 32)
			r.pacOptions = uint32(v)
		case activity.PAPKASReq:
			list := pa.all("cms.CertificateChoices")
			r.certificates = int32(len(list))
			if len(list) > 0 {
				r.serial = strings.TrimPrefix(strings.ReplaceAll(pa.at("x509af.serialNumber").Show, ":", ""), "00")
			}
		case activity.PAEncTimestamp:
			r.preAuth = int32(pa.int("kerberos.etype"))
		case activity.PAPACRequest:
			r.pac = strconv.FormatBool(pa.int("kerberos.include_pac") != 0)
		}
	}
	return r
}

// offered is the etypes of ETYPE-INFO2, or of ETYPE-INFO.
func offered(m *node) []int32 {
	for _, name := range []string{"kerberos.ETYPE_INFO2_ENTRY_element", "kerberos.ETYPE_INFO_ENTRY_element"} {
		var out []int32
		for _, e := range m.all(name) {
			out = append(out, e.ints("kerberos.etype")...)
		}
		if out != nil {
			return out
		}
	}
	return nil
}
