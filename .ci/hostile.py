"""What hostile clients may cost the echo example: raw sockets, no library.

usage: python .ci/hostile.py ECHO_BINARY

Each check must end with the right answer, read whole before the end of the stream (a reset fails
the check), and an honest client is served after each of them, in the middle of the slow ones too.
"""

import contextlib
import os
import random
import resource
import select
import socket
import struct
import subprocess
import sys
import threading
import time

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
OPEN_TIMEOUT = CLOSE_TIMEOUT = 10
SLACK = 8
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
HEAD = (
    b"GET /any HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n"
)
MASK = b"\x37\xfa\x21\x3d"
failures = 0


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


class Server:
    def __init__(self, binary, descriptors=None):
        self.binary = binary

        def limit():
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        command = [binary, "127.0.0.1:0"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, preexec_fn=limit
        )
        host, port = self.process.stdout.readline().split()[-1].rsplit(":", 1)
        self.address = host, int(port)

    def close(self):
        self.process.kill()
        self.process.wait()

    def rss(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            rss = (int(line.split()[1]) for line in status if line.startswith("VmRSS"))
            return next(rss, 0) * 1024  # no longer there: none

    def seconds(self):
        """Of processor time."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            user, system = stat.read().rsplit(") ")[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def connect(self, receive_buffer=None):
        client = socket.socket()
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(30)
        client.connect(self.address)
        return client

    def open(self, **options):
        client = self.connect(**options)
        client.sendall(HEAD + b"\r\n")
        read_head(client)
        return client


def exactly(client, size):
    data = bytearray()
    while len(data) < size:
        piece = client.recv(size - len(data))
        expect(piece, f"the stream ended {size - len(data)} bytes early")
        data += piece
    return bytes(data)


def read_head(client):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += exactly(client, 1)
    expect(head.startswith(b"HTTP/1.1 101 ") and ACCEPT in head, f"no 101: {head!r}")


def frame(opcode, payload=b"", first=0x80, mask=MASK):
    size = len(payload)
    if size < 126:
        header = struct.pack("!BB", first | opcode, 0x80 | size)
    elif size < 1 << 16:
        header = struct.pack("!BBH", first | opcode, 0x80 | 126, size)
    else:
        header = struct.pack("!BBQ", first | opcode, 0x80 | 127, size)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    masked = (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")
    return header + mask + masked


def declaring(size, opcode=BINARY):
    return struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size) + MASK


def read_frame(client):
    first, size = exactly(client, 2)
    expect(first & 0x80 and not size & 0x80, "a fragment, or a mask")
    if size == 126:
        (size,) = struct.unpack("!H", exactly(client, 2))
    elif size == 127:
        (size,) = struct.unpack("!Q", exactly(client, 8))
    return first & 15, exactly(client, size)


def read_to_end(client):
    data = bytearray()
    while piece := client.recv(1 << 20):  # a reset raises
        data += piece
    return bytes(data)


def expect_close(client, code):
    opcode, payload = read_frame(client)
    expect(opcode == CLOSE, f"opcode {opcode} instead of a Close")
    got = int.from_bytes(payload[:2], "big")
    expect(got == code, f"Close {got} instead of {code}")
    expect(read_to_end(client) == b"", "bytes after the Close")
    client.close()


def close(client):
    client.sendall(frame(CLOSE, struct.pack("!H", 1000)))
    expect_close(client, 1000)


def honest(server):
    client = server.open()
    for opcode, payload in (TEXT, "grüße".encode()), (BINARY, os.urandom(70_000)), (BINARY, b""):
        client.sendall(frame(opcode, payload))
        expect(read_frame(client) == (opcode, payload), "no echo")
    client.sendall(frame(PING, b"p"))
    expect(read_frame(client) == (PONG, b"p"), "no Pong")
    close(client)


def check(server, name, function):
    global failures
    before = server.rss()
    try:
        detail = function(server)
        expect(server.process.poll() is None, f"the server ended with {server.process.poll()}")
        honest(server)
        verdict, detail = "ok  ", f" [{detail}]" if detail else ""
    except Exception as error:
        failures += 1
        verdict, detail = "FAIL", f": {type(error).__name__}: {error}"
    print(f"{verdict} {name}{detail}; RSS {before >> 10} -> {server.rss() >> 10} KiB", flush=True)


# The checks.


def random_heads(server):
    dice = random.Random(6455)
    answered = 0
    for _ in range(300):
        client = server.connect()
        data = dice.randbytes(dice.randrange(1, 40_000))
        if dice.random() < 0.5:
            data = HEAD[: dice.randrange(len(HEAD))] + data
        while data:
            size = dice.randrange(1, 20_000)
            client.sendall(data[:size])
            data = data[size:]
        client.shutdown(socket.SHUT_WR)
        answer = read_to_end(client)
        expect(not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")), answer[:80])
        answered += bool(answer)
        client.close()
    return f"{answered} of 300 were answered"


def random_frames(server):
    dice = random.Random(7692)
    codes = {}
    for _ in range(300):
        client = server.open()
        data = bytearray(dice.randbytes(dice.randrange(1, 40_000)))
        if dice.random() < 0.7:  # a likely start, and then noise
            data[:0] = frame(dice.choice((TEXT, BINARY, PING, 0)), dice.randbytes(20))
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        answer = read_to_end(client)
        code = "none"
        if len(answer) >= 4 and answer[-4:-2] == b"\x88\x02":
            code = int.from_bytes(answer[-2:], "big")
            expect(code in (1000, 1002, 1007, 1008, 1009), f"Close {code}")
        codes[code] = codes.get(code, 0) + 1
        client.close()
    return ", ".join(f"{code}: {count}" for code, count in sorted(codes.items(), key=str))


def slow_head(server):
    client = server.connect()
    for byte in HEAD + b"\r\n" + frame(TEXT, b"slow"):
        client.sendall(bytes([byte]))
        time.sleep(0.01)
    read_head(client)
    expect(read_frame(client) == (TEXT, b"slow"), "no echo")
    close(client)


def head_and_frames_at_once(server):
    client = server.connect()
    client.sendall(HEAD + b"\r\n" + frame(TEXT, b"one") + frame(BINARY, b"two") * 1000)
    read_head(client)
    expect(read_frame(client) == (TEXT, b"one"), "no echo")
    for _ in range(1000):
        expect(read_frame(client) == (BINARY, b"two"), "no echo")
    close(client)


def dripping_head(server):
    start, client = time.monotonic(), server.connect()
    client.sendall(HEAD)
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - start < OPEN_TIMEOUT + 10:
            client.sendall(b"X-A: b\r\n"[: 1 + int(time.monotonic()) % 3])
            if select.select([client], [], [], 0.3)[0] and not client.recv(100):
                break
    took = time.monotonic() - start
    expect(-1 < took - OPEN_TIMEOUT < SLACK, f"cut after {took:.1f} s")
    return f"cut after {took:.1f} s"


def silent_head(server):
    start, client = time.monotonic(), server.connect()
    expect(client.recv(1) == b"", "an answer to nothing")
    took = time.monotonic() - start
    expect(-1 < took - OPEN_TIMEOUT < SLACK, f"cut after {took:.1f} s")
    return f"cut after {took:.1f} s"


def lingering_close(server):
    """It closes, and then neither ends nor stops to talk."""
    client, start = server.open(), time.monotonic()
    client.sendall(frame(CLOSE, struct.pack("!H", 1000)))
    expect(read_frame(client) == (CLOSE, struct.pack("!H", 1000)), "no Close")
    expect(client.recv(1) == b"", "bytes after the Close")
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - start < CLOSE_TIMEOUT + 10:
            client.sendall(b"z" * 1000)
            time.sleep(0.1)
    took = time.monotonic() - start
    expect(-1 < took - CLOSE_TIMEOUT < SLACK, f"dropped after {took:.1f} s")
    return f"dropped after {took:.1f} s"


def at_once(*functions):
    """The slow ones together, and honest clients in between."""

    def run(server):
        results = [None] * len(functions)

        def one(index):
            try:
                results[index] = f"{functions[index].__name__} {functions[index](server)}"
            except Exception as error:
                results[index] = error

        threads = [threading.Thread(target=one, args=(index,)) for index in range(len(functions))]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            honest(server)
            time.sleep(0.5)
        for result in results:
            if isinstance(result, Exception):
                raise result
        return ", ".join(results)

    return run


def refused(head, *statuses):
    def run(server):
        client = server.connect()
        client.sendall(head)
        answer = read_to_end(client)
        status = answer.split(b" ")[1:2]
        expect(status and status[0] in statuses, f"{answer[:80]!r}")
        client.close()
        return status[0].decode()

    return run


def failed(data, code):
    """The mistake, and a megabyte behind it that must not cost the Close."""

    def run(server):
        for junk in b"", bytes(1 << 20):
            client = server.open()
            client.sendall(data + junk)
            expect_close(client, code)

    return run


def pings_unread(count, payload):
    def run(server):
        client = server.open(receive_buffer=4096)
        client.setblocking(False)
        ping, pong = frame(PING, payload), bytes([0x80 | PONG, len(payload)]) + payload
        ending = frame(CLOSE, struct.pack("!H", 1000))
        data = memoryview(ping * count + ending)
        before, peak, sent, moved = server.rss(), 0, 0, time.monotonic()
        while sent < len(data) and time.monotonic() - moved < 1:
            with contextlib.suppress(BlockingIOError):
                sent += client.send(data[sent : sent + (1 << 16)])
                moved = time.monotonic()
            peak = max(peak, server.rss())
        stuck = sent // len(ping)
        worked = server.seconds()
        time.sleep(1)
        worked = server.seconds() - worked
        expect(worked < 0.1, f"{worked} s of work while nothing moves")
        honest(server)
        # Now all the others, and the answers are read as they come.
        answers = bytearray()
        while True:
            writing = [client] if sent < len(data) else []
            readable, writable, _ = select.select([client], writing, [], 30)
            expect(readable or writable, "nothing moves")
            if writable:
                with contextlib.suppress(BlockingIOError):
                    sent += client.send(data[sent : sent + (1 << 16)])
            if readable:
                piece = client.recv(1 << 20)
                if not piece:
                    break
                answers += piece
            peak = max(peak, server.rss())
        expect(answers.endswith(b"\x88\x02\x03\xe8"), f"no Close: {bytes(answers[-8:])!r}")
        pongs = (len(answers) - 4) // len(pong)
        expect(answers[:-4] == pong * pongs, "something else than Pongs")
        expect(0 < pongs <= count, f"{pongs} Pongs")
        growth = peak - before
        expect(growth < 4 << 20, f"it grew by {growth >> 10} KiB")
        return f"{stuck} unread, {pongs} Pongs for {count} at last, grew by {growth >> 10} KiB"

    return run


def echo_unread(server):
    """A message whose echo is not read: held once, and given back."""
    size = 48 << 20
    client = server.open(receive_buffer=4096)
    before = server.rss()
    client.sendall(declaring(size) + bytes(size))
    time.sleep(0.5)
    held = server.rss() - before
    expect(held < 2 * size + (4 << 20), f"it holds {held >> 10} KiB")
    honest(server)
    opcode, payload = read_frame(client)
    expect(opcode == BINARY and payload == MASK * (size // 4), "no echo")
    close(client)
    deadline = time.monotonic() + 10
    while (after := server.rss() - before) >= 4 << 20 and time.monotonic() < deadline:
        time.sleep(0.1)
    expect(after < 4 << 20, f"it keeps {after >> 10} KiB")
    return f"{size >> 10} KiB unread: held {held >> 10} KiB, kept {after >> 10} KiB"


def idle(server):
    """On a server of its own, where nothing was left that could be used again."""
    with contextlib.closing(Server(server.binary)) as server:
        honest(server)
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        count = min(10_000, soft - 200)
        expect(count >= 2000, f"only {soft} descriptors")
        before = server.rss()
        clients = [server.open() for _ in range(count)]
        honest(server)
        fresh = (server.rss() - before) / count
        for client in clients:
            client.sendall(frame(BINARY, bytes(60_000)))
            expect(len(read_frame(client)[1]) == 60_000, "no echo")
        used = (server.rss() - before) / count
        for _ in range(10):  # what the last of them left behind may take a second or two
            worked = server.seconds()
            time.sleep(1)
            worked = server.seconds() - worked
            if worked < 0.05:
                break
        expect(worked < 0.05, f"{worked} s of work while nothing happens")
        for client in clients:
            close(client)
        return f"{count}: {fresh:.0f} bytes of RSS each, {used:.0f} after 60,000 bytes on each"


def declared(server):
    before = server.rss()
    clients = [server.open() for _ in range(1000)]
    opened = server.rss()
    for client in clients:
        client.sendall(declaring(60 << 20))
    honest(server)
    growth = server.rss() - opened
    expect(growth < 1 << 20, f"it grew by {growth >> 10} KiB")
    for client in clients:
        client.sendall(bytes(10))
    honest(server)
    for client in clients:
        client.shutdown(socket.SHUT_WR)
        expect(read_to_end(client) == b"", "an answer to half a message")
        client.close()
    return f"1000 x 60 MiB: {(opened - before) >> 10} KiB to open, {growth >> 10} KiB for the headers"


def half_ends(server):
    """Head, message and the end of the stream in one packet: all of it is answered."""
    for _ in range(500):
        client = server.connect()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        client.sendall(HEAD + b"\r\n" + frame(TEXT, b"last"))
        client.shutdown(socket.SHUT_WR)
        read_head(client)
        expect(read_to_end(client) == b"\x81\x04last", "no echo before the end")
        client.close()


def half_end_before_a_long_answer(server):
    size = 20 << 20
    client = server.open(receive_buffer=4096)
    client.sendall(declaring(size) + bytes(size) + frame(CLOSE, struct.pack("!H", 1000)))
    client.shutdown(socket.SHUT_WR)
    time.sleep(0.5)
    expect(read_frame(client) == (BINARY, MASK * (size // 4)), "no echo")
    expect_close(client, 1000)


def resets(server):
    """Connections that end in every state, most of them by a reset."""
    dice = random.Random(9220)
    whole = HEAD + b"\r\n" + frame(BINARY, bytes(300_000)) + frame(CLOSE, b"\x03\xe8")
    for _ in range(3000):
        client = server.connect(receive_buffer=4096)
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.send(whole[: dice.choice((0, dice.randrange(300), dice.randrange(len(whole))))])
            client.recv(dice.randrange(1, 5000))
        if dice.random() < 0.8:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()


def more_than_descriptors(server):
    """Who finds no room waits, and is served when others leave."""
    with contextlib.closing(Server(server.binary, descriptors=50)) as server:
        inside = [server.open() for _ in range(50 - server.descriptors())]
        outside = [server.connect() for _ in range(20)]
        for client in outside:
            client.sendall(HEAD + b"\r\n" + frame(TEXT, b"late"))
        worked = server.seconds()
        time.sleep(1)
        worked = server.seconds() - worked
        expect(worked < 0.1, f"{worked} s of work while there is no room")
        expect(not select.select(outside, [], [], 0)[0], "more than there is room for")
        for client in inside:
            close(client)
        for client in outside:
            read_head(client)
            expect(read_frame(client) == (TEXT, b"late"), "no echo")
            close(client)
        return f"{len(inside)} inside, {len(outside)} outside"


def nobody_is_left(server):
    time.sleep(CLOSE_TIMEOUT + 1)
    left = server.descriptors()
    expect(left <= server.at_start, f"{left} descriptors, {server.at_start} at the start")
    return f"{left} descriptors, as at the start"


def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = Server(sys.argv[1])
    try:
        server.at_start = server.descriptors()
        print(f"RSS at the start: {server.rss() >> 10} KiB")
        many = b"X-Field: value\r\n"
        check(server, "an honest client", honest)
        check(server, "random bytes for a head", random_heads)
        check(server, "random bytes for frames", random_frames)
        check(server, "a head byte by byte", slow_head)
        check(server, "head and frames at once", head_and_frames_at_once)
        line = b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\n"
        check(server, "a request line of 1 MiB", refused(line, b"414", b"400"))
        long = HEAD + b"X: " + b"a" * (1 << 20) + b"\r\n\r\n"
        check(server, "a field of 1 MiB", refused(long, b"431", b"400"))
        check(server, "65,536 fields", refused(HEAD + many * 65_536 + b"\r\n", b"431", b"400"))
        check(server, "plain HTTP", refused(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"426"))
        check(server, "a frame of 2^62 bytes", failed(declaring(1 << 62), 1009))
        check(server, "a frame of 2^63 bytes", failed(declaring(1 << 63), 1002))
        check(server, "a frame of 64 MiB + 1", failed(declaring((64 << 20) + 1), 1009))
        check(server, "an unmasked frame", failed(b"\x81\x02hi", 1002))
        check(server, "text that is not UTF-8", failed(frame(TEXT, b"\xff"), 1007))
        check(server, "a reserved opcode", failed(frame(3), 1002))
        empty = frame(BINARY, first=0) + frame(0, first=0) * 2000
        check(server, "empty fragments without end", failed(empty, 1008))
        check(server, "empty pings without reading", pings_unread(1_000_000, b""))
        check(server, "long pings without reading", pings_unread(200_000, b"p" * 125))
        check(server, "a message without reading", echo_unread)
        check(server, "1,000 long messages announced", declared)
        check(server, "half ends", half_ends)
        check(server, "a half end before a long answer", half_end_before_a_long_answer)
        check(server, "resets", resets)
        check(server, "more connections than descriptors", more_than_descriptors)
        slow = at_once(silent_head, dripping_head, lingering_close)
        check(server, "slow at three ends", slow)
        check(server, "idle connections", idle)
        check(server, "nobody is left", nobody_is_left)
        expect(server.process.poll() is None, "the server has ended")
        print(f"RSS at the end: {server.rss() >> 10} KiB; {failures} failed")
    finally:
        server.close()
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
