#!/usr/bin/env python3
"""Writes gateways.pcap: accounting as gateways of several makers send it, sent
again, unanswered, and packets that break RFC 2865 and RFC 2866."""

import socket
import struct

out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)]
clock = 1790000000
GATEWAY, SERVER = (10, 77, 0, 30), (10, 77, 0, 10)


def packet(payload, up=True, port=1813):
    global clock
    clock += 1
    src, dst, sport, dport = (GATEWAY, SERVER, 50000, port) if up else (SERVER, GATEWAY, port, 50000)
    udp = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, bytes(src), bytes(dst))
    out.append(struct.pack("<IIII", clock, 0, len(ip + udp), len(ip + udp)) + ip + udp)


def a(kind, value):
    if isinstance(value, int):
        value = struct.pack(">I", value)
    return bytes([kind, 2 + len(value)]) + value


def request(ident, *attributes, code=4):
    body = b"".join(attributes)
    return struct.pack(">BBH", code, ident, 20 + len(body)) + bytes(16) + body


def answer(ident, code=5):
    return struct.pack(">BBH", code, ident, 20) + bytes(16)


def vendor(number, kind, value):
    return a(26, struct.pack(">I", number) + bytes([kind, 2 + len(value)]) + value)


def v6(s):
    return socket.inet_pton(socket.AF_INET6, s)


# Windows RRAS: the client's name and tunnel; IPv6 inside and outside.
packet(request(1, a(40, 1), a(1, b"LAB\\alice"), a(44, b"7"), a(32, b"VPN01"), a(4, bytes(GATEWAY)), a(61, 5),
               a(64, b"\x00\x00\x00\x03"), a(66, b"\x002001:db8::77"), a(31, b"2001:db8::77"), a(168, v6("fd00::21")),
               a(55, 1789999990), vendor(311, 34, b"MSRASV5.20-LAPTOP-7\0"), vendor(9, 1, b"anything"), a(25, b"class")))
packet(answer(1), up=False)
# Interim with traffic beyond 4 GiB; a telephone number for the station.
packet(request(2, a(40, 3), a(1, b"bob@lab.example"), a(44, b"8"), a(31, b"+49 30 123456"), a(66, b"198.51.100.23:4500"), a(8, b"\x0a\x4d\x00\x16"),
               a(42, 100), a(43, 200), a(52, 1), a(53, 2), a(46, 3600), a(97, b"\x00\x40" + v6("fd00:1::")[:8])))
packet(answer(2), up=False)
# Stop, sent again with a delay, answered under the second identifier.
stop = (a(40, 2), a(1, b"bob@lab.example"), a(44, b"8"), a(49, 1), a(46, 7200))
packet(request(3, *stop, a(41, 0)))
packet(request(4, *stop, a(41, 2)))
packet(answer(4), up=False)
# The same packet seen twice.
start = request(5, a(40, 1), a(1, b"carol"), a(44, b"9"), a(41, 5), a(97, b"\x00\x40" + v6("fd00:2::")[:8]))
packet(start)
packet(start)
# On the old port, unanswered; Wi-Fi.
packet(request(6, a(40, 1), a(1, b"M\xfcller"), a(61, 19), a(31, b"aa-bb-cc-dd-ee-ff"), a(95, v6("fd00::30"))), port=1646)
# Accounting-On, an authentication, a response to the gateway's request, nothing.
packet(request(7, a(40, 7), a(44, b"0")))
packet(request(8, a(1, b"x"), code=1))
packet(answer(9), up=False)
packet(request(10, a(40, 1)), up=False)
packet(b"\x04\x0b\x00")
# Attributes of wrong lengths, and one that runs over the end; a cut packet.
packet(request(11, a(40, 1), a(44, b"11"), a(8, b"10.0.0.1"), a(46, b"\x01"), b"\x01\x40ab"))
packet(request(12, a(40, 1), a(44, b"12"), a(1, b"dora"))[:-2])

with open("gateways.pcap", "wb") as f:
    f.write(b"".join(out))
