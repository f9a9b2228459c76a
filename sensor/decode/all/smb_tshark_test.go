package all

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

// smbFacts is what is compared of SMB in a capture, each with the client's port.
type smbFacts struct{ Users, Shares, Files []string }

// smbDiffers lists what tshark and we rightly see differently, by capture.
var smbDiffers = map[string]func(theirs *smbFacts){
	// Picked up in the middle of a set-up, whose SPNEGO tshark does not read then:
	// an anonymous AUTHENTICATE.
	"cn_cve-2021-1675.pcap": func(r *smbFacts) { r.Users = append(r.Users, `60223 \`) },
}

// TestSMBAgainstTshark compares what we and tshark read of the SMB in every
// capture of the corpus: NTLM users, shares and names of files that were opened.
func TestSMBAgainstTshark(t *testing.T) {
	if testing.Short() {
		t.Skip("compares with tshark over the whole corpus: not in short mode")
	}
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	var users, shares, files, captures atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d captures: %d NTLM users, %d shares and %d files compared", captures.Load(), users.Load(), shares.Load(), files.Load())
	})
	for _, path := range decodetest.Corpus(t, 3) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			theirs := smbFromTshark(t, path)
			if change := smbDiffers[filepath.Base(path)]; change != nil {
				change(&theirs)
			}
			activities, _, _ := decodetest.Readable(t, path, Set)
			ours := smbOf(activities)
			theirs.sort()
			ours.sort()
			if diff := cmp.Diff(theirs, ours); diff != "" {
				t.Errorf("-tshark +ours:\n%s", diff)
			}
			if len(theirs.Users)+len(theirs.Shares)+len(theirs.Files) > 0 {
				captures.Add(1)
			}
			users.Add(int64(len(theirs.Users)))
			shares.Add(int64(len(theirs.Shares)))
			files.Add(int64(len(theirs.Files)))
		})
	}
}

func (r *smbFacts) sort() {
	slices.Sort(r.Users)
	slices.Sort(r.Shares)
	slices.Sort(r.Files)
}

func smbOf(activities []*activity.Activity) (r smbFacts) {
	for _, a := range activities {
		port := strconv.Itoa(int(a.Source.Port)) + " "
		switch {
		case a.Protocol == activity.ProtoSMB && a.Auth != nil && a.Auth.NTLM != nil:
			r.Users = append(r.Users, port+a.Account.Domain+`\`+a.Account.Name)
		case a.Kind == activity.SMBTree:
			r.Shares = append(r.Shares, port+a.SMB.Share)
		case a.Kind == activity.SMBFile:
			r.Files = append(r.Files, port+a.SMB.Path)
		}
	}
	return r
}

func smbFromTshark(t *testing.T, path string) (r smbFacts) {
	fields := func(filter string, names ...string) (rows [][]string) {
		args := []string{"-r", path, "-Y", "(tcp.dstport == 445 || tcp.dstport == 139) && !icmp && (" + filter + ")", "-T", "fields",
			"-E", "occurrence=a", "-E", "aggregator=\x01", "-e", "tcp.srcport"}
		for _, n := range names {
			args = append(args, "-e", n)
		}
		out, _ := exec.Command("tshark", args...).Output()
		for line := range strings.Lines(string(out)) {
			rows = append(rows, strings.Split(strings.TrimRight(line, "\n"), "\t"))
		}
		return rows
	}
	null := func(s string) string { return strings.TrimPrefix(s, "NULL") } // tshark's word for an empty field
	for _, f := range fields("ntlmssp.messagetype == 3", "ntlmssp.auth.domain", "ntlmssp.auth.username", "smb2.cmd", "smb.cmd", "dcerpc.pkt_type") {
		if f[5] == "" { // RPC in a pipe logs on by itself
			r.Users = append(r.Users, f[0]+" "+null(f[1])+`\`+null(f[2]))
		}
	}
	for _, f := range fields("smb.cmd == 0x73 && smb.account", "smb.primary_domain", "smb.account") {
		r.Users = append(r.Users, f[0]+" "+f[1]+`\`+f[2])
	}
	for _, f := range fields("smb2.cmd == 3 && smb2.flags.response == 0", "smb2.tree") {
		r.Shares = append(r.Shares, f[0]+" "+f[1])
	}
	for _, f := range fields("smb.cmd == 0x75 && smb.flags.response == 0", "smb.path") {
		paths := strings.Split(f[1], "\x01") // that of the Tid in the header comes first
		r.Shares = append(r.Shares, f[0]+" "+paths[len(paths)-1])
	}
	for _, f := range fields("smb2.cmd == 5 && smb2.flags.response == 0", "smb2.filename", "smb2.cmd") {
		for name := range strings.SplitSeq(f[1], "\x01") {
			r.Files = append(r.Files, f[0]+" "+name)
		}
	}
	for _, f := range fields("(smb.cmd == 0xa2 || smb.cmd == 0x2d) && smb.flags.response == 0", "smb.file") {
		name, _, _ := strings.Cut(f[1], "\x01") // another command follows in the frame
		r.Files = append(r.Files, f[0]+" "+name)
	}
	return r
}
