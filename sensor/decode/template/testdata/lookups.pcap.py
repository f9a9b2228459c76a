#!/usr/bin/env python3
"""Writes lookups.pcap: three look-ups on one connection, answered, refused and
unanswered, of which the second comes in two segments; and what breaks the rules.

Run without arguments in this folder. No other module is needed.
"""
import struct

CLIENT, SERVER, PORT = bytes([192, 0, 2, 21]), bytes([192, 0, 2, 10]), 4242
packets, seq = [], [1000, 2000]


def segment(side, flags, data=b""):
    src, dst, sport, dport = (CLIENT, SERVER, 40000, PORT) if side == 0 else (SERVER, CLIENT, PORT, 40000)
    ack = seq[1 - side] if flags & 0x10 else 0
    tcp = struct.pack(">HHIIBBHHH", sport, dport, seq[side], ack, 0x50, flags, 65535, 0, 0) + data
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, src, dst)
    packets.append(b"\x02\0\0\0\0\x0a\x02\0\0\0\0\x15\x08\x00" + ip + tcp)
    seq[side] += len(data) + (1 if flags & 0x03 else 0)


def message(id, type, text):
    return struct.pack(">HBB", 2 + len(text), id, type) + text


segment(0, 0x02)
segment(1, 0x12)
segment(0, 0x10)
segment(0, 0x18, message(1, 1, b"ws01"))
segment(1, 0x18, message(1, 2, b"192.0.2.21"))
second = message(2, 1, b"nobody")
segment(0, 0x18, second[:3])
segment(0, 0x18, second[3:])
segment(1, 0x18, message(2, 3, b""))
# Not UTF-8, too long, a reply nobody asked for, a request by the server, and no message.
segment(0, 0x18, message(3, 1, b"jos\xe9") + message(4, 1, b"x" * 1000))
segment(1, 0x18, message(9, 2, b"192.0.2.99") + message(3, 1, b"ws01") + message(4, 3, b""))
segment(1, 0x18, b"GET / HTTP/1.1\r\n")
segment(0, 0x11)
segment(1, 0x11)

with open("lookups.pcap", "wb") as f:
    f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    for i, p in enumerate(packets):
        f.write(struct.pack("<IIII", 1790000000, 1000 * i, len(p), len(p)) + p)
