#: title: A mailbox connector asks for leavers and for people who are still there
#: kind: benign
#: detect: none
#: place: accountenum
#: note: the twelve leavers are created and deleted before the capture, so their names are really those of deleted objects
#: count: 12 kerberos.error_code == 6
#: count: 20 kerberos.error_code == 25
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
LEAVERS="amy.lopez ben.ortiz carl.weiss diane.roux eva.lind frank.ott gina.rossi hugo.blanc iris.wolf jan.novy kate.reid leo.marti"
prepare() {
  local u
  for u in $LEAVERS; do dc_tool user create "$u" Harbor.Light.55 --userou=OU=Staff && dc_tool user delete "$u"; done
}
run() {
  # The order of the connector's own list, where leavers stand among the others.
  exists client2 "owners of 32 mailboxes" $( { staff 20; tr ' ' '\n' <<<"$LEAVERS"; } | sort -t. -k2)
}
