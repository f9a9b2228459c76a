// Package icpr reads calls on the enrolment interface of a certification
// authority (MS-ICPR §3.2.4.1).
//
// # What is read
//
// CertServerRequest becomes certificate.request: the authority, the attributes
// sent beside the request (MS-WCCE §2.2.2.7), and of the request itself, a
// PKCS #10 (RFC 2986) or a CMC that carries one (RFC 5272), subject, subject
// alternative names with the UPN (MS-WCCE §2.2.2.7.7 and RFC 5280 §4.2.1.6), the
// security identifier, and the template, by name or by OID. A san attribute
// gives names too. Of the response the request's number, the disposition, and of
// a certificate that was issued its serial number and subject key identifier.
//
// A disposition of denied or of an error makes a call a failure, and so does a
// return value that is one.
//
// # What is ignored on purpose
//
// Keys, signatures, the certificate's other contents, requests for renewal in
// PKCS #7 without a PKCS #10, and Netscape keygen: counted.
//
// # What cannot be seen
//
// What is sealed, which Windows requires by default.
//
// # Limits
//
// decode.MaxStub bytes of each stub: a request is 1 to 3 KiB, the certificate comes
// in the response after the whole chain. maxNames alternative names, and DER
// nested no deeper than the structures that are read.
package icpr
