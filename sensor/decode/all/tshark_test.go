package all

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

// rpc is what is compared of the DCE/RPC over TCP, and over pipes in SMB, in a capture.
type rpc struct {
	Calls        int      // requests, by their first fragments, on whatever interface
	Replication  []string // call id and opnum of calls on the replication interface
	NTLM, Ticket []string // who was authenticated: user and domain, service of the ticket
}

// differs lists what tshark and we rightly see differently, by capture.
var differs = map[string]func(theirs *rpc){
	// tshark loses the security contexts of a connection that carries several
	// and leaves the AP-REQ of its first bind, and of one alter_context, undissected.
	"sd_covenant_sharpwmi_create_dcerpc_wmi_2020-08-06035621.cap": func(r *rpc) {
		const host = "host/WORKSTATION6.theshire.local"
		r.Ticket = append(r.Ticket, host, host)
	},
	"pa_LM_WMI_ProcessCallCreate.pcapng": func(r *rpc) {
		r.Ticket = append(r.Ticket, "host/01566s-win16-ir.threebeesco.com")
		slices.Sort(r.Ticket)
	},
	// Frame 419 repeats a request that was not captured the first time.
	"cz_CVE-2020-1472_exploit_win2019.pcap": func(r *rpc) { r.Calls++ },
	// An answer to FSCTL_PIPE_TRANSCEIVE repeats the request, which tshark reads again.
	"zk_smb2.pcap": func(r *rpc) { r.Calls-- },
}

// TestRPCAgainstTshark compares what we and tshark read of the connection-oriented DCE/RPC
// in every capture of the corpus.
func TestRPCAgainstTshark(t *testing.T) {
	if testing.Short() {
		t.Skip("compares with tshark over the whole corpus: not in short mode")
	}
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	var calls, replication, ntlm, tickets, files atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d captures: %d calls, %d of replication; %d NTLM and %d Kerberos authentications compared",
			files.Load(), calls.Load(), replication.Load(), ntlm.Load(), tickets.Load())
	})
	for _, path := range decodetest.Corpus(t, 3) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			theirs := rpcFromTshark(t, path)
			if change := differs[filepath.Base(path)]; change != nil {
				change(&theirs)
			}
			activities, counters, _ := decodetest.Readable(t, path, Set)
			ours := rpcOf(activities, counters)
			if diff := cmp.Diff(theirs, ours); diff != "" {
				t.Errorf("-tshark +ours:\n%s", diff)
				return
			}
			if theirs.Calls > 0 {
				files.Add(1)
			}
			calls.Add(int64(theirs.Calls))
			replication.Add(int64(len(theirs.Replication)))
			ntlm.Add(int64(len(theirs.NTLM)))
			tickets.Add(int64(len(theirs.Ticket)))
		})
	}
}

func rpcOf(activities []*activity.Activity, counters *counter.Set) (r rpc) {
	for _, a := range activities {
		switch {
		case a.DRS != nil:
			r.Calls++
			r.Replication = append(r.Replication, fmt.Sprintf("call %d opnum %d", a.DRS.CallID, a.DRS.Opnum))
		case a.Protocol == activity.ProtoDCERPC && a.Auth.NTLM != nil:
			r.NTLM = append(r.NTLM, a.Account.Domain+`\`+a.Account.Name)
		case a.Protocol == activity.ProtoDCERPC && a.Auth.Ticket != nil:
			r.Ticket = append(r.Ticket, a.Auth.Ticket.Service)
		}
	}
	for _, c := range counters.Rows() {
		if c.Stage == "dcerpc" && (strings.HasPrefix(c.Name, "calls on ") || c.Name == "calls without bind") {
			r.Calls += int(c.Count)
		}
	}
	r.sort()
	return r
}

func (r *rpc) sort() {
	slices.Sort(r.Replication)
	slices.Sort(r.NTLM)
	slices.Sort(r.Ticket)
}

// node is an element of tshark's PDML.
type node struct {
	Name  string `xml:"name,attr"`
	Show  string `xml:"show,attr"`
	Nodes []node `xml:",any"`
}

// all lists the values of a field in a tree, in order.
func (n *node) all(name string) (values []string) {
	if n.Name == name {
		values = append(values, n.Show)
	}
	for i := range n.Nodes {
		values = append(values, n.Nodes[i].all(name)...)
	}
	return values
}

// first is the first value of a field, "" without one.
func (n *node) first(name string) string {
	if v := n.all(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

func rpcFromTshark(t *testing.T, path string) (r rpc) {
	cmd := exec.Command("tshark", "-r", path, "-Y", "dcerpc && tcp", "-T", "pdml")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait() // its exit status only repeats that a capture is damaged
	d := xml.NewDecoder(out)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			r.sort()
			return r
		}
		if err != nil {
			t.Fatal(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "packet" {
			continue
		}
		var packet node
		if err := d.DecodeElement(&packet, &start); err != nil {
			t.Fatal(err)
		}
		var pdu *node
		for i := range packet.Nodes {
			switch p := &packet.Nodes[i]; p.Name {
			case "dcerpc":
				pdu = p
				r.pdu(p)
			case "drsuapi":
				if pdu != nil && pdu.first("dcerpc.pkt_type") == "0" {
					r.Replication = append(r.Replication, "call "+pdu.first("dcerpc.cn_call_id")+" opnum "+pdu.first("dcerpc.opnum"))
				}
			}
		}
	}
}

func (r *rpc) pdu(p *node) {
	flags, _ := strconv.ParseUint(p.first("dcerpc.cn_flags"), 0, 8)
	if p.first("dcerpc.pkt_type") == "0" && flags&1 != 0 {
		r.Calls++
	}
	null := func(s string) string { return strings.TrimPrefix(s, "NULL") } // tshark's word for an empty field
	if p.first("ntlmssp.messagetype") == "0x00000003" {
		r.NTLM = append(r.NTLM, null(p.first("ntlmssp.auth.domain"))+`\`+null(p.first("ntlmssp.auth.username")))
	}
	if len(p.all("kerberos.ap_req_element")) > 0 {
		r.Ticket = append(r.Ticket, strings.Join(p.all("kerberos.SNameString"), "/"))
	}
}
