#!/usr/bin/env python3
"""Makes capture.pcap of ../refused-attempts/capture.pcap, whose domain controller
refuses every attempt: here it accepts the last one, and is then asked to set the
password of the account to nothing (MS-NRPC section 3.5.4.4.6), which it does.
TCP checksums are left as they were: nothing reads them."""
import struct
from pathlib import Path

here = Path(__file__).parent
old = (here / "../refused-attempts/capture.pcap").read_bytes()
head, packets, at = old[:24], [], 24
while at < len(old):
    sec, usec, n, _ = struct.unpack_from("<IIII", old, at)
    packets.append((sec * 1_000_000 + usec, bytearray(old[at + 16:at + 16 + n])))
    at += 16 + n


def payload(p):
    """Where the TCP payload of an Ethernet frame begins."""
    ip = 14 + (p[14] & 15) * 4
    return ip + (p[ip + 12] >> 4) * 4


def follow(p, now, body, ack):
    """A packet with body, after p in the same direction; ack bytes came since."""
    p, start = bytearray(p), payload(p)
    tcp = 14 + (p[14] & 15) * 4
    seq, acked = struct.unpack_from(">II", p, tcp + 4)
    struct.pack_into(">II", p, tcp + 4, (seq + len(p) - start) % 2**32, (acked + ack) % 2**32)
    p[start:] = body
    struct.pack_into(">H", p, 16, len(p) - 14)
    return now, p


def pdu(model, stub):
    """The PDU model with another stub and the next call id; alloc_hint is that of the stub."""
    b = bytearray(model[:24]) + stub
    struct.pack_into("<H", b, 8, len(b))
    struct.pack_into("<I", b, 12, struct.unpack_from("<I", b, 12)[0] + 1)
    struct.pack_into("<I", b, 16, len(stub))
    return b


packets = packets[:-3]  # the end of the connection
(_, request), (last, response) = packets[-2:]
ask, answer = request[payload(request):], response[payload(response):]
assert struct.unpack_from("<H", ask, 22)[0] == 26 and ask[-4:] == struct.pack("<I", 0x212FFFFF), ask.hex()
assert answer[-4:] == struct.pack("<I", 0xC0000022)
response[-4:] = bytes(4)

# PrimaryName, AccountName, SecureChannelType and ComputerName are the same; then an
# authenticator, and the new password: 512 bytes and its length.
stub = ask[24:-12]
while stub and len(stub) % 4:
    stub += b"\0"
stub += bytes(8 + 4) + bytes(512 + 4)
change = pdu(ask, stub)
struct.pack_into("<H", change, 22, 30)
done = pdu(answer, bytes(12) + bytes(4))  # ReturnAuthenticator, status
packets.append(follow(request, last + 2000, change, len(answer)))
packets.append(follow(response, last + 5000, done, len(change)))

with (here / "capture.pcap").open("wb") as f:
    f.write(head)
    for t, p in packets:
        f.write(struct.pack("<IIII", t // 1_000_000, t % 1_000_000, len(p), len(p)) + p)
