#: title: A second domain controller joins the domain
#: kind: benign
#: detect: none
#: place: dcsync
#: note: works once per lab; the whole recording has 11 MB, so only the first 8 kB of each direction of a connection are kept, the first of its many signed DNS updates, and of its DNS questions those for SRV records
#: keep: ip && !nbns && !(tcp.seq >= 8000 || tcp.ack >= 8000) && !(tcp.port == 53 && tcp.stream > 44) && !(udp.port == 53 && dns.flags.opcode == 0 && dns.qry.type != 33 && !(ip.addr == 10.77.0.21))
#: count: 1 drsuapi.opnum == 17 && dcerpc.pkt_type == 0
#: check: 3 drsuapi.opnum == 3 && dcerpc.pkt_type == 0 && ip.src == 10.77.0.11
#: check: 3 dns.flags.opcode == 5 && dns.flags.response == 1 && dns.flags.rcode == 0 && dns.srv.target == "dc2.lab.example"
#: count: 1 dns.flags.opcode == 0 && dns.srv.target == "dc2.lab.example" && ip.dst == 10.77.0.21 && dns.qry.name == "_ldap._tcp.dc._msdcs.lab.example"
#: count: 0 tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
. "$LAB_HOME/lib/up.sh"
prepare() { only_ipv4; }
run() {
  [ ! -f "$LAB_DIR/dc2/smb.conf" ] || { say "dc2 is joined already"; return 1; }
  step dc2 Administrator "DC join" lab_dc2
  sleep 5
  step client1 - "domain controllers of the domain" dig @"$DC_IP" _ldap._tcp.dc._msdcs.$DNSDOM SRV
}
