#: title: The address management asks every address of a network for its name
#: kind: benign
#: detect: none
#: place: dnsrecon
#: note: the packets are those of ptr-sweep; only the exclusion of the known host tells them apart
#: count: 254 dns.qry.type == 12 && dns.flags.response == 0
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
prepare() { reverse_zone; }
run() { ptr_sweep client1; }
