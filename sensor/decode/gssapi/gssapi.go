package gssapi

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ber"
	"github.com/verderer/verderer/sensor/flow"
)

// Inner registers the reader.
var Inner = decode.Inner{
	Name: "gssapi",
	Read: func(x *decode.Context, dir flow.Dir, token []byte, auth *activity.Auth) bool {
		return read(x, dir, token, auth, 0)
	},
	Reasons: []string{reasonMechanism, reasonFraming, reasonDepth},
}

// maxDepth is how deep tokens may nest: framing, SPNEGO, framing and Kerberos
// make 3.
const maxDepth = 4

func read(x *decode.Context, dir flow.Dir, token []byte, auth *activity.Auth, depth int) bool {
	if depth > maxDepth {
		x.Count(reasonDepth, 1)
		return false
	}
	if isNTLM(token) {
		return x.Handoff("ntlm", dir, token, auth)
	}
	tag := ber.Tag(0)
	if len(token) > 0 {
		tag = ber.Tag(token[0])
	}
	switch tag {
	case tagInitial:
		content, whole, ok := unwrap(token)
		if !ok {
			x.Count(reasonFraming, 1)
			return false
		}
		understood := read(x, dir, kerberosBody(content), auth, depth+1)
		if !whole {
			auth.Anomaly(anomalyFraming)
		}
		return understood
	case tagNegInit, tagNegResp:
		return negotiate(x, dir, token, auth, depth)
	case tagAPReq, tagAPRep, tagKRBError:
		if tag == tagAPReq {
			*auth = activity.Auth{Mechanism: activity.MechKerberos} // a new authentication
		}
		return x.Handoff("kerberos", dir, token, auth)
	}
	x.Count(reasonMechanism, 1)
	return false
}

func negotiate(x *decode.Context, dir flow.Dir, token []byte, auth *activity.Auth, depth int) bool {
	t, whole := readNegToken(token)
	understood := whole
	if len(t.token) > 0 {
		understood = read(x, dir, t.token, auth, depth+1)
	}
	if dir == flow.ToClient {
		switch t.negState {
		case acceptCompleted:
			auth.Verdict, auth.Refusal = activity.Success, ""
		case reject:
			if auth.Verdict != activity.Failure { // a KRB-ERROR in the same token says it better
				auth.Verdict, auth.Refusal = activity.Failure, "SPNEGO reject"
			}
		}
	}
	if !whole {
		auth.Anomaly(anomalySPNEGO)
	}
	return understood
}
