#: title: A printer binds again and again with the password its account had before the last change
#: kind: benign
#: detect: none
#: place: bruteforceldap
#: note: the password is changed twice before the capture, because Samba accepts the last one for an hour; a password of the history does not count towards the lockout
#: count: 15 ldap.resultCode == 49
#: count: 15 ldap.errorMessage contains "data 52e"
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
prepare() {
  dc_tool user create svc-printer Scan.To.Mail.1 --userou="OU=Service Accounts"
  dc_tool user setpassword svc-printer --newpassword=Scan.To.Mail.2
  dc_tool user setpassword svc-printer --newpassword=Scan.To.Mail.3
}
run() { for _ in $(seq 15); do simple_bind client2 svc-printer Scan.To.Mail.1; sleep 0.5; done; }
cleanup() { dc_tool user delete svc-printer; }
