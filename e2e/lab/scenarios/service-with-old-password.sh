#: title: A service goes on with the password it had before the change
#: kind: benign
#: detect: none
#: place: bruteforceauth
#: count: 6 kerberos.error_code == 24
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() { for _ in 1 2 3 4 5 6; do mistype client2 svc-backup Nightly.Backup.2024; sleep 2; done; }
cleanup() { dc_tool user unlock svc-backup; }
