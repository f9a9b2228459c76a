#: title: An administrator opens five servers from a console, one after another, with AES
#: kind: benign
#: detect: none
#: place: kerberoast
#: cut: port 88
#: count: 5 kerberos.msg_type == 13
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() {
  local s
  logon client1 adm-carla
  for s in MSSQLSvc/sql1.$DNSDOM:1433 HTTP/intranet.$DNSDOM backup/srv-file.$DNSDOM HTTP/reports.$DNSDOM HTTP/legacy-portal.$DNSDOM; do
    step client1 adm-carla "opens a server" kvno "$s"
    sleep 16
  done
}
