package smb

import (
	"encoding/binary"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
)

var le = binary.LittleEndian

// Types of the packets of the NetBIOS session service (RFC 1002 §4.3.1).
const (
	sessionMessage   = 0x00
	sessionRequest   = 0x81
	sessionPositive  = 0x82
	sessionNegative  = 0x83
	sessionRetarget  = 0x84
	sessionKeepAlive = 0x85
)

// Sizes of fixed parts.
const (
	sizeNetBIOS    = 4
	sizeName       = 34 // an encoded NetBIOS name without scope, with its length and end
	sizeNames      = sizeNetBIOS + 2*sizeName
	sizeMagic      = 4
	sizeTransform  = 52 // SMB2 TRANSFORM_HEADER (MS-SMB2 §2.2.41)
	sizeCompressed = 16 // SMB2 COMPRESSION_TRANSFORM_HEADER (§2.2.42)
	sizeHeader2    = 64 // §2.2.1
	sizeHeader1    = 32 // MS-CIFS §2.2.3.1
)

// What the first four bytes of a message say it is.
const (
	magicSMB1       = 0xff
	magicSMB2       = 0xfe
	magicTransform  = 0xfd
	magicCompressed = 0xfc
)

// magic is the first byte of a message's ProtocolId, 0 when b begins with none.
func magic(b []byte) byte {
	if len(b) >= 4 && b[0] >= magicCompressed && b[1] == 'S' && b[2] == 'M' && b[3] == 'B' {
		return b[0]
	}
	return 0
}

// be24 is the length in a packet's header: 24 bits, of which 17 are used over
// port 139 (RFC 1002 §4.3.1).
func be24(b []byte) int { return int(b[1])<<16 | int(b[2])<<8 | int(b[3]) }

// netBIOSName reads a name in its first-level encoding (RFC 1001 §14.1): half an
// octet a letter. The last of 16 is the suffix.
func netBIOSName(b []byte) string {
	if len(b) < sizeName || b[0] != 32 {
		return ""
	}
	var name [16]byte
	for i := range name {
		hi, lo := b[1+2*i]-'A', b[2+2*i]-'A'
		if hi > 15 || lo > 15 {
			return ""
		}
		name[i] = hi<<4 | lo
	}
	n := 15
	for n > 0 && (name[n-1] == ' ' || name[n-1] == 0) {
		n--
	}
	s, _ := names.FromUTF8(name[:n])
	return s
}

// header2 is the SMB2 header (MS-SMB2 §2.2.1).
type header2 struct {
	status    uint32
	command   uint16
	flags     uint32
	next      int
	messageID uint64
	treeID    uint32 // 0 in an asynchronous message
	sessionID uint64
}

// Flags of the SMB2 header.
const (
	flagResponse = 1 << 0
	flagAsync    = 1 << 1
	flagRelated  = 1 << 2
	flagSigned   = 1 << 3
)

// Commands of SMB2 (§2.2.1.2).
const (
	negotiate2      = 0x00
	sessionSetup2   = 0x01
	logoff2         = 0x02
	treeConnect2    = 0x03
	treeDisconnect2 = 0x04
	create2         = 0x05
	close2          = 0x06
	read2           = 0x08
	write2          = 0x09
	ioctl2          = 0x0b
	cancel2         = 0x0c
	setInfo2        = 0x11
	oplockBreak2    = 0x12
)

func readHeader2(b []byte) header2 {
	h := header2{
		status:    le.Uint32(b[8:]),
		command:   le.Uint16(b[12:]),
		flags:     le.Uint32(b[16:]),
		next:      int(le.Uint32(b[20:])),
		messageID: le.Uint64(b[24:]),
		sessionID: le.Uint64(b[40:]),
	}
	if h.flags&flagAsync == 0 {
		h.treeID = le.Uint32(b[36:])
	}
	return h
}

// fileID is a FileId (§2.2.14.1), or a Fid of SMB1.
type fileID struct{ persistent, volatile uint64 }

// related stands for the file that the command before in the chain opened.
var related = fileID{1<<64 - 1, 1<<64 - 1}

func readFileID(b []byte) fileID { return fileID{le.Uint64(b), le.Uint64(b[8:])} }

func fid(n uint16) fileID { return fileID{uint64(n), 1 << 32} }

// part is n bytes of b at offset at; ok is false when they are not all there.
func part(b []byte, at, n int) (p []byte, ok bool) {
	if at < 0 || n < 0 || at > len(b) || n > len(b)-at {
		return nil, false
	}
	return b[at : at+n], true
}

// failed tells that a status refuses: an error or a warning of MS-ERREF §2.3, or
// an error of SMB1 that is no NTSTATUS (MS-CIFS §2.2.2.4).
func failed(status uint32) bool { return status>>30 >= 2 || status>>30 == 0 && status>>16 != 0 }

const (
	statusPending        = 0x00000103
	statusMoreProcessing = 0xc0000016
)

// text reads a name in UTF-16. ok is false when it is not all text.
func text(b []byte) (s string, ok bool) {
	s, raw := names.FromUTF16LE(b)
	return activity.Cut(s), raw == nil
}
