package names

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// SPN is a service principal name taken apart (MS-ADTS §2.2.21):
//
//	class/host[:port or :instance][/service name][@REALM]
//
// Parts are as written. The service name of a three-part SPN says what is
// served where many hosts serve it: GC/dc1.lab.example/lab.example, and
// E3514235-4B06-11D1-AB04-00C04FC2DCD2/<DSA GUID>/<domain> of replication
// between domain controllers (MS-DRSR §2.2.3.2), where the GUID stands for the
// host. In krbtgt/REALM the host is the realm whose KDC is meant.
type SPN struct {
	Class    string
	Host     string
	Port     uint16 // 0 when none is named
	Instance string // of MSSQLSvc/host:INSTANCE; "" when none is named
	Service  string // third part
	Realm    string // after the last "@", of a Kerberos principal in text
}

// ParseSPN takes an SPN apart. The error says which part is missing or too
// much; a Kerberos sname of one component ("WS01$" when a user-to-user or S4U
// ticket is asked for) is such an error and names an account.
func ParseSPN(s string) (SPN, error) {
	bad := func(why string) (SPN, error) { return SPN{}, fmt.Errorf("parsing SPN %q: %s", s, why) }
	if s == "" {
		return bad("empty")
	}
	var p SPN
	name := s
	if at := strings.LastIndexByte(name, '@'); at >= 0 && strings.IndexByte(name[at:], '/') < 0 {
		name, p.Realm = name[:at], name[at+1:]
		if p.Realm == "" {
			return bad(`nothing after "@"`)
		}
	}
	class, rest, two := strings.Cut(name, "/")
	host, service, three := strings.Cut(rest, "/")
	switch {
	case !two:
		return bad("no service class: one part only")
	case class == "":
		return bad("the service class is empty")
	case host == "":
		return bad("the host is empty")
	case three && service == "":
		return bad("the service name is empty")
	case strings.IndexByte(service, '/') >= 0:
		return bad("more than three parts")
	}
	p.Class, p.Host, p.Service = class, host, service
	if _, err := netip.ParseAddr(unbracket(host)); err == nil {
		return p, nil // an IPv6 address has colons and no port
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		at := host[i+1:]
		p.Host = host[:i]
		switch {
		case p.Host == "":
			return bad("the host is empty")
		case at == "":
			return bad(`nothing after ":"`)
		}
		if n, ok := parsePort(at); ok && n > 0 {
			p.Port = n
		} else {
			p.Instance = at
		}
	}
	return p, nil
}

// Key is the folded SPN without the realm: SPNs are unique in a forest, and the
// realm only says where one was looked for.
func (p SPN) Key() string {
	key := Fold(p.Class) + "/" + HostKey(p.Host)
	switch {
	case p.Port != 0:
		key += ":" + strconv.Itoa(int(p.Port))
	case p.Instance != "":
		key += ":" + Fold(p.Instance)
	}
	if p.Service != "" {
		key += "/" + Fold(p.Service)
	}
	return key
}

// ClassKey is the key of the service class: "cifs".
func (p SPN) ClassKey() string { return Fold(p.Class) }

// HostKey is the key of the host, of the realm for krbtgt.
func (p SPN) HostKey() string { return HostKey(p.Host) }

// String is the SPN as it was written.
func (p SPN) String() string {
	s := p.Class + "/" + p.Host
	switch {
	case p.Port != 0:
		s += ":" + strconv.Itoa(int(p.Port))
	case p.Instance != "":
		s += ":" + p.Instance
	}
	if p.Service != "" {
		s += "/" + p.Service
	}
	if p.Realm != "" {
		s += "@" + p.Realm
	}
	return s
}
