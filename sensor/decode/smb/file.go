package smb

import (
	"cmp"
	"slices"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/flow"
)

const (
	// maxTrees caps the shares connected on a connection: a few for each
	// session.
	maxTrees = 256
	// maxFiles caps the files that are open on a connection. Explorer has some
	// ten open, a program that indexes or copies a share up to a few hundred.
	maxFiles = 512
)

// tree is a share that was connected, or asked for.
type tree struct {
	id        uint32
	session   *session
	share     string
	kind      string // shareDisk, …; "" when not known
	encrypted bool
	answered  bool
	illegible bool // share was not all text
}

// tree finds a share; nil when it is not known. Of SMB1 a Tid holds for every
// session of the connection.
func (d *decoder) tree(s *session, id uint32) *tree {
	for _, t := range d.trees {
		if t.id == id && t.answered && (t.session == s || d.dialect == dialect1) {
			return t
		}
	}
	return nil
}

// addTree adds a share that is asked for.
func (d *decoder) addTree(s *session, share string, illegible bool) *tree {
	if len(d.trees) == maxTrees {
		d.count(reasonTrees, 1)
		d.dropTree(d.trees[0])
	}
	t := &tree{session: s, share: share, illegible: illegible}
	d.trees = append(d.trees, t)
	d.text += len(share)
	return t
}

// treeAnswer emits that a share was asked for, and the answer.
func (d *decoder) treeAnswer(t *tree, id uint32, status uint32, kind string, encrypted bool, access uint32, asked activity.Time) {
	if t == nil || t.answered {
		return
	}
	t.kind, t.encrypted = kind, encrypted
	if failed(status) {
		d.treeActivity(t, activity.Failure, status, 0, asked)
		t.answered = true
		d.dropTree(t)
		return
	}
	if old := d.tree(t.session, id); old != nil {
		d.dropTree(old)
	}
	t.id, t.answered = id, true
	d.treeActivity(t, activity.Success, status, access, asked)
}

func (d *decoder) treeGivenUp(t *tree, asked activity.Time) {
	d.treeActivity(t, activity.Attempt, 0, 0, asked)
	t.answered = true
	d.dropTree(t)
}

func (d *decoder) treeActivity(t *tree, outcome activity.Outcome, status, access uint32, asked activity.Time) {
	a := d.x.New(activity.SMBTree, activity.ProtoSMB, d.now)
	m := d.detail(t.session, t)
	m.Status, m.Access = status, access
	a.Requested, a.Outcome, a.SMB = asked, outcome, &m
	_, a.Account = t.session.who()
	if outcome == activity.Failure {
		a.Error = statusName(status)
	}
	if t.illegible {
		a.Anomalies = []string{anomalyText}
	}
	d.x.Emit(a)
}

// dropTree forgets a share, with its files.
func (d *decoder) dropTree(t *tree) {
	i := slices.Index(d.trees, t)
	if i < 0 {
		return
	}
	d.trees = slices.Delete(d.trees, i, i+1)
	d.text -= len(t.share)
	d.closeFiles(func(f *file) bool { return f.tree == t })
}

// file is a file or pipe, from the request that opens it on.
type file struct {
	id      fileID
	seq     int // order of opening
	used    int // uses when it was used last
	session *session
	tree    *tree
	asked   activity.Time

	opening       bool // asked for, without an answer yet
	open          bool
	unseen        bool // its opening was not seen: nothing is emitted of it
	deleteOnClose bool

	smb       activity.SMB // the part of it that the file itself has
	magic     [activity.MaxMagic]byte
	magics    int // bytes of magic that are known
	anomalies []string

	pipe pipe
}

func (f *file) anomaly(name string) {
	if !slices.Contains(f.anomalies, name) {
		f.anomalies = append(f.anomalies, name)
	}
}

// moved counts the bytes of a body.
func (f *file) moved(dir flow.Dir, n int) {
	switch {
	case f == nil:
	case dir == flow.ToServer:
		f.smb.Written += int64(n)
	default:
		f.smb.Read += int64(n)
	}
}

// newFile is a file that is asked for by name, in UTF-16.
func (d *decoder) newFile(s *session, t *tree, name []byte) *file {
	path, legible := text(name)
	f := d.newFileAt(s, t, path)
	if !legible {
		f.anomaly(anomalyText)
	}
	return f
}

func (d *decoder) newFileAt(s *session, t *tree, path string) *file {
	d.uses++
	f := &file{seq: d.uses, used: d.uses, session: s, tree: t, asked: d.now, opening: true}
	f.smb.Path = path
	d.text += sizeFile + len(path) // until it is open, see opened
	return f
}

// opened says that a file is open now.
func (d *decoder) opened(f *file, id fileID, status uint32) {
	if !f.opening {
		return
	}
	d.text -= sizeFile // Held counts it with files from here on
	f.opening, f.open, f.id = false, true, id
	f.smb.Status = status
	if old := d.files[id]; old != nil {
		d.closeFile(old)
	}
	if len(d.files) == maxFiles {
		d.count(reasonFiles, 1)
		d.closeFile(d.oldest())
	}
	if d.files == nil {
		d.files = make(map[fileID]*file)
	}
	d.files[id] = f
}

// oldest is the file that was not used for longest.
func (d *decoder) oldest() *file {
	var o *file
	for _, f := range d.files {
		if o == nil || f.used < o.used {
			o = f
		}
	}
	return o
}

// fileByID finds an open file.
func (d *decoder) fileByID(id fileID) *file {
	f := d.last
	if f == nil || f.id != id || !f.open {
		if f = d.files[id]; f == nil {
			return nil
		}
		d.last = f
	}
	d.uses++
	f.used = d.uses
	return f
}

// fileOf finds the file that b begins with the FileId of, or for a related
// operation that of the one before.
func (d *decoder) fileOf(c *chain, b []byte) *file {
	id := readFileID(b)
	if id == related {
		return c.file
	}
	c.file = d.fileByID(id)
	return c.file
}

// refused emits a file that was not opened.
func (d *decoder) refused(f *file, status uint32) {
	if f.opening {
		f.smb.Status = status
		f.smb.Disposed = ""
		outcome := activity.Failure
		if !failed(status) {
			outcome = activity.Success // an answer cut short
		}
		d.endOpening(f, outcome)
	}
}

// fileGivenUp emits a file whose opening has no answer.
func (d *decoder) fileGivenUp(f *file) { d.endOpening(f, activity.Attempt) }

func (d *decoder) endOpening(f *file, outcome activity.Outcome) {
	f.opening = false
	d.text -= sizeFile
	d.closePipe(f) // written to in the same compound
	d.emitFile(f, outcome)
}

// closeFile emits a file that was open.
func (d *decoder) closeFile(f *file) {
	if f == nil || !f.open {
		return
	}
	f.open = false
	delete(d.files, f.id)
	if d.last == f {
		d.last = nil
	}
	d.closePipe(f)
	if f.deleteOnClose {
		f.smb.Deleted = true
	}
	d.emitFile(f, activity.Success)
}

// closeFiles closes the open files that which picks, in the order of opening.
func (d *decoder) closeFiles(which func(*file) bool) {
	var some []*file
	for _, f := range d.files {
		if which(f) {
			some = append(some, f)
		}
	}
	slices.SortFunc(some, func(a, b *file) int { return cmp.Compare(a.seq, b.seq) })
	for _, f := range some {
		d.closeFile(f)
	}
}

// changed notes what a SET_INFO did.
func (d *decoder) changed(p *pending, status uint32) {
	if f := p.file; f == nil || failed(status) || !f.open && !f.opening {
		return
	}
	if to := p.change.renamedTo; to != "" {
		d.text += len(to) - len(p.file.smb.RenamedTo)
		p.file.smb.RenamedTo = to
	}
	if p.change.disposed {
		p.file.smb.Deleted = p.change.deleted
	}
}

func (d *decoder) emitFile(f *file, outcome activity.Outcome) {
	d.text -= len(f.smb.Path) + len(f.smb.RenamedTo)
	if f.unseen {
		return
	}
	a := d.x.New(activity.SMBFile, activity.ProtoSMB, d.now)
	m := d.detail(f.session, f.tree)
	own := &f.smb
	m.Path, m.Access, m.Disposed, m.Directory, m.Size = own.Path, own.Access, own.Disposed, own.Directory, own.Size
	m.Read, m.Written, m.Deleted, m.RenamedTo, m.Status, m.Snapshot = own.Read, own.Written, own.Deleted, own.RenamedTo, own.Status, own.Snapshot
	if f.magics > 0 {
		m.Magic = f.magic[:f.magics]
	}
	a.Requested, a.Outcome, a.SMB, a.Anomalies = f.asked, outcome, &m, f.anomalies
	_, a.Account = f.session.who()
	if outcome == activity.Failure {
		a.Error = statusName(own.Status)
	}
	d.x.Emit(a)
}
