package ldap

// Anomalies an activity of this package may carry: the whole list. Each says
// which clause the message breaks, and how that comes about without malice.
const (
	// anomalyRequest: the request differs from its ASN.1 (RFC 4511 §4.2, §4.5.1,
	// §4.6 to §4.9)
	// somewhere; what stands before that place was kept. Occurs with clients that
	// append private elements.
	anomalyRequest = "request-malformed"
	// anomalyCut: the end of the request is not there: lost by the capture, or
	// beyond maxRequest. No clause is broken; what the activity does not show may
	// still have been asked.
	anomalyCut = "message-cut"
	// anomalyResponse: the answer's LDAPResult is not readable (§4.1.9), so that
	// the result code is unknown. Occurs with damaged captures.
	anomalyResponse = "response-malformed"
	// anomalyFilter: a part of the filter is no Filter (§4.5.1.7); it stands as
	// "…". Occurs with substring assertions sent without any substring.
	anomalyFilter = "filter-malformed"
	// anomalyFilterDepth: the filter is nested deeper than maxFilterDepth; the
	// deeper part stands as "…". The RFC sets no limit. Occurs with filters that
	// programs build pair by pair.
	anomalyFilterDepth = "filter-too-deep"
	// anomalyFilterCut: the filter's text is longer than activity.MaxText and
	// ends in "…". Occurs with address books and synchronisers that ask for
	// hundreds of objects by name.
	anomalyFilterCut = "filter-cut"
	// anomalyListCut: more attributes or controls than maxAttributes,
	// activity.MaxChanges or maxControls; the first are listed. Occurs with exporters that name every
	// attribute of the schema.
	anomalyListCut = "list-cut"
	// anomalyScope: a scope the RFC does not define (§4.5.1.2). Occurs with
	// "subordinate" (3) of an expired draft.
	anomalyScope = "scope-unknown"
	// anomalyVersion: a bind for a version other than 2 and 3 (§4.2). Occurs
	// with port scanners.
	anomalyVersion = "version-unknown"
	// anomalyText: a name or DN is not UTF-8 (§4.1.2). Occurs with LDAPv2
	// clients, whose strings are T.61.
	anomalyText = "name-not-utf8"
	// anomalyMessageID: the request uses message ID 0, which is kept for
	// unsolicited notifications, or that of a request still unanswered
	// (§4.1.1.1). Occurs where the answer to the earlier one was not captured.
	anomalyMessageID = "message-id-reused"
	// anomalyOperation: a modification that is neither add, delete, replace nor
	// increment (§4.6, RFC 4525). Harmless from nobody known.
	anomalyOperation = "operation-unknown"
)
