package smb

import (
	"slices"
	"strings"

	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// maxPipes caps the conversations in named pipes that are followed on a
// connection; the one used least recently gives way. Tools that list accounts
// have two or three pipes open, a session of an administrator's console ten.
const maxPipes = 32

// sink is what the bytes of a body are for. The zero value is nothing.
type sink struct {
	file    *file
	unknown fileID // without file: that of one whose opening was not seen
	start   bool   // the body begins the file
	at      int    // how far into the body; counted while that matters
}

// pipe is a named pipe's conversation, if the file is one.
type pipe struct {
	conversation *decode.Nested
	other        bool // what it carries is no DCE/RPC
	held         int
}

// content takes bytes of a body.
func (d *decoder) content(dir flow.Dir, k *sink, b []byte) {
	f := k.file
	if f == nil {
		if k.unknown == (fileID{}) || k.unknown == related || !beginsRPC(b) {
			k.unknown = fileID{}
			return
		}
		f = d.unseen(k.unknown)
		k.file = f
	}
	switch {
	case !f.open && !f.opening: // closed since
	case f.mayBePipe():
		d.pipeContent(f, dir, b)
	case k.start && f.magics < len(f.magic):
		if n := f.magics - k.at; n >= 0 && n < len(b) {
			f.magics += copy(f.magic[f.magics:], b[n:])
		}
		k.at += len(b)
	}
}

// pipesLost tells every pipe that what is lost of a direction may have been its.
func (d *decoder) pipesLost(dir flow.Dir) {
	for _, f := range d.pipes {
		f.pipe.conversation.Gap(dir, 0, d.now)
		d.weigh(f)
	}
}

// contentLost notes n lost bytes of a body.
func (d *decoder) contentLost(dir flow.Dir, k *sink, n int) {
	k.start = false
	if f := k.file; f != nil && f.pipe.conversation != nil {
		f.pipe.conversation.Gap(dir, n, d.now)
		d.weigh(f)
	}
}

// unseen is a file whose opening was not seen and that carries DCE/RPC.
func (d *decoder) unseen(id fileID) *file {
	if f := d.fileByID(id); f != nil {
		return f
	}
	f := d.newFileAt(nil, nil, "")
	f.unseen = true
	d.opened(f, id, 0)
	return f
}

// mayBePipe tells that the file is a pipe, or that nothing says it is none.
func (f *file) mayBePipe() bool {
	switch {
	case f.tree == nil:
		return true
	case f.tree.kind == "":
		return strings.HasSuffix(strings.ToUpper(f.tree.share), `\IPC$`)
	}
	return f.tree.kind == sharePipe
}

// beginsRPC tells whether b begins a PDU of connection-oriented DCE/RPC, as far
// as it goes: version 5.0 or 5.1, and a type (C706 §12.6.3.1).
func beginsRPC(b []byte) bool {
	return len(b) > 0 && b[0] == 5 && (len(b) < 2 || b[1] <= 1) && (len(b) < 3 || b[2] <= 19)
}

// pipeContent hands bytes on to the conversation in a pipe, which begins with
// the first of them.
func (d *decoder) pipeContent(f *file, dir flow.Dir, b []byte) {
	p := &f.pipe
	if p.other {
		return
	}
	if p.conversation == nil {
		if !beginsRPC(b) {
			if p.other = true; f.tree != nil {
				d.count(reasonPipeOther, 1)
			}
			return
		}
		if len(d.pipes) == maxPipes {
			d.count(reasonPipes, 1)
			d.closePipe(slices.MinFunc(d.pipes, func(a, b *file) int { return a.used - b.used }))
		}
		p.conversation = d.x.Nest("dcerpc", &decode.Carrier{
			Pipe: pipeName(f.smb.Path), MidStream: f.unseen,
			Auth: f.session.who,
		})
		if p.conversation == nil {
			p.other = true // nobody reads it
			return
		}
		d.pipes = append(d.pipes, f)
	}
	d.feedPipe(f, dir, b)
}

func (d *decoder) feedPipe(f *file, dir flow.Dir, b []byte) {
	f.pipe.conversation.Feed(dir, b, d.now)
	d.weigh(f)
}

// weigh notes what the conversation in a pipe holds now.
func (d *decoder) weigh(f *file) {
	n := f.pipe.conversation.Held()
	d.nested += n - f.pipe.held
	f.pipe.held = n
}

// closePipe ends the conversation in a pipe.
func (d *decoder) closePipe(f *file) {
	p := &f.pipe
	if p.conversation == nil {
		return
	}
	p.conversation.Close(d.now)
	d.nested -= p.held
	i := slices.Index(d.pipes, f)
	d.pipes = slices.Delete(d.pipes, i, i+1)
	*p = pipe{other: true}
}

// pipeName is the name of a named pipe, folded, without \pipe\.
func pipeName(path string) string {
	name := strings.TrimLeft(names.Fold(path), `\`)
	return strings.TrimPrefix(name, `pipe\`)
}
