package smb

import (
	"slices"

	"github.com/verderer/verderer/activity"
)

const (
	// maxPending caps the requests of a connection that wait for an answer. A
	// Windows server grants up to 8,192 credits, its clients use some 128 of
	// them for a large copy.
	maxPending = 512
	// keepPending is how many a pooled decoder has room for.
	keepPending = 16
)

// pending is a request that waits for its answer.
type pending struct {
	id      uint64 // MessageId; of SMB1 PID and MID
	command uint16
	start   bool // a READ at offset 0
	asked   activity.Time
	session *session
	tree    *tree
	file    *file
	unknown fileID // that of a file whose opening was not seen
	change  change
}

// change is what a request does to a file when it is granted.
type change struct {
	renamedTo         string
	disposed, deleted bool // the deletion mark is set, or taken off
}

// wait adds a request. One with the same id was not answered.
func (d *decoder) wait(p pending) {
	for i := range d.pending {
		if q := &d.pending[i]; q.id == p.id && q.command == p.command {
			d.giveWay(i, &p)
			break
		}
	}
	if len(d.pending) == maxPending {
		d.count(reasonPending, 1)
		d.giveWay(0, &p)
	}
	d.pending = append(d.pending, p)
	d.text += len(p.change.renamedTo)
}

// giveWay gives up the request at i for p, which may be a leg of the same set-up.
func (d *decoder) giveWay(i int, p *pending) {
	if p.session != nil && d.pending[i].session == p.session {
		d.remove(i)
		return
	}
	d.giveUp(i)
}

// take finds the request that an answer belongs to, and removes it.
func (d *decoder) take(id uint64, command uint16) (p pending, ok bool) {
	for i := range d.pending {
		if q := &d.pending[i]; q.id == id && q.command == command {
			p = *q
			d.remove(i)
			return p, true
		}
	}
	return pending{}, false
}

func (d *decoder) remove(i int) {
	d.text -= len(d.pending[i].change.renamedTo)
	d.pending = slices.Delete(d.pending, i, i+1)
}

// giveUp ends the wait for an answer: what was asked for is an attempt.
func (d *decoder) giveUp(i int) {
	p := d.pending[i]
	d.remove(i)
	switch {
	case p.session != nil && p.session.begun:
		d.setupLeft(p.session)
	case p.tree != nil && !p.tree.answered:
		d.treeGivenUp(p.tree, p.asked)
	case p.file != nil && p.file.opening:
		d.fileGivenUp(p.file)
	}
}
