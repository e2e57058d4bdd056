"""Through proxies: nginx in front of the servers, tinyproxy between client and server.

usage: python .ci/proxies.py EXAMPLES

EXAMPLES is the folder of the example programs, built with `deflate`. Wants `websockets` from PyPI;
installs Debian's `nginx-light` and `tinyproxy` if they are missing. One line for each check; the exit
status tells whether all held.
"""

import asyncio
import base64
import contextlib
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

EXAMPLES = sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__)
CREDENTIALS = "Basic " + base64.b64encode(b"user:secret").decode()
failures = []

NGINX = """
daemon off; worker_processes 1; error_log stderr crit; pid {folder}/nginx.pid;
events {{ worker_connections 64; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{
        listen 127.0.0.1:{port};
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
        location / {{ proxy_pass http://{echo}; }}
        location /rewritten {{ proxy_pass http://{chat}/chat; }}
        # With the host that the browser asked, the server can tell its own page.
        location /chat {{
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header Host $http_host;
            proxy_pass http://{chat};
        }}
    }}
}}
"""

TINYPROXY = """
Port {port}
Listen 127.0.0.1
Timeout 60
MaxClients 20
LogFile "{folder}/tinyproxy.log"
LogLevel Connect
BasicAuth user secret
"""


def check(name, passed, detail=""):
    print(f"{'ok  ' if passed else 'FAIL'}  {name}{f'  ({detail})' if detail else ''}", flush=True)
    if not passed:
        failures.append(name)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(*command, port=None):
    """A process until the end of the block, once it listens."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        deadline = time.monotonic() + 60
        while port:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            if time.monotonic() > deadline or process.poll() is not None:
                sys.exit(f"{command[0]} does not listen")
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wscat(url, *options, lines=("Grüße", "x" * 5000), status=0):
    """What `wscat` prints and says when it is given these lines and then the end of its input."""
    client = subprocess.Popen([f"{EXAMPLES}/wscat", url, *options], text=True, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for line in lines if status == 0 else ():
        client.stdin.write(line + "\n")
        client.stdin.flush()
        if client.stdout.readline() != line + "\n":
            break
    _, said = client.communicate(timeout=120)
    return client.returncode == status, said.strip()


async def session(url, compression, **options):
    async with connect(url, compression=compression, subprotocols=["one"], max_size=None,
                       **options) as client:
        agreed = client.response.headers.get("Sec-WebSocket-Extensions", "none").split(";")[0]
        wanted = "permessage-deflate" if compression else "none"
        data = random.Random(7).randbytes(1 << 20)
        await client.send("Grüße")
        held = await client.recv() == "Grüße"
        await client.send([data[start:start + 50_000] for start in range(0, len(data), 50_000)])
        held &= await client.recv() == data
        await client.send("verse " * 50_000)
        held &= await client.recv() == "verse " * 50_000
        await asyncio.wait_for(await client.ping(b"there?"), 30)
        await client.close(4001, "that was all")
    closed = (client.close_code, client.close_reason) == (4001, "that was all")
    return held and closed and agreed == wanted and client.subprotocol == "one"


async def behind_nginx(front):
    for compression in (None, "deflate"):
        check(f"websockets through nginx to echo, compression {compression}",
              await session(f"ws://{front}/", compression))
    for options in ([], ["--no-deflate"]):
        passed, said = wscat(f"ws://{front}/", *options)
        check(f"wscat {' '.join(options)} through nginx to echo", passed, said)

    # The chat, as a page of the same host would open it.
    page = f"http://{front}"
    async with connect(f"ws://{front}/chat", origin=page) as one, \
            connect(f"ws://{front}/chat", origin=page, compression=None) as two:
        # Whoever has the 101 is in the room a moment later.
        for member in (one, two):
            assert json.loads(await asyncio.wait_for(member.recv(), 30))["type"] == "welcome"
        await one.send("through nginx")
        heard = []
        for member in (one, two):
            told = {"type": ""}
            while told["type"] != "said":
                told = json.loads(await asyncio.wait_for(member.recv(), 30))
            heard.append(told["text"])
        check("a chat through nginx, compressed and plain", heard == ["through nginx"] * 2)
    try:
        async with connect(f"ws://{front}/rewritten", origin=page):
            check("a rewritten Host makes the page a stranger", False)
    except InvalidStatus as refused:
        check("a rewritten Host makes the page a stranger", refused.response.status_code == 403)


async def through_tinyproxy(proxy, log, echo):
    url = f"ws://{echo}/"
    for options in ([], ["--no-deflate"]):
        passed, said = wscat(url, "--proxy", proxy, "--proxy-header",
                             f"Proxy-Authorization: {CREDENTIALS}", *options)
        check(f"wscat {' '.join(options)} by CONNECT", passed, said)
    # What others do with the same proxy.
    own = proxy.replace("http://", "http://user:secret@")
    check("websockets by CONNECT", await session(url, "deflate", proxy=own))
    with open(log) as file:
        asked = file.read().count(f"CONNECT {echo} HTTP/1.1")
    check("the proxy was asked for each", asked == 3, f"{asked} times")
    for name, target, options, word in [
        ("without credentials", url, [], " 407 "),
        ("to where nobody listens", f"ws://127.0.0.1:{free_port()}/",
         ["--proxy-header", f"Proxy-Authorization: {CREDENTIALS}"], " 500 "),
    ]:
        passed, said = wscat(target, "--proxy", proxy, *options, status=2)
        check(f"{name}, the proxy's answer is the reason", passed and word in said, said)
    passed, said = wscat(url, "--proxy", f"http://127.0.0.1:{free_port()}", status=2)
    check("no proxy there", passed, said)
    passed, said = wscat(url, "--proxy", "https://127.0.0.1", status=1)
    check("a proxy that is none", passed and "http://HOST" in said)


def main(folder):
    with contextlib.ExitStack() as stack:
        addresses = []
        for name in ("echo", "server"):
            process = stack.enter_context(running(f"{EXAMPLES}/{name}", "127.0.0.1:0"))
            said = process.stdout.readline()
            addresses += re.findall(r"[0-9.]+:[0-9]+", said)
        echo, chat = addresses
        front, port = free_port(), free_port()
        for name, text in [
            ("nginx.conf", NGINX.format(folder=folder, port=front, echo=echo, chat=chat)),
            ("tinyproxy.conf", TINYPROXY.format(folder=folder, port=port)),
        ]:
            with open(f"{folder}/{name}", "w") as file:
                file.write(text)
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        stack.enter_context(running(nginx, "-p", folder, "-e", "stderr", "-c", f"{folder}/nginx.conf",
                                    port=front))
        stack.enter_context(running("tinyproxy", "-d", "-c", f"{folder}/tinyproxy.conf", port=port))
        asyncio.run(asyncio.wait_for(behind_nginx(f"127.0.0.1:{front}"), 240))
        log = f"{folder}/tinyproxy.log"
        asyncio.run(asyncio.wait_for(through_tinyproxy(f"http://127.0.0.1:{port}", log, echo), 240))


subprocess.run(["bash", os.path.join(os.path.dirname(__file__), "packages"), "nginx-light", "tinyproxy"],
               check=True)
with tempfile.TemporaryDirectory() as folder:
    main(folder)
print(f"{len(failures)} failed" if failures else "all passed")
sys.exit(1 if failures else 0)
