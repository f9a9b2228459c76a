package nbns

// The closed list.
const (
	// AnomalyShort: the packet ends before what its counts and lengths promise
	// (RFC 1002 §4.2.1). Harmless: cut by the snap length.
	AnomalyShort = "message-short"
	// AnomalyCounts: more than one question or record, which no packet of RFC
	// 1002 §4.2 has; the first are read. Harmless: none known.
	AnomalyCounts = "several-records"
	// AnomalyName: a name in letters outside A to P (RFC 1001 §14.1). Harmless:
	// DNS queries that stray to this port.
	AnomalyName = "name-encoding"
	// AnomalyText: a name that is not UTF-8. RFC 1001 §5.2 leaves its characters
	// open. Harmless: hosts with names in the code page of their system.
	AnomalyText = "name-not-utf8"
	// AnomalyList: more than maxAnswers addresses or names; the first are kept.
	// No clause is broken. Harmless: servers with very many addresses.
	AnomalyList = "list-cut"
)
