// Package all lists the decoders.
package all

import (
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/dcerpc"
	"github.com/verderer/verderer/sensor/decode/dns"
	"github.com/verderer/verderer/sensor/decode/drsuapi"
	"github.com/verderer/verderer/sensor/decode/gssapi"
	"github.com/verderer/verderer/sensor/decode/kerberos"
	"github.com/verderer/verderer/sensor/decode/kpasswd"
	"github.com/verderer/verderer/sensor/decode/ldap"
	"github.com/verderer/verderer/sensor/decode/nbns"
	"github.com/verderer/verderer/sensor/decode/ntlm"
	"github.com/verderer/verderer/sensor/decode/radius"
	"github.com/verderer/verderer/sensor/decode/winevent"
)

// Set is every decoder we have.
var Set = decode.Set{
	Protocols: []decode.Protocol{kerberos.Protocol, ldap.Protocol, dns.Protocol, dcerpc.Protocol,
		kpasswd.Protocol, nbns.Protocol, radius.Protocol},
	Inner:      []decode.Inner{gssapi.Inner, kerberos.Inner, ntlm.Inner},
	Interfaces: []decode.Interface{drsuapi.Interface},
	Events:     []decode.Events{winevent.Events},
}
