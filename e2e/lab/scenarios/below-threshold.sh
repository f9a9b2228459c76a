#: title: Nine unknown names, one below the number that counts as a list
#: kind: benign
#: detect: none
#: place: accountenum
#: count: 9 kerberos.error_code == 6
#: count: 9 kerberos.msg_type == 10
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() { exists attacker "nine unknown names" $(printf 'guest%02d ' $(seq 9)); }
