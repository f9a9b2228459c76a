package radius

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
)

// Codes (RFC 2866 §4).
const (
	codeAccountingRequest  = 4
	codeAccountingResponse = 5
)

// Attribute types that are read.
const (
	attrUserName             = 1
	attrNASIPAddress         = 4
	attrFramedIPAddress      = 8
	attrVendorSpecific       = 26
	attrCallingStationID     = 31
	attrNASIdentifier        = 32
	attrAcctStatusType       = 40
	attrAcctDelayTime        = 41
	attrAcctInputOctets      = 42
	attrAcctOutputOctets     = 43
	attrAcctSessionID        = 44
	attrAcctSessionTime      = 46
	attrAcctTerminateCause   = 49
	attrAcctInputGigawords   = 52
	attrAcctOutputGigawords  = 53
	attrEventTimestamp       = 55
	attrNASPortType          = 61
	attrTunnelType           = 64
	attrTunnelClientEndpoint = 66
	attrNASIPv6Address       = 95
	attrFramedIPv6Prefix     = 97
	attrFramedIPv6Address    = 168
)

const (
	vendorMicrosoft = 311
	msRASClientName = 34
)

// Acct-Status-Type (RFC 2866 §5.1).
const (
	statusStart   = 1
	statusStop    = 2
	statusInterim = 3
)

const (
	headerSize = 20   // Code, Identifier, Length, Authenticator
	maxPacket  = 4096 // RFC 2865 §3
)

// header is what every packet begins with (RFC 2865 §3). body is its attributes,
// as far as they are there.
type header struct {
	Code       uint8
	Identifier uint8
	body       []byte
	short      bool
}

func (h *header) read(b []byte) (ok bool) {
	if len(b) < headerSize {
		return false
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < headerSize || n > maxPacket {
		return false
	}
	h.Code, h.Identifier = b[0], b[1]
	h.short = n > len(b)
	h.body = b[headerSize:min(n, len(b))] // octets beyond Length are padding
	return true
}

// accounting is an Accounting-Request (RFC 2866 §4.1).
type accounting struct {
	status    uint32
	user      activity.Account
	detail    activity.VPN
	delay     uint32
	station   string // Calling-Station-Id
	endpoint  string // Tunnel-Client-Endpoint
	nasAddr   string
	anomalies []string
}

func (a *accounting) anomaly(name string) {
	if !slices.Contains(a.anomalies, name) {
		a.anomalies = append(a.anomalies, name)
	}
}

// read reads the attributes: type, length of all three, value (RFC 2865 §5).
func (a *accounting) read(b []byte) {
	var seen [4]uint64 // types that came
	for len(b) > 0 {
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			a.anomaly(AnomalyAttribute)
			break
		}
		kind, value := b[0], b[2:b[1]]
		b = b[b[1]:]
		if kind == attrVendorSpecific {
			a.vendor(value)
			continue
		}
		if seen[kind/64]&(1<<(kind%64)) != 0 {
			continue
		}
		seen[kind/64] |= 1 << (kind % 64)
		a.attribute(kind, value)
	}
	a.settle()
}

func (a *accounting) attribute(kind byte, v []byte) {
	d := &a.detail
	switch kind {
	case attrUserName:
		a.user.Name, a.user.Raw = names.FromUTF8(v)
		if a.user.Raw != nil {
			a.anomaly(AnomalyText)
		}
	case attrNASIPAddress, attrNASIPv6Address:
		if s := a.address(v); a.nasAddr == "" {
			a.nasAddr = s
		}
	case attrFramedIPAddress:
		d.Assigned = a.address(v)
	case attrFramedIPv6Address:
		if s := a.address(v); d.Assigned == "" {
			d.Assigned = s
		}
	case attrFramedIPv6Prefix: // reserved octet, length in bits, the prefix without its zeros (RFC 3162 §2.3)
		var p [16]byte
		if len(v) < 2 || len(v) > 18 || v[1] > 128 {
			a.anomaly(AnomalyAttribute)
		} else if copy(p[:], v[2:]); d.Assigned == "" {
			d.Assigned = netip.PrefixFrom(netip.AddrFrom16(p), int(v[1])).String()
		}
	case attrCallingStationID:
		a.station = a.text(v)
	case attrTunnelClientEndpoint:
		a.endpoint = a.text(untagged(v))
	case attrNASIdentifier:
		d.NAS = a.text(v)
	case attrAcctSessionID:
		d.Session = a.text(v)
	case attrAcctStatusType:
		a.status = a.number(v)
	case attrAcctDelayTime:
		a.delay = a.number(v)
	case attrAcctSessionTime:
		d.Seconds = a.number(v)
	case attrAcctTerminateCause:
		d.Cause = a.number(v)
	case attrNASPortType:
		d.PortType = a.number(v)
	case attrTunnelType:
		d.Tunnel = a.number(v) & 0xffffff // the first octet is a tag
	case attrAcctInputOctets:
		d.In |= uint64(a.number(v))
	case attrAcctOutputOctets:
		d.Out |= uint64(a.number(v))
	case attrAcctInputGigawords:
		d.In |= uint64(a.number(v)) << 32
	case attrAcctOutputGigawords:
		d.Out |= uint64(a.number(v)) << 32
	case attrEventTimestamp:
		d.Stamp = activity.Time(a.number(v)) * 1e9
	}
}

// vendor reads MS-RAS-Client-Name; attributes of other vendors mean nothing here.
func (a *accounting) vendor(v []byte) {
	if len(v) < 4 || binary.BigEndian.Uint32(v) != vendorMicrosoft {
		return
	}
	for v = v[4:]; len(v) >= 2 && v[1] >= 2 && int(v[1]) <= len(v); v = v[v[1]:] {
		if v[0] == msRASClientName && a.detail.Computer == "" {
			a.detail.Computer = strings.TrimRight(a.text(v[2:v[1]]), "\x00")
		}
	}
}

// settle decides between attributes that say the same.
func (a *accounting) settle() {
	d := &a.detail
	if d.NAS == "" {
		d.NAS = a.nasAddr
	}
	d.Client, d.Station = a.station, ""
	if e, ok := outside(a.endpoint); ok {
		d.Client, d.Station = e, a.station
	} else if s, ok := outside(a.station); ok {
		d.Client = s
	} else if d.Client == "" {
		d.Client = a.endpoint
	}
	if d.Station == d.Client {
		d.Station = ""
	}
}

// outside is an address in its usual form; gateways add a port or brackets.
func outside(s string) (string, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().String(), true
	}
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr().Unmap().String(), true
	}
	return "", false
}

// untagged takes off the tag of a tunnel attribute: an octet up to 0x1f (RFC 2868
// §3.3).
func untagged(v []byte) []byte {
	if len(v) > 0 && v[0] <= 0x1f {
		return v[1:]
	}
	return v
}

func (a *accounting) text(v []byte) string {
	s, raw := names.FromUTF8(v)
	if raw != nil {
		a.anomaly(AnomalyText)
	}
	return s
}

func (a *accounting) number(v []byte) uint32 {
	if len(v) != 4 {
		a.anomaly(AnomalyAttribute)
		return 0
	}
	return binary.BigEndian.Uint32(v)
}

func (a *accounting) address(v []byte) string {
	addr, ok := netip.AddrFromSlice(v)
	if !ok {
		a.anomaly(AnomalyAttribute)
		return ""
	}
	return addr.Unmap().String()
}
