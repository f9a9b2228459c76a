#: title: A mail proxy logs on for twelve users; then eleven phones try an old password and stop
#: kind: benign
#: detect: none
#: place: bruteforceauth
#: note: all logons come before all failures, so no failure is followed by a logon
#: cut: port 88 or port 464
#: count: 12 kerberos.msg_type == 11 && ip.dst == 10.77.0.22
#: count: 11 kerberos.error_code == 24 && ip.dst == 10.77.0.22
#: count: 12 kerberos.msg_type == 11
#: count: 11 kerberos.error_code == 24
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() {
  local u
  for u in $(staff 12); do logon client2 "$u"; logout client2; done
  for u in $(staff 11); do mistype client2 "$u" "Old.${u%%.*}.2025"; done
}
cleanup() { unlock; }
