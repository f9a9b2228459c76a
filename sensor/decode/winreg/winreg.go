package winreg

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ndr"
)

const (
	// reasonListed counts calls that close a handle or list what a key has: a
	// program that walks the registry makes thousands.
	reasonListed = "keys listed or closed"

	name = "winreg"
	// maxPath caps the path of a key: key names have up to 255 characters, and
	// those that rules look at lie a few deep.
	maxPath = 1024
)

// Interface registers the reader.
var Interface = decode.Interface{
	Name:     name,
	UUID:     "338cd001-2244-31f1-aaaa-900038001003",
	Version:  1,
	Request:  decode.UsualStub,
	Response: len(ndr.Handle{}),
	State:    func() decode.State { return new(ndr.Handles[string]) },
	Call:     call,
	Reasons:  []string{reasonListed},
}

// Opnums (MS-RRP §3.1.5).
const (
	opCloseKey     = 5
	opCreateKey    = 6
	opDeleteKey    = 7
	opDeleteValue  = 8
	opEnumKey      = 9
	opEnumValue    = 10
	opLoadKey      = 13
	opOpenKey      = 15
	opQueryInfoKey = 16
	opQueryValue   = 17
	opReplaceKey   = 18
	opRestoreKey   = 19
	opSaveKey      = 20
	opSetValue     = 22
	opUnLoadKey    = 23
	opGetVersion   = 26
	opSaveKeyEx    = 31
	opDeleteKeyEx  = 35
)

var operations = decode.Operations{
	0:  "OpenClassesRoot",
	1:  "OpenCurrentUser",
	2:  "OpenLocalMachine",
	3:  "OpenPerformanceData",
	4:  "OpenUsers",
	5:  "BaseRegCloseKey",
	6:  "BaseRegCreateKey",
	7:  "BaseRegDeleteKey",
	8:  "BaseRegDeleteValue",
	9:  "BaseRegEnumKey",
	10: "BaseRegEnumValue",
	11: "BaseRegFlushKey",
	12: "BaseRegGetKeySecurity",
	13: "BaseRegLoadKey",
	15: "BaseRegOpenKey",
	16: "BaseRegQueryInfoKey",
	17: "BaseRegQueryValue",
	18: "BaseRegReplaceKey",
	19: "BaseRegRestoreKey",
	20: "BaseRegSaveKey",
	21: "BaseRegSetKeySecurity",
	22: "BaseRegSetValue",
	23: "BaseRegUnLoadKey",
	26: "BaseRegGetVersion",
	27: "OpenCurrentConfig",
	29: "BaseRegQueryMultipleValues",
	31: "BaseRegSaveKeyEx",
	32: "OpenPerformanceText",
	33: "OpenPerformanceNlsText",
	34: "BaseRegQueryMultipleValues2",
	35: "BaseRegDeleteKeyEx",
}

// roots are what handles of Open* stand for, by opnum.
var roots = map[uint16]string{
	0: "HKCR", 1: "HKCU", 2: "HKLM", 3: "HKPD", 4: "HKU", 27: "HKCC", 32: "HKPT", 33: "HKPN",
}

func call(x *decode.Context, c *decode.RPCCall) {
	keys, _ := c.State.(*ndr.Handles[string]) // what handles stand for, by path
	if keys == nil {
		keys = new(ndr.Handles[string])
	}
	q := ndr.Request(c)
	switch c.Opnum {
	case opCloseKey:
		keys.Close(q.Handle())
		fallthrough
	case opEnumKey, opEnumValue, opQueryInfoKey, opGetVersion:
		x.Count(reasonListed, 1)
		return
	}
	a := c.New(x, activity.RPCCall, activity.ProtoDCERPC)
	c.Settle(a, decode.Win32)
	a.RPC = c.Detail(name, operations.Name(c.Opnum))
	root, opens := roots[c.Opnum]
	a.RPC.Object = root
	if !opens && !q.Empty() {
		opens = arguments(c.Opnum, q, a.RPC, keys)
		q.Note(a)
	}
	if opens && q.OK() && a.Outcome == activity.Success && c.Response != nil {
		keys.Put(ndr.Response(c).Handle(), a.RPC.Object, len(a.RPC.Object))
	}
	x.Emit(a)
}

// arguments reads a request and tells whether it opens a handle to its object.
func arguments(opnum uint16, q *ndr.Reader, d *activity.RPC, keys *ndr.Handles[string]) (opens bool) {
	key := keys.Of(q.Handle())
	if key == "" {
		key = "…"
	}
	d.Object = key
	switch opnum {
	case opOpenKey, opCreateKey:
		d.Object = below(key, q.Unicode())
		return true
	case opDeleteKey, opUnLoadKey, opDeleteKeyEx:
		d.Object = below(key, q.Unicode())
	case opDeleteValue, opQueryValue, opSetValue, opSaveKey, opSaveKeyEx, opRestoreKey:
		d.Names = []string{q.Unicode()}
	case opLoadKey, opReplaceKey:
		d.Object = below(key, q.Unicode())
		d.Names = []string{q.Unicode()}
	}
	return false
}

// below is the path of a key in another.
func below(key, name string) string {
	if name != "" {
		key += `\` + name
	}
	if len(key) > maxPath {
		key = key[:maxPath]
		for len(key) > 0 && key[len(key)-1]&0xc0 == 0x80 { // not inside a character
			key = key[:len(key)-1]
		}
	}
	return key
}
