#: title: An application server binds on a Monday, when twelve users send their old passwords
#: kind: benign
#: detect: none
#: place: bruteforceldap
#: count: 12 ldap.resultCode == 49
#: count: 15 ldap.protocolOp == 1 && ldap.resultCode == 0
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() {
  local u n=0
  for u in $(staff 15); do
    n=$((n + 1))
    [ $n -gt 12 ] || simple_bind client2 "$u" "Autumn.${u%%.*}.1"
    simple_bind client2 "$u" "$(pw "$u")"
  done
}
cleanup() { unlock; }
