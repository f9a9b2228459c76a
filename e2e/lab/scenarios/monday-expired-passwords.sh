#: title: Twelve users find their passwords expired on Monday morning
#: kind: benign
#: detect: none
#: place: bruteforceauth
#: note: the users stop at the demand for a new password, except two who choose one and log on
#: cut: port 88 or port 464
#: check: 12 kerberos.error_code == 23
#: count: 0 kerberos.error_code == 24
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
prepare() { expire $(staff 12); }
run() {
  local u
  for u in $(staff 10); do step client1 "$u" "logon with the expired password" login client1 "$u"; done
  for u in $(staff 12 | tail -2); do
    step client1 "$u" "logon, new password chosen" sh -c 'printf "%s\n%s\n%s\n" "$2" "$3" "$3" | kinit "$1"' sh "$u" "$(pw "$u")" Fresh.Meadow.21
  done
}
cleanup() { renew $(staff 12); }
