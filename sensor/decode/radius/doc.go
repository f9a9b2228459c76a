// Package radius reads RADIUS accounting over UDP ports 1813 and 1646 (RFC 2866),
// by which a VPN gateway tells who is connected.
//
// # What is read
//
// An Accounting-Request with its Accounting-Response makes one activity:
// vpn.connect for Acct-Status-Type Start and Interim-Update, vpn.end for Stop.
// The gateway is the source, User-Name the account, as sent. Requests with other
// status types (a gateway that starts or stops, tunnels and links) are counted.
//
// Attributes are those of RFC 2865 §5, RFC 2866 §5, RFC 2868 §3 (tunnels, whose
// tag is taken off), RFC 2869 §5.1, §5.2 and §5.3 (gigawords, Event-Timestamp),
// RFC 3162 §2 and RFC 6911 §3.1 (IPv6). Others are skipped by their length, and
// so are those of vendors, but for MS-RAS-Client-Name (MS-RNAP §2.2.1.9). Of an
// attribute that comes twice the first counts.
//
// A request is an attempt when no response came. The same act of the same session
// sent again, with another identifier where Acct-Delay-Time grew (RFC 2866 §4.1),
// is one. A response without its request is counted.
//
// Wi-Fi and wired 802.1X account in the same way; VPN.PortType tells them apart.
//
// # What is ignored on purpose
//
// Authentication (ports 1812 and 1645), which has passwords in it. Authenticators
// are not verified: that needs the secret that gateway and server share, so a
// forged request is taken for what it says.
//
// # Limits
//
//	packet             4096   RFC 2865 §3; attributes beyond are not there
//	requests open       256   maxPending: identifiers have one octet
package radius
