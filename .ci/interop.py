"""The examples against what others wrote, in the roles that these have: a matrix of peer, role and item.

    python .ci/interop.py EXAMPLES_FOLDER NODE_FOLDER PEERS_BINARY

The examples are built with the feature `deflate`; NODE_FOLDER is where npm installs `ws` and
`undici`; PEERS_BINARY is the package in tests/peers. Each peer talks, as a client, to `echo`, and,
as a server, to `autobahn_client` and `wscat`: text, binary, nothing, 16 MiB, fragments, a
subprotocol, compression, a Close with a code and a reason from either side. Chromium is a client.
`-` stands where a peer has no means for an item; the reasons are below the matrix.
"""

import contextlib
import os
import re
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
WS, UNDICI = "ws@8.23.0", "undici@7.30.2"
ITEMS = (
    "text", "binary", "empty", "16 MiB", "fragments", "subprotocol", "compression",
    "close by the peer", "close by us",
)  # fmt: skip
LIMIT = 240
OURS = "4321:grüß Gott"


class Listening:
    """A program that says where it listens; what else it says is kept."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
        self.address = re.search(r"127\.0\.0\.1:\d+", self.process.stdout.readline()).group()
        self.url, self.said = f"ws://{self.address}", []
        self.reading = threading.Thread(target=lambda: self.said.extend(self.process.stdout))
        self.reading.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.reading.join()


def locked(name):
    """The version of a crate."""
    with open(f"{HERE}/../tests/peers/Cargo.lock", encoding="utf-8") as file:
        return re.search(rf'name = "{name}"\nversion = "(.*)"', file.read()).group(1)


def found_in(lines):
    return dict(line.rstrip("\n").split("\t") for line in lines if "\t" in line)


def run(command, **options):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, **options)
        return done.stdout.splitlines(), done
    except subprocess.TimeoutExpired as error:
        return (error.stdout or b"").decode().splitlines(), None


def as_client(command, echo, closing, flags):
    """It talks to `echo`."""
    lines, _ = run([*command, "converse", echo.url, closing.url, *flags])
    return found_in(lines)


def as_server(folder, command, flags):
    """It talks to `autobahn_client`; `wscat` offers subprotocols, and closes."""
    with Listening(*command, "host", *flags) as peer:
        _, client = run([f"{folder}/autobahn_client", peer.url])
        arguments = ["--protocol", "a", "--protocol", "b", "--close", OURS]
        pipe = subprocess.PIPE
        with subprocess.Popen([f"{folder}/wscat", f"{peer.url}/wscat", *arguments],
                              stdin=pipe, stdout=pipe, stderr=pipe, text=True) as cat:  # fmt: skip
            giving_up = threading.Timer(LIMIT, cat.kill)
            giving_up.start()
            cat.stdin.write("last\n")
            cat.stdin.flush()
            echoed = cat.stdout.readline()
            _, errors = cat.communicate()
            giving_up.cancel()
        deadline = time.monotonic() + 60
        while "close by us" not in found_in(peer.said) and time.monotonic() < deadline:
            time.sleep(0.01)
    found = found_in(peer.said)
    chosen = echoed == "last\n" and "wscat: subprotocol b\n" in errors
    found["subprotocol"] = "ok" if chosen else f"{echoed} {errors}"
    if client is None or client.returncode != 0:
        found["text"] = f"autobahn_client: {client and (client.returncode, client.stderr)}"
    return found


def chromium(echo, closing, binary):
    """A page of its own, from a server that has one."""
    import browser

    script = """
        const [url, closing, done] = arguments, found = {};
        const socket = new WebSocket(url, ['b', 'a']), got = [], next = [];
        socket.binaryType = 'arraybuffer';
        socket.onmessage = ({data}) => next.length ? next.shift()(data) : got.push(data);
        const receive = () => got.length ? got.shift() : new Promise(it => next.push(it));
        const bytes = size => new Uint8Array(size).map((_, at) => at % 251);
        const same = (a, b) => typeof a === typeof b && (typeof a === 'string' ? a === b
            : a.byteLength === b.byteLength && new Uint8Array(a).every((byte, at) => byte === b[at]));
        const item = async (name, ...messages) => {
            found[name] = 'ok';
            for (const message of messages) {
                socket.send(message);
                if (!same(await receive(), message)) found[name] = 'another message';
            }
        };
        const ended = socket => new Promise(it => socket.onclose = ({code, reason}) => it(`${code}:${reason}`));
        socket.onopen = async () => {
            found.subprotocol = socket.protocol === 'b' ? 'ok' : socket.protocol;
            await item('text', 'grüße 😀'.repeat(20));
            await item('binary', bytes(70000));
            await item('empty', '', bytes(0));
            await item('16 MiB', bytes(16 << 20));
            found.fragments = '- sends whole messages only';
            await item('compression', 'compress me '.repeat(10000));
            if (!socket.extensions.startsWith('permessage-deflate')) found.compression = 'none agreed';
            socket.close(3456, 'das genügt');
            const close = await ended(socket);
            found['close by the peer'] = close === '3456:das genügt' ? 'ok' : close;
            const other = new WebSocket(closing);
            other.onopen = () => other.send('last');
            const last = await ended(other);
            found['close by us'] = last === '4321:grüß Gott' ? 'ok' : last;
            done(found);
        };
    """
    with contextlib.ExitStack() as stack:
        page = stack.enter_context(Listening(binary, "127.0.0.1:0"))
        driver = stack.enter_context(browser.browser())
        driver.set_script_timeout(LIMIT)
        driver.get(f"http://{page.address}/nothing")
        return driver.capabilities["browserVersion"], driver.execute_async_script(script, echo.url, closing.url)


def main(folder, node_folder, peers):
    folder = os.path.abspath(folder)
    installed = [os.path.isdir(f"{node_folder}/node_modules/{name}") for name in ("ws", "undici")]
    if not all(installed):
        os.makedirs(node_folder, exist_ok=True)
        npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", node_folder, WS, UNDICI]
        subprocess.run(npm, check=True)
    python = [sys.executable, f"{HERE}/peers.py"]
    node = ["node", f"{HERE}/peers.mjs", node_folder]
    rows, wrong, reasons = [], [], []

    def note(name, version, role, found):
        cells = []
        for item in ITEMS:
            result = found.get(item, "nothing said")
            if result.startswith("- "):
                reasons.append(f"{name} {result[2:]}")
            elif result != "ok":
                wrong.append(f"{name} as {role}: {item}: {result}")
            cells.append(result.split(" ")[0] if result == "ok" or result.startswith("- ") else "FAIL")
        rows.append((f"{name} {version}", role, *cells))

    with Listening(f"{folder}/echo", "127.0.0.1:0") as echo, \
            Listening(f"{folder}/echo", "127.0.0.1:0", "--close", OURS) as closing:  # fmt: skip
        programs = [([*python, name], name, name not in ("websocket-client", "libcurl")) for name in
                    ("websockets", "websocket-client", "aiohttp", "wsproto", "picows", "libcurl")]  # fmt: skip
        programs += [([*node, "ws"], "ws", True), ([*node, "undici"], "undici", False)]
        programs += [([peers, "tungstenite"], "tungstenite", True)]
        for command, name, is_server in programs:
            flags = ["--deflate"] if name == "ws" else []
            lines, _ = run([*command, "version"])
            version = lines[0] if lines else locked(name)
            note(name, version, "client", as_client(command, echo, closing, flags))
            if is_server:
                note(name, version, "server", as_server(folder, command, flags))
        version, found = chromium(echo, closing, f"{folder}/server")
        note("Chromium", version, "client", found)
    widths = [max(map(len, column)) for column in zip(("peer", "role", *ITEMS), *rows)]
    for row in ("peer", "role", *ITEMS), *rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print(*sorted({f"- {reason}" for reason in reasons}), sep="\n")
    print(*(f"FAIL {line}" for line in wrong), f"{len(wrong)} failed", sep="\n")
    return int(bool(wrong))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
