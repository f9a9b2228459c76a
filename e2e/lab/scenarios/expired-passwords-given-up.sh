#: title: Twelve users give up at the demand for a new password
#: kind: benign
#: detect: none
#: place: bruteforceauth
#: note: kinit would go on to kadmin/changepw and get a ticket for that, so the client here is one that stops
#: cut: port 88 or port 464
#: count: 12 kerberos.error_code == 23 && ip.dst == 10.77.0.21
#: count: 12 kerberos.error_code == 23
#: count: 12 kerberos.msg_type == 10 && kerberos.padata_type == 2
#: count: 0 kerberos.error_code == 24
#: count: 0 kerberos.msg_type == 11
#: count: 0 udp.port == 464 || tcp.port == 464
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
prepare() { expire $(staff 12); }
run() {
  local u
  for u in $(staff 12); do
    step client1 "$u" "logon with the expired password" "$PY" "$STIM" krb-spray "$DC_IP" "$u" --password "$(pw "$u")"
  done
}
cleanup() { renew $(staff 12); }
