#: title: At the change of shift eleven users of a kiosk mistype once and then log on
#: kind: benign
#: detect: none
#: place: bruteforceauth
#: note: nobody logs on there without a typo, so nothing says that the kiosk is shared
#: cut: port 88 or port 464
#: count: 11 kerberos.error_code == 24 && ip.dst == 10.77.0.21
#: count: 11 kerberos.msg_type == 11 && ip.dst == 10.77.0.21
#: count: 11 kerberos.error_code == 24
#: count: 11 kerberos.msg_type == 11
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() { local u; for u in $(staff 11); do mistype client1 "$u"; logon client1 "$u"; logout client1; done; }
cleanup() { unlock; }
