#: title: A secondary DNS server asks for the zones it keeps a copy of
#: kind: benign
#: detect: none
#: place: dnsrecon
#: served: attempt only
#: note: needs bind9 on the machine of the lab; client2 is name server of the zone (NS record) and the domain controller's forwarder; Samba transfers no zones
#: cut: port 53
#: check: 1 dns.qry.type == 252 && dns.flags.response == 0 && ip.src == 10.77.0.22
#: check: 1 udp.srcport == 53 && ip.src == 10.77.0.22 && dns.flags.response == 1
#: check: 1 dns.ns == "client2.lab.example"
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
. "$LAB_HOME/lib/up.sh"
restart_dc1() { stop_pid "$LAB_DIR/pids/dc1"; start_dc dc1; wait_dc dc1; }
prepare() {
  local d=$LAB_DIR/hosts/client2/named
  mkdir -p "$d"
  dns_admin add $DNSDOM client2 A 10.77.0.22
  dns_admin add $DNSDOM $DNSDOM NS client2.$DNSDOM
  sed -i '/^\[global\]/a\ dns forwarder = 10.77.0.22' "$DC1_CONF"
  restart_dc1
  cat >"$d/named.conf" <<C
options {
  directory "$d"; pid-file "$d/named.pid"; session-keyfile "$d/session.key";
  listen-on { 10.77.0.22; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no; empty-zones-enable no;
};
controls { };
zone "lab.example" { type secondary; primaries { 10.77.0.10; }; file "lab.example.db"; };
zone "linux.example" { type primary; file "linux.example.db"; };
C
  printf '$TTL 600\n@ SOA client2.lab.example. hostmaster.lab.example. 1 3600 600 86400 600\n@ NS client2.lab.example.\nwww A 10.77.0.80\n' >"$d/linux.example.db"
}
run() {
  local p
  step client1 - "name servers of the domain" dig @"$DC_IP" $DNSDOM NS
  at client2 sh -c 'exec named -f -4 -c "$1/named.conf" >"$1/log" 2>&1' sh "$LAB_DIR/hosts/client2/named" &
  p=$!
  sleep 1
  step client1 - "a name of the other zone, which the domain controller asks client2 for" dig @"$DC_IP" www.linux.example A
  sleep 8
  kill "$p" 2>/dev/null; [ ! -f "$LAB_DIR/hosts/client2/named/named.pid" ] || kill "$(cat "$LAB_DIR/hosts/client2/named/named.pid")"
  wait "$p"
  true
}
cleanup() {
  dns_admin delete $DNSDOM $DNSDOM NS client2.$DNSDOM
  dns_admin delete $DNSDOM client2 A 10.77.0.22
  sed -i '/^ dns forwarder = /d' "$DC1_CONF"
  restart_dc1
}
