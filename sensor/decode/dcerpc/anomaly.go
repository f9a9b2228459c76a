package dcerpc

// Anomalies of a call: the whole list. Each says which clause the PDU breaks,
// and how that comes about without malice.
const (
	// anomalyVerifier: the lengths of the authentication verifier reach outside
	// the PDU (C706 §13.2.6.1); it is read as absent. No known program sends it.
	anomalyVerifier = "dcerpc-verifier-outside-pdu"
	// anomalyFirstFragment: a request or response without its first fragment
	// (C706 §12.6.2, PFC_FIRST_FRAG); the stub's beginning is unknown. Occurs
	// where a packet was not captured.
	anomalyFirstFragment = "dcerpc-first-fragment-missing"
	// anomalyCallID: a request with the call id of one still unanswered (C706
	// §12.6.3.1). Occurs where the answer to the earlier one was not captured.
	anomalyCallID = "dcerpc-call-id-reused"
)

// Reasons for what gave no activity, or less than it could have.
const (
	reasonSkipped   = "bytes without a PDU start"
	reasonGap       = "gaps"
	reasonDirection = "PDUs against their direction"
	reasonShort     = "PDUs too short for their type"
	reasonVerifier  = "verifiers outside their PDU"
	reasonContexts  = "presentation contexts above the cap"
	reasonSecurity  = "security contexts above the cap"
	reasonAuthType  = "authentications of unknown type"
	reasonToken     = "authentication tokens not understood"
	reasonShutdown  = "shutdown PDUs"
	reasonCancel    = "co_cancel PDUs"
	reasonOrphaned  = "orphaned PDUs"

	reasonNoBind     = "calls without bind"
	reasonNoContext  = "calls on a context never offered"
	reasonRejected   = "calls on a rejected context"
	reasonOther      = "calls on other interfaces"
	reasonEvicted    = "calls given up for newer ones"
	reasonUnanswered = "calls given up without answer"
	reasonNoRequest  = "answers without their request"
	reasonFragment   = "requests without their first fragment"
	reasonCallID     = "call ids reused before the answer"
)

var reasons = []string{
	reasonSkipped, reasonGap, reasonDirection, reasonShort, reasonVerifier, reasonContexts, reasonSecurity,
	reasonAuthType, reasonToken, reasonShutdown, reasonCancel, reasonOrphaned,
	reasonNoBind, reasonNoContext, reasonRejected, reasonOther, reasonEvicted, reasonUnanswered,
	reasonNoRequest, reasonFragment, reasonCallID,
}
