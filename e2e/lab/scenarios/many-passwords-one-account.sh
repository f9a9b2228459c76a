#: title: Twelve passwords tried on one account with LDAP simple binds
#: kind: attack
#: detect: brute-force-ldap
#: place: bruteforceldap
#: note: the lab locks the account after eight bad passwords; later binds are answered with data 775
#: count: 12 ldap.resultCode == 49
#: check: 1 ldap.errorMessage contains "data 775"
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() { local n; for n in $(seq 12); do simple_bind attacker quentin.dupont "Guess-Number-$n"; done; }
cleanup() { unlock; }
