#: title: Fifteen users log on to a terminal server in the morning, ten of them mistype once
#: kind: benign
#: detect: none
#: place: bruteforceauth
#: cut: port 88 or port 464
#: count: 10 kerberos.error_code == 24
#: count: 15 kerberos.msg_type == 11
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() {
  local u n=0
  for u in $(staff 15); do
    n=$((n + 1))
    [ $((n % 3)) -eq 1 ] || mistype client2 "$u"
    logon client2 "$u"; logout client2
  done
}
cleanup() { unlock; }
