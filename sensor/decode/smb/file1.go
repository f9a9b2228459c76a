package smb

import (
	"github.com/verderer/verderer/activity"
)

// Generic rights of DesiredAccess that stand for the access modes of commands
// older than it (MS-CIFS §2.2.4.41.1, MS-DTYP §2.4.3).
var access1 = [4]uint32{0x80000000, 0x40000000, 0xc0000000, 0x20000000}

// openRequest1 reads NT_CREATE_ANDX (MS-CIFS §2.2.4.64.1), OPEN_ANDX (§2.2.4.41.1),
// OPEN (§2.2.4.3.1) and CREATE (§2.2.4.4.1).
func (d *decoder) openRequest1(h *header1, m *block, at pending) {
	w := m.words
	name := 0
	if m.command == open1 || m.command == create1 {
		name = 1 // a format byte
	}
	path, _, legible := m.text(name)
	f := d.newFileAt(d.session(uint64(h.uid)), d.tree1(h), path)
	if !legible {
		f.anomaly(anomalyText)
	}
	switch m.command {
	case ntCreateAndX1:
		d.options1(f, le.Uint32(w[15:]), le.Uint32(w[39:]))
	case openAndX1:
		f.smb.Access = access1[le.Uint16(w[6:])&3]
	case open1:
		f.smb.Access = access1[le.Uint16(w)&3]
	case create1:
		f.smb.Access = access1[2]
	}
	at.file = f
	d.wait(at)
}

func (d *decoder) options1(f *file, access, options uint32) {
	f.smb.Access = access
	f.smb.Directory = options&optionDirectory != 0
	f.deleteOnClose = options&optionDeleteOnClose != 0
}

// openAnswer1 reads the responses to them.
func (d *decoder) openAnswer1(at *pending, h *header1, m *block) {
	w, f := m.words, at.file
	if failed(h.status) {
		d.refused(f, h.status)
		return
	}
	switch {
	case m.command == ntCreateAndX1 && len(w) >= 68:
		f.smb.Disposed = action(le.Uint32(w[7:]))
		f.smb.Size = int64(le.Uint64(w[55:]))
		f.smb.Directory = w[67] != 0
		d.opened(f, fid(le.Uint16(w[5:])), h.status)
	case m.command == openAndX1 && len(w) >= 24:
		f.smb.Size = int64(le.Uint32(w[12:]))
		if n := le.Uint16(w[22:]) & 3; n > 0 { // 1 opened, 2 created, 3 truncated
			f.smb.Disposed = actions[n]
		}
		d.opened(f, fid(le.Uint16(w[4:])), h.status)
	case m.command == open1 && len(w) >= 14:
		f.smb.Size = int64(le.Uint32(w[8:]))
		f.smb.Disposed = actions[1]
		d.opened(f, fid(le.Uint16(w)), h.status)
	case m.command == create1 && len(w) >= 2:
		f.smb.Disposed = actions[2]
		d.opened(f, fid(le.Uint16(w)), h.status)
	default:
		d.refused(f, h.status)
	}
}

// pathRequest1 reads DELETE, DELETE_DIRECTORY and RENAME (MS-CIFS §2.2.4.2,
// §2.2.4.7, §2.2.4.8): a file that is never opened. Each name follows a format
// byte.
func (d *decoder) pathRequest1(h *header1, m *block, at pending) {
	path, next, legible := m.text(1)
	f := d.newFileAt(d.session(uint64(h.uid)), d.tree1(h), path)
	if !legible {
		f.anomaly(anomalyText)
	}
	f.smb.Directory = m.command == deleteDirectory1
	if m.command == rename1 {
		at.change.renamedTo, _, _ = m.text(next + 1)
	} else {
		at.change = change{disposed: true, deleted: true}
	}
	at.file = f
	d.wait(at)
}

// Functions and levels of transactions.
const (
	transactPipe1 = 0x0026 // TRANS_TRANSACT_NMPIPE (§2.2.5.6)

	setPathInfo1 = 0x0006 // TRANS2_SET_PATH_INFORMATION (§2.2.6.7)
	setFileInfo1 = 0x0008 // TRANS2_SET_FILE_INFORMATION (§2.2.6.9)
	setup21      = 0x000e // TRANS2_SESSION_SETUP (§2.2.6.15)
	setDisposed1 = 0x0102 // SMB_SET_FILE_DISPOSITION_INFO (§2.2.8.4.4)
	passThrough1 = 0x03e8 // SMB_INFO_PASSTHROUGH (MS-SMB §2.2.2.3.5): a class of MS-FSCC
	ntCreate1    = 0x0001 // NT_TRANSACT_CREATE (§2.2.7.1)
)

// transactionRequest1 reads SMB_COM_TRANSACTION (§2.2.4.33.1): what is written
// to a pipe, to be answered at once.
func (d *decoder) transactionRequest1(m *block, at pending) (p plan) {
	w := m.words
	if w[26] < 2 || len(w) < 32 || le.Uint16(w[28:]) != transactPipe1 {
		d.count(reasonRAP, 1)
		return plan{}
	}
	at.unknown = fid(le.Uint16(w[30:]))
	at.file = d.fileByID(at.unknown)
	d.wait(at)
	p.sink = sink{file: at.file, unknown: at.unknown}
	p.from, p.length = int(le.Uint16(w[24:])), int(le.Uint16(w[22:]))
	return p
}

// trans2Request1 reads SMB_COM_TRANSACTION2 (§2.2.4.46.1) and SMB_COM_NT_TRANSACT
// (§2.2.4.62.1).
func (d *decoder) trans2Request1(h *header1, m *block, at pending) {
	w := m.words
	if m.command == ntTransact1 {
		parameters, ok := part(m.b, int(le.Uint32(w[23:])), min(int(le.Uint32(w[19:])), maxCommand1))
		if ok && le.Uint16(w[36:]) == ntCreate1 && len(parameters) >= 53 {
			name := *m
			name.at = int(le.Uint32(w[23:])) + 53
			name.bytes = m.b[min(name.at, len(m.b)):]
			path, _, legible := name.text(0)
			f := d.newFileAt(d.session(uint64(h.uid)), d.tree1(h), path)
			if !legible {
				f.anomaly(anomalyText)
			}
			d.options1(f, le.Uint32(parameters[8:]), le.Uint32(parameters[32:]))
			at.file = f
		}
		d.wait(at)
		return
	}
	if w[26] < 1 || len(w) < 30 {
		d.count(reasonShort, 1)
		return
	}
	parameters, _ := part(m.b, int(le.Uint16(w[20:])), int(le.Uint16(w[18:])))
	data, _ := part(m.b, int(le.Uint16(w[24:])), int(le.Uint16(w[22:])))
	switch le.Uint16(w[28:]) {
	case setup21:
		d.server.setupMID = h.mid
		d.noted(d.session(uint64(h.uid)), anomalyTrans2Setup)
	case setFileInfo1:
		if len(parameters) < 4 {
			break
		}
		at.change = change1(le.Uint16(parameters[2:]), data)
		at.file = d.fileByID(fid(le.Uint16(parameters)))
	case setPathInfo1:
		if len(parameters) < 6 {
			break
		}
		if c := change1(le.Uint16(parameters), data); c != (change{}) {
			name := *m
			name.at = int(le.Uint16(w[20:])) + 6
			name.bytes = m.b[min(name.at, len(m.b)):]
			path, _, _ := name.text(0)
			at.change, at.file = c, d.newFileAt(d.session(uint64(h.uid)), d.tree1(h), path)
		}
	}
	if at.file != nil && at.change != (change{}) {
		d.wait(at)
	}
}

// change1 reads what a TRANS2 sets, when that is a deletion or another name.
func change1(level uint16, data []byte) change {
	switch {
	case level == setDisposed1:
		return changeOf(infoDisposition, data, 0)
	case level > passThrough1 && level < passThrough1+256:
		return changeOf(byte(level-passThrough1), data, 12)
	}
	return change{}
}

// trans2Answer1 ends a TRANS2 that set something.
func (d *decoder) trans2Answer1(at *pending, status uint32) {
	d.changed(at, status)
	f := at.file
	switch {
	case f == nil || !f.opening: // it was set through its Fid
	case failed(status):
		d.refused(f, status)
	default:
		d.endOpening(f, activity.Success)
	}
}

// ntTransactAnswer1 reads the response to NT_TRANSACT_CREATE (§2.2.7.1.2).
func (d *decoder) ntTransactAnswer1(at *pending, h *header1, m *block) {
	f, w := at.file, m.words
	if f == nil {
		return
	}
	if failed(h.status) || len(w) < 36 {
		d.refused(f, h.status)
		return
	}
	p, ok := part(m.b, int(le.Uint32(w[15:])), int(le.Uint32(w[11:])))
	if !ok || len(p) < 69 {
		d.refused(f, h.status)
		return
	}
	f.smb.Disposed = action(le.Uint32(p[4:]))
	f.smb.Size = int64(le.Uint64(p[56:]))
	f.smb.Directory = p[68] != 0
	d.opened(f, fid(le.Uint16(p[2:])), h.status)
}
