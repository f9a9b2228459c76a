package ntlm

import (
	"bytes"
	"slices"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// Inner registers the reader.
var Inner = decode.Inner{
	Name:    "ntlm",
	Read:    read,
	Reasons: []string{reasonShort, reasonType, reasonOther},
}

// read adds what an NTLMSSP message says to auth. The message's own type tells
// its direction.
func read(x *decode.Context, _ flow.Dir, token []byte, auth *activity.Auth) bool {
	if !bytes.HasPrefix(token, signature) {
		x.Count(reasonOther, 1)
		return false
	}
	if len(token) < sizeHeader {
		x.Count(reasonShort, 1)
		return false
	}
	var ok bool
	switch le.Uint32(token[8:]) {
	case typeNegotiate:
		begin(auth)
		return true
	case typeChallenge:
		ok = challenged(token, auth)
	case typeAuthenticate:
		ok = authenticated(token, auth)
	default:
		x.Count(reasonType, 1)
		return false
	}
	if !ok {
		x.Count(reasonShort, 1)
	}
	return ok
}

// begin forgets an authentication before this one: another NTLM exchange, or a
// Kerberos ticket that SPNEGO offered and the server did not take.
func begin(auth *activity.Auth) {
	*auth = activity.Auth{Mechanism: activity.MechNTLM, NTLM: &activity.NTLM{}}
}

func challenged(b []byte, auth *activity.Auth) bool {
	c, ok := readChallenge(b)
	if !ok {
		return false
	}
	begin(auth)
	n := auth.NTLM
	n.Challenge = true
	info, ok := c.targetInfo.of(b)
	if !ok {
		auth.Anomaly(anomalyField)
	}
	if len(info) == 0 {
		return true // NTLM without target information: Windows NT, or a field outside
	}
	// Target information is Unicode whatever was negotiated (§2.2.2.1).
	if !pairs(info, func(id uint16, value []byte) { serverName(n, id, value) }) {
		auth.Anomaly(anomalyTargetInfo)
	}
	return true
}

// serverName notes what a pair of target information says of the server.
func serverName(n *activity.NTLM, id uint16, value []byte) {
	switch id {
	case avNbComputerName:
		n.ServerName, _ = text(value, true)
	case avNbDomainName:
		n.ServerDom, _ = text(value, true)
	case avDNSComputer:
		n.ServerDNS, _ = text(value, true)
	case avDNSDomain:
		n.ServerDNSDomain, _ = text(value, true)
	}
}

func authenticated(b []byte, auth *activity.Auth) bool {
	m, ok := readAuthenticate(b)
	if !ok {
		return false
	}
	var challenge activity.NTLM
	var anomalies []string
	if auth.NTLM != nil {
		challenge, anomalies = *auth.NTLM, auth.Anomalies
	}
	begin(auth)
	auth.Anomalies = anomalies
	n := auth.NTLM
	n.Challenge, n.ServerName, n.ServerDNS, n.ServerDom, n.ServerDNSDomain = challenge.Challenge, challenge.ServerName, challenge.ServerDNS, challenge.ServerDom, challenge.ServerDNSDomain
	n.Flags, n.MIC = m.flags, m.mic

	content := func(f field) []byte {
		c, ok := f.of(b)
		if !ok {
			auth.Anomaly(anomalyField)
		}
		return c
	}
	name := func(f field) (string, []byte) {
		c := content(f)
		unicode := m.flags&flagUnicode != 0
		if !m.flagsSeen {
			// Without flags the character set is not told. A NUL in a name
			// means that its characters are two bytes wide.
			unicode = bytes.IndexByte(c, 0) >= 0
		}
		s, raw := text(c, unicode)
		if len(raw) > 0 {
			auth.Anomaly(anomalyText)
		}
		return s, raw
	}
	n.User, n.Raw = name(m.user)
	n.Domain, _ = name(m.domain)
	n.Workstation, _ = name(m.workstation)

	nt := content(m.nt)
	// An anonymous LM response is one zero byte (§3.2.5.1.2); beside an NTLMv2
	// response with a timestamp it is all zero (§3.1.5.1.2).
	n.LM = slices.ContainsFunc(content(m.lm), func(x byte) bool { return x != 0 })
	switch {
	case m.nt.length == 24: // NTLM_RESPONSE or NTLM2 session response (§2.2.2.6)
		n.Version = 1
	case m.nt.length > 24: // NTLMv2_RESPONSE (§2.2.2.8)
		n.Version = 2
		response(nt, m.mic, auth)
	case m.nt.length > 0:
		auth.Anomaly(anomalyResponse)
	case m.lm.length <= 1 && m.user.length == 0:
		n.Anonymous = true
	}
	if m.flags&flagAnonymous != 0 && n.User == "" {
		n.Anonymous = true
	}
	switch {
	case m.flags&flagSeal != 0:
		auth.Protection = "privacy"
	case m.flags&flagSign != 0:
		auth.Protection = "integrity"
	}
	return true
}

// response looks into an NTLMv2_RESPONSE: 16 bytes of proof, then the
// NTLMv2_CLIENT_CHALLENGE (§2.2.2.7), whose target information begins at 28. It
// repeats that of CHALLENGE, and adds what the client says.
func response(nt []byte, mic bool, auth *activity.Auth) {
	const clientInfo = 16 + 28
	if len(nt) < clientInfo {
		return // outside the message, or of a client without target information
	}
	n := auth.NTLM
	pairs(nt[clientInfo:], func(id uint16, value []byte) {
		switch id {
		case avFlags:
			if len(value) == 4 && le.Uint32(value)&avFlagMIC != 0 && !mic {
				auth.Anomaly(anomalyMIC)
			}
		case avTargetName:
			n.Target, _ = text(value, true)
		case avChannelBindings:
			n.Bound = slices.ContainsFunc(value, func(x byte) bool { return x != 0 })
		default:
			if !n.Challenge {
				serverName(n, id, value)
			}
		}
	})
}
