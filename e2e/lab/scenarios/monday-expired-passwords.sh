#: title: Twelve users find their passwords expired on Monday morning
#: kind: benign
#: detect: none
#: place: bruteforceauth
#: note: the users stop at the demand for a new password, except two who choose one and log on
#: cut: port 88 or port 464
#: check: 12 kerberos.error_code == 23
#: count: 0 kerberos.error_code == 24
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
prepare() {
  local u
  for u in $(staff 12); do
    printf 'dn: CN=%s,OU=Staff,%s\nchangetype: modify\nreplace: pwdLastSet\npwdLastSet: 0\n' "$u" "$BASE" >"$LAB_DIR/x.ldif"
    dc_ldb ldbmodify "$LAB_DIR/x.ldif"
  done
}
run() {
  local u
  for u in $(staff 10); do step client1 "$u" "logon with the expired password" login client1 "$u"; done
  for u in $(staff 12 | tail -2); do
    step client1 "$u" "logon, new password chosen" sh -c 'printf "%s\n%s\n%s\n" "$2" "$3" "$3" | kinit "$1"' sh "$u" "$(pw "$u")" Fresh.Meadow.21
  done
}
cleanup() { local u; for u in $(staff 12); do dc_tool user setpassword "$u" --newpassword="$(pw "$u")"; done; }
