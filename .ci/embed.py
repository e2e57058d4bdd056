"""Real clients against the examples of embedding: `websockets` and Chromium over TLS, Chromium over
HTTP/2, `aioquic` over HTTP/3.

    python .ci/embed.py FOLDER_OF_EXAMPLES PAGE

Needs `selenium`, `websockets`, `aioquic`, Chromium and its driver; uses no network but loopback. Prints one
line for each check, and exits with 1 if anything failed.
"""

import asyncio
import contextlib
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from aioquic.asyncio import QuicConnectionProtocol, connect as quic
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.quic.configuration import QuicConfiguration
from selenium import webdriver
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Opcode
from websockets.protocol import Protocol, Side

from browser import CHROMIUM, start

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--ignore-certificate-errors",
]
GREETING = "Grüße an alle – 世界 🎈"
MIB = 1 << 20
WAIT = 60

failures = []


def check(name, passed, detail=""):
    print(f"{'ok  ' if passed else 'FAIL'}  {name}{f'  ({detail})' if detail else ''}", flush=True)
    if not passed:
        failures.append(name)


class Server:
    """An example, with what it said: its events on one stream, its requests on the other."""

    def __init__(self, folder, name, certificate):
        self.process = subprocess.Popen(
            [os.path.join(folder, name), certificate],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        self.address = self.process.stdout.readline().split()[-1]
        self.events, self.requests = [], []
        for stream, lines in ((self.process.stdout, self.events), (self.process.stderr, self.requests)):
            threading.Thread(target=self.read, args=(stream, lines), daemon=True).start()

    @staticmethod
    def read(stream, lines):
        for line in stream:
            lines.append(line.strip())

    def ended(self):
        """The events, once there is an end to them."""
        deadline = time.monotonic() + WAIT
        while not any(line.startswith("ended") for line in self.events):
            if time.monotonic() > deadline:
                return [*self.events, "no end"]
            time.sleep(0.01)
        return list(self.events)

    def stop(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def server(folder, name):
    with tempfile.TemporaryDirectory() as scratch:
        certificate = os.path.join(scratch, "certificate.pem")
        running = Server(folder, name, certificate)
        try:
            yield running, certificate
        finally:
            running.stop()


async def over_websockets(address, certificate):
    context = ssl.create_default_context(cafile=certificate)
    noise = os.urandom(MIB)
    url = f"wss://{address}/conversation?n=1"
    async with connect(url, ssl=context, subprotocols=["conversation"], max_size=2 * MIB) as socket:
        agreed = (socket.subprotocol, [extension.name for extension in socket.protocol.extensions])
        await socket.send(GREETING)
        text = await socket.recv()
        await (await socket.ping())
        await socket.send([noise[at:at + 40_000] for at in range(0, MIB, 40_000)])
        binary = await socket.recv()
        await socket.close(4001, "auf Wiedersehen")
        with contextlib.suppress(ConnectionClosed):
            await socket.recv()
        closed = (socket.close_code, socket.close_reason)
    return agreed, text == GREETING, binary == noise, closed


class OverQuic(QuicConnectionProtocol):
    """HTTP/3 as aioquic speaks it; what comes is queued."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.http = H3Connection(self._quic)
        self.came = asyncio.Queue()

    def quic_event_received(self, event):
        for came in self.http.handle_event(event):
            self.came.put_nowait(came)

    def send(self, stream, socket):
        for data in socket.data_to_send():
            # Nothing to send is told as an end of the stream.
            self.http.send_data(stream, data, end_stream=not data)
        self.transmit()


async def over_http_3(address):
    """The conversation, with frames of `websockets` on a stream of aioquic."""
    host, port = address.split(":")
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE)
    async with quic(host, int(port), configuration=configuration, create_protocol=OverQuic) as peer:
        stream = peer._quic.get_next_available_stream_id()
        fields = {
            ":method": "CONNECT", ":protocol": "websocket", ":scheme": "https",
            ":authority": address, ":path": "/conversation?n=1",
            "sec-websocket-version": "13", "sec-websocket-protocol": "conversation",
        }
        peer.http.send_headers(stream, [(k.encode(), v.encode()) for k, v in fields.items()])
        peer.transmit()
        head = dict((await peer.came.get()).headers)
        agreed = (head[b":status"], head[b"sec-websocket-protocol"])
        allowed = peer.http.received_settings[0x8]
        socket, seen = Protocol(Side.CLIENT, max_size=2 * MIB), []
        noise = os.urandom(MIB)
        socket.send_text(GREETING.encode())
        peer.send(stream, socket)
        while len(seen) < 3:
            came = await peer.came.get()
            socket.receive_data(came.data)
            for frame in socket.events_received():
                seen.append((frame.opcode, bytes(frame.data)))
                if len(seen) == 1:
                    socket.send_binary(noise)
                elif len(seen) == 2:
                    socket.send_close(4001, "auf Wiedersehen")
            peer.send(stream, socket)
        texts = [data for opcode, data in seen if opcode is Opcode.TEXT]
        binaries = [data for opcode, data in seen if opcode is Opcode.BINARY]
        while not came.stream_ended:
            came = await peer.came.get()
        socket.receive_eof()
        peer.http.send_data(stream, b"", end_stream=True)
        peer.transmit()
    same = (texts == [GREETING.encode()], binaries == [noise])
    return agreed, allowed, same, (socket.close_code, socket.close_reason)


def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.accept_insecure_certs = True
    for flag in FLAGS:
        options.add_argument(flag)
    return start(options)


def read_page(driver, url):
    """What the page saw."""
    driver.get(url)
    deadline = time.monotonic() + WAIT
    while driver.title != "Done" and time.monotonic() < deadline:
        time.sleep(0.02)
    return driver.execute_script("return document.getElementById('log').textContent").splitlines()


PAGE_SEES = [
    "open conversation permessage-deflate",
    f"text {GREETING}",
    f"binary {MIB} true",
    "close 4001 auf Wiedersehen true",
]


def check_page(name, saw):
    check(f"{name}: what the page saw", saw == PAGE_SEES, "; ".join(saw))


def check_events(name, events):
    kinds = [line.split(",")[0].split(" ")[0] for line in events]
    wanted = ["agreed", "text", "binary", "close", "ended"]
    kinds = [kind for kind in kinds if kind != "ping"]
    check(f"{name}: what the server saw", kinds == wanted, " ".join(kinds))
    check(f"{name}: a clean end", events[-1] == 'ended, clean, 4001 "auf Wiedersehen"', events[-1])


def main():
    folder, page = sys.argv[1:]
    for name in ("tls_server", "tls_threads"):
        with server(folder, name) as (running, certificate):
            saw = asyncio.run(over_websockets(running.address, certificate))
            wanted = (("conversation", ["permessage-deflate"]), True, True, (4001, "auf Wiedersehen"))
            check(f"websockets, {name}: the whole conversation", saw == wanted, str(saw))
            check_events(f"websockets, {name}", running.ended())

    with server(folder, "h3_server") as (running, _):
        saw = asyncio.run(asyncio.wait_for(over_http_3(running.address), WAIT))
        wanted = ((b"200", b"conversation"), 1, (True, True), (4001, "auf Wiedersehen"))
        check("aioquic, HTTP/3: the whole conversation", saw == wanted, str(saw))
        check_events("aioquic, HTTP/3", running.ended())

    driver = browser()
    try:
        with server(folder, "tls_server") as (running, _):
            # The page comes from a file: its certificate has been seen by nobody.
            url = f"{pathlib.Path(page).resolve().as_uri()}?at={running.address}"
            check_page("Chromium, TLS", read_page(driver, url))
            check_events("Chromium, TLS", running.ended())
        with server(folder, "h2_server") as (running, _):
            check_page("Chromium, HTTP/2", read_page(driver, f"https://{running.address}/"))
            check_events("Chromium, HTTP/2", running.ended())
            # A first connection may end at the certificate; an icon may be asked for.
            asked = [line for line in running.requests if line.endswith("HTTP/2.0")]
            asked = [line for line in asked if "favicon" not in line]
            wanted = ["GET / HTTP/2.0", "CONNECT /conversation HTTP/2.0"]
            check("Chromium, HTTP/2: by extended CONNECT", asked == wanted, "; ".join(asked))
    finally:
        driver.quit()
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
