#: title: A mail proxy logs on for everybody; ten users have a second phone with an old password
#: kind: benign
#: detect: none
#: place: bruteforceauth
#: cut: port 88 or port 464
#: count: 10 kerberos.error_code == 24
#: count: 12 kerberos.msg_type == 11
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() {
  local u n=0
  for u in $(staff 12); do
    n=$((n + 1))
    # The phone with the old password may come before or after the one with the new.
    [ $n -gt 10 ] || [ $((n % 2)) -eq 1 ] || mistype client2 "$u" "Old.${u%%.*}.2025"
    logon client2 "$u"; logout client2
    [ $n -gt 10 ] || [ $((n % 2)) -eq 0 ] || mistype client2 "$u" "Old.${u%%.*}.2025"
  done
}
cleanup() { unlock; }
