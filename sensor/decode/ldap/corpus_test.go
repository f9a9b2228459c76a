package ldap

import (
	"bytes"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

// differ are the captures in which we and tshark see another thing, and why.
var differ = map[string]string{
	"pa_DCShadow_add_primarygroupid_512_to_std_account.pcapng": "the bind was not captured, and tshark does not look into the signed layer without it",
	"cp_PatchedDCUnauthenticatedTry.pcapng":                    "the same",
	"cp_UnPatchedDCOpenFileRaw.pcapng":                         "the same",
	"zk_asn1-max-recursion.pcap":                               "the one search has no filter that could be compiled",
}

// stray are captures that end in one byte too many, which decodetest.File
// takes for an error.
var stray = map[string]bool{
	"sd_covenant_dcsync_dcerpc_drsuapi_DsGetNCChanges_2020-08-05020926.cap": true,
	"sd_covenant_psremoting_command_2020-08-06115603.cap":                   true,
	"sd_covenant_sc_query_dcerpc_smb_svcctl_2020-08-05034820.cap":           true,
	"sd_covenant_sharpwmi_create_dcerpc_wmi_2020-08-06035621.cap":           true,
}

// TestCorpus compares every search, simple bind and answer in the captures of
// the corpus with what tshark reads of them. The text of each filter, compiled,
// must be the filter's bytes.
func TestCorpus(t *testing.T) {
	corpus := os.Getenv("VERDERER_CORPUS")
	if corpus == "" {
		corpus = "../../../../shared/corpus"
	}
	files, _ := filepath.Glob(filepath.Join(corpus, "*", "*.*cap*"))
	if len(files) == 0 {
		t.Skipf("no captures below %s: set VERDERER_CORPUS to the corpus to compare with tshark", corpus)
	}
	if _, err := exec.LookPath("tshark"); err != nil || testing.Short() {
		t.Skip("needs tshark, and half a minute")
	}
	var total tally
	for i, file := range files {
		name := filepath.Base(file)
		if os.Getenv("VERDERER_AGREE") == "" && i%12 != 0 {
			continue // make agree compares all
		}
		if stray[name] {
			continue
		}
		t.Run(name, func(t *testing.T) {
			activities, counters := decodetest.File(t, file, decode.Set{Protocols: []decode.Protocol{Protocol}})
			if counters.Of("flow", "packets followed").Value() == 0 {
				return // nothing on LDAP's ports
			}
			theirs, err := tshark(file)
			if err != nil {
				t.Fatal(err)
			}
			ours := said(activities)
			for _, kind := range []string{"search", "result", "bind", "verdict", "change", "changed"} {
				same, onlyOurs, onlyTheirs := compare(ours[kind], theirs[kind])
				total.add(kind, len(same), len(onlyOurs), len(onlyTheirs))
				if len(onlyTheirs)+len(onlyOurs) > 0 && differ[name] == "" {
					t.Errorf("%s: %d agree\nwe alone: %q\ntshark alone: %q\n%v", kind, len(same), onlyOurs, onlyTheirs, counters.Rows())
				}
			}
		})
	}
	t.Log(total)
}

// tally counts agreement by kind: both, we alone, tshark alone.
type tally map[string][3]int

func (t *tally) add(kind string, n ...int) {
	if *t == nil {
		*t = make(tally)
	}
	c := (*t)[kind]
	for i := range n {
		c[i] += n[i]
	}
	(*t)[kind] = c
}

// compare takes two lists as bags.
func compare(ours, theirs []string) (same, onlyOurs, onlyTheirs []string) {
	theirs = slices.Clone(theirs)
	for _, s := range ours {
		if i := slices.Index(theirs, s); i >= 0 {
			theirs = slices.Delete(theirs, i, i+1)
			same = append(same, s)
		} else {
			onlyOurs = append(onlyOurs, s)
		}
	}
	return same, onlyOurs, theirs
}

// said puts activities into the words in which they are compared.
func said(activities []*activity.Activity) map[string][]string {
	m := make(map[string][]string)
	for _, a := range activities {
		if s := a.LDAPSearch; s != nil {
			filter, err := compile(s.Filter)
			if err != nil {
				filter = []byte(s.Filter + ": " + err.Error())
			}
			m["search"] = append(m["search"], fmt.Sprintf("%d %q %d %x %q %q", s.MessageID, s.Base, s.Scope, filter, s.Attributes, s.Controls))
			if s.ResultCode >= 0 {
				m["result"] = append(m["result"], fmt.Sprintf("%d: %d, %d entries", s.MessageID, s.ResultCode, s.Entries))
			}
		}
		if g := a.Change; g != nil {
			what := g.Object + " " + g.NewName
			for _, c := range g.Attributes {
				what += fmt.Sprintf(" %s %s %d", c.Act, c.Name, c.Count)
			}
			m["change"] = append(m["change"], fmt.Sprintf("%d %q", g.MessageID, what))
			if g.ResultCode >= 0 {
				m["changed"] = append(m["changed"], fmt.Sprintf("%d: %d", g.MessageID, g.ResultCode))
			}
		}
		if b := a.LDAPBind; b != nil && a.Kind == activity.LDAPSimple {
			m["bind"] = append(m["bind"], fmt.Sprintf("%d %q", b.MessageID, a.Account.Name))
			if b.ResultCode >= 0 {
				m["verdict"] = append(m["verdict"], fmt.Sprintf("%d: %d", b.MessageID, b.ResultCode))
			}
		}
	}
	return m
}

// node is an element of tshark's PDML.
type node struct {
	Name   string `xml:"name,attr"`
	Show   string `xml:"show,attr"`
	Value  string `xml:"value,attr"`
	Fields []node `xml:"field"`
}

type packet struct {
	Protos []node `xml:"proto"`
}

// each calls f for the fields below n with a name, outermost first; below such
// a field it does not look.
func (n *node) each(name string, f func(*node)) {
	for i := range n.Fields {
		if c := &n.Fields[i]; c.Name == name {
			f(c)
		} else {
			c.each(name, f)
		}
	}
}

// first returns the first field below n with a name.
func (n *node) first(name string) *node {
	var found *node
	n.each(name, func(c *node) {
		if found == nil {
			found = c
		}
	})
	return found
}

func (n *node) bytes() []byte {
	if n == nil {
		return nil
	}
	b, _ := hex.DecodeString(n.Value)
	return b
}

func (n *node) show() string {
	if n == nil {
		return ""
	}
	return n.Show
}

// tshark reads a capture with tshark and says what it found as said does.
func tshark(file string) (map[string][]string, error) {
	out, err := exec.Command("tshark", "-r", file, "-Y", "(ldap || cldap) && (tcp.port in {389, 3268} || udp.port == 389)", "-T", "pdml").Output()
	if err != nil {
		return nil, err
	}
	type key struct{ stream, id string }
	var (
		m       = make(map[string][]string)
		entries = make(map[key]int)
		asked   = make(map[key]bool)
		simple  = make(map[key]bool)
		changes = make(map[key]bool)
	)
	for d := xml.NewDecoder(bytes.NewReader(out)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err != nil {
			return nil, err
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "packet" {
			continue
		}
		var p packet
		if err := d.DecodeElement(&p, &start); err != nil {
			return nil, err
		}
		stream := ""
		for i := range p.Protos {
			proto := &p.Protos[i]
			switch proto.Name {
			case "tcp", "udp":
				stream = proto.Name + proto.first(proto.Name+".stream").show()
			case "ldap", "cldap":
				proto.each("ldap.LDAPMessage_element", func(msg *node) {
					id := msg.first("ldap.messageID").show()
					k := key{stream, id}
					if s := msg.first("ldap.searchRequest_element"); s != nil {
						m["search"] = append(m["search"], tsharkSearch(id, msg, s))
						asked[k] = true
					}
					if msg.first("ldap.searchResEntry_element") != nil {
						entries[k]++
					}
					if r := msg.first("ldap.searchResDone_element"); r != nil && asked[k] {
						m["result"] = append(m["result"], fmt.Sprintf("%s: %s, %d entries", id, r.first("ldap.resultCode").show(), entries[k]))
						delete(entries, k)
						delete(asked, k)
					}
					if what := tsharkChange(msg); what != "" {
						m["change"] = append(m["change"], fmt.Sprintf("%s %q", id, what))
						changes[k] = true
					}
					for _, answer := range []string{"modify", "add", "del", "modDN"} {
						if r := msg.first("ldap." + answer + "Response_element"); r != nil && changes[k] {
							m["changed"] = append(m["changed"], fmt.Sprintf("%s: %s", id, r.first("ldap.resultCode").show()))
							delete(changes, k)
						}
					}
					if b := msg.first("ldap.bindRequest_element"); b != nil && b.first("ldap.simple") != nil {
						m["bind"] = append(m["bind"], fmt.Sprintf("%s %q", id, b.first("ldap.name").bytes()))
						simple[k] = true
					}
					if r := msg.first("ldap.bindResponse_element"); r != nil && simple[k] {
						m["verdict"] = append(m["verdict"], fmt.Sprintf("%s: %s", id, r.first("ldap.resultCode").show()))
						delete(simple, k)
					}
				})
			}
		}
	}
}

// tsharkChange says what a request changes, "" if it does not.
func tsharkChange(msg *node) (what string) {
	count := func(n *node) (count int) {
		n.each("ldap.AttributeValue", func(*node) { count++ })
		return count
	}
	if r := msg.first("ldap.delRequest"); r != nil {
		return r.show() + " "
	}
	if r := msg.first("ldap.modDNRequest_element"); r != nil {
		above, entry := r.first("ldap.newSuperior").show(), r.first("ldap.entry").show()
		if above == "" {
			_, above, _ = strings.Cut(entry, ",")
		}
		return entry + " " + r.first("ldap.newrdn").show() + "," + above
	}
	if r := msg.first("ldap.addRequest_element"); r != nil {
		what = r.first("ldap.entry").show() + " "
		r.each("ldap.AttributeList_item_element", func(n *node) { what += fmt.Sprintf(" add %s %d", n.first("ldap.type").show(), count(n)) })
	}
	if r := msg.first("ldap.modifyRequest_element"); r != nil {
		what = r.first("ldap.object").show() + " "
		r.each("ldap.modification_item_element", func(n *node) {
			op := []string{"add", "delete", "replace", "increment"}[n.first("ldap.operation").show()[0]-'0']
			what += fmt.Sprintf(" %s %s %d", op, n.first("ldap.type").show(), count(n))
		})
	}
	return what
}

func tsharkSearch(id string, msg, s *node) string {
	var filter []byte
	for i := range s.Fields {
		if strings.HasPrefix(s.Fields[i].Show, "Filter: ") {
			filter = shortest(s.Fields[i].bytes())
		}
	}
	attributes, controls := []string{}, []string{}
	s.each("ldap.AttributeDescription", func(n *node) { attributes = append(attributes, string(n.bytes())) })
	msg.each("ldap.controlType", func(n *node) { controls = append(controls, string(n.bytes())) })
	return fmt.Sprintf("%s %q %s %x %q %q", id, s.first("ldap.baseObject").bytes(), s.first("ldap.scope").show(), filter, attributes, controls)
}
