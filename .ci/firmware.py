"""The firmware on an emulated board, its serial line joined to a TCP port.

usage: python .ci/firmware.py FIRMWARE_ELF WSCAT_BINARY

Wants `websockets` from PyPI and Debian's `qemu-system-arm`. One line for each check; the exit status
tells whether all held.
"""

import asyncio
import contextlib
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

ELF, WSCAT = sys.argv[1:3] if len(sys.argv) == 3 else sys.exit(__doc__)
RAM, RAM_SIZE = 0x2000_0000, 8192
UNTOUCHED = b"\xa5" * 4  # what the start-up code fills the stack with
REQUEST = (b"GET / HTTP/1.1\r\nHost: board\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
failures = []


def check(name, passed, detail=""):
    print(f"{'ok  ' if passed else 'FAIL'}  {name}{f'  ({detail})' if detail else ''}", flush=True)
    if not passed:
        failures.append(name)


@contextlib.contextmanager
def board(folder):
    """The running board: the port of its line, and its monitor."""
    path = os.path.join(folder, "monitor")
    process = subprocess.Popen([
        "qemu-system-arm", "-M", "mps2-an386", "-display", "none", "-kernel", ELF,
        "-serial", "tcp:127.0.0.1:0,server=on,wait=off",
        "-monitor", f"unix:{path},server=on,wait=off",
    ])
    try:
        deadline = time.monotonic() + 20
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(20)
            while monitor.connect_ex(path):
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit("the board does not start")
                time.sleep(0.05)
            # It is there before the line is, and answers only once the whole board runs.
            monitor.sendall(b"info chardev\n")
            said = b""
            while not (line := re.search(rb"serial0: .*tcp:127\.0\.0\.1:(\d+),", said)):
                said += monitor.recv(4096) or sys.exit("the monitor has ended")
            yield int(line[1]), monitor
    finally:
        process.kill()
        process.wait()


async def session(port):
    # A serial line has no end that could be waited for: each client waits this long, and hangs up.
    async with connect(f"ws://127.0.0.1:{port}/", compression=None, ping_timeout=None, close_timeout=3) as client:
        texts = ["", "Grüße", "x" * 1024, "€" * 341]
        for text in texts:
            await client.send(text)
            check(f"a text of {len(text.encode())} bytes comes back", await client.recv() == text)
        parts = [bytes([i]) * 1000 for i in range(100)]
        await client.send(parts)
        check("100,000 bytes in 100 frames", await client.recv() == b"".join(parts))
        pong = await client.ping(b"there?")
        check("a Ping is answered", await asyncio.wait_for(pong, 30) >= 0)
        await client.close(4001)
    check("the Close comes back", client.close_code == 4001)

    async with connect(f"ws://127.0.0.1:{port}/", compression=None, ping_timeout=None, close_timeout=3) as client:
        await client.send("x" * 1025)
        try:
            await client.recv()
            check("a frame over the buffer is refused", False)
        except ConnectionClosedError as error:
            check("a frame over the buffer is refused", error.rcvd.code == 1009, error)


def raw(port):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        line.sendall(b"\xff\0noise" + REQUEST + b"\x81\x02hi")
        answer = b""
        while len(answer) < 129 + 4:
            answer += line.recv(4096) or sys.exit("the line has ended")
        close = answer.split(b"\r\n\r\n")[1]
    check("an unmasked frame is answered by 1002", close == b"\x88\x02" + struct.pack("!H", 1002))


def wscat(port):
    """Our own client, which hangs up on a server that does not after its Close."""
    client = subprocess.Popen([WSCAT, f"ws://127.0.0.1:{port}/"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    try:
        client.stdin.write("from one end\nof us to the other\n")
        client.stdin.flush()
        lines = [client.stdout.readline(), client.stdout.readline()]
        check("wscat hears its lines", lines == ["from one end\n", "of us to the other\n"], lines)
    finally:
        client.kill()
        client.wait()


def stack(monitor, folder, start):
    """How deep the stack ever was: below is what the start-up code left there."""
    dump = os.path.join(folder, "ram")
    monitor.sendall(f"pmemsave {RAM:#x} {RAM_SIZE} \"{dump}\"\n".encode())
    deadline = time.monotonic() + 20
    while not (os.path.exists(dump) and os.path.getsize(dump) == RAM_SIZE):
        if time.monotonic() > deadline:
            sys.exit("the monitor gives no memory")
        time.sleep(0.05)
    with open(dump, "rb") as file:
        memory = file.read()
    while memory[start:start + 4] == UNTOUCHED:
        start += 4
    return RAM_SIZE - start


def sizes():
    """What the linker placed: bytes of flash, and of memory that is static."""
    output = subprocess.run(["size", ELF], check=True, capture_output=True, text=True).stdout
    text, data, bss = map(int, output.splitlines()[1].split()[:3])
    return text + data, data + bss


flash, static = sizes()
with tempfile.TemporaryDirectory() as folder, board(folder) as (port, monitor):
    asyncio.run(asyncio.wait_for(session(port), 240))
    raw(port)
    wscat(port)
    depth = stack(monitor, folder, static)
print(f"flash {flash} bytes, RAM {static} bytes static and {depth} of stack at most, no heap")
check("it fits 10 KiB of flash and 4 KiB of RAM", flash <= 10240 and static + depth <= 4096)
print(f"{len(failures)} failed" if failures else "all passed")
sys.exit(1 if failures else 0)
