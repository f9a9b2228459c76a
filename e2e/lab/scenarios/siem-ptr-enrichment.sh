#: title: A log server resolves the addresses of its events again and again
#: kind: benign
#: detect: none
#: place: dnsrecon
#: count: 120 dns.qry.type == 12 && dns.flags.response == 0
#: check: 72 dns.ptr.domain_name
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
prepare() { reverse_zone; }
run() {
  # 36 addresses with a name and 24 without one, each twice.
  for n in 10 21 22 30 $(seq 100 131) $(seq 140 163); do echo "$n"; done >"$LAB_DIR/siem.addresses"
  for _ in 1 2; do sed 's/.*/-x 10.77.0.& +noall +answer/' "$LAB_DIR/siem.addresses"; done >"$LAB_DIR/siem.dig"
  step client2 - "120 reverse look-ups of 60 addresses" dig @"$DC_IP" -f "$LAB_DIR/siem.dig"
}
