#: title: Every address of a network asked for its name
#: kind: attack
#: detect: dns-recon
#: place: dnsrecon
#: count: 254 dns.qry.type == 12 && dns.flags.response == 0
#: count: 36 dns.ptr.domain_name
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
prepare() { reverse_zone; }
run() { ptr_sweep attacker; }
