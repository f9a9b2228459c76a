#: title: A DNS server that the domain controller asks becomes a secondary of the domain's zone
#: kind: benign
#: detect: none
#: place: dnsrecon
#: served: attempt only
#: note: needs bind9 on the machine of the lab; client2 is the domain controller's forwarder, no record names it; Samba transfers no zones
#: cut: port 53
#: check: 1 frame.number == 3 && udp.srcport == 53 && ip.src == 10.77.0.22 && dns.a == 10.77.0.80
#: count: 0 frame.number <= 4 && ip.src == 10.77.0.22 && dns.flags.response == 0
#: check: 1 dns.qry.type == 6 && dns.flags.response == 0 && ip.src == 10.77.0.22
#: check: 1 dns.qry.type == 252 && dns.flags.response == 0 && ip.src == 10.77.0.22
#: count: 0 dns.ns || dns.a == 10.77.0.22
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
. "$LAB_HOME/lib/up.sh"
restart_dc1() { stop_pid "$LAB_DIR/pids/dc1"; start_dc dc1; wait_dc dc1; }
prepare() {
  sed -i '/^\[global\]/a\ dns forwarder = 10.77.0.22' "$DC1_CONF"
  restart_dc1
  bind_conf
}
run() {
  run_bind 10 "a DNS server, from its start to its end" &
  sleep 3
  step client1 - "a name of the other zone, which the domain controller asks client2 for" dig @"$DC_IP" www.linux.example A
  sleep 1
  bind_conf "$SECONDARY"
  kill -HUP "$(cat "$BIND/named.pid")" # BIND reads its settings again
  wait
}
cleanup() {
  sed -i '/^ dns forwarder = /d' "$DC1_CONF"
  restart_dc1
  rm -rf "$BIND"
}
