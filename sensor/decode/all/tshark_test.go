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
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

// rpc is what is compared of the DCE/RPC over TCP, and over pipes in SMB, in a capture.
type rpc struct {
	Calls        int      // requests, by their first fragments, on whatever interface
	Read         []string // interface, opnum and call id of those on interfaces that we read
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
	"cz_CVE-2020-1472_exploit_win2019.pcap": func(r *rpc) {
		r.Calls++
		r.Read = append(r.Read, "12345678-1234-abcd-ef00-01234567cffb 1 opnum 26 call 2")
		r.sort()
	},
	// An answer to FSCTL_PIPE_TRANSCEIVE repeats the request, which tshark reads again.
	"zk_smb2.pcap": func(r *rpc) {
		r.Calls--
		r.Read = slices.Compact(r.Read)
	},
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
	var calls, read, ntlm, tickets, files atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d captures: %d calls, %d of them on interfaces that are read, by opnum; %d NTLM and %d Kerberos authentications compared",
			files.Load(), calls.Load(), read.Load(), ntlm.Load(), tickets.Load())
	})
	for _, path := range decodetest.Corpus(t, 3) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			theirs := rpcFromTshark(t, path)
			if change := differs[filepath.Base(path)]; change != nil {
				change(&theirs)
			}
			var ours rpc
			activities, counters, _ := decodetest.Readable(t, path, ours.watch(Set))
			ours.add(activities, counters)
			if diff := cmp.Diff(theirs, ours); diff != "" {
				t.Errorf("-tshark +ours:\n%s", diff)
				return
			}
			if theirs.Calls > 0 {
				files.Add(1)
			}
			calls.Add(int64(theirs.Calls))
			read.Add(int64(len(theirs.Read)))
			ntlm.Add(int64(len(theirs.NTLM)))
			tickets.Add(int64(len(theirs.Ticket)))
		})
	}
}

// watch is set with interfaces whose calls are noted in r before they are read:
// not every call becomes an activity.
func (r *rpc) watch(set decode.Set) decode.Set {
	set.Interfaces = slices.Clone(set.Interfaces)
	for i := range set.Interfaces {
		in := set.Interfaces[i]
		set.Interfaces[i].Call = func(x *decode.Context, c *decode.RPCCall) {
			r.Calls++
			r.Read = append(r.Read, fmt.Sprintf("%s %d opnum %d call %d", in.UUID, in.Version, c.Opnum, c.CallID))
			in.Call(x, c)
		}
	}
	return set
}

func (r *rpc) add(activities []*activity.Activity, counters *counter.Set) {
	for _, a := range activities {
		switch {
		case a.Protocol != activity.ProtoDCERPC || a.Auth == nil:
		case a.Auth.NTLM != nil:
			r.NTLM = append(r.NTLM, a.Account.Domain+`\`+a.Account.Name)
		case a.Auth.Ticket != nil:
			r.Ticket = append(r.Ticket, a.Auth.Ticket.Service)
		}
	}
	for _, c := range counters.Rows() {
		if c.Stage == "dcerpc" && (strings.HasPrefix(c.Name, "calls on ") || c.Name == "calls without bind") {
			r.Calls += int(c.Count)
		}
	}
	r.sort()
}

func (r *rpc) sort() {
	slices.Sort(r.Read)
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
	defer cmd.Wait()                    // its exit status only repeats that a capture is damaged
	contexts := make(map[string]string) // stream, pipe and context id → interface
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
		stream := ""
		for i := range packet.Nodes {
			switch p := &packet.Nodes[i]; p.Name {
			case "tcp":
				stream = p.first("tcp.stream")
			case "smb", "smb2": // a pipe of it
				stream += " " + p.first("smb.fid") + p.first("smb2.fid")
			case "dcerpc":
				r.pdu(p, stream, contexts)
			}
		}
	}
}

// weRead are the interfaces that we read, with their versions.
var weRead = func() (all []string) {
	for _, in := range Set.Interfaces {
		all = append(all, fmt.Sprint(in.UUID, " ", in.Version))
	}
	return all
}()

func (r *rpc) pdu(p *node, stream string, contexts map[string]string) {
	flags, _ := strconv.ParseUint(p.first("dcerpc.cn_flags"), 0, 8)
	switch p.first("dcerpc.pkt_type") {
	case "0":
		if flags&1 == 0 {
			break
		}
		r.Calls++
		if in := contexts[stream+" "+p.first("dcerpc.cn_ctx_id")]; slices.Contains(weRead, in) {
			r.Read = append(r.Read, fmt.Sprintf("%s opnum %s call %s", in, p.first("dcerpc.opnum"), p.first("dcerpc.cn_call_id")))
		}
	case "11", "14":
		for i := range p.Nodes {
			if item := &p.Nodes[i]; item.Name == "dcerpc.cn_ctx_item" {
				contexts[stream+" "+item.first("dcerpc.cn_ctx_id")] = item.first("dcerpc.cn_bind_to_uuid") + " " + item.first("dcerpc.cn_bind_if_ver")
			}
		}
	}
	null := func(s string) string { return strings.TrimPrefix(s, "NULL") } // tshark's word for an empty field
	if p.first("ntlmssp.messagetype") == "0x00000003" {
		r.NTLM = append(r.NTLM, null(p.first("ntlmssp.auth.domain"))+`\`+null(p.first("ntlmssp.auth.username")))
	}
	if len(p.all("kerberos.ap_req_element")) > 0 {
		r.Ticket = append(r.Ticket, strings.Join(p.all("kerberos.SNameString"), "/"))
	}
}
