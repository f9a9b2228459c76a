#: title: Ten unknown names among eight known ones, just the number that counts as a list
#: kind: attack
#: detect: account-enum
#: place: accountenum
#: count: 10 kerberos.error_code == 6
#: count: 8 kerberos.error_code == 25
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() { exists attacker "ten unknown and eight known names" $(staff 8) $(printf 'guest%02d ' $(seq 10)); }
