package dns

import "strings"

// Anomalies of DNS messages. Per item: the clause broken, and how it occurs
// harmlessly. Each is also counted under its name.
const (
	// AnomalyDirection: a response sent to the server's port, or a query sent from
	// it to another port (RFC 1035 §4.1.1: the responder sets QR). Harmless where
	// something other than DNS uses port 53.
	AnomalyDirection = "wrong-direction"
	// AnomalyNoQuestion: a query or an update without a question (RFC 1035
	// §4.1.2, RFC 2136 §2.3). Harmless in a query that only asks for a cookie
	// (RFC 7873 §5.4).
	AnomalyNoQuestion = "no-question"
	// AnomalySeveralQuestions: QDCOUNT above 1, which RFC 9619 forbids. Harmless
	// from experiments only; servers refuse it.
	AnomalySeveralQuestions = "several-questions"
	// AnomalyShort: the message ends before its sections do (RFC 1035 §4.1):
	// counts that lie, a pointer beyond the end, or a message cut short. Harmless
	// where the capture has a snap length, or a server cuts an answer and sets TC.
	AnomalyShort = "message-short"
	// AnomalyNameOverrun: a label is longer than what is left of the message, or
	// half a compression pointer ends it (RFC 1035 §4.1.4). Harmless in a capture
	// with a snap length.
	AnomalyNameOverrun = "name-overrun"
	// AnomalyNameLoop: more than 10 compression pointers in one name (RFC 1035
	// §4.1.4 wants each to point to a prior name, so a loop breaks it). No
	// server is known to need so many.
	AnomalyNameLoop = "name-loop"
	// AnomalyNameReserved: a label type of RFC 1035 §4.1.4 that is reserved (01,
	// 10). Harmless from experiments with RFC 2673 bit labels.
	AnomalyNameReserved = "name-reserved-label"
	// AnomalyNameLong: a name above 255 bytes (RFC 1035 §3.1).
	AnomalyNameLong = "name-long"
	// AnomalyNameDot: a dot within a label. It is legal (RFC 2181 §11) and
	// harmless in DNS-SD instance names, but such a name cannot be told from
	// another one by most software, so it is not read.
	AnomalyNameDot = "name-dot-in-label"
	// AnomalyRecordOverrun: RDLENGTH leads beyond the message (RFC 1035
	// §4.1.3). Harmless in a capture with a snap length.
	AnomalyRecordOverrun = "record-overrun"
	// AnomalyRecordLength: RDLENGTH does not fit the type: an A record that is
	// not of 4 bytes (RFC 1035 §3.4.1), AAAA not of 16 (RFC 3596 §2.2).
	AnomalyRecordLength = "record-length"
	// AnomalyUpdateLarge: an update adds a record of more than 512 bytes, the
	// most that RFC 1035 §2.3.4 foresees for a whole message over UDP. Harmless
	// for TXT records of mail servers.
	AnomalyUpdateLarge = "update-record-large"
	// AnomalySIGLarge: a SIG record of more than 60,000 bytes. No signature is
	// so long; Windows DNS servers before July 2020 overflowed on reading it
	// (CVE-2020-1350).
	AnomalySIGLarge = "sig-record-large"
	// AnomalyTransferSOA: a transfer that does not begin with the zone's SOA
	// record (RFC 5936 §2.2).
	AnomalyTransferSOA = "transfer-without-soa"
)

// nameErrors are the texts of dnsmessage's errors, which it does not export, and
// what they mean. The tests hold them.
var nameErrors = []struct{ text, anomaly string }{
	{"insufficient data for base length type", AnomalyShort},
	{"insufficient data for calculated length type", AnomalyNameOverrun},
	{"invalid pointer", AnomalyNameOverrun},
	{"too many pointers (>10)", AnomalyNameLoop},
	{"segment prefix is reserved", AnomalyNameReserved},
	{"name too long", AnomalyNameLong},
	{"invalid dns name", AnomalyNameDot},
	{"insufficient data for resource body length", AnomalyRecordOverrun},
}

// anomalyOf names what dnsmessage refused.
func anomalyOf(err error) string {
	text := err.Error()
	for _, e := range nameErrors {
		if strings.HasSuffix(text, e.text) {
			return e.anomaly
		}
	}
	return AnomalyShort
}
