package smb

import (
	"github.com/verderer/verderer/activity"
)

// SecurityMode of SMB1's NEGOTIATE response (MS-CIFS §2.2.4.52.2), and Action of
// SESSION_SETUP_ANDX (§2.2.4.53.2).
const (
	encryptPasswords1 = 0x02
	signingEnabled1   = 0x04
	signingRequired1  = 0x08
	actionGuest1      = 0x0001

	capExtendedSecurity = 0x80000000 // MS-SMB §2.2.4.5.2.1
)

// negotiateAnswer1 reads the NEGOTIATE response: that of NT LM 0.12 has 17
// words, of LAN Manager 13.
func (d *decoder) negotiateAnswer1(m *block) {
	w := m.words
	if len(w) < 26 || le.Uint16(w) == 0xffff {
		return
	}
	d.dialect = dialect1
	d.server.seen = true
	mode := w[2]
	d.required = mode&signingRequired1 != 0
	d.server.signing = mode&signingEnabled1 != 0
	d.server.plain = mode&encryptPasswords1 == 0
	if len(w) < 34 || le.Uint32(w[19:])&capExtendedSecurity != 0 {
		return
	}
	// Behind the challenge, domain and server are not aligned to the message.
	named := block{bytes: m.bytes[min(int(w[33]), len(m.bytes)):], unicode: m.unicode}
	var next int
	d.server.domain, next, _ = named.text(0)
	d.server.name, _, _ = named.text(next)
}

// setupRequest1 reads SESSION_SETUP_ANDX: with extended security (MS-SMB
// §2.2.4.6.1) it has 12 words, without 13, from LAN Manager 10.
func (d *decoder) setupRequest1(h *header1, m *block, at pending) {
	w := m.words
	s := d.setUp(uint64(h.uid))
	at.session, d.server.chained = s, s
	s.maxMpx, s.vcNumber = le.Uint16(w[6:]), le.Uint16(w[8:])
	if d.server.signing && h.flags2&flag2Signed != 0 {
		s.signed = true
	}
	next := 0
	switch len(w) / 2 {
	case 12:
		n := int(le.Uint16(w[14:]))
		token, ok := part(m.bytes, 0, n)
		if !ok {
			d.count(reasonToken, 1)
			token = m.bytes
		}
		d.clientToken(s, token)
		next = n
	case 13:
		next = d.passwords(s, m, int(le.Uint16(w[14:])), int(le.Uint16(w[16:])))
	default:
		next = d.passwords(s, m, int(le.Uint16(w[14:])), 0)
	}
	s.nativeOS, next, _ = m.text(next)
	s.nativeLanMan, _, _ = m.text(next)
	d.resize(s)
	d.wait(at)
}

// passwords reads a set-up without extended security (MS-CIFS §2.2.4.53.1): an
// LM and an NT response, or passwords, and names. It returns where these end.
func (d *decoder) passwords(s *session, m *block, oem, unicode int) int {
	s.legacy = true
	n := &activity.NTLM{Challenge: d.server.seen, ServerDom: d.server.domain, ServerName: d.server.name}
	next := oem + unicode
	var legible bool
	n.User, next, legible = m.text(next)
	n.Domain, next, _ = m.text(next)
	auth := activity.Auth{Mechanism: activity.MechNTLM, NTLM: n}
	if !legible {
		s.anomalies = append(s.anomalies, anomalyText)
	}
	switch {
	case n.User == "" && oem <= 1 && unicode <= 1:
		n.Anonymous, s.null = true, true
	case d.server.plain && d.server.seen:
		s.anomalies = append(s.anomalies, anomalyPlain)
	case unicode == 24:
		n.Version = 1
	case unicode > 24:
		n.Version = 2
	}
	if lm, ok := part(m.bytes, 0, oem); ok && !d.server.plain {
		for _, x := range lm {
			n.LM = n.LM || x != 0
		}
	}
	s.auth, s.presented = auth, 0
	if proved(&auth) {
		s.presented = d.now
	}
	return next
}

// setupAnswer1 reads the response: with a token it has 4 words, else 3.
func (d *decoder) setupAnswer1(at *pending, h *header1, m *block) {
	s := at.session
	if h.uid != 0 {
		d.adopt(s, uint64(h.uid))
	}
	if w := m.words; len(w) >= 6 {
		if le.Uint16(w[4:])&actionGuest1 != 0 {
			s.guest = true
		}
		if len(w) == 8 {
			token, ok := part(m.bytes, 0, int(le.Uint16(w[6:])))
			if !ok {
				d.count(reasonToken, 1)
			}
			d.serverToken(s, token)
		}
	}
	d.setupAnswer(s, h.status)
}
