package smb

import (
	"bytes"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/flow"
)

const (
	// maxCommand1 is how much of an SMB1 message is gathered: Windows servers take
	// 16,644 bytes at most (MaxBufferSize), bodies of READ and WRITE aside.
	maxCommand1 = 17 << 10
	// maxAndX caps the commands of one message: clients send two or three.
	maxAndX = 8

	dialect1 = "1"
)

// Commands of SMB1 (MS-CIFS §2.2.2.1).
const (
	deleteDirectory1 = 0x01
	open1            = 0x02
	create1          = 0x03
	close1           = 0x04
	delete1          = 0x06
	rename1          = 0x07
	read1            = 0x0a
	write1           = 0x0b
	transaction1     = 0x25
	secondary1       = 0x26
	openAndX1        = 0x2d
	readAndX1        = 0x2e
	writeAndX1       = 0x2f
	transaction21    = 0x32
	secondary21      = 0x33
	treeDisconnect1  = 0x71
	negotiate1       = 0x72
	sessionSetup1    = 0x73
	logoff1          = 0x74
	treeConnect1     = 0x75
	ntTransact1      = 0xa0
	ntCreateAndX1    = 0xa2
	noAndX           = 0xff
)

// Flags and Flags2 of the SMB1 header (§2.2.3.1).
const (
	flagReply1    = 0x80
	flag2Signed   = 0x0004
	flag2Unicode  = 0x8000
	offsetStatus1 = 5
)

// smb1 marks a command in pending: numbers of SMB2 mean others.
const smb1 = 0x100

// header1 is the SMB1 header.
type header1 struct {
	status   uint32
	command  byte
	flags    byte
	flags2   uint16
	id       uint64 // PID and MID: an answer repeats them
	mid      uint16
	tid, uid uint16
}

func readHeader1(b []byte) header1 {
	return header1{
		command: b[4],
		status:  le.Uint32(b[offsetStatus1:]),
		flags:   b[9],
		flags2:  le.Uint16(b[10:]),
		tid:     le.Uint16(b[24:]),
		uid:     le.Uint16(b[28:]),
		mid:     le.Uint16(b[30:]),
		id:      uint64(le.Uint16(b[12:]))<<32 | uint64(le.Uint16(b[26:]))<<16 | uint64(le.Uint16(b[30:])),
	}
}

// server1 is what the SMB1 server said in its NEGOTIATE response.
type server1 struct {
	seen         bool
	domain, name string
	signing      bool     // it can sign
	plain        bool     // it wants passwords in the clear
	setupMID     uint16   // of a TRANS2_SESSION_SETUP; 0 when none was seen
	chained      *session // that the request at hand sets up: what follows in it is in that
}

// block is one command of a message.
type block struct {
	command byte
	words   []byte // its parameters
	at      int    // where its data begin in the message
	bytes   []byte // its data, as far as they were gathered
	b       []byte // the message
	unicode bool
}

// wants1 is stream.wants for an SMB1 message.
func (s *stream) wants1(b []byte) int {
	const head = sizeHeader1 + 1
	if s.packet < head {
		return len(b)
	}
	if len(b) < head {
		return head
	}
	words := min(head+2*int(b[sizeHeader1])+2, s.packet)
	if len(b) < words {
		return words
	}
	if streamed1(b) {
		return len(b)
	}
	want := maxCommand1
	if b[4] == sessionSetup1 {
		want = maxToken
	}
	return max(min(want, s.packet), len(b))
}

// streamed1 tells that the body of the message is not gathered: it is not
// followed by another command. b holds its words.
func streamed1(b []byte) bool {
	n, answer := int(b[sizeHeader1]), b[9]&flagReply1 != 0
	if len(b) < sizeHeader1+1+2*n {
		return false
	}
	switch b[4] {
	case writeAndX1:
		return !answer && n >= 12 && b[sizeHeader1+1] == noAndX
	case readAndX1:
		return answer && n >= 12 && b[sizeHeader1+1] == noAndX
	case transaction1:
		return !answer && n >= 14 || answer && n >= 10
	case secondary1:
		return !answer && n >= 8
	}
	return false
}

// piece1 reads an SMB1 message.
func (s *stream) piece1(b []byte) bool {
	if len(b) < sizeHeader1+1 {
		s.whole(b)
		s.d.count(reasonShort, 1)
		return true
	}
	s.more = false
	h := readHeader1(b)
	var p plan
	if answer := h.flags&flagReply1 != 0; answer != (s.dir == flow.ToClient) {
		s.d.count(reasonDirection, 1)
	} else {
		p = s.d.message1(s.dir, &h, b)
	}
	s.follow(b, s.packet, s.fit(b, s.packet, p))
	return true
}

// message1 reads the commands of a message, each where the one before says.
// Only of one that is streamed a body follows.
func (d *decoder) message1(dir flow.Dir, h *header1, b []byte) (p plan) {
	if d.dialect == "" && h.command != negotiate1 {
		d.dialect = dialect1
	}
	m := block{command: h.command, b: b, unicode: h.flags2&flag2Unicode != 0}
	streamed := streamed1(b)
	d.server.chained = nil
	at := sizeHeader1
	for range maxAndX {
		n := 2 * int(b[at])
		words, ok := part(b, at+1, n)
		if !ok {
			d.count(reasonShort, 1)
			return plan{}
		}
		m.words, m.at = words, min(at+1+n+2, len(b))
		m.bytes = b[m.at:]
		if d.trace != nil {
			d.trace(1, uint16(m.command), dir == flow.ToClient)
		}
		if dir == flow.ToServer {
			p = d.request1(h, &m)
		} else {
			p = d.answer1(h, &m)
		}
		if streamed {
			return p
		}
		d.gathered(dir, b, p)
		if !andX(m.command) || len(words) < 4 || words[0] == noAndX || failed(h.status) {
			return plan{}
		}
		next := int(le.Uint16(words[2:]))
		if next <= at || next >= len(b) {
			d.count(reasonAndX, 1)
			return plan{}
		}
		m.command, at = words[0], next
	}
	d.count(reasonAndX, 1)
	return plan{}
}

// andX tells that another command may follow (§2.2.3.4).
func andX(command byte) bool {
	switch command {
	case 0x24, openAndX1, readAndX1, writeAndX1, sessionSetup1, logoff1, treeConnect1, ntCreateAndX1:
		return true
	}
	return false
}

// gathered takes a body that is within its message.
func (d *decoder) gathered(dir flow.Dir, b []byte, p plan) {
	if p.length == 0 {
		return
	}
	if p.from > len(b) {
		d.count(reasonBody, 1)
		return
	}
	body := b[p.from:min(len(b), p.from+p.length)]
	p.sink.file.moved(dir, len(body))
	if len(body) > 0 {
		d.content(dir, &p.sink, body)
	}
}

// request1 reads one command of a request.
func (d *decoder) request1(h *header1, m *block) (p plan) {
	at := pending{id: h.id, command: uint16(m.command) | smb1, asked: d.now}
	if len(m.words) < least1(m.command) {
		d.count(reasonShort, 1)
		return plan{}
	}
	w := m.words
	switch m.command {
	case negotiate1:
		d.wait(at)
	case sessionSetup1:
		d.setupRequest1(h, m, at)
	case logoff1:
		at.session = d.session(uint64(h.uid))
		d.wait(at)
	case treeConnect1:
		path, _, legible := m.text(int(le.Uint16(w[6:])))
		s := d.session(uint64(h.uid))
		if d.server.chained != nil {
			s = d.server.chained
		}
		at.tree = d.addTree(s, path, !legible)
		d.wait(at)
	case treeDisconnect1:
		at.tree = d.tree1(h)
		d.wait(at)
	case ntCreateAndX1, openAndX1, open1, create1:
		d.openRequest1(h, m, at)
	case close1:
		if at.file = d.fileByID(fid(le.Uint16(w))); at.file != nil {
			d.wait(at)
		}
	case delete1, deleteDirectory1, rename1:
		d.pathRequest1(h, m, at)
	case readAndX1:
		at.unknown = fid(le.Uint16(w[4:]))
		at.file, at.start = d.fileByID(at.unknown), le.Uint32(w[6:]) == 0 && (len(w) < 24 || le.Uint32(w[20:]) == 0)
		d.wait(at)
	case read1:
		at.unknown = fid(le.Uint16(w))
		at.file, at.start = d.fileByID(at.unknown), le.Uint32(w[4:]) == 0
		d.wait(at)
	case writeAndX1:
		id := fid(le.Uint16(w[4:]))
		p.sink = sink{file: d.fileByID(id), unknown: id, start: le.Uint32(w[6:]) == 0 && (len(w) < 28 || le.Uint32(w[24:]) == 0)}
		p.from, p.length = int(le.Uint16(w[22:])), int(le.Uint16(w[18:]))<<16|int(le.Uint16(w[20:]))
		if le.Uint16(w[14:])&rawStart == rawStart && p.length >= 2 {
			p.from, p.length = p.from+2, p.length-2
		}
	case write1:
		id := fid(le.Uint16(w))
		p.sink = sink{file: d.fileByID(id), unknown: id, start: le.Uint32(w[4:]) == 0}
		p.from, p.length = m.at+3, int(le.Uint16(w[2:]))
	case transaction1:
		p = d.transactionRequest1(m, at)
	case secondary1:
		for i := range d.pending {
			if q := &d.pending[i]; q.id == h.id && q.command == transaction1|smb1 {
				p.sink = sink{file: q.file, unknown: q.unknown}
				p.from, p.length = int(le.Uint16(w[12:])), int(le.Uint16(w[10:]))
			}
		}
	case transaction21, ntTransact1:
		d.trans2Request1(h, m, at)
	case secondary21:
		for i := range d.pending {
			if q := &d.pending[i]; q.id == h.id && q.command == ntTransact1|smb1 {
				d.noted(d.session(uint64(h.uid)), anomalySecondary)
				break
			}
		}
	default:
		d.count(reasonOther1, 1)
	}
	return p
}

// rawStart is WriteMode of a message that begins with its own length (MS-CIFS
// §2.2.4.43.1): RAW_MODE and MSG_START.
const rawStart = 0x000c

// least1 is the least size of the words of a request that is read.
func least1(command byte) int {
	switch command {
	case sessionSetup1:
		return 20
	case treeConnect1:
		return 8
	case ntCreateAndX1:
		return 48
	case openAndX1:
		return 30
	case open1:
		return 4
	case create1, close1:
		return 6
	case delete1, rename1:
		return 2
	case readAndX1:
		return 20
	case read1, write1:
		return 10
	case writeAndX1:
		return 24
	case transaction1, transaction21:
		return 28
	case secondary1:
		return 16
	case ntTransact1:
		return 38
	}
	return 0
}

// answer1 reads one command of a response.
func (d *decoder) answer1(h *header1, m *block) (p plan) {
	w := m.words
	if len(w) == 0 && !failed(h.status) && (m.command == transaction1 || m.command == transaction21 || m.command == ntTransact1) {
		d.count(reasonInterim, 1) // go on with the secondaries (§3.3.5.2.4)
		return plan{}
	}
	at, ok := d.take(h.id, uint16(m.command)|smb1)
	if !ok {
		switch {
		case m.command == transaction21 && d.server.setupMID != 0 && h.mid != d.server.setupMID:
			d.noted(d.session(uint64(h.uid)), anomalyMultiplex)
		case answered1(m.command):
			d.count(reasonUnasked, 1)
		}
		return plan{}
	}
	if failed(h.status) {
		d.dropChain1(h.id)
	}
	switch m.command {
	case negotiate1:
		d.negotiateAnswer1(m)
	case sessionSetup1:
		d.setupAnswer1(&at, h, m)
	case logoff1:
		if at.session != nil && !failed(h.status) {
			d.dropSession(at.session)
		}
	case treeConnect1:
		var access uint32
		if len(w) >= 10 {
			access = le.Uint32(w[6:])
		}
		service, _, _ := bytes.Cut(m.bytes, []byte{0})
		d.treeAnswer(at.tree, uint32(h.tid), h.status, service1(service), false, access, at.asked)
	case treeDisconnect1:
		if at.tree != nil && !failed(h.status) {
			d.dropTree(at.tree)
		}
	case ntCreateAndX1, openAndX1, open1, create1:
		d.openAnswer1(&at, h, m)
	case close1:
		if !failed(h.status) {
			d.closeFile(at.file)
		}
	case delete1, deleteDirectory1, rename1:
		d.changed(&at, h.status)
		if failed(h.status) {
			d.refused(at.file, h.status)
		} else {
			at.file.smb.Status = h.status
			d.endOpening(at.file, activity.Success)
		}
	case readAndX1:
		if len(w) >= 24 {
			p.sink = sink{file: at.file, unknown: at.unknown, start: at.start}
			p.from, p.length = int(le.Uint16(w[12:])), int(le.Uint16(w[14:]))<<16|int(le.Uint16(w[10:]))
		}
	case read1:
		if len(w) >= 10 {
			p.sink = sink{file: at.file, unknown: at.unknown, start: at.start}
			p.from, p.length = m.at+3, int(le.Uint16(w))
		}
	case transaction1:
		if len(w) >= 20 {
			p.sink = sink{file: at.file, unknown: at.unknown}
			p.from, p.length = int(le.Uint16(w[14:])), int(le.Uint16(w[12:]))
			if int(le.Uint16(w[16:]))+p.length < int(le.Uint16(w[2:])) {
				d.wait(at) // more of it follows
			}
		}
	case transaction21:
		d.trans2Answer1(&at, h.status)
	case ntTransact1:
		d.ntTransactAnswer1(&at, h, m)
	}
	return p
}

// answered1 are the commands whose answers are waited for whenever they were
// asked for.
func answered1(command byte) bool {
	switch command {
	case negotiate1, sessionSetup1, logoff1, treeConnect1, treeDisconnect1, readAndX1, ntCreateAndX1, openAndX1:
		return true
	}
	return false
}

// dropChain1 forgets what followed a command that was refused in its message:
// the server did not come to it.
func (d *decoder) dropChain1(id uint64) {
	for i := 0; i < len(d.pending); {
		p := &d.pending[i]
		if p.id != id || p.command&smb1 == 0 {
			i++
			continue
		}
		if p.tree != nil && !p.tree.answered {
			p.tree.answered = true
			d.dropTree(p.tree)
		}
		if p.file != nil && p.file.opening {
			p.file.unseen = true
			d.endOpening(p.file, activity.Attempt)
		}
		d.remove(i)
	}
}

func service1(service []byte) string {
	switch {
	case bytes.Equal(service, []byte("IPC")):
		return sharePipe
	case bytes.HasPrefix(service, []byte("LPT")):
		return sharePrint
	case len(service) > 0:
		return shareDisk
	}
	return ""
}

func (d *decoder) tree1(h *header1) *tree {
	return d.tree(d.session(uint64(h.uid)), uint32(h.tid))
}

// text reads the string that begins at offset at of a command's data: up to its
// NUL. It returns the offset behind it. In UTF-16 it is aligned to the message.
func (m *block) text(at int) (s string, next int, legible bool) {
	b, ok := part(m.bytes, at, len(m.bytes)-at)
	if !ok {
		return "", len(m.bytes), true
	}
	if !m.unicode {
		c, _, _ := bytes.Cut(b, []byte{0})
		s, raw := names.FromUTF8(c)
		return activity.Cut(s), at + len(c) + 1, raw == nil
	}
	if (m.at+at)&1 == 1 && len(b) > 0 {
		b = b[1:]
		at++
	}
	n := 0
	for n+1 < len(b) && (b[n] != 0 || b[n+1] != 0) {
		n += 2
	}
	s, legible = text(b[:n])
	return s, at + n + 2, legible
}
