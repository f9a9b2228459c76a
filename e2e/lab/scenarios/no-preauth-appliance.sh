#: title: The one appliance whose account needs no pre-authentication logs on from its own host
#: kind: benign
#: detect: none
#: place: asreproast
#: count: 6 kerberos.msg_type == 11
#: count: 0 kerberos.msg_type == 11 && kerberos.etype == 23
#: count: 0 kerberos.msg_type == 10 && kerberos.padata_type == 2
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() { for _ in 1 2 3 4 5 6; do logon client2 app-kiosk; sleep 1; done; }
