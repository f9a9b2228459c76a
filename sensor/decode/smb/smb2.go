package smb

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/flow"
)

const (
	// maxToken is how much of a command that may carry a token is gathered: a
	// ticket with a large PAC fills the 48,000 bytes that Windows allows a token
	// (MaxTokenSize), and SMB2's SecurityBufferLength has 16 bits.
	maxToken = 64 << 10
	// maxCommand is how much of any other command is: a path takes up to
	// 32,767 characters in theory, 260 in practice; what follows it, create
	// contexts, is short.
	maxCommand = 4 << 10
	// maxCompound caps the commands of one packet. Windows sends up to about
	// five, and servers need not take more than their credits allow.
	maxCompound = 128
)

// Fixed parts that come before a body (MS-SMB2 §2.2.19 to §2.2.32).
const (
	sizeReadAnswer   = sizeHeader2 + 16
	sizeWrite        = sizeHeader2 + 48
	sizeIOCTL        = sizeHeader2 + 56
	sizeIOCTLAnswer  = sizeHeader2 + 48
	sizeSetInfo      = sizeHeader2 + 32
	sizeCreate       = sizeHeader2 + 56
	sizeCreateAnswer = sizeHeader2 + 88

	fsctlPipeTransceive = 0x0011c017 // §2.2.31
)

// wants2 is stream.wants for an SMB2 command.
func (s *stream) wants2(b []byte) int {
	if s.packet < sizeHeader2 {
		return len(b)
	}
	if len(b) < sizeHeader2 {
		return sizeHeader2
	}
	h := readHeader2(b)
	extent, _ := s.extent(&h)
	answer := h.flags&flagResponse != 0
	want := sizeHeader2
	switch h.command {
	case negotiate2, treeConnect2, create2, setInfo2:
		want = maxCommand
	case sessionSetup2:
		want = maxToken
	case close2, oplockBreak2:
		want = sizeHeader2 + 24
	case read2:
		want = sizeHeader2 + 48
		if answer {
			want = sizeReadAnswer
		}
	case write2:
		want = sizeWrite
	case ioctl2:
		want = sizeIOCTL
		if answer {
			want = sizeIOCTLAnswer
		}
	}
	return max(min(want, extent), sizeHeader2)
}

// extent is how many bytes of the packet belong to the command, and whether
// another one follows. ok is checked by piece2.
func (s *stream) extent(h *header2) (n int, ok bool) {
	if h.next == 0 {
		return s.packet, true
	}
	if h.next < sizeHeader2 || h.next > s.packet {
		return s.packet, false
	}
	return h.next, true
}

// piece2 reads an SMB2 command.
func (s *stream) piece2(b []byte) bool {
	if len(b) < sizeHeader2 {
		s.whole(b)
		s.d.count(reasonShort, 1)
		return true
	}
	h := readHeader2(b)
	extent, ok := s.extent(&h)
	s.more = ok && h.next != 0
	if !ok {
		s.d.count(reasonChain, 1)
	}
	if s.depth++; s.depth > maxCompound {
		s.d.count(reasonCompound, 1)
		s.whole(b)
		return true
	}
	if s.depth == 2 {
		s.d.count(reasonCompounds, 1)
	}
	answer := h.flags&flagResponse != 0
	if s.d.trace != nil {
		s.d.trace(2, h.command, answer)
	}
	var p plan
	switch {
	case answer != (s.dir == flow.ToClient):
		s.d.count(reasonDirection, 1)
	case answer:
		p = s.d.answer2(&h, b)
	default:
		p = s.d.request2(s, &h, b)
	}
	s.follow(b, extent, s.fit(b, extent, p))
	return true
}

// request2 reads a request.
func (d *decoder) request2(s *stream, h *header2, b []byte) (p plan) {
	c := &s.chain
	if h.flags&flagRelated == 0 || s.depth == 1 {
		*c = chain{session: h.sessionID, tree: h.treeID}
	} else {
		// §3.2.4.1.4: a related operation may give these or all ones.
		if h.sessionID != 1<<64-1 {
			c.session = h.sessionID
		}
		if h.treeID != 1<<32-1 {
			c.tree = h.treeID
		}
	}
	need := least2[h.command&0x1f]
	if len(b) < sizeHeader2+int(need) {
		d.count(reasonShort, 1)
		return plan{}
	}
	at := pending{id: h.messageID, command: h.command, asked: d.now}
	switch body := b[sizeHeader2:]; h.command {
	case negotiate2:
		d.wait(at)
	case sessionSetup2:
		d.setupRequest2(c.session, at, b)
	case logoff2:
		at.session = d.session(c.session)
		d.wait(at)
	case treeConnect2:
		d.treeRequest2(c.session, at, b)
	case treeDisconnect2:
		at.tree = d.tree(d.session(c.session), c.tree)
		d.wait(at)
	case create2:
		c.file = d.createRequest2(c, at, b)
	case close2:
		if at.file = d.fileOf(c, body[8:]); at.file != nil {
			d.wait(at)
		}
	case read2:
		at.unknown, at.file = readFileID(body[16:]), d.fileOf(c, body[16:])
		at.start = le.Uint64(body[8:]) == 0
		d.wait(at)
	case write2:
		p.sink = sink{file: d.fileOf(c, body[16:]), unknown: readFileID(body[16:]), start: le.Uint64(body[8:]) == 0}
		p.from, p.length = int(le.Uint16(body[2:])), int(le.Uint32(body[4:]))
	case ioctl2:
		if le.Uint32(body[4:]) != fsctlPipeTransceive {
			break
		}
		at.unknown, at.file = readFileID(body[8:]), d.fileOf(c, body[8:])
		p.sink = sink{file: at.file, unknown: at.unknown}
		p.from, p.length = int(le.Uint32(body[24:])), int(le.Uint32(body[28:]))
		d.wait(at)
	case setInfo2:
		d.setInfoRequest2(c, at, b)
	}
	return p
}

// least2 is the least size of the body of the requests that are read.
var least2 = [32]byte{
	negotiate2: 36, sessionSetup2: 24, treeConnect2: 8, create2: sizeCreate - sizeHeader2, close2: 24,
	read2: 48, write2: sizeWrite - sizeHeader2, ioctl2: sizeIOCTL - sizeHeader2, setInfo2: sizeSetInfo - sizeHeader2,
}

// answer2 reads a response. An interim one (§3.3.4.2) answers nothing yet.
func (d *decoder) answer2(h *header2, b []byte) (p plan) {
	if h.status == statusPending && h.flags&flagAsync != 0 {
		d.count(reasonInterim, 1)
		return plan{}
	}
	if h.command == oplockBreak2 {
		return plan{}
	}
	at, ok := d.take(h.messageID, h.command)
	if h.command == negotiate2 {
		d.negotiateAnswer2(h.status, b) // of an SMB1 request, perhaps
		return plan{}
	}
	if !ok {
		if asked2[h.command&0x1f] {
			d.count(reasonUnasked, 1)
		}
		return plan{}
	}
	// An error has a body of its own (§2.2.2), 9 bytes by its StructureSize.
	body := b[sizeHeader2:]
	if len(body) >= 2 && le.Uint16(body) == 9 && h.command != sessionSetup2 {
		body = nil
	}
	switch h.command {
	case sessionSetup2:
		d.setupAnswer2(&at, h, b)
	case logoff2:
		if at.session != nil && !failed(h.status) {
			d.dropSession(at.session)
		}
	case treeConnect2:
		if len(body) >= 16 {
			d.treeAnswer(at.tree, h.treeID, h.status, shareType(body[2]), le.Uint32(body[4:])&shareEncrypt != 0, le.Uint32(body[12:]), at.asked)
		} else {
			d.treeAnswer(at.tree, h.treeID, h.status, "", false, 0, at.asked)
		}
	case treeDisconnect2:
		if at.tree != nil && !failed(h.status) {
			d.dropTree(at.tree)
		}
	case create2:
		d.createAnswer2(&at, h.status, body)
	case close2:
		if !failed(h.status) {
			d.closeFile(at.file)
		}
	case setInfo2:
		d.changed(&at, h.status)
	case read2:
		if len(body) >= 16 {
			p.sink = sink{file: at.file, unknown: at.unknown, start: at.start}
			p.from, p.length = int(body[2]), int(le.Uint32(body[4:]))
		}
	case ioctl2:
		if len(body) >= 48 {
			p.sink = sink{file: at.file, unknown: at.unknown}
			p.from, p.length = int(le.Uint32(body[32:])), int(le.Uint32(body[36:]))
		}
	}
	return p
}

// asked2 are the commands whose answers are waited for whenever they were asked
// for.
var asked2 = [32]bool{
	negotiate2: true, sessionSetup2: true, logoff2: true, treeConnect2: true, treeDisconnect2: true,
	create2: true, read2: true,
}

// Capabilities and flags that matter here.
const (
	signingRequired = 0x0002     // SecurityMode (§2.2.3, §2.2.4)
	shareEncrypt    = 0x00008000 // SMB2_SHAREFLAG_ENCRYPT_DATA (§2.2.10)
	sessionGuest    = 0x0001     // SessionFlags (§2.2.6)
	sessionNull     = 0x0002
	sessionEncrypt  = 0x0004

	contextCompression = 0x0003 // SMB2_COMPRESSION_CAPABILITIES (§2.2.3.1)
)

// dialects by DialectRevision (§2.2.4).
var dialects = map[uint16]string{0x0202: "2.0.2", 0x0210: "2.1", 0x0300: "3.0", 0x0302: "3.0.2", 0x0311: "3.1.1"}

// negotiateAnswer2 reads the NEGOTIATE response (§2.2.4).
func (d *decoder) negotiateAnswer2(status uint32, b []byte) {
	body := b[sizeHeader2:]
	if failed(status) || len(body) < 64 {
		return
	}
	d.required = le.Uint16(body[2:])&signingRequired != 0
	d.dialect = dialects[le.Uint16(body[4:])] // 0x02ff asks for another NEGOTIATE
	d.compression = false
	if d.dialect != "3.1.1" {
		return
	}
	at := int(le.Uint32(body[60:]))
	for range le.Uint16(body[6:]) {
		c, ok := part(b, at, 8)
		if !ok {
			break
		}
		if le.Uint16(c) == contextCompression {
			d.compression = true
		}
		at += (8 + int(le.Uint16(c[2:])) + 7) &^ 7
	}
}

// setupRequest2 reads a SESSION_SETUP request (§2.2.5).
func (d *decoder) setupRequest2(id uint64, at pending, b []byte) {
	body := b[sizeHeader2:]
	s := d.setUp(id)
	if body[3]&signingRequired != 0 {
		s.signed = true
	}
	token, ok := part(b, int(le.Uint16(body[12:])), int(le.Uint16(body[14:])))
	if !ok {
		d.count(reasonToken, 1)
	}
	d.clientToken(s, token)
	at.session = s
	d.wait(at)
}

// setupAnswer2 reads a SESSION_SETUP response (§2.2.6).
func (d *decoder) setupAnswer2(at *pending, h *header2, b []byte) {
	body := b[sizeHeader2:]
	var flags uint16
	var token []byte
	if len(body) >= 8 && !failed(h.status) || len(body) >= 8 && h.status == statusMoreProcessing {
		flags = le.Uint16(body[2:])
		token, _ = part(b, int(le.Uint16(body[4:])), int(le.Uint16(body[6:])))
	} else if len(body) >= 8 && le.Uint16(body[6:]) > 0 {
		token, _ = part(b, int(le.Uint16(body[4:])), int(le.Uint16(body[6:]))) // a KRB-ERROR says more than the status
	}
	s := at.session
	d.adopt(s, h.sessionID)
	if flags&sessionGuest != 0 {
		s.guest = true
	}
	if flags&sessionNull != 0 {
		s.null = true
	}
	if flags&sessionEncrypt != 0 {
		s.encrypted = true
	}
	d.serverToken(s, token)
	d.setupAnswer(s, h.status)
}

// treeRequest2 reads a TREE_CONNECT request (§2.2.9).
func (d *decoder) treeRequest2(session uint64, at pending, b []byte) {
	body := b[sizeHeader2:]
	path, ok := part(b, int(le.Uint16(body[4:])), int(le.Uint16(body[6:])))
	if !ok {
		d.count(reasonShort, 1)
	}
	share, legible := text(path)
	at.tree = d.addTree(d.session(session), share, !legible)
	d.wait(at)
}

func shareType(t byte) string {
	switch t {
	case 1:
		return shareDisk
	case 2:
		return sharePipe
	case 3:
		return sharePrint
	}
	return ""
}

// The types of shares, as activity.SMB has them.
const (
	shareDisk  = "disk"
	sharePipe  = "pipe"
	sharePrint = "print"
)

// Options and attributes of files that matter here (§2.2.13, MS-FSCC §2.6).
const (
	optionDirectory     = 0x00000001
	optionDeleteOnClose = 0x00001000
	attributeDirectory  = 0x00000010
)

// actions by CreateAction (§2.2.14), and CreateDisposition of SMB1.
var actions = [4]string{"superseded", "opened", "created", "overwritten"}

func action(n uint32) string {
	if n < uint32(len(actions)) {
		return actions[n]
	}
	return ""
}

// createRequest2 reads a CREATE request (§2.2.13).
func (d *decoder) createRequest2(c *chain, at pending, b []byte) *file {
	body := b[sizeHeader2:]
	name, ok := part(b, int(le.Uint16(body[44:])), int(le.Uint16(body[46:])))
	if !ok {
		name, _ = part(b, int(le.Uint16(body[44:])), len(b)-int(le.Uint16(body[44:])))
		d.count(reasonShort, 1)
	}
	f := d.newFile(d.session(c.session), d.tree(d.session(c.session), c.tree), name)
	if !ok {
		f.anomaly(anomalyCut)
	}
	f.smb.Access = le.Uint32(body[24:])
	options := le.Uint32(body[40:])
	f.smb.Directory = options&optionDirectory != 0
	f.deleteOnClose = options&optionDeleteOnClose != 0
	if contexts, ok := part(b, int(le.Uint32(body[48:])), int(le.Uint32(body[52:]))); ok {
		f.smb.Snapshot = snapshot(contexts)
	}
	at.file = f
	d.wait(at)
	return f
}

// snapshot finds SMB2_CREATE_TIMEWARP_TOKEN among create contexts (§2.2.13.2):
// the shadow copy to open the file in.
func snapshot(b []byte) activity.Time {
	for range 16 {
		if len(b) < 16 {
			break
		}
		name, _ := part(b, int(le.Uint16(b[4:])), int(le.Uint16(b[6:])))
		data, ok := part(b, int(le.Uint16(b[10:])), int(le.Uint32(b[12:])))
		if string(name) == "TWrp" && ok && len(data) >= 8 {
			t, _ := names.FiletimeToUnixNano(le.Uint64(data))
			return activity.Time(t)
		}
		next := int(le.Uint32(b))
		if next < 16 || next > len(b) {
			break
		}
		b = b[next:]
	}
	return 0
}

// createAnswer2 reads a CREATE response (§2.2.14).
func (d *decoder) createAnswer2(at *pending, status uint32, body []byte) {
	f := at.file
	if failed(status) || len(body) < sizeCreateAnswer-sizeHeader2 {
		d.refused(f, status)
		return
	}
	f.smb.Disposed = action(le.Uint32(body[4:]))
	f.smb.Size = int64(le.Uint64(body[48:]))
	f.smb.Directory = le.Uint32(body[56:])&attributeDirectory != 0
	d.opened(f, readFileID(body[64:]), status)
}

// Classes of SET_INFO that matter here (§2.2.39, MS-FSCC §2.4).
const (
	infoFile          = 1
	infoRename        = 10
	infoDisposition   = 13
	infoDispositionEx = 64
	infoRenameEx      = 65
)

// setInfoRequest2 reads a SET_INFO request that renames or deletes (§2.2.39).
func (d *decoder) setInfoRequest2(c *chain, at pending, b []byte) {
	body := b[sizeHeader2:]
	if body[2] != infoFile {
		return
	}
	info, ok := part(b, int(le.Uint16(body[8:])), int(le.Uint32(body[4:])))
	if !ok {
		info = b[min(len(b), int(le.Uint16(body[8:]))):]
	}
	if at.change = changeOf(body[3], info, 20); at.change == (change{}) {
		return
	}
	if at.file = d.fileOf(c, body[16:]); at.file != nil {
		d.wait(at)
	}
}

// changeOf reads FileRenameInformation, whose name begins at offset name, and
// the dispositions (MS-FSCC §2.4.11, §2.4.12, §2.4.37).
func changeOf(class byte, info []byte, name int) (c change) {
	switch class {
	case infoRename, infoRenameEx:
		if len(info) >= name {
			n := int(le.Uint32(info[name-4:]))
			c.renamedTo, _ = text(info[name:][:min(max(n, 0), len(info)-name)])
		}
	case infoDisposition, infoDispositionEx:
		if len(info) > 0 {
			c.disposed, c.deleted = true, info[0]&1 != 0
		}
	}
	return c
}
