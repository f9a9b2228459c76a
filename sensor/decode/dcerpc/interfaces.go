package dcerpc

import "github.com/verderer/verderer/sensor/decode"

// wellKnown names interfaces that nobody reads and that a domain controller
// serves all day: their calls are counted by name.
var wellKnown = []struct{ uuid, name string }{
	{"afa8bd80-7d8a-11c9-bef4-08002b102989", "mgmt"},
	{"50abc2a4-574d-40b3-9d66-ee4fd5fba076", "dnsserver"},
	{"3919286a-b10c-11d0-9ba8-00c04fd92ef5", "dssetup"},
	{"99fcfec4-5260-101b-bbcb-00aa0021347a", "IObjectExporter"},
	{"00000131-0000-0000-c000-000000000046", "IRemUnknown"},
	{"00000143-0000-0000-c000-000000000046", "IRemUnknown2"},
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
