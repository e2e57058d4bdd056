"""A room of 1,000 members, of whom 100 never read: the `server` example.

usage: python .ci/broadcast.py SERVER_BINARY

Needs nothing but Python. The members who read are told everything, in one order; those who do not,
though they show that they are alive, are dropped by a rule that the server states: 16 MiB or 512
messages behind, or nothing taken for 10 s, if that comes first on a slow machine. What the room holds
for them meanwhile is bounded. One line for each check; the exit status tells whether all held.
"""

import contextlib
import os
import resource
import selectors
import socket
import subprocess
import sys
import time

SERVER = sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__)
MEMBERS, SILENT, READERS, SPEAKERS = 1000, 100, 50, 4
# What the server may hold beyond the room at rest: one backlog, since members share the bytes of a
# message (16 MiB), the message that made it too long, and what the allocator needs for it.
BOUND = 32
SIZE = 16384
# How many messages may be told before a member who never reads is dropped: those that wait for it,
# and those that its socket has taken.
with open("/proc/sys/net/ipv4/tcp_wmem") as sizes:
    BEHIND = 512 + int(sizes.read().split()[2]) // SIZE
UNREAD = bytearray(1 << 20)  # the kernel writes nothing into it
REQUEST = (b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
failures = []


def check(name, passed, detail=""):
    print(f"{'ok  ' if passed else 'FAIL'}  {name}{f'  ({detail})' if detail else ''}", flush=True)
    if not passed:
        failures.append(name)


def memory(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


class Member:
    """A member who reads, and throws away what it is told; its kernel does."""

    def __init__(self, address, selector):
        self.socket, self.ended, self.size = connect(address), False, 0
        self.socket.setblocking(False)
        selector.register(self.socket, selectors.EVENT_READ, self)

    def read(self):
        try:
            size = self.socket.recv_into(UNREAD, 0, socket.MSG_TRUNC)
        except BlockingIOError:
            return
        self.ended |= size == 0
        self.size += size

    @staticmethod
    def frame(opcode, payload):
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        return bytes([0x80 | opcode]) + length + bytes(4) + payload

    def send(self, opcode, payload):
        try:
            self.socket.setblocking(True)
            self.socket.sendall(self.frame(opcode, payload))
            self.socket.setblocking(False)
        except OSError:
            self.ended = True


class Reader(Member):
    """A member who notes what it was told, and who left why."""

    def __init__(self, address, selector):
        super().__init__(address, selector)
        self.buffer, self.said, self.left = b"", [], []

    def read(self):
        try:
            data = self.socket.recv(1 << 20)
        except BlockingIOError:
            return
        self.ended |= not data
        self.buffer += data
        start = 0
        while len(self.buffer) - start >= 2:
            size, header = self.buffer[start + 1], 2
            if size == 126:
                size, header = int.from_bytes(self.buffer[start + 2:start + 4], "big"), 4
            elif size == 127:
                size, header = int.from_bytes(self.buffer[start + 2:start + 10], "big"), 10
            if len(self.buffer) - start < header + size:
                break
            payload = self.buffer[start + header:start + header + min(size, 200)]
            start += header + size
            if b'"type":"said"' in payload:
                self.said.append(payload[payload.index(b'"text":"') + 8:][:12])
            elif b'"type":"left"' in payload:
                # Which rule ends it depends on the machine; too far behind it never is.
                self.left.append(b"too slowly" in payload or
                                 b"temporarily unavailable" in payload and len(self.said) <= BEHIND)
        self.buffer = self.buffer[start:]


def connect(address, receive_buffer=None):
    """A socket whose other end has opened a connection; what follows that is unread."""
    peer = socket.socket()
    if receive_buffer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    peer.settimeout(20)
    peer.connect(address)
    peer.sendall(REQUEST)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += peer.recv(1)
    assert b" 101 " in head, head
    return peer


class Room:
    """Everybody who is here, as far as this side goes."""

    def __init__(self):
        self.selector, self.members, self.silent, self.shown = selectors.DefaultSelector(), [], [], 0

    def turn(self, seconds):
        """Everybody reads what there is, for some time, and shows that it is alive."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            for key, _ in self.selector.select(left):
                key.data.read()
                self.show()
            self.show()

    def show(self):
        """A Pong of each, once a second, however long it takes to read what there is."""
        if time.monotonic() - self.shown > 1:
            self.shown = time.monotonic()
            for member in self.members:
                member.send(10, b"")
            for peer in self.silent:
                with contextlib.suppress(OSError):  # dropped already
                    peer.sendall(Member.frame(10, b""))

    def until(self, condition, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not condition():
            self.turn(0.05)
        return condition()


def run(address, pid):
    room, started = Room(), time.monotonic()
    members, silent = room.members, room.silent
    for number in range(MEMBERS - SILENT):
        members.append((Reader if number < READERS else Member)(address, room.selector))
        room.turn(0.001)
    readers, speakers = members[:READERS], members[:SPEAKERS]
    for _ in range(SILENT):
        silent.append(connect(address, receive_buffer=4096))
        room.turn(0.001)
    room.turn(2)
    rest = peak = memory(pid)
    check("1,000 members are in the room", not any(it.ended for it in members),
          f"{rest:.0f} MiB at rest, after {time.monotonic() - started:.1f} s")

    sent, padding, started = 0, b"." * SIZE, time.monotonic()
    before = {member: member.size for member in members}
    while len(readers[0].left) < SILENT and sent < 2000 and not any(it.ended for it in members):
        for speaker in speakers:
            speaker.send(1, b"%012d" % sent + padding)
            sent += 1
        # Nobody who reads is asked to read faster than this machine can.
        room.until(lambda: all(len(it.said) >= sent - 100 for it in readers) and
                   all(it.size - before[it] >= (sent - 100) * SIZE for it in members[READERS:]), 30)
        peak = max(peak, memory(pid))
    told = room.until(lambda: all(len(it.said) == sent and len(it.left) == SILENT
                                   for it in readers), 60)
    check("those who never read are dropped, for that", all(all(it.left) for it in readers) and
          len(readers[0].left) == SILENT, f"after {sent} messages of {SIZE} bytes")
    check("those who read stay, and are told everything", told and not any(it.ended for it in members),
          f"{sent * len(members):,} messages in {time.monotonic() - started:.1f} s")
    check("in one order", all(it.said == readers[0].said for it in readers))
    check(f"what waits is below {BOUND} MiB in all", peak - rest < BOUND,
          f"{peak - rest:.1f} MiB above the room at rest; "
          f"{SILENT} backlogs of their own would be {SILENT * min(512 * SIZE, 16 << 20) >> 20} MiB")
    for peer in [member.socket for member in members] + silent:
        peer.close()


resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
# To drop a member takes no more stack, however many are dropped with it.
server = subprocess.Popen([SERVER, "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, env=os.environ | {"RUST_MIN_STACK": str(64 << 10)})
try:
    host, port = server.stdout.readline().split("/")[2].split(":")
    run((host, int(port)), server.pid)
finally:
    server.kill()
    server.wait()
print(f"{len(failures)} failed" if failures else "all passed")
sys.exit(1 if failures else 0)
