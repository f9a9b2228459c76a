package ldap

import "github.com/verderer/verderer/activity"

// ProtocolOp is the identifier octet of the operation in an LDAPMessage: class
// APPLICATION, with the constructed bit where the operation is a SEQUENCE
// (RFC 4511 §4.2 to §4.13).
type ProtocolOp byte

const (
	opBindRequest           ProtocolOp = 0x60
	opBindResponse          ProtocolOp = 0x61
	opUnbindRequest         ProtocolOp = 0x42
	opSearchRequest         ProtocolOp = 0x63
	opSearchResultEntry     ProtocolOp = 0x64
	opSearchResultDone      ProtocolOp = 0x65
	opModifyRequest         ProtocolOp = 0x66
	opModifyResponse        ProtocolOp = 0x67
	opAddRequest            ProtocolOp = 0x68
	opAddResponse           ProtocolOp = 0x69
	opDelRequest            ProtocolOp = 0x4a
	opDelResponse           ProtocolOp = 0x6b
	opModifyDNRequest       ProtocolOp = 0x6c
	opModifyDNResponse      ProtocolOp = 0x6d
	opCompareRequest        ProtocolOp = 0x6e
	opCompareResponse       ProtocolOp = 0x6f
	opAbandonRequest        ProtocolOp = 0x50
	opSearchResultReference ProtocolOp = 0x73
	opExtendedRequest       ProtocolOp = 0x77
	opExtendedResponse      ProtocolOp = 0x78
	opIntermediateResponse  ProtocolOp = 0x79
)

// known tells whether the operation is one of RFC 4511.
func (o ProtocolOp) known() bool {
	switch o {
	case opUnbindRequest, opDelRequest, opAbandonRequest, opSearchResultReference,
		opExtendedRequest, opExtendedResponse, opIntermediateResponse:
		return true
	case 0x62, 0x6a: // Unbind and Del are primitive
		return false
	}
	return o >= opBindRequest && o <= opCompareResponse
}

// ResultCode is the result of an operation (RFC 4511 §4.1.9 and Appendix A).
type ResultCode int32

const (
	noResult               ResultCode = -1 // ours: no result was seen, or it was not readable
	resultSuccess          ResultCode = 0
	resultSASLBindProgress ResultCode = 14
)

// String is the name the RFC gives the code.
func (c ResultCode) String() string { return activity.LDAPResultName(int32(c)) }
