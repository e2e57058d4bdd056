"""Sessions recorded from the wire, read by somebody else: tshark's dissector against what was said.

usage: python .ci/capture.py EXAMPLES FOLDER

EXAMPLES is the folder of the example programs, FOLDER is where the records go (`*.pcap`, to be
opened in Wireshark). Wants `websockets` from PyPI, and root to capture; installs Debian's `tcpdump`
and `tshark`. Ours talk to ours and to `websockets`, each side plain; every frame that tshark finds
must be one that was sent, with its opcode, length, mask and close code. The exit status tells
whether all held.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import time

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

EXAMPLES, FOLDER = sys.argv[1:3] if len(sys.argv) == 3 else sys.exit(__doc__)
FIELDS = ["tcp.srcport", "websocket.fin", "websocket.rsv", "websocket.opcode", "websocket.mask",
          "websocket.payload_length", "websocket.payload_length_ext_16",
          "websocket.payload_length_ext_64", "websocket.payload.close.status_code",
          "websocket.masking_key"]
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
LINES = ["", "Grüße", "x" * 125, "x" * 126, "x" * 65535, "x" * 65536]
failures = []


def check(name, passed, detail=""):
    print(f"{'ok  ' if passed else 'FAIL'}  {name}{f'  ({detail})' if detail else ''}", flush=True)
    if not passed:
        failures.append(name)


@contextlib.contextmanager
def recording(path, port):
    """Captures what passes this port, from before the block to after it."""
    process = subprocess.Popen(
        ["tcpdump", "-i", "lo", "-s", "0", "-B", "65536", "-U", "--immediate-mode", "-Z", "root",
         "-w", path, "tcp", "port", str(port)], stderr=subprocess.PIPE, text=True)
    try:
        # It says so when it does.
        if not any("listening on" in line for line in process.stderr):
            sys.exit("tcpdump does not capture")
        yield
        size = -1  # what it has not written yet would be lost
        while size != (now := os.path.getsize(path)):
            size = now
            time.sleep(1)
    finally:
        process.terminate()
        process.communicate()


def dissect(path, port):
    """Every frame in the record: (from the server?, fin, opcode, masked?, length, close code)."""
    command = ["tshark", "-r", path, "-d", f"tcp.port=={port},http", "-Y", "websocket", "-T", "fields",
               "-E", "separator=;", "-E", "aggregator=,"]
    for field in FIELDS:
        command += ["-e", field]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    frames, keys = [], []
    for line in output.splitlines():
        # One packet may hold several frames; a longer length stands in a column of its own.
        source, *columns = line.split(";")
        fins, rsvs, opcodes, masks, lengths, long16, long64, codes, fresh = (
            it.split(",") if it else [] for it in columns)
        keys += fresh
        longer = {126: iter(long16), 127: iter(long64)}
        codes = iter(codes)
        for fin, rsv, opcode, mask, length in zip(fins, rsvs, opcodes, masks, lengths, strict=True):
            length, opcode = int(length), int(opcode)
            full = int(next(longer[length])) if length > 125 else length
            code = int(next(codes)) if opcode == CLOSE and full >= 2 else None
            if int(rsv, 0):
                failures.append(f"{path}: reserved bits {rsv}")
            frames.append((source == str(port), truth(fin), opcode, truth(mask), full, code))
    return frames, keys


def truth(text):
    return text.lower() in ("1", "true")


def compare(name, path, port, wanted):
    """Each side's frames in their order; the two sides' order to each other is the network's."""
    found, keys = dissect(path, port)
    check(f"{name}: no masking key twice", len(set(keys)) == len(keys) == sum(it[3] for it in found))
    for server in (False, True):
        ours = [it for it in found if it[0] == server]
        theirs = [it for it in wanted if it[0] == server]
        side = "server" if server else "client"
        different = next((pair for pair in zip(ours, theirs) if pair[0] != pair[1]), "")
        check(f"{name}: {len(ours)} frames of the {side} as they were sent",
              ours == theirs and len(ours) > 5, different or f"{len(ours)} and {len(theirs)}")


def frame(server, opcode, size, fin=True, code=None):
    return server, fin, opcode, not server, size, code


def echoed(lines):
    sizes = [len(line.encode()) for line in lines]
    return [frame(server, TEXT, size) for size in sizes for server in (False, True)]


async def from_wscat(url):
    """`wscat` sends the lines, one after the other, and closes; what it prints is compared."""
    client = await asyncio.create_subprocess_exec(
        f"{EXAMPLES}/wscat", url, stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=1 << 20)
    for line in LINES:
        client.stdin.write(line.encode() + b"\n")
        await client.stdin.drain()
        if await client.stdout.readline() != line.encode() + b"\n":
            break
    client.stdin.close()
    check("wscat hears what it said and ends", await client.wait() == 0)


async def from_websockets(url):
    """Fragments, a Ping amid them, and a Close with a code of the application's."""
    async with connect(url, compression=None, max_size=None, ping_interval=None) as client:
        for line in LINES:
            await client.send(line)
            await client.recv()
        await client.send([b"a" * 10, b"b" * 1000, b"c" * 100_000])
        await client.recv()
        await (await client.ping(b"there?"))
        await client.close(4001, "that was all")
    fragments = [frame(False, opcode, size, fin) for opcode, size, fin in [
        (BINARY, 10, False), (CONTINUATION, 1000, False), (CONTINUATION, 100_000, False),
        (CONTINUATION, 0, True)]]
    return (echoed(LINES) + fragments + [frame(True, BINARY, 101_010)]
            + [frame(False, PING, 6), frame(True, PONG, 6)]
            + [frame(server, CLOSE, 14, code=4001) for server in (False, True)])


async def misbehave(port):
    """A client that breaks a rule, by hand: our answer is on record, too."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    for opcode, payload in [(TEXT, b"good"), (PING, b"p"), (TEXT, b"\xff\xff"), (TEXT, b"unseen")]:
        writer.write(bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload)
        await writer.drain()
        await asyncio.sleep(0.05)
    await reader.read()
    writer.close()


async def main():
    normal = [frame(server, CLOSE, 2, code=1000) for server in (False, True)]
    echo = subprocess.Popen([f"{EXAMPLES}/echo", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        address = echo.stdout.readline().split()[-1]
        url, port = f"ws://{address}/", int(address.split(":")[1])
        path = f"{FOLDER}/wscat-echo.pcap"
        with recording(path, port):
            await from_wscat(url)
        compare("wscat and echo", path, port, echoed(LINES) + normal)

        path = f"{FOLDER}/websockets-echo.pcap"
        with recording(path, port):
            wanted = await from_websockets(url)
        compare("websockets and echo", path, port, wanted)

        path = f"{FOLDER}/mistake-echo.pcap"
        with recording(path, port):
            await misbehave(port)
        answers = [it for it in dissect(path, port)[0] if it[0]]
        check("a mistake is answered by a Close with 1007, after what was good", answers == [
            frame(True, TEXT, 4), frame(True, PONG, 1), frame(True, CLOSE, 2, code=1007)], answers)
    finally:
        echo.kill()
        echo.wait()

    async def answer(connection):
        async for message in connection:
            await connection.send(message)

    async with serve(answer, "127.0.0.1", 0, compression=None, max_size=None,
                     ping_interval=None) as server:
        port = server.sockets[0].getsockname()[1]
        path = f"{FOLDER}/wscat-websockets.pcap"
        with recording(path, port):
            await from_wscat(f"ws://127.0.0.1:{port}/")
        compare("wscat and websockets", path, port, echoed(LINES) + normal)


subprocess.run(["bash", os.path.join(os.path.dirname(__file__), "packages"), "tcpdump", "tshark"], check=True)
os.makedirs(FOLDER, exist_ok=True)
asyncio.run(asyncio.wait_for(main(), 120))
print(f"{len(failures)} failed" if failures else "all passed")
sys.exit(1 if failures else 0)
