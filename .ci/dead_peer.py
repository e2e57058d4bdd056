"""A link that is cut: both sides notice a peer that says nothing more, in time, and say why.

usage: python .ci/dead_peer.py EXAMPLES

EXAMPLES is the folder of the example programs. Two network namespaces, the `server` in one, `wscat`
in the other, and the cable between them pulled. Wants root and `ip`. One line for each check; the
exit status tells whether all held. Where namespaces are not permitted it says that it was not run.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time

EXAMPLES = sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__)
NEAR, FAR = f"ws{os.getpid()}near", f"ws{os.getpid()}far"
SERVER, CLIENT = "192.0.2.1", "192.0.2.2"  # documentation addresses: nobody's
# What the `server` example is set to, and what `wscat` is told here.
SERVER_PING, SERVER_PONG = 2.0, 10.0
CLIENT_PING, CLIENT_PONG = 1.0, 2.0
SLACK = 5.0
failures = []


def check(name, passed, detail=""):
    print(f"{'ok  ' if passed else 'FAIL'}  {name}{f'  ({detail})' if detail else ''}", flush=True)
    if not passed:
        failures.append(name)


def ip(*words, **options):
    return subprocess.run(["ip", *words], check=True, **options)


@contextlib.contextmanager
def network():
    """Two namespaces and a cable between them."""
    try:
        for name in (NEAR, FAR):
            ip("netns", "add", name, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        subprocess.run(["ip", "netns", "del", NEAR], stderr=subprocess.DEVNULL, check=False)
        print(f"NOT RUN: no network namespaces here: {error}")
        sys.exit(0)
    try:
        ip("-n", NEAR, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", FAR)
        for name, address in ((NEAR, SERVER), (FAR, CLIENT)):
            ip("-n", name, "address", "add", f"{address}/30", "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield
    finally:
        for name in (NEAR, FAR):
            ip("netns", "del", name)


@contextlib.contextmanager
def program(namespace, name, *options):
    process = subprocess.Popen(
        ["ip", "netns", "exec", namespace, f"{EXAMPLES}/{name}", *options], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Lines(threading.Thread):
    """What a stream says, and when."""

    def __init__(self, stream):
        super().__init__(daemon=True)
        self.stream, self.lines = stream, []
        self.start()

    def run(self):
        for line in self.stream:
            self.lines.append((time.monotonic(), line.strip()))

    def find(self, word, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = next((it for it in list(self.lines) if word in it[1]), None)
            if found:
                return found
            time.sleep(0.01)
        return None, f"no {word!r} in {[line for _, line in self.lines[-5:]]}"


def within(name, cut, found, least, most):
    at, said = found
    took = at - cut if at else float("inf")
    check(f"{name}, {least:.1f} to {most:.1f} s after the cut", least <= took <= most,
          f"{took:.2f} s: {said}")


def run():
    with program(NEAR, "server", f"{SERVER}:0") as server:
        url = f"ws://{server.stdout.readline().split('/')[2]}/chat"
        log = Lines(server.stderr)
        with program(FAR, "wscat", url, "--ping-interval", str(CLIENT_PING),
                     "--ping-timeout", str(CLIENT_PONG)) as far, \
                program(NEAR, "wscat", url) as near:
            told, complaint, heard = Lines(far.stdout), Lines(far.stderr), Lines(near.stdout)
            everyone = [it.find("welcome", 30)[0] for it in (told, heard)]
            check("both are in the room", all(everyone))
            time.sleep(CLIENT_PING + CLIENT_PONG + SLACK)
            check("a quiet link is no dead one", far.poll() is None and near.poll() is None)

            ip("-n", NEAR, "link", "set", "cable", "down")
            cut = time.monotonic()
            # Somebody goes on talking, so there is always something that waits for the dead peer.
            for number in range(int((SERVER_PING + SERVER_PONG + SLACK) / 0.25)):
                with contextlib.suppress(OSError):
                    near.stdin.write(f"still here {number}\n")
                    near.stdin.flush()
                time.sleep(0.25)
            # What was sent before the cut may just have been answered: then the count starts later.
            within("the client gives up", cut, complaint.find("silent", 1),
                   CLIENT_PONG - CLIENT_PING, CLIENT_PING + CLIENT_PONG + SLACK)
            check("and says so by its exit status", far.poll() == 4, far.poll())
            lost = log.find("left: 1006", SLACK)
            within("the server gives up", cut, lost,
                   SERVER_PONG - SERVER_PING, SERVER_PING + SERVER_PONG + SLACK)
            check("and says why", "Ping was not answered" in lost[1])
            left = heard.find('"left"', SLACK)[1]
            reason = json.loads(left) if left.startswith("{") else {}
            check("the others are told", reason.get("code") == 1006, left)
            check("and talk on", near.poll() is None and sum("said" in it for _, it in heard.lines) > 40)


subprocess.run(["bash", os.path.join(os.path.dirname(__file__), "packages"), "iproute2"], check=True)
with network():
    run()
print(f"{len(failures)} failed" if failures else "all passed")
sys.exit(1 if failures else 0)
