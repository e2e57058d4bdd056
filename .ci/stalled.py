"""Checks that one bad peer of the `server` example harms nobody else.

    python .ci/stalled.py PATH_TO_SERVER_BINARY

Needs nothing but Python. Prints one line for each check, and exits with 1 if anything failed.
"""

import base64
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time

failures = []


def check(name, passed, detail=""):
    print(f"{'ok  ' if passed else 'FAIL'}  {name}{f'  ({detail})' if detail else ''}", flush=True)
    if not passed:
        failures.append(name)


class Peer:
    """A WebSocket client of a few lines: whole frames, masked with zeros."""

    def __init__(self, address, path="/chat", origin="", extra=b"", receive_buffer=None):
        self.socket, self.sending = socket.socket(), threading.Lock()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(20)
        self.socket.connect(address)
        self.file = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"{origin and f'Origin: {origin}' + chr(13) + chr(10)}\r\n".encode() + extra
        )
        self.status = int(self.file.readline().split()[1])
        while self.file.readline().strip():
            pass

    @staticmethod
    def frame(opcode, payload=b""):
        size = len(payload)
        length = (bytes([0x80 | size]) if size < 126 else
                  b"\xfe" + struct.pack(">H", size) if size < 65536 else b"\xff" + struct.pack(">Q", size))
        return bytes([0x80 | opcode]) + length + bytes(4) + payload

    def send(self, opcode, payload=b""):
        """A frame in one piece: a `Reader` answers pings in the midst of what another thread sends."""
        with self.sending:
            self.socket.sendall(self.frame(opcode, payload))

    def next(self):
        """The next frame as (opcode, payload)."""
        opcode, size = self.file.read(2)
        if size > 125:
            size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
        return opcode & 15, self.file.read(size)

    def receive(self):
        """The same; pings are answered on the way."""
        while (frame := self.next())[0] == 9:
            self.send(10, frame[1])
        return frame

    def told(self, kind):
        """Pings come as long as the server lives, so waiting has an end of its own."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            opcode, payload = self.receive()
            if opcode == 1 and (message := json.loads(payload))["type"] == kind:
                return message
        raise TimeoutError(f"nobody told it of {kind!r}")


def member(address, **options):
    """A peer that is in the room: it is answered first, and let in then."""
    peer = Peer(address, **options)
    peer.told("welcome")
    return peer


class Reader(threading.Thread):
    """Reads all that a peer is sent, and notes when it came."""

    def __init__(self, peer):
        super().__init__(daemon=True)
        self.peer, self.said, self.left, self.binary = peer, [], [], 0
        self.start()

    def run(self):
        try:
            while True:
                opcode, payload = self.peer.receive()
                if opcode == 2:
                    self.binary += len(payload)
                elif opcode == 1:
                    message = json.loads(payload)
                    if message["type"] == "said":
                        self.said.append((time.monotonic(), message["text"]))
                    elif message["type"] == "left":
                        self.left.append(message)
        except (OSError, ValueError):
            pass


def memory(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def until(condition, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not condition():
        time.sleep(0.02)
    return condition()


def check_handshake(address, pid):
    late = Peer(address, path="/echo", extra=Peer.frame(1, b"early") + Peer.frame(8, b"\x0f\xa1bye"))
    check("frames that come with the head are answered", [late.receive(), late.receive()] ==
          [(1, b"early"), (8, b"\x0f\xa1bye")])
    check("and the server ends the transport", late.file.read(1) == b"")
    half, size = Peer(address, path="/echo"), 100_000
    for _ in range(20):
        half.send(2, bytes(size))
    half.socket.shutdown(socket.SHUT_WR)
    echoed = len(half.file.read())
    check("a peer that ends its side is sent the rest", echoed >= 20 * size, f"{echoed // size} of 20 echoes")
    for path, origin, status in [("/nowhere", "", 404), ("/chat", "http://elsewhere.example", 403),
                                 ("/chat", f"http://{address[0]}:{address[1]}", 101)]:
        peer = Peer(address, path, origin)
        check(f"{path} asked by {origin or 'no page'} is answered {status}", peer.status == status)
        peer.socket.close()

    drip = socket.create_connection(address)
    started = time.monotonic()
    try:
        for byte in b"GET /chat HTTP/1.1\r\nHost: slow.example\r\nX-Padding: " + b"x" * 100:
            drip.send(bytes([byte]))
            time.sleep(0.1)
    except OSError:
        pass
    check("a head that drips is cut off", 4 < time.monotonic() - started < 13,
          f"after {time.monotonic() - started:.1f} s")

    fair, silent = member(address), member(address)
    silent.send(1, b"then nothing")
    fair.told("said")
    wrong = Peer(address)
    wrong.socket.sendall(b"\x81\x02hi")  # not masked
    opcode, payload = wrong.receive()
    while opcode == 1:
        opcode, payload = wrong.receive()
    check("a peer that breaks a rule is told so", (opcode, payload[:2]) == (8, b"\x03\xea"))
    check("and the others are told why it left", "mask" in fair.told("left")["reason"])
    started = time.monotonic()
    left = fair.told("left")  # `fair` answers Pings while it waits, `silent` does not
    check("a peer that answers no Ping is given up", left["code"] == 1006 and "Ping" in left["reason"],
          f"after {time.monotonic() - started:.1f} s: {left['reason']}")
    fair.send(8, b"\x03\xe8")
    until(lambda: threads(pid) == 1, 10)


def check_heartbeats(address, pid):
    """Pongs that nobody asked for, right behind those that answer, do not hide them."""
    peer, pings = member(address), []
    try:
        while len(pings) < 4:
            opcode, payload = peer.next()
            if opcode == 9:
                pings.append(payload)
                peer.socket.sendall(Peer.frame(10, payload) + Peer.frame(10, b"liveness"))
        peer.socket.shutdown(socket.SHUT_RDWR)
    except (OSError, ValueError):
        pass  # it was given up
    check("a peer that sends Pongs unasked is pinged on", len(set(pings)) == 4, f"{len(pings)} Pings")
    until(lambda: threads(pid) == 1, 10)


def check_stalled(address, pid):
    """One member stops reading while two others talk, in small messages and in large ones."""
    speaker, listener = member(address), Reader(member(address))
    Reader(speaker)
    rest = memory(pid)
    for round_ in range(3):
        stalled = member(address, receive_buffer=4096)  # never read again
        before, slowest, peak, sent = len(listener.left), 0.0, 0.0, 0
        while len(listener.left) == before and sent < 200:
            text = f"round {round_}, message {sent}".encode()
            started = time.monotonic()
            speaker.send(2, bytes(1 << 20))
            speaker.send(1, text)
            sent += 1
            arrived = until(lambda: listener.said and listener.said[-1][1].encode() == text, 60)
            slowest = max(slowest, time.monotonic() - started if arrived else 99)
            peak = max(peak, memory(pid))
        left = listener.left[-1] if len(listener.left) > before else {}
        reason = left.get("reason", "")
        # On a slow machine it may have taken nothing for 10 s before 16 MiB wait for it: what its
        # socket takes, and the message on its way to it, are few MiB more.
        dropped = "slow" in reason or "temporarily unavailable" in reason and sent <= 16 + 8
        check(f"round {round_}: a member that does not read is dropped",
              left.get("code") == 1006 and dropped, f"after {sent} MiB: {reason}")
        check(f"round {round_}: nobody waits for it", slowest < 5, f"at most {slowest * 1000:.0f} ms")
        check(f"round {round_}: what waits for it is bounded", peak - rest < 64,
              f"{rest:.0f} MiB at rest, {peak:.0f} MiB at most")
        stalled.socket.close()
    check("nothing was lost", until(lambda: listener.binary >= 3 << 20, 30), f"{listener.binary >> 20} MiB relayed")

    # A flood of small messages: the one who floods is slowed down, the others stay.
    before = len(listener.said)
    started = time.monotonic()
    with speaker.sending:
        speaker.socket.sendall(Peer.frame(1, b"flood") * 400)
    check("a member who floods is slowed down, and nobody is dropped",
          until(lambda: len(listener.said) - before == 400, 60) and time.monotonic() - started > 2,
          f"400 messages in {time.monotonic() - started:.1f} s")

    # An echo that is not read is not read from.
    echo = Peer(address, path="/echo", receive_buffer=4096)
    echo.socket.settimeout(2)
    sent = 0
    try:
        for _ in range(200):
            echo.socket.sendall(Peer.frame(2, bytes(1 << 20)))
            sent += 1
    except OSError:
        pass
    check("an echo that is not read stops reading", sent < 100 and memory(pid) - rest < 80,
          f"{sent} MiB taken, {memory(pid):.0f} MiB of memory")
    for peer in (speaker, listener.peer, echo):
        peer.socket.shutdown(socket.SHUT_RDWR)
    check("every thread ends", until(lambda: threads(pid) == 1, 30), f"{threads(pid)} left")
    check("memory comes back", memory(pid) - rest < 40, f"{memory(pid):.0f} MiB")


class Paced:
    """A file that is read at so many bytes a second."""

    def __init__(self, file, rate):
        self.file, self.rate = file, rate

    def read(self, size):
        parts = []
        while size:
            parts.append(self.file.read(min(size, 65536)))
            if not parts[-1]:
                break
            size -= len(parts[-1])
            time.sleep(len(parts[-1]) / self.rate)
        return b"".join(parts)


def check_slow(address, pid):
    """Its Pong is there in time, while messages are written that take longer than it may."""
    speaker, listener = member(address), Reader(member(address))
    slow, size = member(address, receive_buffer=65536), (4 << 20) - 64
    Reader(speaker)
    while (ping := slow.next())[0] != 9:
        pass
    started = time.monotonic()
    for _ in range(4):
        speaker.send(2, bytes(size))
    time.sleep(0.5)
    slow.send(10, ping[1])
    slow.file = Paced(slow.file, 800_000)
    reader = Reader(slow)
    until(lambda: reader.binary >= 4 * size or listener.left, 60)
    check("a member that reads slowly is not taken for a silent one", reader.binary >= 4 * size and not listener.left,
          f"{reader.binary >> 20} MiB in {time.monotonic() - started:.1f} s, {[left['reason'] for left in listener.left]}")
    for peer in (speaker, listener.peer, slow):
        peer.socket.shutdown(socket.SHUT_RDWR)
    until(lambda: threads(pid) == 1, 30)


def check_unread_log(binary):
    """Whoever read the server's log has gone: `server 2>&1 | head -1`."""
    server = subprocess.Popen([binary, "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        host, port = server.stdout.readline().split("/")[2].split(":")
        server.stdout.close()
        server.stderr.close()
        speaker, listener = member((host, int(port))), member((host, int(port)))
        speaker.send(1, b"anybody?")
        said = listener.told("said")["text"]
        speaker.send(8, b"\x03\xe8")
        check("a log that nobody reads is no end", said == "anybody?" and listener.told("left")["code"] == 1000)
    except (OSError, ValueError) as error:
        check("a log that nobody reads is no end", False, repr(error))
    finally:
        server.kill()
        server.wait()


def main(binary):
    server = subprocess.Popen([binary, "127.0.0.1:0"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
    try:
        host, port = server.stdout.readline().split("/")[2].split(":")
        check_handshake((host, int(port)), server.pid)
        check_heartbeats((host, int(port)), server.pid)
        check_stalled((host, int(port)), server.pid)
        check_slow((host, int(port)), server.pid)
    finally:
        server.kill()
        server.wait()
    check_unread_log(binary)
    print(f"{len(failures)} failed" if failures else "all passed")
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
