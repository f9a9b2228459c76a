#!/usr/bin/env python3
"""Writes hostile.pcap: a zone transfer that succeeds over many messages, which
our lab's server does not serve, and messages that break RFC 1035.

Run without arguments in this folder. No other module is needed.
"""
import struct

CLIENT, SERVER = bytes([10, 77, 0, 66]), bytes([10, 77, 0, 10])
packets = []


def packet(ip):
    packets.append(b"\x02\0\0\0\0\x0a\x02\0\0\0\0\x42\x08\x00" + ip)


def ip(src, dst, protocol, payload):
    packet(struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, src, dst) + payload)


def udp(b, to_server=True, port=40000):
    src, dst, sport, dport = (CLIENT, SERVER, port, 53) if to_server else (SERVER, CLIENT, 53, port)
    ip(src, dst, 17, struct.pack(">HHHH", sport, dport, 8 + len(b), 0) + b)


class TCP:
    """One connection of the client; segments are in order and all arrive."""

    def __init__(self, port):
        self.port, self.seq = port, [1000, 2000]
        self.segment(0, 0x02)
        self.segment(1, 0x12)
        self.segment(0, 0x10)

    def segment(self, side, flags, data=b""):
        src, dst, sport, dport = (CLIENT, SERVER, self.port, 53) if side == 0 else (SERVER, CLIENT, 53, self.port)
        ack = self.seq[1 - side] if flags & 0x10 else 0
        ip(src, dst, 6, struct.pack(">HHIIBBHHH", sport, dport, self.seq[side], ack, 0x50, flags, 65535, 0, 0) + data)
        self.seq[side] += len(data) + (1 if flags & 0x03 else 0)

    def send(self, side, *messages):
        """Several messages in one segment."""
        self.segment(side, 0x18, b"".join(struct.pack(">H", len(m)) + m for m in messages))

    def close(self):
        for side in 0, 1:
            self.segment(side, 0x11)


def name(text):
    return b"".join(bytes([len(label)]) + label for label in text.encode().split(b".") if label) + b"\0"


def message(id, flags, question=b"", questions=1, answers=(), updates=(), lie=0):
    return struct.pack(">HHHHHH", id, flags, questions, len(answers) + lie, len(updates), 0) + question + b"".join(answers) + b"".join(updates)


def ask(n, qtype):
    return n + struct.pack(">HH", qtype, 1)


def record(n, rtype, data):
    return n + struct.pack(">HHIH", rtype, 1, 60, len(data)) + data


RESPONSE, UPDATE = 0x8400, 5 << 11
zone = name("lab.example")
soa = record(zone, 6, name("dc1.lab.example") + name("hostmaster.lab.example") + struct.pack(">IIIII", 7, 900, 600, 86400, 3600))
hosts = [record(name("h%d.lab.example" % i), 1, bytes([10, 77, 1, i])) for i in range(60)]

# A zone transfer in four messages; the query's length comes in a segment of its own, as Windows sends it.
c = TCP(40001)
query = message(1, 0, ask(zone, 252))
c.segment(0, 0x18, struct.pack(">H", len(query)))
c.segment(0, 0x18, query)
c.send(1, message(1, RESPONSE, ask(zone, 252), answers=[soa] + hosts[:20]))
c.send(1, message(1, RESPONSE, questions=0, answers=hosts[20:40]), message(1, RESPONSE, questions=0, answers=hosts[40:]))
c.send(1, message(1, RESPONSE, questions=0, answers=[soa]))
# On the same connection: a message of length zero, one of three bytes, a query.
c.send(0, b"", b"abc", message(2, 0, ask(zone, 6)))
c.send(1, message(2, RESPONSE, ask(zone, 6), answers=[soa]))
c.close()

# Names: terminal escapes and the right-to-left override, a dot within a label, a loop, a label over the end.
udp(message(3, 0, ask(b"\x08\x1b[2Jevil\x06\xe2\x80\xaexyz\0", 1)))
udp(message(3, RESPONSE | 3, ask(b"\x08\x1b[2Jevil\x06\xe2\x80\xaexyz\0", 1)), to_server=False)
udp(message(4, 0, ask(b"\x03a.b\x07example\0", 1)))
udp(message(5, 0, ask(b"\xc0\x0c", 1)))
udp(message(6, 0, ask(b"\x3fshort", 1)))
# A record of four claimed, and a response sent to the server.
udp(message(7, RESPONSE, ask(zone, 1), answers=[record(zone, 1, bytes([10, 77, 0, 10]))], lie=3), to_server=False)
udp(message(8, RESPONSE, ask(name("wpad.lab.example"), 1), answers=[record(name("wpad.lab.example"), 1, CLIENT)]))
# An update with a record of 600 bytes, and a NOTIFY, which is not followed.
udp(message(9, UPDATE, ask(zone, 6), updates=[record(name("x.lab.example"), 16, b"\xff" * 600)]))
udp(message(10, 4 << 11, ask(zone, 6)))
# Shorter than a header.
udp(b"\0\x0b\1\0")

with open("hostile.pcap", "wb") as f:
    f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    for i, p in enumerate(packets):
        f.write(struct.pack("<IIII", 1790000000, 1000 * i, len(p), len(p)) + p)
