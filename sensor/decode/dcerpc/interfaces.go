package dcerpc

import "github.com/verderer/verderer/sensor/decode"

// wellKnown names interfaces whose calls are counted by name when nobody reads
// them: those that detections look at, and what else a domain controller
// serves all day.
var wellKnown = []struct{ uuid, name string }{
	{"e1af8308-5d1f-11c9-91a4-08002b14a0fa", "epm"},
	{"afa8bd80-7d8a-11c9-bef4-08002b102989", "mgmt"},
	{"e3514235-4b06-11d1-ab04-00c04fc2dcd2", "drsuapi"},
	{"12345778-1234-abcd-ef00-0123456789ac", "samr"},
	{"12345778-1234-abcd-ef00-0123456789ab", "lsarpc"},
	{"12345678-1234-abcd-ef00-01234567cffb", "netlogon"},
	{"4b324fc8-1670-01d3-1278-5a47bf6ee188", "srvsvc"},
	{"6bffd098-a112-3610-9833-46c3f87e345a", "wkssvc"},
	{"367abb81-9844-35f1-ad32-98f038001003", "svcctl"},
	{"338cd001-2244-31f1-aaaa-900038001003", "winreg"},
	{"86d35949-83c9-4044-b424-db363231fd0c", "tsch"},
	{"1ff70682-0a51-30e8-076d-740be8cee98b", "atsvc"},
	{"c681d488-d850-11d0-8c52-00c04fd90f7e", "efsr on lsarpc"},
	{"df1941c5-fe89-4e79-bf10-463657acf44d", "efsr"},
	{"12345678-1234-abcd-ef00-0123456789ab", "rprn"},
	{"76f03f96-cdfd-44fc-a22c-64950a001209", "par"},
	{"4fc742e0-4a10-11cf-8273-00aa004ae673", "dfsnm"},
	{"91ae6020-9e3c-11cf-8d7c-00aa00c091be", "icpr"},
	{"50abc2a4-574d-40b3-9d66-ee4fd5fba076", "dnsserver"},
	{"3919286a-b10c-11d0-9ba8-00c04fd92ef5", "dssetup"},
	{"3dde7c30-165d-11d1-ab8f-00805f14db40", "bkrp"},
	{"99fcfec4-5260-101b-bbcb-00aa0021347a", "IObjectExporter"},
	{"000001a0-0000-0000-c000-000000000046", "IRemoteSCMActivator"},
	{"00000131-0000-0000-c000-000000000046", "IRemUnknown"},
	{"00000143-0000-0000-c000-000000000046", "IRemUnknown2"},
	{"9556dc99-828c-11cf-a37e-00aa003240c7", "IWbemServices"},
}

// callReasons is wellKnown as counter names.
var callReasons = func() map[decode.UUID]string {
	m := make(map[decode.UUID]string, len(wellKnown))
	for _, w := range wellKnown {
		uuid, err := decode.ParseUUID(w.uuid)
		if err != nil {
			panic(err) // the table above is wrong
		}
		m[uuid] = "calls on " + w.name
	}
	return m
}()

// allReasons is everything this package counts.
func allReasons() []string {
	all := append([]string(nil), reasons...)
	for _, w := range wellKnown {
		all = append(all, "calls on "+w.name)
	}
	return all
}

// Transfer syntaxes (MS-RPCE §2.2.4.12, §2.2.5, §2.2.2.14). Bind-time feature
// negotiation puts its bits into the second half of its UUID.
var (
	ndr64, _ = decode.ParseUUID("71710533-beba-4937-8319-b5dbef9ccc36")

	featurePrefix = [8]byte{0x6c, 0xb7, 0x1c, 0x2c, 0x98, 0x12, 0x45, 0x40}
)

func isFeature(syntax decode.UUID) bool { return [8]byte(syntax[:8]) == featurePrefix }
