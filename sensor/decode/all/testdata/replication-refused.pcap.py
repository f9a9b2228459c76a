#!/usr/bin/env python3
"""Writes replication-refused.pcap: replication in the clear, which Windows never allows, so it has to be made up.

  1. Nobody in particular asks for the domain: bind without authentication, the answer's return value refuses.
  2. NTLM with a wrong password: the server takes the AUTHENTICATE without a word and faults the first call, unsigned.
  3. The same without the fault: the connection ends before the answer.
  4. A request in three fragments, big-endian, on a second context beside the endpoint mapper's; opnum 3 of both.
"""
import pathlib
import struct
import sys

T0 = 1764000000 * 1000000  # microseconds, as all times here
SECOND = 1000000
CLIENT, SERVER = bytes([192, 0, 2, 66]), bytes([192, 0, 2, 10])
DRSUAPI = ("e3514235-4b06-11d1-ab04-00c04fc2dcd2", 4)
EPM = ("e1af8308-5d1f-11c9-91a4-08002b14a0fa", 3)
NDR = ("8a885d04-1ceb-11c9-9fe8-08002b104860", 2)
STUB = bytes.fromhex((pathlib.Path(__file__).parent / "../../drsuapi/testdata/getncchanges-v8.hex").read_text())

packets = []


def syntax(s, o):
    uuid, version = s
    a, b, c, d, e = uuid.split("-")
    return struct.pack(o + "IHH", int(a, 16), int(b, 16), int(c, 16)) + bytes.fromhex(d + e) + struct.pack(o + "I", version)


def pdu(ptype, call, body, o="<", flags=3, auth=None, level=6):
    verifier = b""
    if auth is not None:
        verifier = struct.pack(o + "BBBBI", 10, level, 0, 0, 7) + auth
    head = bytes([5, 0, ptype, flags, 0x10 if o == "<" else 0, 0, 0, 0])
    return head + struct.pack(o + "HHI", 16 + len(body) + len(verifier), len(auth or b""), call) + body + verifier


def bind(call, *interfaces, o="<", auth=None):
    body = struct.pack(o + "HHI", 5840, 5840, 0) + bytes([len(interfaces), 0, 0, 0])
    for i, s in enumerate(interfaces):
        body += struct.pack(o + "HBB", i, 1, 0) + syntax(s, o) + syntax(NDR, o)
    return pdu(11, call, body, o, auth=auth)


def ack(call, n, o="<", auth=None):
    body = struct.pack(o + "HHIH", 5840, 5840, 1, 6) + b"49153\0" + bytes([n, 0, 0, 0])
    for _ in range(n):
        body += struct.pack(o + "HH", 0, 0) + syntax(NDR, o)
    return pdu(12, call, body, o, auth=auth)


def request(call, opnum, stub, context=0, **how):
    return pdu(0, call, struct.pack(how.get("o", "<") + "IHH", len(stub), context, opnum) + stub, **how)


def response(call, stub, context=0, **how):
    return pdu(2, call, struct.pack(how.get("o", "<") + "IHBB", len(stub), context, 0, 0) + stub, **how)


def negotiate():
    return b"NTLMSSP\0" + struct.pack("<II", 1, 0xE2088297) + bytes(16)


def challenge():
    pairs = b""
    for n, text in ((2, "LAB"), (1, "DC1"), (3, "dc1.lab.example")):
        text = text.encode("utf-16-le")
        pairs += struct.pack("<HH", n, len(text)) + text
    pairs += bytes(4)
    return b"NTLMSSP\0" + struct.pack("<IHHII", 2, 0, 0, 48, 0xE2898215) + b"challeng" + bytes(8) + struct.pack("<HHI", len(pairs), len(pairs), 48) + pairs


def authenticate(user, domain, workstation):
    fields = [bytes(24), bytes(16 + 28 + 8)] + [s.encode("utf-16-le") for s in (domain, user, workstation)] + [b""]
    head, payload, at = b"", b"", 88
    for f in fields:
        head += struct.pack("<HHI", len(f), len(f), at + len(payload))
        payload += f
    return b"NTLMSSP\0" + struct.pack("<I", 3) + head + struct.pack("<I", 0xE2888215) + bytes(8) + b"integrity code.." + payload


class Conversation:
    def __init__(self, at, client_port, server_port=49153):
        self.at, self.ports = at, (client_port, server_port)
        self.seq = [1000, 2000]
        self.segment(0, b"", 0x02)
        self.segment(1, b"", 0x12)
        self.segment(0, b"", 0x10)

    def segment(self, side, data, flags):
        src, dst = (CLIENT, SERVER) if side == 0 else (SERVER, CLIENT)
        sport, dport = self.ports if side == 0 else self.ports[::-1]
        tcp = struct.pack(">HHIIBBHHH", sport, dport, self.seq[side], self.seq[1 - side], 0x50, flags, 64240, 0, 0)
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 40 + len(data), 0, 0x4000, 64, 6, 0) + src + dst
        packets.append((self.at, bytes(12) + b"\x08\x00" + ip + tcp + data))
        self.seq[side] += len(data) + (1 if flags & 0x03 else 0)
        self.at += 1000

    def client(self, data):
        self.segment(0, data, 0x18)

    def server(self, data):
        self.segment(1, data, 0x18)

    def end(self):
        self.segment(0, b"", 0x11)
        self.segment(1, b"", 0x11)
        self.segment(0, b"", 0x10)


c = Conversation(T0, 40001)
c.client(bind(1, DRSUAPI))
c.server(ack(1, 1))
c.client(request(2, 3, STUB))
c.server(response(2, struct.pack("<I", 6) + bytes(120) + struct.pack("<I", 8453)))
c.end()

for i, answer in enumerate((pdu(3, 2, struct.pack("<IHBBII", 0, 0, 0, 0, 5, 0)), None)):
    c = Conversation(T0 + (1 + i) * SECOND, 40002 + i)
    c.client(bind(1, DRSUAPI, auth=negotiate()))
    c.server(ack(1, 1, auth=challenge()))
    c.client(pdu(16, 1, bytes(4), auth=authenticate("adm-carla", "LAB", "KALI")))
    c.client(request(2, 0, bytes(60), auth=bytes(16)))
    if answer:
        c.server(answer)
    c.end()

c = Conversation(T0 + 3 * SECOND, 40004)
c.client(bind(1, EPM, DRSUAPI, o=">"))
c.server(ack(1, 2, o=">"))
c.client(request(2, 3, bytes(100), o=">"))
c.server(response(2, bytes(100), o=">"))
c.client(request(3, 3, bytes(100), context=1, o=">", flags=1) + request(3, 3, bytes(100), context=1, o=">", flags=0))
c.client(request(3, 3, bytes(50), context=1, o=">", flags=2))
c.server(response(3, bytes(3000), context=1, o=">", flags=1))
c.server(response(3, bytes(1000), context=1, o=">", flags=2))
c.end()

out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
for at, data in packets:
    out += struct.pack("<IIII", *divmod(at, SECOND), len(data), len(data)) + data
pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__.removesuffix(".py")).write_bytes(out)
