// Package all lists the detections.
package all

import (
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/accountenum"
	"github.com/verderer/verderer/center/detect/asreproast"
	"github.com/verderer/verderer/center/detect/bruteforceauth"
	"github.com/verderer/verderer/center/detect/bruteforceldap"
	"github.com/verderer/verderer/center/detect/dcsync"
	"github.com/verderer/verderer/center/detect/dnsrecon"
	"github.com/verderer/verderer/center/detect/dpapibackupkey"
	"github.com/verderer/verderer/center/detect/kerberoast"
	"github.com/verderer/verderer/center/detect/remoteexec"
	"github.com/verderer/verderer/center/detect/samrrecon"
	"github.com/verderer/verderer/center/detect/sensitivegroupadd"
	"github.com/verderer/verderer/center/detect/servicecreation"
	"github.com/verderer/verderer/center/detect/smbsessionenum"
	"github.com/verderer/verderer/center/detect/zerologon"
)

// Definitions is every detection, by id.
var Definitions = []*detect.Definition{
	&accountenum.Definition,
	&asreproast.Definition,
	&bruteforceauth.Definition,
	&bruteforceldap.Definition,
	&dcsync.Definition,
	&dnsrecon.Definition,
	&dpapibackupkey.Definition,
	&kerberoast.Definition,
	&remoteexec.Definition,
	&samrrecon.Definition,
	&sensitivegroupadd.Definition,
	&servicecreation.Definition,
	&smbsessionenum.Definition,
	&zerologon.Definition,
}
