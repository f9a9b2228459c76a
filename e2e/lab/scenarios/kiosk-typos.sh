#: title: Five users of a kiosk mistype once and then log on
#: kind: benign
#: detect: none
#: place: bruteforceauth
#: cut: port 88 or port 464
#: count: 5 kerberos.error_code == 24
#: count: 5 kerberos.msg_type == 11
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() { local u; for u in $(staff 5); do mistype client1 "$u"; logon client1 "$u"; logout client1; done; }
cleanup() { unlock; }
