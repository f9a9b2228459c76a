// Package all lists the decoders.
package all

import (
	"slices"

	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/bkrp"
	"github.com/verderer/verderer/sensor/decode/coerce"
	"github.com/verderer/verderer/sensor/decode/dcerpc"
	"github.com/verderer/verderer/sensor/decode/dcom"
	"github.com/verderer/verderer/sensor/decode/dns"
	"github.com/verderer/verderer/sensor/decode/drsuapi"
	"github.com/verderer/verderer/sensor/decode/epm"
	"github.com/verderer/verderer/sensor/decode/gssapi"
	"github.com/verderer/verderer/sensor/decode/icpr"
	"github.com/verderer/verderer/sensor/decode/kerberos"
	"github.com/verderer/verderer/sensor/decode/kpasswd"
	"github.com/verderer/verderer/sensor/decode/ldap"
	"github.com/verderer/verderer/sensor/decode/lsarpc"
	"github.com/verderer/verderer/sensor/decode/nbns"
	"github.com/verderer/verderer/sensor/decode/netlogon"
	"github.com/verderer/verderer/sensor/decode/ntlm"
	"github.com/verderer/verderer/sensor/decode/radius"
	"github.com/verderer/verderer/sensor/decode/sambaaudit"
	"github.com/verderer/verderer/sensor/decode/samr"
	"github.com/verderer/verderer/sensor/decode/smb"
	"github.com/verderer/verderer/sensor/decode/srvsvc"
	"github.com/verderer/verderer/sensor/decode/svcctl"
	"github.com/verderer/verderer/sensor/decode/tsch"
	"github.com/verderer/verderer/sensor/decode/winevent"
	"github.com/verderer/verderer/sensor/decode/winreg"
	"github.com/verderer/verderer/sensor/decode/wkssvc"
)

// Set is every decoder we have.
var Set = decode.Set{
	Protocols: []decode.Protocol{kerberos.Protocol, ldap.Protocol, dns.Protocol, dcerpc.Protocol, smb.Protocol,
		kpasswd.Protocol, nbns.Protocol, radius.Protocol},
	Inner: []decode.Inner{gssapi.Inner, kerberos.Inner, ntlm.Inner},
	Interfaces: slices.Concat(
		[]decode.Interface{
			drsuapi.Interface, samr.Interface, lsarpc.Interface, srvsvc.Interface, wkssvc.Interface, svcctl.Interface,
			netlogon.Interface, bkrp.Interface, icpr.Interface, winreg.Interface, epm.Interface,
		},
		tsch.Interfaces, coerce.Interfaces, dcom.Interfaces,
	),
	Events: []decode.Events{winevent.Events, sambaaudit.Events},
}
