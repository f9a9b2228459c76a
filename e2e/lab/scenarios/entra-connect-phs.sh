#: title: A directory synchronisation server fetches changed password hashes
#: kind: benign
#: detect: none
#: place: dcsync
#: note: svc-sync holds the replication rights; its first, full pull lies before the capture, which shows two later rounds
#: count: 1 kerberos.msg_type == 13 && kerberos.CNameString == "svc-sync"
#: count: 2 drsuapi.opnum == 3 && dcerpc.pkt_type == 0
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
sync_round() {
  CCACHE=$LAB_DIR/hosts/client2/ccache step client2 svc-sync "changes of the domain since the last round" \
    "$PY" "$HERE/replicate.py" $DC "$BASE" --cookie "$LAB_DIR/hosts/client2/sync.cookie"
}
prepare() {
  STEPS=/dev/null STEP_LOG=/dev/null
  only_ipv4
  login client2 svc-sync; sync_round; logout client2
}
run() {
  logon client2 svc-sync -F
  # Its ticket comes from kvno, so that the TGS-REP names the account as it would on Windows (see kerberos-dcsync-armored).
  step client2 svc-sync "service ticket for the domain controller" kvno ldap/DC1.LAB.EXAMPLE
  dc_tool user setpassword hana.sato --newpassword=Fresh.Meadow.19 >/dev/null 2>&1
  sync_round
  sleep 3
  dc_tool user setpassword hana.sato --newpassword="$(pw hana.sato)" >/dev/null 2>&1
  sync_round
}
cleanup() { rm -f "$LAB_DIR/hosts/client2/sync.cookie"; }
