#!/usr/bin/env python3
"""Writes names.pcap: a name query that is broadcast and answered by one host, a
node status request (NBSTAT), a registration that a name server refuses, a query
sent twice, and packets that break RFC 1002."""

import struct

out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)]
clock = 1790000000


def packet(src, dst, payload, sport=137, dport=137):
    global clock
    clock += 1
    udp = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, bytes(src), bytes(dst))
    out.append(struct.pack("<IIII", clock, 0, len(ip + udp), len(ip + udp)) + ip + udp)


def name(s, suffix, pad=b" ", scope=b""):
    raw = (s + pad * 16)[:15] + bytes([suffix])
    coded = b"".join(bytes([65 + (c >> 4), 65 + (c & 15)]) for c in raw)
    return b"\x20" + coded + (bytes([len(scope)]) + scope if scope else b"") + b"\x00"


def message(ident, flags, question=b"", record=b""):
    return struct.pack(">HHHHHH", ident, flags, bool(question), 0, 0, 0) + question if not record else \
        struct.pack(">HHHHHH", ident, flags, bool(question), not question, 0, bool(question)) + question + record


def record(n, kind, data, ttl=300):
    return n + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


CLIENT, SERVER, ALL, WINS = (10, 77, 0, 21), (10, 77, 0, 30), (10, 77, 0, 255), (10, 77, 0, 10)
FS1 = name(b"FS1", 0x20)

# A query of all hosts, and the one that answers.
packet(CLIENT, ALL, message(1, 0x0110, FS1 + b"\x00\x20\x00\x01"))
packet(SERVER, CLIENT, message(1, 0x8500, record=record(FS1, 0x20, b"\x60\x00" + bytes(SERVER) + b"\x60\x00\x0a\x63\x00\x1e")))

# A node status request: who are you?
packet(CLIENT, SERVER, message(2, 0, name(b"*", 0, b"\x00") + b"\x00\x21\x00\x01"), sport=40000)
table = [(b"FS1", 0x00, 0x0400), (b"LAB", 0x00, 0x8400), (b"FS1", 0x20, 0x0400), (b"M\xdcLLER", 0x03, 0x0400)]
status = bytes([len(table)]) + b"".join((n + b" " * 15)[:15] + bytes([s]) + struct.pack(">H", f) for n, s, f in table)
status += b"\x02\x00\x5e\x10\x00\x01" + bytes(40)
packet(SERVER, CLIENT, message(2, 0x8400, record=record(name(b"*", 0, b"\x00"), 0x21, status)), dport=40000)

# A group name, claimed from a name server, which has it already; first it asks to wait.
group = message(3, 0x2900, name(b"LAB", 0x1C, scope=b"corp") + b"\x00\x20\x00\x01", record(b"\xc0\x0c", 0x20, b"\xe0\x00" + bytes(CLIENT)))
packet(CLIENT, WINS, group)
packet(CLIENT, WINS, group)
packet(WINS, CLIENT, message(3, 0xBC00, record=record(name(b"LAB", 0x1C), 0x0A, b"\x29\x00")))
packet(WINS, CLIENT, message(3, 0xAD86, record=record(name(b"LAB", 0x1C), 0x20, b"\xe0\x00" + bytes(CLIENT))))

# A release, unanswered.
packet(CLIENT, ALL, message(4, 0x3010, name(b"WS01", 0) + b"\x00\x20\x00\x01", record(b"\xc0\x0c", 0x20, b"\x00\x00" + bytes(CLIENT))))

# What is none of this service, or broken.
packet(CLIENT, WINS, b"\x00\x05\x00")
packet(CLIENT, WINS, message(5, 0x1800, FS1 + b"\x00\x20\x00\x01"))
packet(CLIENT, WINS, message(6, 0, b"\x20" + b"Z" * 32 + b"\x00\x00\x20\x00\x01"))
packet(CLIENT, WINS, message(7, 0, b"\x03www\x00\x00\x01\x00\x01"))
packet(CLIENT, WINS, message(8, 0, FS1))
packet(CLIENT, WINS, struct.pack(">HHHHHH", 9, 0, 2, 0, 0, 0) + FS1 + b"\x00\x20\x00\x01")

with open("names.pcap", "wb") as f:
    f.write(b"".join(out))
