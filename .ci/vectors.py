"""The notation of the hostile tables (tests/hostile/*.rs tell it), frames, and sockets."""

import base64
import collections
import hashlib
import os
import zlib

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/vectors")
PATIENCE = 30
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
REQUEST = {
    "Host": "h.example", "Upgrade": "websocket", "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY.decode(), "Sec-WebSocket-Version": "13",
}  # fmt: skip
# The Accept of a nonce of zeros: on the wire it is that of the client's.
ACCEPT = "ICX+Yqv66kxgM0FcWaLWlFLwTAI="
RESPONSE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": ACCEPT}
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MIB = 1 << 20
LIMITS = "frame", "message", "fragments", "empties", "line", "head", "fields"


class Wrong(Exception):
    """A row is not as it says."""


def expect(condition, what):
    if not condition:
        raise Wrong(what)


# The notation, as tests/hostile/notation.rs and heads.rs have it.


class Row:
    def __init__(self, table, line):
        given = [("" if column == "-" else column) for column in line.split("\t")]
        self.table = table
        self.requirements, self.name, settings, self.input, outcome, self.output = given
        self.settings = dict((setting.split("=") + [""])[:2] for setting in settings.split(",") if setting)
        self.outcome = [word for word in outcome.split(" ") if word]

    def changed(self, outcome=None, output=None):
        other = Row.__new__(Row)
        other.__dict__ = self.__dict__ | {
            "outcome": self.outcome if outcome is None else outcome,
            "output": self.output if output is None else output,
        }
        return other


def rows(table):
    with open(f"{VECTORS}/{table}.tsv", encoding="utf-8", newline="\n") as file:
        return [Row(table, line.rstrip("\n")) for line in file if not line.startswith("#")]


def octets(text):
    found = b""
    for part in text.split(" "):
        digits, _, times = part.partition("*")
        found += bytes.fromhex(digits) * int(times or 1)
    return found


def head(text, fields):
    found, at = b"", 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == "\\":
            code = text[at]
            size = 3 if code == "x" else 1
            plain = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
            found += bytes.fromhex(text[at + 1 : at + 3]) if code == "x" else plain[code]
            at += size
        elif char == "{":
            inner, at = text[at : text.index("}", at)], text.index("}", at) + 1
            part, star, times = inner.rpartition("*")
            if star:
                found += head(part, fields) * int(times)
                continue
            without = inner.lstrip("-").split(",")
            kept = [(name, value) for name, value in fields.items() if name not in without]
            found += "".join(f"{name}: {value}\r\n" for name, value in kept).encode()
        else:
            found += char.encode()
    return found


# Frames.


def frame(first, payload, key=None):
    size = len(payload)
    if size < 126:
        length = bytes([size])
    else:
        length = b"\x7e" + size.to_bytes(2, "big") if size < 65536 else b"\x7f" + size.to_bytes(8, "big")
    if key is None:
        return bytes([first]) + length + payload
    return bytes([first, length[0] | 0x80]) + length[1:] + key + masked(payload, key)


def masked(payload, key):
    long = key * (len(payload) // 4 + 1)
    whole = int.from_bytes(payload, "big") ^ int.from_bytes(long[: len(payload)], "big")
    return whole.to_bytes(len(payload), "big")


def frames(data, with_mask):
    """(first byte, payload) of each frame; all of `data`, in the fewest bytes, or it is wrong."""
    found, at = [], 0
    while at < len(data):
        expect(len(data) >= at + 2, f"half a header: {data[at:]!r}")
        first, second = data[at : at + 2]
        expect(bool(second & 0x80) == with_mask, f"the mask bit of {data[at:][:20]!r}")
        size, start = second & 0x7F, at + 2
        if size > 125:
            wide = 2 if size == 126 else 8
            size, start = int.from_bytes(data[start : start + wide], "big"), start + wide
        key = data[start : start + 4] if with_mask else None
        start += 4 if with_mask else 0
        payload = data[start : start + size]
        payload = masked(payload, key) if with_mask else payload
        expect(frame(first, payload, key) == data[at : start + size], f"a frame cut short, or long: {data[at:][:20]!r}")
        found.append((first, payload))
        at = start + size
    return found


def inflated(found):
    """The frames as they were before they were compressed, with takeover."""
    inflater = zlib.decompressobj(-15)
    for first, payload in found:
        if first & 0x40:
            expect(first & 0x0F in (TEXT, BINARY), f"a compressed frame of type {first:#x}")
            payload = inflater.decompress(payload + b"\0\0\xff\xff")
        yield first & ~0x40, payload


def told(code, reason=b""):
    return b"" if code == 1005 else code.to_bytes(2, "big") + reason


def replies(row):
    """What an echoing endpoint sends for the events of a stream."""
    found, is_closed = [], "closed" in row.settings
    if is_closed:
        found.append((0x80 | CLOSE, told(1000)))
    for event in row.outcome:
        kind, _, rest = event.partition(":")
        if kind in ("text", "bin") and not is_closed:
            found.append((0x80 | (TEXT if kind == "text" else BINARY), octets(rest)))
        elif kind == "ping":
            found.append((0x80 | PONG, octets(rest)))
        elif kind in ("close", "fail") and not is_closed:
            code, _, reason = rest.partition(":")
            reason = b"" if kind == "fail" else bytes.fromhex(reason)
            found.append((0x80 | CLOSE, told(int(code), reason)))
    return found


def check_replies(row, data, with_mask, before=(), halves=False):
    """Halves on two threads owe each other one reply at a time: a newer Pong, or a Close, takes the
    place of an older Pong, and messages may overtake it."""
    found = list(inflated(frames(data, with_mask)))
    wanted = list(before) + replies(row)
    if halves:
        pongs = [reply for reply in wanted if reply[0] == 0x8A]
        came = [reply for reply in found if reply[0] == 0x8A]
        rest = iter(pongs)
        expect(all(pong in rest for pong in came), f"{came!r:.300} of {pongs!r:.300}")
        expect(came[-1:] == pongs[-1:] or is_over(row), f"{came!r:.300} of {pongs!r:.300}")
        wanted, found = ([reply for reply in all if reply[0] != 0x8A] for all in (wanted, found))
        return expect(found == wanted, f"{found!r:.300} instead of {wanted!r:.300}")
    expect(found == wanted, f"{found!r:.300} instead of {wanted!r:.300}")
    # The column says the same of what the core writes by itself.
    key = b"\x37\xfa\x21\x3d" if with_mask else None
    control = [(first, payload) for first, payload in found if first & 0x08]
    output = b"".join(frame(first, payload, key) for first, payload in control)
    expect(output == octets(row.output), f"{output.hex()} instead of {row.output}")


def is_over(row):
    return row.outcome and row.outcome[-1].startswith(("close", "fail"))


# Sockets.


def send(peer, data, bytewise):
    """Byte by byte, but for what is only more of the same payload."""
    if not bytewise:
        return peer.sendall(data)
    start = min(len(data), 400)
    for at in range(start):
        peer.sendall(data[at : at + 1])
    peer.sendall(data[start:])


def read_head(peer):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = peer.recv(4096)
        expect(piece, f"no end of the head: {data!r:.200}")
        data += piece
    return data.partition(b"\r\n\r\n")[::2]


def read_until(peer, data, is_right):
    """Until what came is right, or nothing more comes."""
    while True:
        try:
            is_right(data)
            return data
        except Wrong:
            piece = peer.recv(65536)
            if not piece:
                return data
            data += piece


def read_to_end(peer):
    """All that comes, and how it ends."""
    data = b""
    try:
        while piece := peer.recv(65536):
            data += piece
        return data, "end"
    except TimeoutError:
        return data, "silence"
    except ConnectionError:
        return data, "reset"


def accept_of(key):
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return base64.b64encode(digest)


def fields_of(text):
    """The fields of a head, by their names in lower case."""
    found = collections.defaultdict(list)
    for line in text.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b": ")
        expect(colon, f"a field without a colon: {line!r}")
        found[name.lower()].append(value)
    return found
