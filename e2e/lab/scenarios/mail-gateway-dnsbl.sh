#: title: A mail gateway looks up two hundred senders in a block list
#: kind: benign
#: detect: none
#: place: dnsrecon
#: note: the lab's DNS server knows no such zone and answers every question with "no such name", which for a block list means: not listed
#: count: 200 dns.flags.rcode == 3
#: count: 200 dns.qry.name contains "dnsbl.example.net" && dns.qry.type == 1 && dns.flags.response == 0
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() {
  awk 'BEGIN { srand(7); for (i = 0; i < 200; i++) printf "%d.%d.51.198.dnsbl.example.net A +tries=1\n", i + 1, int(rand() * 200) }' >"$LAB_DIR/dnsbl.dig"
  step client2 - "200 addresses in a DNS block list" dig @"$DC_IP" -f "$LAB_DIR/dnsbl.dig"
}
