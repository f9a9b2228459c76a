// Package decode is the third stage: decoders turn conversations into
// activities. This file is their contract; the decoders live in folders of
// their own and are listed in all/.
//
// A decoder states facts and anomalies, never suspicion. It never panics, caps
// lengths, recursion, pending requests and buffered bytes, survives gaps and
// one-sided conversations, keeps what it learned before a bad byte, and counts
// every message it could not read by reason.
package decode

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/capture"
	"github.com/verderer/verderer/sensor/flow"
)

// Decoder follows one conversation; see flow.Handler for what the calls
// promise. Decoders are pooled: Reset starts a new conversation on an old value
// and must forget everything of the one before.
type Decoder interface {
	flow.Handler
	Reset(x *Context)
	// Held estimates the bytes that the decoder keeps, itself included, and is
	// called after every other call. All decoders share a budget; one that
	// exceeds it is closed, and the conversation goes on in its middle.
	Held() int
}

// Protocol registers a decoder. Data, listed in all/.
type Protocol struct {
	Name     string   // as in counters: "kerberos"
	TCP, UDP []uint16 // server ports
	// Signature recognises a TCP conversation on an unknown high port by its
	// first payload; nil when the protocol lives on its ports only.
	Signature func(payload []byte) (follow bool, dir flow.Dir)
	New       func() Decoder
	// Reasons lists what the decoder counts, besides the anomalies it emits, so
	// that --explain can show a zero.
	Reasons []string
}

// Inner registers a decoder of tokens that ride inside other protocols. Read
// adds what the token says to auth and tells whether it understood it. It keeps
// no state but auth, and replaces what auth points to rather than change it:
// activities sealed earlier may share it. x counts under Name.
type Inner struct {
	Name    string // "gssapi", "ntlm", "kerberos"
	Read    func(x *Context, dir flow.Dir, token []byte, auth *activity.Auth) bool
	Reasons []string // what Read counts
}

// Event is a record of a Windows event log, as capture read it, and Field a
// value in it: decoders know capture by these names alone.
type (
	Event = capture.Event
	Field = capture.Field
)

// Events registers a reader of records of Windows event logs. Read gets every
// record with its time, keeps no state, and counts under Name.
type Events struct {
	Name    string
	Read    func(x *Context, now activity.Time, e *Event)
	Reasons []string // what Read counts
}

// Context is what a decoder works with: its conversation, and the way out. It
// is valid until the decoder is closed. A reader of events has no conversation:
// Conn is nil and New is not for it.
type Context struct {
	Conn    *flow.Conn
	Carrier *Carrier // nil unless another conversation carries this one
	stage   *Stage
	proto   string
	file    string // of the packet fed last, and its number
	frame   int64
}

// New starts an activity of this conversation: source is the client, target
// the server, time is now.
func (x *Context) New(kind activity.Kind, proto activity.Protocol, now activity.Time) *activity.Activity {
	a := &activity.Activity{
		Time:      now,
		Kind:      kind,
		Protocol:  proto,
		Transport: x.Conn.Transport,
		Source:    activity.Endpoint{Addr: x.Conn.Client.Addr(), Port: x.Conn.Client.Port()},
		Target:    activity.Endpoint{Addr: x.Conn.Server.Addr(), Port: x.Conn.Server.Port()},
		Outcome:   activity.Attempt,
	}
	x.origin(a)
	return a
}

// NewEvent starts an activity that a record of an event log states: the target
// is the computer that wrote it, by name.
func (x *Context) NewEvent(kind activity.Kind, now activity.Time, e *Event) *activity.Activity {
	a := &activity.Activity{
		Time:    now,
		Kind:    kind,
		Via:     activity.ViaEvent,
		Target:  activity.Endpoint{Host: activity.Cut(e.Computer)},
		Outcome: activity.Attempt,
	}
	x.origin(a)
	return a
}

func (x *Context) origin(a *activity.Activity) {
	if x.file != "" {
		a.Origin = &activity.Origin{File: x.file, Frame: x.frame}
	}
}

// Emit seals a and hands it on. a must not be changed afterwards.
func (x *Context) Emit(a *activity.Activity) {
	a.Seal()
	x.stage.emitted.Add(1)
	x.stage.emit(a)
}

// Count adds n to the decoder's counter for reason, a constant of its code.
func (x *Context) Count(reason string, n int) { x.stage.Counters.Of(x.proto, reason).Add(n) }

// Handoff gives an inner token to the decoder registered under name, which adds
// what it reads to auth. False: unknown name, or nothing understood.
func (x *Context) Handoff(name string, dir flow.Dir, token []byte, auth *activity.Auth) bool {
	in, ok := x.stage.inner[name]
	return ok && in.Read(x.as(name), dir, token, auth)
}

// PasswordTag is activity.LDAPBind.PasswordTag for a guessed password: 16 bits
// of an HMAC-SHA-256 under the day's key, never 0.
func (x *Context) PasswordTag(password []byte, now activity.Time) uint16 {
	m := hmac.New(sha256.New, x.stage.tags.key(now))
	m.Write(password)
	return max(1, binary.BigEndian.Uint16(m.Sum(nil)))
}
