// Package wire is how activities travel from a sensor to the center: batches of
// them in protobuf, compressed with zstd, and the messages around them.
//
// A sensor talks to the center over NATS with mutual TLS. It may publish below
// "sensor.ITS-ID." only, and read its own inbox only, so whoever owns a sensor
// can speak under its name alone. Each request is answered on the sensor's inbox.
//
//	sensor.ID.hello   Hello → Welcome   first on every connection, and every 15 minutes
//	sensor.ID.batch   batch → Ack       one under way at a time, in the order of their sequence
//	sensor.ID.status  Status            every 5 s, no answer
//	sensor.ID.renew   Renewal → Renewed when a third of the certificate's life is left
//
// All but batches are JSON: small, rare, and easy to read in a trace.
//
// How batches are encoded is in the `pb` tags of Batch and of the structs in
// package activity; see Field for the tags, Decode for what a receiver may rely
// on, and activity.proto for other programs. Marshal and Unmarshal do the same
// for any struct with such tags, such as the records of the center's log.
package wire

import (
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
)

const (
	// Version of the messages here. A center takes those of two releases back.
	Version = 1

	// MaxBatch caps a batch as sent, compressed. Sensors close a batch at 64 KiB
	// or 250 ms; the rest is room for one large activity after another.
	MaxBatch = 512 << 10
	// MaxPlain caps a batch uncompressed: what one batch may cost the center.
	MaxPlain = 8 << 20
	// MaxEntries caps the entries of a batch.
	MaxEntries = 100_000

	// ProgressEvery is how often a live sensor states its clock.
	ProgressEvery = 250 * time.Millisecond
	// StatusEvery is how often a sensor sends its Status.
	StatusEvery = 5 * time.Second
	// HelloEvery is how often a sensor says Hello on a connection that lasts,
	// to get the tag keys of the day to come.
	HelloEvery = 15 * time.Minute
	// KeepSent is how long a sensor keeps a batch after it was acknowledged, to
	// send it again to a center that was restored from a backup.
	KeepSent = 15 * time.Minute
)

// Subjects of a sensor. Ids are lower-case letters, digits and "-".
func HelloSubject(id string) string  { return "sensor." + id + ".hello" }
func BatchSubject(id string) string  { return "sensor." + id + ".batch" }
func StatusSubject(id string) string { return "sensor." + id + ".status" }
func RenewSubject(id string) string  { return "sensor." + id + ".renew" }

// InboxPrefix is what a sensor's reply subjects start with.
func InboxPrefix(id string) string { return "inbox." + id }

// Batch is what a sensor sends at once.
type Batch struct {
	Spool    uint64  `pb:"1"`            // drawn at random when the spool was made: sequences of one spool are comparable
	Sequence uint64  `pb:"2"`            // 1, 2, 3 … in a spool
	Entries  []Entry `pb:"3,max=100000"` // in the order the sensor stated them
}

// Entry is one statement of a sensor; exactly one field is set.
type Entry struct {
	Activity *activity.Activity `pb:"1"`
	Progress activity.Time      `pb:"2"` // every activity up to and including this time has been stated
}

// Hello introduces a sensor on a connection.
type Hello struct {
	Protocol int    `json:"protocol"` // Version
	Version  string `json:"version"`  // of the program
	OS       string `json:"os"`       // "linux/amd64"
	Host     string `json:"host"`
	Spool    uint64 `json:"spool,string"`
	// Files: the sensor reads files and states their times, not the present.
	// Its clock is its own: it is neither behind nor ahead, and it takes part in
	// the watermark only while no live sensor does.
	Files bool `json:"files,omitempty"`
}

// Welcome answers Hello.
type Welcome struct {
	Refused  string        `json:"refused,omitempty"` // why the sensor must not send; for people
	Now      activity.Time `json:"now"`               // the center's clock, for the sensor to report its skew
	Sequence uint64        `json:"sequence,string"`   // the last batch of this spool that is stored; 0 none
	TagKeys  []TagKey      `json:"tagKeys,omitempty"` // of today and tomorrow, UTC
	Renew    bool          `json:"renew,omitempty"`   // renew the certificate now: the center's CA changes
}

// TagKey keys the password tags of one day (activity.LDAPBind.PasswordTag).
type TagKey struct {
	Day string `json:"day"` // 2006-01-02, UTC
	Key []byte `json:"key"` // 32 bytes
}

// Ack answers a batch.
type Ack struct {
	// Sequence: stored and synced up to here; also when the batch was a repeat.
	// Above that of the batch: what is stored under it is not the batch, but of a
	// copy of the sensor. It takes a new id for its spool and sends again.
	Sequence uint64 `json:"sequence,string"`
	// Hold: not stored, and not the sensor's fault: keep it, try again in some
	// seconds. Why is for people: "the disk is full".
	Hold bool `json:"hold,omitempty"`
	// Refused: this batch will never be stored. The sensor counts it, sets it
	// aside and goes on with the next one.
	Refused bool   `json:"refused,omitempty"`
	Why     string `json:"why,omitempty"`
}

// Status is how a sensor is.
type Status struct {
	Now        activity.Time `json:"now"` // the sensor's clock when it was sent
	Started    activity.Time `json:"started"`
	Sources    []string      `json:"sources"`        // "interface eth0", "3 files"
	Done       bool          `json:"done,omitempty"` // files: all read
	Clock      activity.Time `json:"clock"`          // progress so far
	Packets    int64         `json:"packets"`
	Events     int64         `json:"events"`
	Activities int64         `json:"activities"`
	Dropped    int64         `json:"dropped"` // packets the kernel dropped
	Spool      SpoolStatus   `json:"spool"`
	Memory     int64         `json:"memory"` // resident bytes
	Counters   []counter.Row `json:"counters"`
}

// SpoolStatus is how full the spool is.
type SpoolStatus struct {
	Batches int64 `json:"batches"` // not yet acknowledged
	Bytes   int64 `json:"bytes"`   // of those
	Limit   int64 `json:"limit"`   // of bytes
	Lost    int64 `json:"lost"`    // batches dropped because the spool was full, since it was made
}

// Renewal asks for a new certificate for the sensor's new key.
type Renewal struct {
	CSR []byte `json:"csr"` // DER; the subject is not read
}

// Renewed answers Renewal. Until the new certificate is first used the old one
// stays valid.
type Renewed struct {
	Refused     string `json:"refused,omitempty"`
	Certificate []byte `json:"certificate,omitempty"` // DER
	CA          []byte `json:"ca,omitempty"`          // DER of each CA to trust, one after another
}

// EnrolProtocol is offered (ALPN, before "http/1.1") by a sensor that enrols: at
// a console with a certificate of the administrator's own, which the sensor has
// no reason to trust, it is how the center knows to show its own.
const EnrolProtocol = "verderer-enroll"

// Enrolment is what a sensor posts to /api/v1/enrol over HTTPS, to a center
// whose CA has the fingerprint that stands in the access key.
type Enrolment struct {
	Key     string `json:"key"`  // the access key, as shown
	Name    string `json:"name"` // what people call the sensor: its host name unless given
	CSR     []byte `json:"csr"`  // DER; the subject is not read
	Version string `json:"version"`
	OS      string `json:"os"`
	Files   bool   `json:"files,omitempty"`
}

// Enrolled answers Enrolment.
type Enrolled struct {
	ID          string `json:"id"`
	Certificate []byte `json:"certificate"` // DER
	CA          []byte `json:"ca"`          // DER
	Address     string `json:"address"`     // host:port of the center's sensor port
}
