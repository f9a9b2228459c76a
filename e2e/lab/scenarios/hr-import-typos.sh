#: title: A personnel import checks names, some of them misspelt
#: kind: benign
#: detect: none
#: place: accountenum
#: count: 8 kerberos.error_code == 6
#: count: 20 kerberos.error_code == 25
. "$(dirname "${BASH_SOURCE[0]}")/../steps.sh"
run() {
  exists client1 "28 names of the import" $(staff 7) alice.moraeu chen.wuu fatima.hadad $(staff 14 | tail -7) \
    george.browne hanna.sato $(staff 20 | tail -6) marko.rossi oscar.nilson tara.oneill
}
