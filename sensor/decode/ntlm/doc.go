// Package ntlm reads NTLMSSP tokens (MS-NLMP §2.2.1) inside other protocols.
//
// # What is read
//
// NEGOTIATE (§2.2.1.1) starts an authentication. CHALLENGE (§2.2.1.2) gives the
// server's names out of its target information (§2.2.2.1). AUTHENTICATE
// (§2.2.1.3) gives user, domain, workstation, flags, the NTLM version by the
// length of the NT response, and whether a message integrity code and an LM
// response are there. The client's challenge in an NTLMv2 response (§2.2.2.7)
// gives the service that the client means, and whether channel bindings tie it
// to a TLS connection; where CHALLENGE was not captured also the server's names,
// which it repeats.
//
// # What is ignored on purpose
//
// Challenges, responses, session keys and signatures are never kept: they are
// password equivalents to whoever can guess. The Version fields say what the
// sender claims to be, and nothing that a rule needs. The domain and
// workstation of NEGOTIATE are repeated by AUTHENTICATE.
//
// # Limits
//
// Every string is cut to activity.MaxText. Fields may overlap (§2.2.1 does not
// forbid it), so each is bounded by the message alone. A list of target
// information is read up to maxPairs pairs. No state is kept but the
// activity.Auth that the carrier holds; each message replaces its NTLM part and
// never changes it in place.
package ntlm
