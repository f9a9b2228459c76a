#: title: An application server binds for fifteen users, four of whom mistype
#: kind: benign
#: detect: none
#: place: bruteforceldap
#: count: 4 ldap.resultCode == 49
#: count: 15 ldap.protocolOp == 1 && ldap.resultCode == 0
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() {
  local u n=0
  for u in $(staff 15); do
    n=$((n + 1))
    [ $((n % 4)) -ne 3 ] || simple_bind client2 "$u" "Typo.${u%%.*}.1"
    simple_bind client2 "$u" "$(pw "$u")"
  done
}
cleanup() { unlock; }
