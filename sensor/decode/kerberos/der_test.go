package kerberos

import "encoding/binary"

// The messages of these tests are put together from the functions below, each
// of which encodes one ASN.1 type of RFC 4120 in DER. Tests break single parts.

func der(tag byte, parts ...[]byte) []byte {
	var content []byte
	for _, p := range parts {
		content = append(content, p...)
	}
	out := []byte{tag}
	switch n := len(content); {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 0x100:
		out = append(out, 0x81, byte(n))
	case n < 0x10000:
		out = append(out, 0x82, byte(n>>8), byte(n))
	default:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(out, content...)
}

func seq(parts ...[]byte) []byte             { return der(0x30, parts...) }
func field(n byte, content ...[]byte) []byte { return der(0xa0|n, content...) }
func app(n byte, content ...[]byte) []byte   { return der(0x60|n, content...) }
func octets(b []byte) []byte                 { return der(0x04, b) }
func str(s string) []byte                    { return der(0x1b, []byte(s)) }
func times(s string) []byte                  { return der(0x18, []byte(s)) }
func flags(v uint32) []byte                  { return der(0x03, []byte{0}, binary.BigEndian.AppendUint32(nil, v)) }
func padata(kind int64, value []byte) []byte {
	return seq(field(1, num(kind)), field(2, octets(value)))
}
func sealed(etype int64, cipher string) []byte {
	return seq(field(0, num(etype)), field(2, octets([]byte(cipher))))
}
func keyed(etype, kvno int64, c string) []byte {
	return seq(field(0, num(etype)), field(1, num(kvno)), field(2, octets([]byte(c))))
}
func etypeInfo(etype int64) []byte { return seq(seq(field(0, num(etype)), field(1, str("SALT")))) }
func ticket(realm string, sname, enc []byte) []byte {
	return app(1, seq(field(0, num(5)), field(1, str(realm)), field(2, sname), field(3, enc)))
}

// num is a minimal INTEGER.
func num(v int64) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(v))
	for len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
		b = b[1:]
	}
	return der(0x02, b)
}

func nums(vs ...int64) []byte {
	var out [][]byte
	for _, v := range vs {
		out = append(out, num(v))
	}
	return seq(out...)
}

func principal(kind int64, components ...string) []byte {
	var out [][]byte
	for _, c := range components {
		out = append(out, str(c))
	}
	return seq(field(0, num(kind)), field(1, seq(out...)))
}

var (
	alice  = principal(1, "alice")
	krbtgt = principal(2, "krbtgt", "LAB.EXAMPLE")
	cifs   = principal(2, "cifs", "fs1.lab.example")
)

// body is a KDC-REQ-BODY; cname nil leaves it out.
func body(cname, sname []byte, nonce int64, more ...[]byte) []byte {
	parts := [][]byte{field(0, flags(0x40810010))}
	if cname != nil {
		parts = append(parts, field(1, cname))
	}
	parts = append(parts, field(2, str("LAB.EXAMPLE")), field(3, sname), field(5, times("20370913024805Z")),
		field(6, times("20370913024805Z")), field(7, num(nonce)), field(8, nums(18, 17, 23)))
	return seq(append(parts, more...)...)
}

func kdcReq(kind byte, pa, body []byte) []byte {
	parts := [][]byte{field(1, num(5)), field(2, num(int64(kind)))}
	if pa != nil {
		parts = append(parts, field(3, pa))
	}
	return app(kind, seq(append(parts, field(4, body))...))
}

func kdcRep(kind byte, cname, sname []byte, cipher string) []byte {
	return app(kind, seq(field(0, num(5)), field(1, num(int64(kind))), field(3, str("LAB.EXAMPLE")), field(4, cname),
		field(5, ticket("LAB.EXAMPLE", sname, keyed(18, 2, cipher))), field(6, keyed(18, 1, "reply"))))
}

func krbError(code int64, sname []byte, more ...[]byte) []byte {
	parts := [][]byte{field(0, num(5)), field(1, num(30)), field(4, times("20261123195646Z")), field(5, num(1)), field(6, num(code))}
	parts = append(parts, more...)
	return app(30, seq(append(parts, field(9, str("LAB.EXAMPLE")), field(10, sname))...))
}

func asReq(nonce int64) []byte   { return kdcReq(10, nil, body(alice, krbtgt, nonce)) }
func asRep(cipher string) []byte { return kdcRep(11, alice, krbtgt, cipher) }

func apReq(t []byte) []byte {
	return app(14, seq(field(0, num(5)), field(1, num(14)), field(2, flags(0)), field(3, t), field(4, sealed(18, "authenticator"))))
}

func tgsReq(nonce int64) []byte {
	return kdcReq(12, seq(padata(1, apReq(ticket("LAB.EXAMPLE", krbtgt, keyed(18, 2, "tgt"))))), body(nil, cifs, nonce))
}

func tgsRep(cipher string) []byte { return kdcRep(13, alice, cifs, cipher) }

// record puts the length before a message, as over TCP.
func record(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}
