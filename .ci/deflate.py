"""permessage-deflate between the examples and peers that others wrote.

    python .ci/deflate.py EXAMPLES_FOLDER NODE_FOLDER [--full]

The examples are built with the feature `deflate`. Python's `websockets` and node's `ws` (installed
into NODE_FOLDER) are clients of `echo` and servers of `autobahn_client`, which echoes: with and
without context takeover, at each window from 9 to 15 bits, from nothing to 16 MiB, in one piece and
in fragments. Each time the parameters, the lengths on the wire and every message are compared. Then
our sides compress in fragments (`echo --stream`, `autobahn_client --fragment`), and each window is
held against an inflater that has no byte more of history. Chromium talks to `server`, and to `echo`
in every combination; lines go through `wscat`; and `echo` grows by nothing in 10,000 messages.
Without --full, messages beyond 64 KiB are left to some of the combinations.
"""

import asyncio
import contextlib
import http.server
import json
import os
import pathlib
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from unittest import mock

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)

WS = "ws@8.23.0"
SMALL = 0, 1, 64, 125, 126, 1000, 65535, 65536
MIB = 1 << 20
FULL = "--full" in sys.argv
COMBINATIONS = [(takeover, bits) for takeover in (False, True) for bits in range(9, 16)]
LIMIT = 900 if FULL else 240
failures = 0


def sizes(takeover, bits):
    large = (MIB, 16 * MIB)
    if FULL or (takeover, bits) == (True, 15):
        return SMALL + large
    return SMALL + large[:1] if bits in (9, 12) else SMALL


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


async def check(name, coroutine):
    global failures
    start = time.monotonic()
    try:
        detail = await asyncio.wait_for(coroutine, LIMIT)
        took = f"{time.monotonic() - start:.1f} s"
        print(f"ok   {name} [{', '.join(filter(None, (detail, took)))}]", flush=True)
    except Exception as error:
        failures += 1
        print(f"FAIL {name}: {type(error).__name__}: {error}", flush=True)


# What is sent.


def messages(size):
    """Text and binary, that compress well and that do not."""
    noise = random.Random(size).randbytes(size)
    words = ("frame payload größe 長さ " * (size // 20 + 1)).encode()[:size]
    text = words.decode(errors="ignore")
    yield text + "." * (size - len(text.encode()))
    yield bytes(byte & 3 for byte in noise[:65536]) * (size // 65536) or noise
    yield "".join(map(chr, noise.translate(bytes(32 + byte % 95 for byte in range(256)))))
    yield noise


def pieces(message):
    step = max(1, len(message) // 5)
    return [message[start : start + step] for start in range(0, len(message), step)] or [message]


def wire(peer):
    """The bytes that were received and acknowledged, says the kernel."""
    info = peer.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136)
    acknowledged, received = struct.unpack_from("QQ", info, 120)
    return received, acknowledged


async def trip(peer, message, fragments=None, least=1):
    """The length of an echo on the wire, which is to come in some fragments."""
    before, _ = wire(peer)
    await peer.send(fragments or message)
    parts = [part async for part in peer.recv_streaming()]
    found = type(parts[0])().join(parts)
    expect(len(parts) >= least, f"{len(parts)} fragments of {len(message)}")
    expect(type(found) is type(message) and found == message,
           f"another message came back than the {type(message).__name__} of {len(message)}")
    return wire(peer)[0] - before


def agreement(peer):
    (extension,) = peer.protocol.extensions
    return (not extension.local_no_context_takeover, not extension.remote_no_context_takeover,
            extension.local_max_window_bits, extension.remote_max_window_bits)


async def converse(peer, takeover, bits):
    """Everything that is to be said over a connection with these parameters."""
    wanted = takeover, takeover, bits, bits
    expect(agreement(peer) == wanted, f"agreed to {agreement(peer)} instead of {wanted}")

    # What our side compresses refers as far back as agreed, no farther, and to the messages
    # before only with takeover.
    noise = random.Random(bits).randbytes
    block = noise((1 << bits) - 300)
    near, far = await trip(peer, 2 * block), await trip(peer, 2 * (noise((1 << bits) + 1)))
    expect(near < 1.5 * len(block), f"{near} bytes for {len(block)} twice")
    expect(far > 2 << bits, f"{far} bytes for twice a window and one")
    once = noise(200)
    await trip(peer, once)
    again = await trip(peer, once)
    expect(again < 50 if takeover else again > 200, f"{again} bytes for 200 known ones")

    total = 0
    for size in sizes(takeover, bits):
        for message in messages(size):
            length = await trip(peer, message)
            total += 2
            if size >= 1000 and message[:5] == "frame":
                expect(length < size / 4, f"{length} bytes for text of {size}")
            await trip(peer, message, pieces(message))
    return f"{total} messages"


async def converse_in_fragments(peer, takeover, bits):
    """What our side compresses in fragments: each is flushed, and the window goes on."""
    del takeover, bits
    total = 0
    for size in (100_000, MIB):
        for message in messages(size):
            for fragments in (None, pieces(message)):
                length = await trip(peer, message, fragments, least=3)
                expect(message[:5] != "frame" or length < size / 4, f"{length} bytes for {size}")
                total += 1
    return f"{total} messages"


class Exact:
    """An inflater that accepts no reference beyond its window: what it makes leaves its output one
    byte at a time, so that zlib finds only the window where it looks back."""

    def __init__(self, wbits):
        self.inner = zlib.decompressobj(wbits=wbits)

    def decompress(self, data, max_length=0):
        expect(max_length < 2, "an unlimited connection")
        out, data = bytearray(), bytes(data)
        for start in range(0, len(data), 256):
            rest = data[start : start + 256]
            while made := self.inner.decompress(rest, 1):
                out += made
                rest = self.inner.unconsumed_tail
        return bytes(out)

    unconsumed_tail = b""


async def reach(peer, takeover, bits):
    """What our side compresses refers back as far as it may, and no farther: with repetitions at
    distances around the window, in a message and, with takeover, from one to the next."""
    window, total = 1 << bits, 0
    noise = random.Random(bits).randbytes
    for distance in (window - 400, *range(window - 264, window - 260), *range(window - 2, window + 3)):
        block = noise(distance)
        length = await trip(peer, 2 * block)
        if distance == window - 400:
            expect(length < 1.5 * distance + 500, f"{length} bytes for {distance} twice")
        if distance > window:
            expect(length > 2 * distance, f"{length} bytes for {distance} twice")
        await trip(peer, block)
        await trip(peer, block)
        total += 3
    text = "".join(map(chr, noise(4 * window).translate(bytes(97 + byte % 4 for byte in range(256)))))
    await trip(peer, text)
    return f"{total + 1} messages, nothing from beyond {window} bytes"


def exact_refuses():
    """The inflater of these checks does what it is for."""
    for bits in range(9, 15):
        block = random.Random(bits).randbytes((1 << bits) + 1)
        far = zlib.compressobj(wbits=-(bits + 1))
        payload = far.compress(2 * block) + far.flush(zlib.Z_SYNC_FLUSH)
        expect(len(payload) < 1.5 * len(block), "no reference was made")
        try:
            Exact(-bits).decompress(payload)
        except zlib.error as error:
            expect("too far back" in str(error), error)
        else:
            raise AssertionError(f"a reference beyond {bits} bits was taken")


@contextlib.contextmanager
def exact():
    with mock.patch("websockets.extensions.permessage_deflate.zlib") as theirs:
        theirs.configure_mock(decompressobj=Exact, compressobj=zlib.compressobj, error=zlib.error,
                              Z_SYNC_FLUSH=zlib.Z_SYNC_FLUSH)  # fmt: skip
        yield


# Their side is Python's websockets.


@contextlib.contextmanager
def echo_process(folder, takeover, bits, *more):
    flags = ["--window-bits", str(bits), *more] + ["--deflate-takeover"] * takeover
    process = subprocess.Popen(
        [f"{folder}/echo", "127.0.0.1:0", *flags], stdout=subprocess.PIPE, text=True
    )
    try:
        yield process, "ws://" + process.stdout.readline().split()[-1]
    finally:
        process.kill()
        process.wait()


@contextlib.asynccontextmanager
async def echo_server(*case):
    with echo_process(*case) as found:
        yield found


def python_client(url, takeover, bits):
    offer = ClientPerMessageDeflateFactory(
        server_no_context_takeover=not takeover, client_no_context_takeover=not takeover,
        server_max_window_bits=bits, client_max_window_bits=bits,
    )  # fmt: skip
    return connect(url, extensions=[offer], compression=None, max_size=None, ping_interval=None)


async def python_to_echo(folder, takeover, bits, talk, *flags):
    async with echo_server(folder, takeover, bits, *flags) as (_, url):
        async with python_client(url, takeover, bits) as peer:
            return await talk(peer, takeover, bits)


async def run_client(folder, url, takeover, bits, *more):
    flags = ["--window-bits", str(bits), *more] + ["--deflate-takeover"] * takeover
    process = await asyncio.create_subprocess_exec(
        f"{folder}/autobahn_client", url, *flags,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        out, _ = await process.communicate()
        expect(process.returncode == 0 and out == b"1 cases\n", out.decode())
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


async def client_to_python(folder, takeover, bits, talk, *flags):
    found = asyncio.get_running_loop().create_future()

    async def handler(peer):
        if peer.request.path == "/getCaseCount":
            await peer.send("1")
        elif peer.request.path.startswith("/runCase"):
            try:
                found.set_result(await talk(peer, takeover, bits))
            except Exception as error:
                found.set_exception(error)

    options = {"compression": None, "max_size": None, "ping_interval": None}
    extensions = [ServerPerMessageDeflateFactory()]
    async with serve(handler, "127.0.0.1", 0, extensions=extensions, **options) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await run_client(folder, url, takeover, bits, *flags)
        return await found


# Their side is node's ws.

NODE = pathlib.Path(__file__).with_name("deflate.js").read_text()


def jobs():
    return [
        {"takeover": takeover, "bits": bits, "sizes": sizes(takeover, bits)}
        for takeover, bits in COMBINATIONS
    ]


async def node(folder, work, mode):
    return await asyncio.create_subprocess_exec(
        "node", "-e", NODE, json.dumps(work), mode, cwd=folder, stdout=asyncio.subprocess.PIPE
    )


async def verdicts(process, count):
    total = 0
    for _ in range(count):
        found = json.loads(await process.stdout.readline() or '{"error": "it has ended"}')
        expect("error" not in found, found)
        total += found["total"]
    return f"{total} messages, {count} combinations"


async def node_to_echo(folder, node_folder, *flags):
    async with contextlib.AsyncExitStack() as stack:
        work = jobs()
        for job in work:
            echo = echo_server(folder, job["takeover"], job["bits"], *flags)
            _, job["url"] = await stack.enter_async_context(echo)
        process = await node(node_folder, work, "connect")
        stack.callback(lambda: process.returncode is None and process.kill())
        return await verdicts(process, len(work))


async def client_to_node(folder, node_folder, *flags):
    work = jobs()
    process = await node(node_folder, work, "serve")
    try:
        port = int(await process.stdout.readline())
        for index, job in enumerate(work):
            url = f"ws://127.0.0.1:{port}/{index}"
            await run_client(folder, url, job["takeover"], job["bits"], *flags)
        return await verdicts(process, len(work))
    finally:
        process.kill()
        await process.wait()


# Beyond the matrix.


async def declined(folder):
    async with echo_server(folder, False, 12) as (_, url):
        async with connect(url, compression=None, max_size=None, ping_timeout=None) as peer:
            length = await trip(peer, "a" * MIB)
            expect(length > MIB and not peer.protocol.extensions, f"{length} bytes")
    process = subprocess.Popen(
        [f"{folder}/echo", "127.0.0.1:0", "--no-deflate"], stdout=subprocess.PIPE, text=True
    )
    try:
        async with connect("ws://" + process.stdout.readline().split()[-1], max_size=None, ping_timeout=None) as peer:
            expect(not peer.protocol.extensions, "agreed to something")
            expect(await trip(peer, "a" * MIB) > MIB, "compressed all the same")
    finally:
        process.kill()
        process.wait()


def resident(process):
    """Without pages of files, which the system takes and gives back as it likes."""
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))


async def no_leak(folder, takeover, bits):
    source = random.Random(10_000)
    words = [source.randbytes(8).hex() for _ in range(200)]

    async def some(peer, count):
        """One at a time: how much echo keeps to write from depends on how much waits at once."""
        for _ in range(count):
            message = " ".join(source.choices(words, k=source.randrange(400)))
            await peer.send(message)
            expect(await peer.recv() == message, "another message came back")

    async with echo_server(folder, takeover, bits) as (process, url):
        async with python_client(url, takeover, bits) as peer:
            await some(peer, 1000)
            before = resident(process)
            await some(peer, 9000)
            after = resident(process)
        for _ in range(20):
            async with python_client(url, takeover, bits) as peer:
                await some(peer, 20)
        settled = resident(process)
        for _ in range(200):
            async with python_client(url, takeover, bits) as peer:
                await some(peer, 2)
        end = resident(process)
    expect(after - before < 512, f"from {before} to {after} KiB in 9,000 messages")
    expect(end - settled < 512, f"from {settled} to {end} KiB in 200 connections")
    return f"{before} KiB, after 9,000 more messages {after}, after 200 connections {end}"


async def lines(folder):
    seen = []

    async def handler(peer):
        async for message in peer:
            seen.append(message)
            await peer.send(message)

    extensions = [ServerPerMessageDeflateFactory()]
    async with serve(handler, "127.0.0.1", 0, extensions=extensions, compression=None, ping_timeout=None) as server:
        process = await asyncio.create_subprocess_exec(
            f"{folder}/wscat", f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            "--window-bits", "11", "--deflate-takeover",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, limit=4 * MIB,
        )  # fmt: skip
        sent = ["x" * size for size in (0, 1, 64, 1000, 65536, MIB)] + ["grüße 😀" * 50] * 100
        process.stdin.write("".join(line + "\n" for line in sent).encode())
        for line in sent:
            found = (await process.stdout.readline()).decode().rstrip("\n")
            expect(found == line, f"another line than of {len(line)}")
        process.stdin.close()
        agreed = (await process.stderr.read()).decode().strip()
        expect(await process.wait() == 0 and seen == sent, agreed)
        expect("server_max_window_bits=11" in agreed and "client_max_window_bits=11" in agreed, agreed)
    return agreed


def chromium(folder, out):
    import browser

    with contextlib.ExitStack() as stack:
        server = browser.Server(f"{folder}/server", out)
        stack.callback(server.stop)
        driver = stack.enter_context(browser.browser())
        driver.get(server.url)
        found = driver.execute_async_script(
            """const [done] = arguments;
            const socket = new WebSocket(location.origin.replace('http', 'ws') + '/echo'), got = [];
            const text = 'compress me 长文本 '.repeat(60000).slice(0, 900000), noise = new Uint8Array(65536);
            crypto.getRandomValues(noise);
            const bytes = new Uint8Array(1 << 20).map((_, at) => noise[at % 65521]);
            socket.binaryType = 'arraybuffer';
            socket.onopen = () => [text, bytes, '', 'short'].forEach(it => socket.send(it));
            socket.onmessage = ({data}) => { if (got.push(data) === 4) socket.close(3000, 'enough'); };
            socket.onclose = ({code, wasClean}) => done({
                extensions: socket.extensions, code, wasClean,
                sizes: [new TextEncoder().encode(text).length, bytes.length],
                same: got[0] === text && got[2] === '' && got[3] === 'short'
                    && new Uint8Array(got[1]).every((byte, at) => byte === bytes[at])});"""
        )
    agreed = (
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
        "server_max_window_bits=12"
    )
    expect(found["extensions"] == agreed, found)
    expect(found["same"] and found["wasClean"] and found["code"] == 3000, found)
    expect(min(found["sizes"]) >= MIB, found)
    return f"{found['extensions']}; {found['sizes']} bytes"


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>echo</title>")

    def log_message(self, *_):
        pass


def chromium_to_echo(folder):
    """Every combination that a server can choose, for messages in one piece and in fragments."""
    import browser

    with contextlib.ExitStack() as stack:
        # A page without a policy on where it may connect.
        page = stack.enter_context(http.server.HTTPServer(("127.0.0.1", 0), Page))
        threading.Thread(target=page.serve_forever, daemon=True).start()
        stack.callback(page.shutdown)
        driver = stack.enter_context(browser.browser())
        driver.get(f"http://127.0.0.1:{page.server_port}")
        total = 0
        for takeover, bits in COMBINATIONS:
            for flags in ((), ("--stream",)):
                with echo_process(folder, takeover, bits, *flags) as (_, url):
                    found = driver.execute_async_script(CHROMIUM, url, FULL)
                expect(found["code"] == 3000 and found["wasClean"] and found["same"], found)
                wanted = [f"{side}_no_context_takeover" for side in ("server", "client") if not takeover]
                wanted += [f"{side}_max_window_bits={bits}" for side in ("server", "client") if bits < 15]
                told = found["extensions"].split("; ")[1:]
                expect(sorted(told) == sorted(wanted), f"{told} instead of {wanted}")
                total += found["count"]
    return f"{total} messages, {2 * len(COMBINATIONS)} connections"


CHROMIUM = """const [url, full, done] = arguments;
const socket = new WebSocket(url), encoder = new TextEncoder();
const noise = crypto.getRandomValues(new Uint8Array(65536));
const words = 'frame payload größe 長さ '.repeat(50000), sent = [];
for (const size of [0, 1, 64, 1000, 65536].concat(full ? [1 << 20, 12 << 20] : [400000])) {
    sent.push(words.repeat(size / words.length + 1 | 0).slice(0, size));
    sent.push(new Uint8Array(size).map((_, at) => noise[at % 65536] & 3));
    sent.push(new Uint8Array(size).map((_, at) => noise[at % 65536] + (at >> 16)));
}
let at = 0, same = true;
socket.binaryType = 'arraybuffer';
socket.onopen = () => socket.send(sent[0]);
socket.onmessage = ({data}) => {
    const wanted = sent[at++], bytes = new Uint8Array(data);
    same &&= typeof wanted === 'string' ? data === wanted
        : bytes.length === wanted.length && wanted.every((byte, at) => byte === bytes[at]);
    if (at === sent.length) socket.close(3000); else socket.send(sent[at]);
};
socket.onclose = ({code, wasClean}) => done(
    {extensions: socket.extensions, code, wasClean, same, count: at});"""


async def main(folder, node_folder):
    folder, node_folder = os.path.abspath(folder), os.path.abspath(node_folder)
    if not os.path.isdir(f"{node_folder}/node_modules/ws"):
        os.makedirs(node_folder, exist_ok=True)
        npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", node_folder, WS]
        subprocess.run(npm, check=True)
    exact_refuses()
    for takeover, bits in COMBINATIONS:
        how = f"{bits} bits, {'takeover' if takeover else 'no takeover'}"
        case = folder, takeover, bits
        await check(f"websockets to echo, {how}", python_to_echo(*case, converse))
        await check(f"our client to websockets, {how}", client_to_python(*case, converse))
        talk = converse_in_fragments, "--stream"
        await check(f"fragments of echo, {how}", python_to_echo(*case, *talk))
        talk = converse_in_fragments, "--fragment", "20000"
        await check(f"fragments of our client, {how}", client_to_python(*case, *talk))
        with exact():
            await check(f"the window of echo, {how}", python_to_echo(*case, reach))
            await check(f"the window of our client, {how}", client_to_python(*case, reach))
    await check("ws to echo", node_to_echo(folder, node_folder))
    await check("our client to ws", client_to_node(folder, node_folder))
    await check("fragments of echo to ws", node_to_echo(folder, node_folder, "--stream"))
    flags = "--fragment", "20000"
    await check("fragments of our client to ws", client_to_node(folder, node_folder, *flags))
    await check("no compression where either side wants none", declined(folder))
    await check("wscat to websockets", lines(folder))
    await check("no leak without takeover", no_leak(folder, False, 12))
    await check("no leak with takeover", no_leak(folder, True, 15))
    await check("Chromium to server", asyncio.to_thread(chromium, folder, node_folder))
    await check("Chromium to echo", asyncio.to_thread(chromium_to_echo, folder))
    print(f"{failures} failed")
    return int(failures > 0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folders = [argument for argument in sys.argv[1:] if argument != "--full"]
    if len(folders) != 2:
        sys.exit(__doc__)
    sys.exit(asyncio.run(main(*folders)))
