"""The examples against clients and servers that others wrote.

usage: python .ci/clients.py ECHO_BINARY WSCAT_BINARY

Wants `websockets` and `websocket-client` from PyPI. One line for each check; the exit status tells
whether all held.
"""

import asyncio
import contextlib
import logging
import os
import pty
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import websocket
import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

SIZES = 0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 16 << 20
FLOODERS = 6
LIMIT = 240  # seconds, for what has to end at all: the machine may have much else to do
SOON = 9  # for what waits for no timeout, of which `wscat` has none that is shorter than 10
ECHO, WSCAT = sys.argv[1:3] if len(sys.argv) > 2 else (None, None)
failures = 0


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def check(name, function, *arguments):
    """Runs one check in a thread of its own, and does not wait for it for ever."""
    global failures
    result = []

    def run():
        try:
            if asyncio.iscoroutinefunction(function):
                result.append(asyncio.run(asyncio.wait_for(function(*arguments), LIMIT)))
            else:
                result.append(function(*arguments))
        except Exception as error:
            result.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(LIMIT + 5)
    found = result[0] if result else TimeoutError(f"not done after {LIMIT} s")
    if isinstance(found, Exception):
        failures += 1
        print(f"FAIL {name}: {type(found).__name__}: {found}", flush=True)
    else:
        print(f"ok   {name}" + (f" [{found}]" if found else ""), flush=True)


def payload(size):
    return random.Random(size).randbytes(size)


def text(size):
    """That many bytes of characters of one to four bytes each."""
    filler = ("aé€😀" * (size // 10 + 1)).encode()[:size].decode(errors="ignore")
    return filler + "x" * (size - len(filler.encode()))


def pieces(message, count=5):
    step = max(1, len(message) // count)
    return [message[start : start + step] for start in range(0, len(message), step)] or [message]


@contextlib.contextmanager
def echo_server(*options):
    process = subprocess.Popen([ECHO, "127.0.0.1:0", *options], stdout=subprocess.PIPE, text=True)
    try:
        yield process, "ws://" + process.stdout.readline().split()[-1]
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


# websocket-client against echo.


def app_with_pings(url):
    """It pings for more than three intervals, and nothing is amiss."""
    seen = {"pongs": 0, "messages": [], "errors": [], "closed": None}

    def on_pong(app, _):
        seen["pongs"] += 1
        app.send(f"after pong {seen['pongs']}")
        if seen["pongs"] == 4:
            app.close()

    def on_close(_, code, reason):
        seen["closed"] = code

    app = websocket.WebSocketApp(
        url + "/app",
        on_pong=on_pong,
        on_message=lambda _, message: seen["messages"].append(message),
        on_error=lambda _, error: seen["errors"].append(error),
        on_close=on_close,
    )
    app.run_forever(ping_interval=3, ping_timeout=2.9)  # it insists on timeout < interval
    expect(seen["pongs"] >= 4 and len(seen["messages"]) >= 3, seen)
    expect(not seen["errors"], seen)
    return f"{seen['pongs']} pongs, {len(seen['messages'])} messages"


def app_notices_silence(url, process):
    seen = {"pongs": 0, "errors": []}
    stopped = []

    def on_pong(_app, _):
        seen["pongs"] += 1
        if not stopped:
            process.send_signal(signal.SIGSTOP)
            stopped.append(time.monotonic())

    app = websocket.WebSocketApp(
        url, on_pong=on_pong, on_error=lambda _, error: seen["errors"].append(error)
    )
    app.run_forever(ping_interval=2, ping_timeout=1)
    expect(stopped and seen["errors"], seen)
    expect(isinstance(seen["errors"][0], websocket.WebSocketTimeoutException), seen)
    took = time.monotonic() - stopped[0]
    expect(took < 12, f"{took:.1f} s")
    process.send_signal(signal.SIGCONT)
    return f"{seen['errors'][0]}, after {took:.1f} s"


def plain_client(url, sizes=SIZES):
    client = websocket.create_connection(url + "/a/path?q", timeout=LIMIT, subprotocols=["b", "a"])
    expect(client.getsubprotocol() == "b", client.getsubprotocol())
    for size in sizes:
        client.send_binary(payload(size))
        expect(client.recv() == payload(size), f"binary of {size}")
        client.send(text(size))
        expect(client.recv() == text(size), f"text of {size}")
        parts = pieces(payload(size))
        for index, part in enumerate(parts):
            opcode = websocket.ABNF.OPCODE_CONT if index else websocket.ABNF.OPCODE_BINARY
            fin = int(index == len(parts) - 1)
            client.send_frame(websocket.ABNF.create_frame(part, opcode, fin))
            client.ping(b"between")
        opcode, data = client.recv_data()
        expect((opcode, data) == (websocket.ABNF.OPCODE_BINARY, payload(size)), f"fragments {size}")
    client.send_close(3456, "that will do".encode())
    while (frame := client.recv_frame()).opcode != websocket.ABNF.OPCODE_CLOSE:
        expect(frame.opcode == websocket.ABNF.OPCODE_PONG, frame)
    expect(frame.data == struct.pack("!H", 3456) + b"that will do", frame.data)
    expect(client.sock.recv(1) == b"", "the server closes first")
    client.shutdown()


def mistaken_client(url):
    """The other way round: the server has reason to close."""
    client = websocket.create_connection(url, timeout=LIMIT)
    client.send_frame(websocket.ABNF.create_frame(b"\xff", websocket.ABNF.OPCODE_TEXT))
    opcode, data = client.recv_data()
    expect((opcode, data[:2]) == (websocket.ABNF.OPCODE_CLOSE, struct.pack("!H", 1007)), data)
    client.close()


def mistake_in_a_long_text(url):
    """What was right of it is on its way back behind a header, so nothing can be said about it."""
    client = websocket.create_connection(url, timeout=LIMIT)
    client.send_frame(websocket.ABNF.create_frame(b"a" * 100_000 + b"\xff!", websocket.ABNF.OPCODE_TEXT))
    received = bytearray()
    with contextlib.suppress(ConnectionError):
        while data := client.sock.recv(65536):
            received += data
    expect(bytes(received[:10]) == b"\x81\x7f" + struct.pack("!Q", 100_002), received[:10])
    expect(set(received[10:]) <= {ord("a")}, set(received[10:]))
    client.shutdown()


def held_pong(url):
    """A Pong that waits while a long message begins comes between frames, not inside of one."""
    kinds = websocket.ABNF
    some, ping, long = (
        kinds.create_frame(data, kind).format()
        for kind, data in (
            (kinds.OPCODE_BINARY, b"some"), (kinds.OPCODE_PING, b"p"), (kinds.OPCODE_BINARY, b"l" * 200),
        )
    )  # fmt: skip
    client = websocket.create_connection(url, timeout=LIMIT)
    client.sock.sendall(some + ping + long[:100])
    time.sleep(0.1)
    client.sock.sendall(long[100:])
    data, pongs = b"", []
    while len(data) < 204 or not pongs:
        frame = client.recv_frame()
        if frame.opcode == kinds.OPCODE_PONG:
            pongs.append(frame.data)
        else:
            data += frame.data
    expect(data == b"some" + b"l" * 200, data)
    expect(pongs == [b"p"], pongs)
    client.close()


# websockets against echo.


def last_words(url):
    """`--close`: the first message comes back, a Ping is none, and nothing follows the Close."""
    kinds = websocket.ABNF

    def frame(kind, data, fin=1):
        return kinds.create_frame(data, kind, fin).format()

    def answered(*reads):
        peer = websocket.create_connection(url, timeout=LIMIT)
        for read in reads:
            peer.sock.sendall(read)
            time.sleep(0.1)
        message, close = b"", None
        while close is None:
            found = peer.recv_frame()
            if found.opcode == kinds.OPCODE_CLOSE:
                close = found.data
            elif found.opcode != kinds.OPCODE_PONG:
                message += found.data
        peer.sock.sendall(frame(kinds.OPCODE_CLOSE, close))
        expect(peer.sock.recv(1) == b"", "more than a Close")
        return message, close

    one, ping = frame(kinds.OPCODE_TEXT, "one"), frame(kinds.OPCODE_PING, b"p")
    first, rest = frame(kinds.OPCODE_TEXT, "ab", 0), frame(kinds.OPCODE_CONT, b"cd")
    large = frame(kinds.OPCODE_BINARY, payload(20_000))
    close = struct.pack("!H", 1000) + b"bye"
    for reads, message in (
        ([one], b"one"),
        ([ping, one], b"one"),
        ([first, ping, rest], b"abcd"),
        ([one + large[:3000], large[3000:10_000], large[10_000:]], b"one"),
    ):
        found = answered(*reads)
        expect(found == (message, close), f"{reads[0][:20]}: {found}")


def memory_goes_back(url, process):
    """What a peer that reads late had it hold is the system's again, once nothing happens."""

    def held():
        with open(f"/proc/{process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))

    peer = websocket.create_connection(url, timeout=LIMIT)
    before, most = held(), 0
    for size in [30 << 20, 20 << 20, 20 << 20]:
        message = payload(size)
        sender = threading.Thread(target=peer.send_binary, args=(message,))
        sender.start()
        time.sleep(0.7)
        patience = time.monotonic() + 30
        while (now := held()) <= before + (8 << 10) and time.monotonic() < patience:
            time.sleep(0.05)
        most = max(most, now)
        expect(peer.recv() == message, size)
        sender.join()
    deadline = time.monotonic() + 10
    while held() > before + (2 << 10) and time.monotonic() < deadline:
        time.sleep(0.1)
    found = f"{before} KiB before, {most} at most, {held()} after"
    expect(most > before + (8 << 10), f"nothing was held: {found}")
    expect(held() <= before + (2 << 10), found)
    return found


def others_have_turns(url):
    """Beside some that send and read as fast as they can, a message of another comes back before each
    of them has had many turns: counted in the bytes they get back, of which a turn makes 240 KiB."""
    flooders = [websocket.create_connection(url, timeout=LIMIT) for _ in range(FLOODERS)]
    other = websocket.create_connection(url, timeout=LIMIT)
    frames = websocket.ABNF.create_frame(bytes(16), websocket.ABNF.OPCODE_BINARY).format() * 50_000
    echoed, done = [0] * FLOODERS, False

    def send(flooder):
        while not done:
            flooder.sock.sendall(frames)
        flooder.sock.shutdown(socket.SHUT_WR)

    def read(flooder, number):
        room = bytearray(1 << 20)
        while size := flooder.sock.recv_into(room):
            echoed[number] += size

    threads = [threading.Thread(target=send, args=(flooder,)) for flooder in flooders]
    threads += [threading.Thread(target=read, args=pair[::-1]) for pair in enumerate(flooders)]
    for thread in threads:
        thread.daemon = True
        thread.start()
    between = []
    try:
        time.sleep(2)
        start = sum(echoed)
        for _ in range(50):
            before = sum(echoed)
            other.send_binary(b"mine")
            expect(other.recv() == b"mine", "no echo")
            between.append(sum(echoed) - before)
            time.sleep(0.02)
        flood = sum(echoed) - start
    finally:
        done = True
    for thread in threads:
        thread.join()
    usual = sorted(between)[25] / (FLOODERS * (240 << 10))
    expect(flood > 64 << 20, f"no flood: {flood} bytes")
    expect(usual < 5, f"{usual:.1f} turns of each went first")
    return f"{usual:.1f} turns of each go first, {flood >> 20} MiB of flood"


async def modern_client(url):
    async with connect(url + "/ü", subprotocols=["x.y"], max_size=None, compression=None, ping_timeout=None) as client:
        expect(client.subprotocol == "x.y", client.subprotocol)
        for size in SIZES:
            for message in payload(size), text(size):
                await client.send(message)
                expect(await client.recv() == message, f"{type(message)} of {size}")
                await client.send(pieces(message))
                expect(await client.recv() == message, f"fragments, {type(message)} of {size}")
        latency = await (await client.ping())
        await client.close(4321, "grüß Gott")
        expect((client.close_code, client.close_reason) == (4321, "grüß Gott"), client.close_code)
    return f"ping {latency * 1e3:.2f} ms"


async def offering_client(url):
    """It offers compression, which is declined."""
    async with connect(url, origin="https://elsewhere.example", max_size=None, ping_timeout=None) as client:
        expect(client.protocol.extensions == [], client.protocol.extensions)
        await client.send("a" * 100_000)
        expect(await client.recv() == "a" * 100_000, "no echo")
    expect(client.close_code == 1000, client.close_code)


async def many_clients(url):
    async def one(number):
        async with connect(url, compression=None, ping_timeout=None) as client:
            messages = [text(100 * number + index) for index in range(50)]
            for message in messages:
                await client.send(message)
            for message in messages:
                expect(await client.recv() == message, "no echo")

    await asyncio.gather(*(one(number) for number in range(100)))


async def too_long(url):
    """The Close gets through, though much is on its way in the other direction."""
    client = await connect(url, compression=None, ping_timeout=None)
    with contextlib.suppress(websockets.ConnectionClosed):
        await client.send(bytes((64 << 20) + 1))
        await client.recv()
    expect(client.close_code == 1009, client.close_code)


# wscat against websockets.


class Wscat:
    def __init__(self, process):
        self.process = process

    @classmethod
    async def start(cls, *arguments):
        pipe = asyncio.subprocess.PIPE
        return cls(
            await asyncio.create_subprocess_exec(
                WSCAT, *arguments, stdin=pipe, stdout=pipe, stderr=pipe, limit=64 << 20
            )
        )

    async def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        await self.process.stdin.drain()

    async def line(self):
        return (await asyncio.wait_for(self.process.stdout.readline(), LIMIT)).decode().rstrip("\n")

    async def end(self, status, *words, close_input=True, within=SOON):
        """Its output and errors, when it has ended with the right status."""
        if close_input:
            self.process.stdin.close()
        try:
            out, errors = await asyncio.wait_for(
                asyncio.gather(self.process.stdout.read(), self.process.stderr.read()), within
            )
            got = await self.process.wait()
        except TimeoutError:
            self.process.kill()
            raise AssertionError(f"no end within {within} s") from None
        errors = errors.decode()
        expect(got == status, f"status {got} instead of {status}: {errors}")
        for word in words:
            expect(word in errors, f"{word!r} is not in {errors!r}")
        return out, errors


@contextlib.asynccontextmanager
async def server(handler, **options):
    options = {"max_size": None, "compression": None, "ping_timeout": None} | options
    async with serve(handler, "127.0.0.1", 0, **options) as running:
        yield f"ws://127.0.0.1:{running.sockets[0].getsockname()[1]}"


@contextlib.asynccontextmanager
async def raw_server(handler):
    async def run(reader, writer):
        with contextlib.suppress(ConnectionError):
            await handler(reader, writer)
            writer.close()

    async with await asyncio.start_server(run, "127.0.0.1", 0) as running:
        yield f"ws://127.0.0.1:{running.sockets[0].getsockname()[1]}"


async def conversation():
    seen = {}

    async def handler(peer):
        seen["path"], seen["headers"] = peer.request.path, peer.request.headers
        seen["protocol"] = peer.subprotocol
        await peer.send("welcome")
        seen["latency"] = await (await peer.ping(b"0123456789" * 12))
        async for message in peer:
            if message.startswith("no newline"):  # the Close is right behind it
                seen["last"] = message
            else:
                await peer.send(f"you said {message!r}")
        seen["closed"] = peer.close_code, peer.close_reason

    async with server(handler, subprotocols=["two"]) as url:
        cat = await Wscat.start(
            url + "/chat?room=1", "--protocol", "one", "--protocol", "two",
            "--header", "X-Token: a:b", "--header", "Cookie:c=d", "--header", "Origin: https://o",
        )  # fmt: skip
        expect(await cat.line() == "welcome", "no welcome")
        for line in "hello", "", "grüße 😀":
            await cat.say(line)
            expect(await cat.line() == f"you said {line!r}", "no answer")
        await cat.say("with CR\r")
        expect(await cat.line() == "you said 'with CR'", "a CR too many")
        cat.process.stdin.write(b"no newline")
        await cat.end(0, "two")
    expect(seen["last"] == "no newline", seen)
    headers = seen["headers"]
    expect(seen["path"] == "/chat?room=1" and seen["protocol"] == "two", seen)
    expect((headers["X-Token"], headers["Cookie"], headers["Origin"]) == ("a:b", "c=d", "https://o"), seen)
    expect(seen["closed"] == (1000, ""), seen["closed"])
    return f"ping {seen['latency'] * 1e3:.2f} ms"


async def sizes_to_wscat():
    async def handler(peer):
        for size in SIZES:
            for message in "m" * size, ["m" * size, "", "m"], payload(size), pieces(payload(size)):
                await peer.send(message)
        await peer.close(1000, "done")

    async with server(handler) as url:
        cat = await Wscat.start(url)
        out, _ = await cat.end(0, close_input=False, within=LIMIT)
    wanted = []
    for size in SIZES:
        line = "m" * size
        wanted += [line, line + "m"] + 2 * [f"<{size} bytes of binary>"]
    expect(out.decode().split("\n")[:-1] == wanted, "other lines than were sent")
    return f"{len(out)} bytes"


async def sizes_from_wscat():
    seen = []

    async def handler(peer):
        async for message in peer:
            seen.append(message)

    async with server(handler) as url:
        cat = await Wscat.start(url)
        lines = ["y" * size for size in SIZES] + ["short"] * 10_000
        await cat.say("\n".join(lines))
        cat.process.stdin.write(b"\xff\n")
        await cat.end(0, "not UTF-8", within=LIMIT)
    expect(seen == lines, f"{len(seen)} of {len(lines)} lines")


async def wscat_to_echo(url):
    """More than all buffers hold, while nobody reads; then all of it comes."""
    cat = await Wscat.start(url)
    lines = b"".join(b"%07d " % number + b"z" * 1015 + b"\n" for number in range(40_000))
    writing = asyncio.create_task(cat.process.stdin.drain())
    cat.process.stdin.write(lines)
    await asyncio.sleep(1)
    got = await asyncio.wait_for(cat.process.stdout.readexactly(len(lines)), LIMIT)
    await writing
    expect(got == lines, "other lines than were sent")
    await cat.end(0)
    return f"{len(lines) >> 20} MiB"


async def closed_by_server():
    async def handler(peer):
        code, reason = peer.request.path[1:].split(",")
        await peer.close(int(code), reason)

    async with server(handler) as url:
        for code, reason, status in (1000, "bye", 0), (1001, "", 0), (1011, "", 4), (4000, "why", 4):
            cat = await Wscat.start(f"{url}/{code},{reason}")
            words = (str(code), reason) if status else ()
            await cat.end(status, *words, close_input=False)


def answer(request, status=b"101 Switching Protocols", accept=None):
    import base64
    import hashlib

    fields = dict(line.split(b": ") for line in request.split(b"\r\n")[1:-2])
    key = fields[b"Sec-WebSocket-Key"] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = accept or base64.b64encode(hashlib.sha1(key).digest())
    return (
        b"HTTP/1.1 " + status + b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )  # fmt: skip


async def rude_servers():
    """Frames together with the 101, a mistake, a sudden end, a Close without a code, half ends."""

    def rude(frames, wait=True):
        async def handler(reader, writer):
            writer.write(answer(await reader.readuntil(b"\r\n\r\n")) + frames)
            await writer.drain()
            if wait:
                seen.append(await reader.read())

        return handler

    seen = []
    cases = (
        (rude(b"\x81\x05early\x88\x00"), 0, "early\n"),
        (rude(b"\x81\x05early\x88\x02\x03\xe8", wait=False), 0, "early\n"),
        (rude(b"\x81\x85\0\0\0\0early"), 4, ""),
        (rude(b"\x81\x02\xff\xff"), 4, ""),
        (rude(b"\x81\x05early\x81\x05ear", wait=False), 4, "early\n"),
    )
    for handler, status, printed in cases:
        async with raw_server(handler) as url:
            cat = await Wscat.start(url)
            # A server that waits for the client to end closes at last when the client gives up.
            out, errors = await cat.end(status, close_input=False, within=60)
            expect(out.decode() == printed, (out, errors))
    closes = [data for data in seen if data]
    expect(len(closes) == 3 and all(data[0] == 0x88 for data in closes), seen)


async def refusals():
    def process_request(connection, request):
        return connection.respond(403, "not for you\x1b[2J\n")

    async with server(None, process_request=process_request) as url:
        _, errors = await (await Wscat.start(url)).end(3, "403", "not for you")
        expect("\x1b" not in errors, "a terminal would obey")

    async def nonsense(reader, writer):
        writer.write(b"220 mail.example ESMTP\r\n")
        await reader.read()

    async def wrong_accept(reader, writer):
        writer.write(answer(await reader.readuntil(b"\r\n\r\n"), accept=b"A" * 27 + b"="))
        await reader.read()

    async def hang_up(reader, _):
        await reader.readuntil(b"\r\n\r\n")

    async def silence(reader, _):
        await reader.read()

    took = 0
    for handler in nonsense, wrong_accept, hang_up, silence:
        async with raw_server(handler) as url:
            start = time.monotonic()
            await (await Wscat.start(url)).end(3, close_input=False, within=60)
            took = time.monotonic() - start
    expect(9 < took < 19, f"silence was borne for {took:.1f} s")
    return f"silence was borne for {took:.1f} s"


async def usage():
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    unused = "ws://127.0.0.1:%d" % free.getsockname()[1]
    for status, arguments in (
        (0, ["--help"]), (1, []), (1, ["http://h/"]), (1, ["ws://h/#f"]), (1, [unused, "--what"]),
        (1, [unused, "--header", "no colon"]), (1, [unused, "--header", "Host: h"]),
        (1, [unused, "--header", "X: a\r\nY: b"]), (1, [unused, "--protocol", "a b"]),
        (1, [unused, "--ping-interval", "soon"]), (1, [unused, "--ping-timeout"]),
        (1, [unused, "--close", "1005"]), (1, [unused, "--close", "4000:" + "r" * 124]),
        (2, [unused]), (2, ["wss://127.0.0.1/"]), (2, ["ws://no-such-host.invalid/"]),
    ):  # fmt: skip
        await (await Wscat.start(*arguments)).end(status, within=LIMIT)
    free.close()
    with open("/dev/full", "w") as nobody:
        status = subprocess.run([WSCAT, "not a URL"], stderr=nobody).returncode
    expect(status == 1, f"exit status {status} where why cannot be said")


async def terminal():
    """What a terminal would obey is escaped on one, and passed on otherwise."""
    message = "red \x1b[31m\x07 \u202eback\tand\nforth"

    async def handler(peer):
        await peer.send(message)

    async with server(handler) as url:
        out, _ = await (await Wscat.start(url)).end(0, close_input=False)
        expect(out.decode() == message + "\n", out)
        ours, theirs = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            WSCAT, url, stdin=asyncio.subprocess.PIPE, stdout=theirs
        )
        expect(await asyncio.wait_for(process.wait(), SOON) == 0, "status")
        shown = os.read(ours, 1000).decode()
        os.close(ours), os.close(theirs)
        expect(shown == "red \\u{1b}[31m\\u{7} \\u{202e}back\tand\r\nforth\r\n", repr(shown))


async def broken_pipe():
    seen = []

    async def handler(peer):
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await peer.send("again")
                await asyncio.sleep(0.01)
        seen.append(peer.close_code)

    async with server(handler) as url:
        shell = await asyncio.create_subprocess_shell(
            f"{WSCAT} {url} | head -n 1",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        expect(await asyncio.wait_for(shell.stdout.read(), LIMIT) == b"again\n", "not one line")
        await asyncio.wait_for(shell.wait(), SOON)
        await asyncio.sleep(0.1)
    expect(seen == [1001], seen)


async def silent_server(interval, timeout):
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--serve",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        url = (await process.stdout.readline()).decode().strip()
        cat = await Wscat.start(
            url, "--ping-interval", str(interval), "--ping-timeout", str(timeout)
        )
        await asyncio.sleep(3 * interval + 0.3)
        await cat.say("still there")
        expect(await cat.line() == "still there", "no echo")
        process.send_signal(signal.SIGSTOP)
        start = time.monotonic()
        await cat.end(4, "silent", close_input=False, within=interval + timeout + 30)
        took = time.monotonic() - start
        expect(timeout - 0.1 <= took <= interval + timeout + 8, f"noticed after {took:.2f} s")

        # Nor does a full pipe hide it.
        process.send_signal(signal.SIGCONT)
        cat = await Wscat.start(
            url, "--ping-interval", str(interval), "--ping-timeout", str(timeout)
        )
        await cat.say("still there")
        expect(await cat.line() == "still there", "no echo")
        process.send_signal(signal.SIGSTOP)
        start = time.monotonic()
        cat.process.stdin.write(b"many\n" * 8_000_000)
        await cat.end(4, "silent", close_input=False, within=interval + timeout + 30)
        return f"noticed after {took:.2f} s, after {time.monotonic() - start:.2f} s while it writes"
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        await process.wait()


async def heartbeats():
    """A Pong that nobody asked for, right behind the one that answers, does not hide it."""
    pings = 20

    async def handler(reader, writer):
        writer.write(answer(await reader.readuntil(b"\r\n\r\n")))
        with contextlib.suppress(asyncio.IncompleteReadError):  # it has given up, and says so
            for _ in range(pings):
                ping = await reader.readexactly(14)
                expect(ping[:2] == b"\x89\x88", ping)
                payload = bytes(byte ^ key for byte, key in zip(ping[6:], 2 * ping[2:6]))
                seen.append(payload)
                writer.write(b"\x8a\x08" + payload + b"\x8a\x08liveness")
            writer.write(b"\x88\x02\x03\xe8")
            await reader.readexactly(8)  # its Close

    seen = []
    async with raw_server(handler) as url:
        cat = await Wscat.start(url, "--ping-interval", "0.1", "--ping-timeout", "10")
        await cat.end(0, close_input=False, within=LIMIT)
    expect(len(set(seen)) == pings, seen)


async def slow_reader():
    """A full pipe is no silence: whoever reads late misses nothing."""

    async def handler(peer):
        for _ in range(64):
            await peer.send("m" * (1 << 20))

    async with server(handler, ping_interval=None) as url:
        process = subprocess.Popen(
            [WSCAT, url, "--ping-interval", "0.3", "--ping-timeout", "2"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        await asyncio.sleep(5)
        out = await asyncio.to_thread(process.stdout.read)
        expect(process.wait() == 0, process.returncode)
        expect(len(out) == 64 * ((1 << 20) + 1), len(out))


async def echo_for_ever():
    async def handler(peer):
        async for message in peer:
            await peer.send(message)

    async with server(handler, ping_interval=None) as url:
        print(url, flush=True)
        await asyncio.Future()


def main():
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # they tell what is checked here
    with echo_server() as (process, url):
        check("websocket-client's app pings echo", app_with_pings, url)
        check("websocket-client's messages", plain_client, url)
        check("websocket-client is told of its mistake", mistaken_client, url)
        check("websockets' messages", modern_client, url)
        check("websockets offers compression", offering_client, url)
        check("websockets a hundred times", many_clients, url)
        check("websockets sends too much", too_long, url)
        check("wscat and echo, 40 MiB", wscat_to_echo, url)
        check("websocket-client's app notices a stopped echo", app_notices_silence, url, process)
        check("websocket-client again", plain_client, url)
        if process.poll() is not None:
            print("FAIL echo has ended")
            return 1
    with echo_server("--stream") as (process, url):
        # It reads nothing while it sends, so what comes back meanwhile has to fit the sockets.
        check("echo --stream, websocket-client's messages", plain_client, url, SIZES[:-2])
        check("echo --stream, websocket-client's mistake", mistaken_client, url)
        check("echo --stream, a mistake in a long text", mistake_in_a_long_text, url)
        check("echo --stream, websockets' messages", modern_client, url)
        check("echo --stream, websockets a hundred times", many_clients, url)
    with echo_server("--stream", "--limit", "high-water=0") as (_, url):
        check("echo --stream, a Pong that waits", held_pong, url)
    with echo_server() as (process, url):
        check("echo gives back what it held", memory_goes_back, url, process)
    with echo_server() as (_, url):
        check("echo serves others beside a flood", others_have_turns, url)
    for options in [], ["--stream"]:
        with echo_server("--close", "1000:bye", *options) as (_, url):
            check(f"echo's last words {' '.join(options)}".strip(), last_words, url)
    check("wscat converses", conversation)
    check("wscat receives all sizes", sizes_to_wscat)
    check("wscat sends all sizes", sizes_from_wscat)
    check("wscat is closed by the server", closed_by_server)
    check("wscat and rude servers", rude_servers)
    check("wscat is refused", refusals)
    check("wscat's usage", usage)
    check("wscat on a terminal", terminal)
    check("wscat's reader leaves", broken_pipe)
    check("wscat's reader is slow", slow_reader)
    check("wscat notices a stopped server", silent_server, 1, 1.5)
    check("wscat finds its answer among heartbeats", heartbeats)
    print(f"{failures} failed")
    return int(failures > 0)


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        asyncio.run(echo_for_ever())
    sys.exit(main())
