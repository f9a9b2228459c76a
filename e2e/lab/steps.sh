# Steps that several scenarios share. The lab has sourced its own library before
# (step, at, login, pw, dc_tool, dc_ldb, $LAB_DIR, $DC_IP, …).
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
STIM=$LAB_HOME/lib/stim.py
REVERSE=0.77.10.in-addr.arpa

# logon HOST USER [kinit options]: an ordinary logon, AES with pre-authentication.
logon() { EXPECT=none step "$1" "$2" "logon" login "$@"; }

# mistype HOST USER [PASSWORD]: one logon with a wrong password.
mistype() { PASSWORD=${3:-Qaurtz.typo.17} step "$1" "$2" "logon with a wrong password" login "$1" "$2"; }

# exists HOST WHAT NAME…: ask the KDC for each name without pre-authentication
# data, over UDP as Windows does with a short request, and look only at the error.
exists() {
  local host=$1 what=$2; shift 2
  step "$host" - "$what" "$PY" "$STIM" krb-users "$DC_IP" "$@" --udp --etypes aes256,aes128,rc4 --delay 0.1
}

# simple_bind HOST USER PASSWORD: one LDAP simple bind on port 389 and a read of the domain object.
simple_bind() {
  step "$1" "$2" "simple bind" ldapsearch -x -LLL -H "ldap://$DC_IP" -D "$2@$DNSDOM" -w "$3" -s base -b "$BASE" dn
}

staff() { head -n "$1" "$LAB_DIR/staff.txt"; }

# unlock: failures of one scenario must not lock accounts in the next.
unlock() {
  local u
  for u in $(staff 20); do
    printf 'dn: CN=%s,OU=Staff,%s\nchangetype: modify\nreplace: badPwdCount\nbadPwdCount: 0\n-\nreplace: lockoutTime\nlockoutTime: 0\n\n' "$u" "$BASE"
  done >"$LAB_DIR/unlock.ldif"
  dc_ldb ldbmodify "$LAB_DIR/unlock.ldif"
}

# expire USER…: the password is right, but must be changed at the next logon.
expire() {
  local u
  for u in "$@"; do
    printf 'dn: CN=%s,OU=Staff,%s\nchangetype: modify\nreplace: pwdLastSet\npwdLastSet: 0\n\n' "$u" "$BASE"
  done >"$LAB_DIR/expire.ldif"
  dc_ldb ldbmodify "$LAB_DIR/expire.ldif"
}

# renew USER…: the seeded password again, not expired.
renew() { local u; for u in "$@"; do dc_tool user setpassword "$u" --newpassword="$(pw "$u")"; done; }

# dns_admin SUBCOMMAND…: samba-tool dns on the domain controller itself; leaves no traffic in a capture.
dns_admin() { local sub=$1; shift; at dc1 samba-tool dns "$sub" $DC "$@" -U "Administrator%$ADMIN_PW"; }

# reverse_zone: the reverse zone of the lab's network with a name for the servers,
# for the known clients and for the workstations .100 to .131.
reverse_zone() {
  dns_admin zonelist | grep -q "$REVERSE" && return
  dns_admin zonecreate "$REVERSE"
  login dc1 Administrator
  {
    echo "server $DC"; echo "zone $REVERSE"
    local n
    for n in 10:dc1 21:client1 22:client2 30:vpngw $(seq 100 131 | sed 's/.*/&:ws&/'); do
      echo "update add ${n%:*}.$REVERSE 3600 PTR ${n#*:}.$DNSDOM"
    done
    echo send
  } >"$LAB_DIR/reverse.nsupdate"
  at dc1 nsupdate -g "$LAB_DIR/reverse.nsupdate" || true # Samba signs its answer wrongly; the update is done
  logout dc1
}

# ptr_sweep HOST: the reverse name of every address of the network, one after the other.
ptr_sweep() {
  seq 1 254 | sed "s/.*/-x 10.77.0.& +noall +answer/" >"$LAB_DIR/sweep.dig"
  step "$1" - "PTR of 10.77.0.1 to .254" dig @"$DC_IP" -f "$LAB_DIR/sweep.dig"
}

# only_ipv4: provisioning gives the domain controller the IPv6 address of the
# machine it ran on as well, which no host of the lab has. Take it out of the names.
only_ipv4() {
  local zone name v6
  for name in dc1:$DNSDOM @:$DNSDOM gc:_msdcs.$DNSDOM DomainDnsZones:$DNSDOM ForestDnsZones:$DNSDOM; do
    zone=${name#*:} name=${name%%:*}
    for v6 in $(dns_admin query "$zone" "$name" AAAA | sed -n 's/^ *AAAA: \([^ ]*\).*/\1/p'); do
      dns_admin delete "$zone" "$name" AAAA "$v6"
    done
  done
}

# bind_conf [ZONE-STATEMENT…]: the settings of a BIND on client2 that serves the
# zone linux.example and the zones given. It resolves nothing and notifies nobody.
BIND=$LAB_DIR/hosts/client2/named
bind_conf() {
  mkdir -p "$BIND"
  cat >"$BIND/named.conf" <<C
options {
  directory "$BIND"; pid-file "$BIND/named.pid"; session-keyfile "$BIND/session.key";
  listen-on { 10.77.0.22; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no; empty-zones-enable no;
};
controls { };
zone "linux.example" { type primary; file "linux.example.db"; };
C
  printf '%s\n' "$@" >>"$BIND/named.conf"
  printf '$TTL 600\n@ SOA client2.lab.example. hostmaster.lab.example. 1 3600 600 86400 600\n@ NS client2.lab.example.\nwww A 10.77.0.80\n' >"$BIND/linux.example.db"
}
SECONDARY='zone "lab.example" { type secondary; primaries { 10.77.0.10; }; file "lab.example.db"; };'

# run_bind SECONDS WHAT: run that BIND for so long.
run_bind() { LIMIT=$1 step client2 - "$2" named -g -4 -c "$BIND/named.conf"; }
