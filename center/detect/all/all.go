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
	"github.com/verderer/verderer/center/detect/kerberoast"
	"github.com/verderer/verderer/center/detect/remoteexec"
	"github.com/verderer/verderer/center/detect/servicecreation"
)

// Definitions is every detection, by id.
var Definitions = []*detect.Definition{
	&accountenum.Definition,
	&asreproast.Definition,
	&bruteforceauth.Definition,
	&bruteforceldap.Definition,
	&dcsync.Definition,
	&dnsrecon.Definition,
	&kerberoast.Definition,
	&remoteexec.Definition,
	&servicecreation.Definition,
}
