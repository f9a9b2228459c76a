package drsuapi

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

// TestStubsAgainstTshark has tshark read the requests that the other tests are
// built on: a mistake about the layout could otherwise hide in builder and
// reader alike. tshark takes UTF-16 for little-endian whatever the data
// representation says (C706 §14.3.4 says otherwise), so it gets only those.
func TestStubsAgainstTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	const name = "CN=krbtgt,CN=Users,DC=lab,DC=example"
	for _, s := range stubs {
		if !s.tshark {
			continue
		}
		n := &ndr{order: binary.LittleEndian}
		s.build(n, name)
		path := filepath.Join(t.TempDir(), "request.pcap")
		if err := os.WriteFile(path, decodetest.CallCapture(Interface, decode.RPCCall{Opnum: s.opnum, Request: n.b}), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("tshark", "-r", path, "-Y", "drsuapi && dcerpc.pkt_type == 0", "-T", "fields", "-e", "drsuapi.DsReplicaSyncRequest1Info.nc_dn", "-e", "_ws.malformed").Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(bytes.TrimSpace(out)); got != name {
			t.Errorf("%s: tshark reads %q", s.what, got)
		}
	}
}
