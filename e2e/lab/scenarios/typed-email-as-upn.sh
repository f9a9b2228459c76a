#: title: Users type their e-mail address, which is no user principal name, and then log on properly
#: kind: benign
#: detect: none
#: place: accountenum
#: note: the mail domain corp.example is no suffix of the forest, so the KDC knows no such enterprise name
#: cut: port 88 or port 464
#: count: 21 kerberos.error_code == 6
#: count: 9 kerberos.msg_type == 11
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() {
  local n=0 u host
  for u in $(staff 9); do
    n=$((n + 1)); host=client$((n % 2 + 1))
    for _ in $(seq $((n % 3 + 1))); do email "$host" "$u"; done
    # Three of them try a second spelling.
    [ $((n % 3)) -ne 0 ] || email "$host" "${u%%.*}"
    logon "$host" "$u"; logout "$host"
  done
}
email() { PASSWORD=$(pw "$2") step "$1" "$2@corp.example" "logon with the e-mail address" login "$1" "$2@corp.example" -E; }
