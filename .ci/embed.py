"""Real clients against the examples of embedding: `websockets` and Chromium over TLS, Chromium over
HTTP/2.

    python .ci/embed.py FOLDER_OF_EXAMPLES PAGE

Needs `selenium`, `websockets`, Chromium and its driver; uses no network but loopback. Prints one
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

from selenium import webdriver
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
CHROMEDRIVER = os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver")
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--ignore-certificate-errors",
]
GREETING = "Grüße an alle – 世界 🎈"
MIB = 1 << 20
WAIT = 20

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


def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.accept_insecure_certs = True
    for flag in FLAGS:
        options.add_argument(flag)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))


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
