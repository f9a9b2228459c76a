#: title: A directory synchronisation over LDAP with the DirSync control
#: kind: benign
#: detect: none
#: place: dcsync
#: note: the connection is signed, not sealed, so that the control stays readable; nothing uses DRSUAPI
#: check: 2 ldap.controlType == "1.2.840.113556.1.4.841"
#: count: 0 drsuapi
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
prepare() { only_ipv4; }
run() {
  logon client2 svc-sync
  for _ in 1 2; do
    step client2 svc-sync "DirSync search of the domain" ldapsearch -Q -LLL -Y GSSAPI -O minssf=1,maxssf=1 -H ldap://$DC \
      -E '!dirSync=1/1000000' -b "$BASE" '(objectClass=user)' sAMAccountName userAccountControl
    sleep 2
  done
}
