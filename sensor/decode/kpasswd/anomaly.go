package kpasswd

// The closed list. What the AP-REQ itself has stands with "kerberos-" before it.
const (
	// AnomalyLength: the message length differs from what is there (RFC 3244 §2).
	// Harmless: none known.
	AnomalyLength = "length-mismatch"
	// AnomalyTicket: no AP-REQ with a readable ticket, which nobody can answer.
	// Harmless: health probes.
	AnomalyTicket = "no-ticket-presented"
	// AnomalyCut: the end of a message is not there: cut by the snap length or
	// lost by the capture. No clause is broken.
	AnomalyCut = "message-cut"
)
