#!/bin/bash
# Records scenarios on a running lab and puts the captures beside the detections.
# See README.md.
set -euo pipefail
HERE=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
DETECT=$(cd "$HERE/../../center/detect" && pwd)
LIMIT_BYTES=300000

meta() { sed -n "s/^#: *$2: *//p" "$1"; }

packets() { tshark -r "$1" -Y "$2" -T fields -e frame.number 2>/dev/null | wc -l; }

# verify SCENARIO CAPTURE: "#: count: N FILTER" wants exactly, "#: check: N FILTER" at least N packets.
verify() {
  local file=$1 pcap=$2 want filter got bad=0
  while read -r want filter; do
    got=$(packets "$pcap" "$filter")
    [ "$got" -eq "$want" ] || { echo "  want $want, got $got: $filter" >&2; bad=1; }
  done < <(meta "$file" count)
  while read -r want filter; do
    got=$(packets "$pcap" "$filter")
    [ "$got" -ge "$want" ] || { echo "  want at least $want, got $got: $filter" >&2; bad=1; }
  done < <(meta "$file" check)
  [ "$(stat -c %s "$pcap")" -le $LIMIT_BYTES ] || { echo "  above $LIMIT_BYTES bytes" >&2; bad=1; }
  return $bad
}

# record LAB DIR SCENARIO: run, cut, verify and only then place. Cutting leaves out whole
# packets: "#: cut:" is a tcpdump filter, "#: keep:" a tshark one.
record() {
  local lab=$1 dir=$2 file=$3 name place tmp cut keep
  name=$(basename "$file" .sh); place=$DETECT/$(meta "$file" place)/testdata/$name
  tmp=$(mktemp -d)
  "$lab" run "$file" "$dir" "$tmp/whole.pcap" || true
  cut=$(meta "$file" cut); keep=$(meta "$file" keep)
  if [ -n "$cut" ]; then
    tcpdump -r "$tmp/whole.pcap" -Z root -w "$tmp/capture.pcap" "$cut" 2>/dev/null
  elif [ -n "$keep" ]; then
    tshark -r "$tmp/whole.pcap" -Y "$keep" -F pcap -w "$tmp/capture.pcap" 2>/dev/null
  else
    mv "$tmp/whole.pcap" "$tmp/capture.pcap"
  fi
  if verify "$file" "$tmp/capture.pcap"; then
    mkdir -p "$place"
    cp "$tmp/capture.pcap" "$place/capture.pcap"
    chmod 644 "$place/capture.pcap"
    echo "ok   $name: $(packets "$place/capture.pcap" frame) packets, $(stat -c %s "$place/capture.pcap") bytes"
    rm -rf "$tmp"
  else
    echo "FAIL $name: not placed, see $tmp"
    return 1
  fi
}

main() {
  local lab=${1:?"usage: record.sh LAB-PROGRAM LAB-DIR [PATTERN], or record.sh verify"} file name pcap bad=0
  if [ "$lab" = verify ]; then
    for file in "$HERE"/scenarios/*.sh; do
      name=$(basename "$file" .sh); pcap=$DETECT/$(meta "$file" place)/testdata/$name/capture.pcap
      if verify "$file" "$pcap"; then echo "ok   $name"; else echo "FAIL $name"; bad=1; fi
    done
    return $bad
  fi
  for file in "$HERE"/scenarios/*.sh; do
    [[ $(basename "$file" .sh) =~ ^(${3:-.*})$ ]] || continue
    record "$lab" "${2:?lab directory}" "$file" || bad=1
  done
  return $bad
}
main "$@"
