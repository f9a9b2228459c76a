#: title: A secondary DNS server asks for the zone it keeps a copy of
#: kind: benign
#: detect: none
#: place: dnsrecon
#: served: attempt only
#: note: needs bind9 on the machine of the lab; client2 is name server of the zone (NS record); Samba transfers no zones
#: cut: port 53
#: check: 1 frame.number == 2 && dns.ns == "client2.lab.example" && ip.src == 10.77.0.10 && dns.flags.authoritative == 1
#: check: 1 frame.number == 4 && dns.a == 10.77.0.22 && ip.src == 10.77.0.10 && dns.flags.authoritative == 1
#: check: 1 dns.qry.type == 6 && dns.flags.response == 0 && ip.src == 10.77.0.22
#: check: 1 dns.qry.type == 252 && dns.flags.response == 0 && ip.src == 10.77.0.22
#: count: 0 dns.flags.response == 1 && ip.src == 10.77.0.22
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
prepare() {
  dns_admin add $DNSDOM client2 A 10.77.0.22
  dns_admin add $DNSDOM $DNSDOM NS client2.$DNSDOM
  bind_conf "$SECONDARY"
}
run() {
  step client1 - "name servers of the domain" dig @"$DC_IP" $DNSDOM NS
  step client1 - "address of the secondary" dig @"$DC_IP" client2.$DNSDOM A
  run_bind 4 "the secondary starts"
}
cleanup() {
  dns_admin delete $DNSDOM $DNSDOM NS client2.$DNSDOM
  dns_admin delete $DNSDOM client2 A 10.77.0.22
  rm -rf "$BIND"
}
