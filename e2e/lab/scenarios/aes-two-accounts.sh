#: title: AS-REP roasting of two accounts with AES, as a careful tool does it
#: kind: attack
#: detect: as-rep-roast
#: place: asreproast
#: count: 2 kerberos.msg_type == 11
#: count: 0 kerberos.msg_type == 11 && kerberos.etype == 23
#: count: 0 kerberos.msg_type == 10 && kerberos.padata_type == 2
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() {
  step attacker "app-scanner, app-kiosk" "AS-REQ without pre-authentication data, AES only" \
    "$PY" "$STIM" krb-users "$DC_IP" app-scanner app-kiosk --etypes aes256,aes128 --delay 2
}
