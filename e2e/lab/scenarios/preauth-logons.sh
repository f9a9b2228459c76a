#: title: Ordinary logons with pre-authentication
#: kind: benign
#: detect: none
#: place: asreproast
#: cut: port 88 or port 464
#: count: 8 kerberos.msg_type == 11
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() {
  local u n=0
  for u in $(staff 8); do n=$((n + 1)); logon client$((n % 2 + 1)) "$u"; logout client$((n % 2 + 1)); done
}
