package kerberos

import (
	"encoding/binary"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode/ber"
)

// isMethodData tells METHOD-DATA from the other contents of e-data: TYPED-DATA,
// whose members begin with [0] (RFC 4120 §5.9.1), and KERB-ERROR-DATA, which is
// no list (MS-KILE §2.2.2). The error code does not tell: KDCs send METHOD-DATA
// with KDC_ERR_PREAUTH_FAILED too, so that the client may try again.
func isMethodData(b []byte) bool {
	r := ber.New(b)
	for range 2 {
		tag, content, _, err := r.Partial()
		if err != nil || tag != ber.Sequence {
			return false
		}
		r = ber.New(content)
	}
	return r.Peek() == ber.Context(1)
}

// paData reads SEQUENCE OF PA-DATA into d, which must be zero. Of a type that
// comes twice the first counts.
func (p *parser) paData(content []byte, d *PAData) {
	list, _, _ := p.only(content, ber.Sequence)
	r := ber.New(list)
	for f, ok := p.nextSequence(&r); ok; f, ok = p.nextSequence(&r) {
		var (
			kind  int32
			known bool
			value []byte
		)
		for tag, c := range f.each {
			switch tag {
			case 1:
				kind, known = p.int32(c)
			case 2:
				value, _, _ = p.only(c, ber.OctetString)
			default:
				f.unknown()
			}
		}
		f.need(needPAData)
		if !known {
			continue
		}
		if !d.Types.add(kind) {
			p.found |= longList
		}
		if len(value) > 0 { // without one a KDC says what it accepts
			p.paValue(kind, value, d)
		}
	}
}

// paValue reads padata-value by padata-type.
func (p *parser) paValue(kind int32, value []byte, d *PAData) {
	switch kind {
	case activity.PATGSReq:
		if d.HasAPReq {
			return
		}
		if body, _, ok := p.only(value, ber.Application(msgAPReq)); ok {
			d.APReq, d.HasAPReq = p.apReq(body), true
		}
	case activity.PAEncTimestamp:
		if d.EncTimestamp == 0 {
			d.EncTimestamp = p.encryptedData(value).EType
		}
	case activity.PAPACRequest:
		if !d.HasPACRequest {
			d.IncludePAC, d.HasPACRequest = p.pacRequest(value)
		}
	case activity.PAPACOptions:
		if d.PACOptions == 0 {
			f := p.sequence(value)
			for tag, c := range f.each {
				if tag == 0 {
					d.PACOptions = p.flags(c)
				} else {
					f.unknown()
				}
			}
		}
	case activity.PAFXFast:
		if !d.FAST.Present && !p.reply {
			p.fast(value, &d.FAST)
		}
	case activity.PAForUser:
		if d.PAForUser.CName.NameString == nil {
			p.forUser(value, &d.PAForUser)
		}
	case activity.PAS4UX509User:
		if d.PAS4UX509User.CName.NameString == nil {
			p.s4uX509User(value, &d.PAS4UX509User)
		}
	case activity.PAPKASReq, activity.PAPKASReqOld, activity.PAPKASRepOld:
		if d.PKASReq == nil {
			d.PKASReq = signedAuthPack(value)
		}
	case activity.PAPWSalt:
		if d.ExtError == 0 {
			d.ExtError = extError(value)
		}
	case activity.PAETypeInfo:
		if d.ETypeInfo.n == 0 {
			p.etypeInfo(value, &d.ETypeInfo)
		}
	case activity.PAETypeInfo2:
		if d.ETypeInfo2.n == 0 {
			p.etypeInfo(value, &d.ETypeInfo2)
		}
	}
}

// pacRequest reads KERB-PA-PAC-REQUEST (MS-KILE §2.2.3).
func (p *parser) pacRequest(value []byte) (include, ok bool) {
	f := p.sequence(value)
	for tag, c := range f.each {
		if tag != 0 {
			f.unknown()
			continue
		}
		if b, found := p.leaf(c, ber.Boolean); found && len(b) == 1 {
			include, ok = b[0] != 0, true
		}
	}
	return include, ok
}

// etypeInfo reads the etypes of ETYPE-INFO or ETYPE-INFO2, which begin alike
// (RFC 4120 §5.2.7.4, §5.2.7.5).
func (p *parser) etypeInfo(value []byte, l *int32List) {
	list, _, _ := p.only(value, ber.Sequence)
	r := ber.New(list)
	for f, ok := p.nextSequence(&r); ok; f, ok = p.nextSequence(&r) {
		for tag, c := range f.each {
			switch tag {
			case 0:
				if v, ok := p.int32(c); ok && !l.add(v) {
					p.found |= longList
				}
			case 1, 2: // salt, s2kparams
			default:
				f.unknown()
			}
		}
	}
}

// fast reads PA-FX-FAST-REQUEST (RFC 6113 §5.4.2). A TGS-REQ has no armor of its
// own: that is the key of its PA-TGS-REQ (§5.4.1.2).
func (p *parser) fast(value []byte, a *KrbFastArmoredReq) {
	tag, body, _, ok := p.single(value)
	if !ok || tag != ber.Context(0) { // armored-data
		return
	}
	a.Present = true
	f := p.sequence(body)
	for tag, c := range f.each {
		switch tag {
		case 0:
			p.armor(c, a)
		case 1, 2: // req-checksum, enc-fast-req: sealed
		default:
			f.unknown()
		}
	}
}

// armor reads KrbFastArmor (RFC 6113 §5.4.1).
func (p *parser) armor(content []byte, a *KrbFastArmoredReq) {
	f := p.sequence(content)
	for tag, c := range f.each {
		switch tag {
		case 0:
			a.ArmorType, _ = p.int32(c)
		case 1:
			if b, _, ok := p.only(c, ber.OctetString); ok && a.ArmorType == armorAPRequest {
				if body, _, ok := p.only(b, ber.Application(msgAPReq)); ok {
					a.Armor = p.apReq(body).Ticket
				}
			}
		default:
			f.unknown()
		}
	}
}

// armorAPRequest is FX_FAST_ARMOR_AP_REQUEST (RFC 6113 §5.4.1.1).
const armorAPRequest = 1

// forUser reads PA-FOR-USER-ENC (MS-SFU §2.2.1).
func (p *parser) forUser(value []byte, u *S4UUserID) {
	f := p.sequence(value)
	for tag, c := range f.each {
		switch tag {
		case 0:
			u.CName = p.principalName(c)
		case 1:
			u.CRealm = p.kerberosString(c)
		case 2, 3: // cksum, auth-package: always "Kerberos"
		default:
			f.unknown()
		}
	}
}

// s4uX509User reads PA-S4U-X509-USER (MS-SFU §2.2.2).
func (p *parser) s4uX509User(value []byte, u *S4UUserID) {
	f := p.sequence(value)
	for tag, c := range f.each {
		switch tag {
		case 0:
			p.s4uUserID(c, u)
		case 1: // checksum
		default:
			f.unknown()
		}
	}
}

func (p *parser) s4uUserID(content []byte, u *S4UUserID) {
	f := p.sequence(content)
	for tag, c := range f.each {
		switch tag {
		case 1:
			u.CName = p.principalName(c)
		case 2:
			u.CRealm = p.kerberosString(c)
		case 3:
			u.SubjectCertificate, _ = p.leaf(c, ber.OctetString)
		case 0, 4: // nonce, options
		default:
			f.unknown()
		}
	}
}

// extError reads the NTSTATUS of a KERB-EXT-ERROR, 12 bytes that begin with it,
// little-endian (MS-KILE §2.2.1). In replies the same type of data is a salt, of
// another length mostly; only errors are asked for it.
func extError(b []byte) uint32 {
	if len(b) != 12 {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

// errorData reads KERB-ERROR-DATA (MS-KILE §2.2.2), 0 when it is something else.
func errorData(b []byte) uint32 {
	const extended = 3 // KERB_ERR_TYPE_EXTENDED
	r := ber.New(b)
	in, ok := r.Into(ber.Sequence)
	if !ok {
		return 0
	}
	kind, ok := in.Into(ber.Context(1))
	if n, is := kind.Int(); !ok || !is || n != extended {
		return 0
	}
	value, _ := in.Into(ber.Context(2))
	data, _ := value.Expect(ber.OctetString)
	return extError(data)
}
