package coerce

import (
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ndr"
)

// maxDriver is what is looked at of a request that adds a printer driver: six
// paths of 260 characters and the files that it depends on.
const maxDriver = 4096

// reasonPrinting counts calls of printing, which are no activities.
const reasonPrinting = "calls of printing"

// Interfaces registers the readers. Windows offers MS-EFSR under two UUIDs: on
// the pipe lsarpc and others, and on its own (MS-EFSR §1.9).
var Interfaces = []decode.Interface{
	{Name: "efsr", UUID: "c681d488-d850-11d0-8c52-00c04fd90f7e", Version: 1, Request: decode.UsualStub, Call: efsr},
	{Name: "efsr", UUID: "df1941c5-fe89-4e79-bf10-463657acf44d", Version: 1, Request: decode.UsualStub, Call: efsr},
	{Name: "rprn", UUID: "12345678-1234-abcd-ef00-0123456789ab", Version: 1, Request: maxDriver, Call: rprn, Reasons: []string{reasonPrinting}},
	{Name: "par", UUID: "76f03f96-cdfd-44fc-a22c-64950a001209", Version: 1, Request: maxDriver, Call: par, Reasons: []string{reasonPrinting}},
	{Name: "dfsnm", UUID: "4fc742e0-4a10-11cf-8273-00aa004ae673", Version: 3, Request: decode.UsualStub, Call: dfsnm},
}

// emit makes the activity of a call; read takes the arguments of its request.
func emit(x *decode.Context, c *decode.RPCCall, name string, operations decode.Operations, read func(q *ndr.Reader, d *activity.RPC)) {
	a := c.New(x, activity.RPCCall, activity.ProtoDCERPC)
	c.Settle(a, decode.Win32)
	a.RPC = c.Detail(name, operations.Name(c.Opnum))
	if q := ndr.Request(c); !q.Empty() {
		read(q, a.RPC)
		q.Note(a)
	}
	x.Emit(a)
}

// some adds names that are not empty.
func some(d *activity.RPC, names ...string) {
	for _, s := range names {
		if s != "" {
			d.Names = append(d.Names, s)
		}
	}
}

// unc tells that a path names another computer, in whatever spelling.
func unc(path string) bool {
	path = strings.ReplaceAll(path, "/", `\`)
	return strings.HasPrefix(path, `\\`) && !strings.HasPrefix(path, `\\.\`) && !strings.HasPrefix(path, `\\?\`) ||
		strings.HasPrefix(strings.ToUpper(path), `\\?\UNC\`) || strings.HasPrefix(strings.ToUpper(path), `\??\UNC\`)
}
