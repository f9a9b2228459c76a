package smb

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/flow"
)

var id = fileID{0x11, 0x22}

func TestFile(t *testing.T) {
	body := "regf" + strings.Repeat("0123456789", 1000)
	c := connected(t, `\\dc1\public`, 1).
		client(netbios(in(4).create(`system32\config\SYSTEM`, 0x120089, 0))).
		server(netbios(in(4).createAnswer(1, 10004, 0x20, id))).
		client(netbios(in(5).read(id, 0, 6000)), netbios(in(6).read(id, 6000, 6000))).
		server(netbios(in(6).readAnswer(0, body[6000:]), in(5).readAnswer(0, body[:6000]))).
		client(netbios(in(7).read(id, 12000, 6000))).
		server(netbios(in(7).refuse(read2, 0xc0000011))).
		client(netbios(in(8).closeFile(id))).
		server(netbios(in(8).closeAnswer()))
	f := c.one(activity.SMBFile)
	want := &activity.SMB{
		Dialect: "3.0.2", Session: 7, Share: `\\dc1\public`, ShareType: "disk", Path: `system32\config\SYSTEM`,
		Access: 0x120089, Disposed: "opened", Size: 10004, Read: 10004, Magic: []byte("regf012345678901"), Auth: f.SMB.Auth,
	}
	if diff := cmp.Diff(want, f.SMB); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if f.Outcome != activity.Success || f.Account.Name != "u" || f.SMB.Auth.NTLM.User != "u" || f.Requested != start+8*second || f.Time != c.now-second {
		t.Errorf("file %+v", f)
	}
	tree := c.one(activity.SMBTree)
	if diff := cmp.Diff(&activity.SMB{Dialect: "3.0.2", Session: 7, Share: `\\dc1\public`, ShareType: "disk", Access: 0x1f01ff, Auth: f.SMB.Auth}, tree.SMB); diff != "" {
		t.Errorf("share: -want +got:\n%s", diff)
	}
	if n := len(c.close()); n != 4 {
		t.Errorf("%d activities, want 4", n)
	}
}

func TestWrittenRenamedDeleted(t *testing.T) {
	c := connected(t, `\\dc1\public`, 1).
		client(netbios(in(4).create("new", 2, 0))).
		server(netbios(in(4).createAnswer(2, 0, 0, id))).
		client(netbios(in(5).write(id, 0, "MZ")), netbios(in(6).write(id, 2, "rest")), netbios(in(6).write(id, 0, "MZ\x90"))).
		client(netbios(in(7).setInfo(id, infoRename, rename(`deep\other`)), in(8).setInfo(id, infoDisposition, []byte{1}), in(9).setInfo(id, infoRename, rename("refused")))).
		server(netbios(in(7).setInfoAnswer(), in(8).setInfoAnswer(), in(9).refuse(setInfo2, 0xc0000022)))
	c.ended()
	f := c.one(activity.SMBFile).SMB
	if f.Written != 9 || string(f.Magic) != "MZ\x90" || f.RenamedTo != `deep\other` || !f.Deleted || f.Disposed != "created" {
		t.Errorf("%+v", f)
	}
}

func TestDeleteOnClose(t *testing.T) {
	c := connected(t, `\\dc1\public`, 1).
		client(netbios(in(4).create("x", 0x10000, optionDeleteOnClose))).
		server(netbios(in(4).createAnswer(1, 4, attributeDirectory, id)))
	c.close()
	if f := c.one(activity.SMBFile).SMB; !f.Deleted || !f.Directory {
		t.Errorf("%+v", f)
	}
}

func TestRefusedFile(t *testing.T) {
	interim := in(4)
	interim.flags = flagAsync
	c := connected(t, `\\dc1\c$`, 1).
		client(netbios(in(4).create(`Windows\NTDS\ntds.dit`, 1, optionDeleteOnClose))).
		server(netbios(interim.refuse(create2, statusPending), in(4).refuse(create2, 0xc0000043)))
	c.counted(reasonInterim, 1)
	f := c.one(activity.SMBFile)
	if f.Outcome != activity.Failure || f.Error != "STATUS_SHARING_VIOLATION" || f.SMB.Status != 0xc0000043 || f.SMB.Deleted || f.SMB.Path != `Windows\NTDS\ntds.dit` {
		t.Errorf("%+v %+v", f, f.SMB)
	}
}

func TestSnapshot(t *testing.T) {
	context := put(nil, uint32(0), uint16(16), uint16(4), uint16(0), uint16(24), uint32(8), []byte("TWrp"), uint32(0), uint64(132539328000000000))
	c := connected(t, `\\dc1\c$`, 1).client(netbios(in(4).create("ntds.dit", 1, 0, context...)))
	c.close()
	if f := c.one(activity.SMBFile).SMB; f.Snapshot.String() != "2021-01-01T00:00:00Z" {
		t.Errorf("snapshot %v", f.Snapshot)
	}
	c = connected(t, `\\dc1\c$`, 1).client(netbios(in(4).create("ntds.dit", 1, 0, make([]byte, 200)...)))
	c.close()
	if f := c.one(activity.SMBFile).SMB; f.Snapshot != 0 {
		t.Errorf("snapshot %v", f.Snapshot)
	}
}

// TestRelated: a compound whose operations refer to the file that the first
// opens (MS-SMB2 §3.2.4.1.4); and one of unrelated operations.
func TestRelated(t *testing.T) {
	rel := func(n uint64) h2 { return h2{id: n, session: 1<<64 - 1, tree: 1<<32 - 1, flags: flagRelated} }
	del := rel(5).setInfo(related, infoDisposition, []byte{1})
	c := connected(t, `\\dc1\public`, 1).
		client(compound(in(4).create("gone", 0x10000, 0), del, rel(6).closeFile(related))).
		server(compound(in(4).createAnswer(1, 5, 0, id), in(5).setInfoAnswer(), in(6).closeAnswer()))
	if f := c.one(activity.SMBFile); !f.SMB.Deleted || f.SMB.Path != "gone" || f.Outcome != activity.Success {
		t.Errorf("%+v", f.SMB)
	}
	c.got = nil
	c.client(compound(in(7).create("a", 1, 0), in(8).create("b", 1, 0))).
		server(compound(in(7).refuse(create2, 0xc0000034), in(8).createAnswer(1, 5, 0, id)))
	c.close()
	if f := c.kind(activity.SMBFile); len(f) != 2 || f[0].Error != "STATUS_OBJECT_NAME_NOT_FOUND" || f[1].SMB.Path != "b" || f[1].Outcome != activity.Success {
		t.Errorf("%+v", f)
	}
	c.counted(reasonCompounds, 4)
	c.counted(reasonUnasked, 0)
}

const bindPDU = "\x05\x00\x0b\x03bind"

func TestPipe(t *testing.T) {
	c := connected(t, `\\dc1\IPC$`, 2).
		client(netbios(in(4).create(`\PIPE\SamR`, 3, 0))).
		server(netbios(in(4).createAnswer(1, 0, 0, id))).
		client(netbios(in(5).write(id, 0, bindPDU)), netbios(in(6).read(id, 0, 1024))).
		server(netbios(in(6).readAnswer(0, "\x05\x00\x0cack"))).
		client(netbios(in(7).transceive(id, "request"))).
		server(netbios(in(7).transceiveAnswer(0x80000005, id, "begun "))).
		client(netbios(in(8).read(id, 0, 1024))).
		server(netbios(in(8).readAnswer(0, "and ended")))
	if len(c.pipes) != 1 {
		t.Fatalf("%d conversations", len(c.pipes))
	}
	p := c.pipes[0]
	if p.name != "samr" || p.fed[flow.ToServer] != bindPDU+"request" || p.fed[flow.ToClient] != "\x05\x00\x0cackbegun and ended" || p.midStrem {
		t.Errorf("%+v", p)
	}
	if p.auth == nil || p.auth.NTLM.User != "u" || p.account.Name != "u" || p.closed {
		t.Errorf("%+v %+v", p.auth, p.account)
	}
	if c.d.nested != c.d.files[id].pipe.held || c.d.nested < 100 {
		t.Errorf("%d bytes held by pipes", c.d.nested)
	}
	c.client(netbios(in(9).closeFile(id))).server(netbios(in(9).closeAnswer()))
	if f := c.one(activity.SMBFile).SMB; !p.closed || f.Path != `\PIPE\SamR` || f.ShareType != "pipe" || f.Written != 15 || f.Read != 21 || f.Magic != nil || c.d.nested != 0 {
		t.Errorf("closed %v, %+v", p.closed, f)
	}
}

// TestPipeUnseen: a connection picked up in its middle is followed where DCE/RPC
// shows itself.
func TestPipeUnseen(t *testing.T) {
	c := open(t, true).
		client(netbios(in(5).write(id, 0, bindPDU)), netbios(in(6).read(id, 0, 1024))).
		server(netbios(in(6).readAnswer(0, "\x05\x00\x0cack"))).
		client(netbios(in(7).write(fileID{9, 9}, 0, "no RPC"))).
		client(netbios(in(8).transceive(fileID{3, 3}, "\x05\x00\x00request")))
	if len(c.pipes) != 2 || !c.pipes[0].midStrem || c.pipes[0].fed[1] != "\x05\x00\x0cack" || c.pipes[0].auth != nil {
		t.Fatalf("%d conversations", len(c.pipes))
	}
	c.close()
	if len(c.kind(activity.SMBFile)) != 0 {
		t.Error("a file whose opening was not seen was emitted")
	}
}

func TestPipeOther(t *testing.T) {
	c := connected(t, `\\dc1\IPC$`, 2).
		client(netbios(in(4).create("svcctl2", 3, 0))).
		server(netbios(in(4).createAnswer(1, 0, 0, id))).
		client(netbios(in(5).write(id, 0, "what")), netbios(in(6).write(id, 0, bindPDU)))
	c.counted(reasonPipeOther, 1)
	if len(c.pipes) != 0 {
		t.Error("followed")
	}
	c = connected(t, `\\dc1\public`, 1).
		client(netbios(in(4).create("file", 3, 0))).
		server(netbios(in(4).createAnswer(1, 0, 0, id))).
		client(netbios(in(5).write(id, 0, bindPDU)))
	if len(c.pipes) != 0 {
		t.Error("a file on a disk was taken for a pipe")
	}
}

func TestPipeGap(t *testing.T) {
	c := connected(t, `\\dc1\IPC$`, 2).
		client(netbios(in(4).create("samr", 3, 0))).
		server(netbios(in(4).createAnswer(1, 0, 0, id)))
	b := netbios(in(5).write(id, 0, bindPDU+strings.Repeat("x", 100)))
	c.client(b[:len(b)-50])
	c.gap(flow.ToServer, 20)
	c.client(b[len(b)-30:], netbios(in(6).write(id, 0, "next")))
	if p := c.pipes[0]; p.gaps != 1 || len(p.fed[0]) != len(bindPDU)+80+4 {
		t.Errorf("%d gaps, %d bytes", p.gaps, len(p.fed[0]))
	}
	c.counted(reasonSkipped, 0)
	c.gap(flow.ToClient, 500) // it may have been an answer in the pipe
	if p := c.pipes[0]; p.gaps != 2 {
		t.Errorf("%d gaps", p.gaps)
	}
}
