"""The hostile tables over real sockets: every row of tests/vectors through the examples.

    python .ci/rows.py EXAMPLES_FOLDER [--seed N]

The examples are built with the feature `deflate`. Streams and request heads go to `echo` and to
`server`, streams and response heads to `autobahn_client` (to `wscat` where the row wants what only
that offers). Each row goes out whole, and byte by byte to an example that reads one byte at a time;
what comes back must be, to the byte, what the row says and nothing after it, then the end of the
stream. At last ten rows picked at random (`--seed` repeats the choice) are run with each of their
expectations changed: all must fail.
"""

import collections
import concurrent.futures
import contextlib
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time

from vectors import (
    ACCEPT, LIMITS, MIB, PATIENCE, REQUEST, RESPONSE, Wrong, accept_of, check_replies, expect,
    fields_of, frame, frames, head, is_over, octets, read_head, read_to_end, read_until, rows, send,
    told,
)  # fmt: skip

# The server role: `echo` and `server`.


class Listening:
    """A process that says where it listens."""

    def __init__(self, *command):
        # `server` takes the end of the stream for the end of everything, and has halves.
        self.hangs_up = command[0].endswith("/server")
        pipe, null = subprocess.PIPE, subprocess.DEVNULL  # `server` tells how each peer ended
        self.process = subprocess.Popen(command, stdout=pipe, stderr=null, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        if not found:
            raise RuntimeError(f"{command}: {line!r}")
        self.port = int(found.group(1))

    def connect(self):
        peer = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return peer

    def close(self):
        self.process.kill()
        self.process.wait()


def options(row, role):
    """The command line that gives an example the settings of a row."""
    names = dict.fromkeys(("frame", "message"), str(MIB)) | row.settings
    found = [f"{name}={names[name]}" for name in LIMITS if name in names]
    found = [word for limit in found for word in ("--limit", limit)]
    if "deflate" not in row.settings:
        found.append("--no-deflate")
    elif row.table.startswith("streams"):
        found += ["--deflate-takeover", "--window-bits", "15"]
    elif "window" in row.settings:
        found += ["--window-bits", row.settings["window"]]
    if "closed" in row.settings and role == "server":
        found += ["--close", "1000"]
    return tuple(found)


def junk(with_mask):
    """What comes after the end is not looked at."""
    return b"".join(frame(first, b"", bytes(4) if with_mask else None) for first in (0x89, 0x81, 0x88, 0x7F))


def stream_to_server(row, server, bytewise, path="/"):
    data = octets(row.input) + (junk(True) if is_over(row) else b"")
    before = []
    request = f"GET {path} HTTP/1.1\r\n{{all}}" + (
        r"Sec-WebSocket-Extensions: permessage-deflate\r\n" if "deflate" in row.settings else ""
    )
    request = head(request.replace("\r\n", r"\r\n") + r"\r\n", REQUEST)
    if "closed" in row.settings:
        data = frame(0x81, b"first", bytes(4)) + data
        before = [(0x81, b"first")]
    with server.connect() as peer:
        # With the head, or after its answer.
        peer.sendall(request if bytewise else request + data)
        answer, rest = read_head(peer)
        expect(answer.startswith(b"HTTP/1.1 101 "), f"{answer!r}")
        agreed = fields_of(answer)[b"sec-websocket-extensions"]
        expect(bool(agreed) == ("deflate" in row.settings), f"{agreed}")
        if bytewise:
            send(peer, data, bytewise)
        if server.hangs_up and not is_over(row):
            rest = read_until(peer, rest, lambda data: check_replies(row, data, False, before, True))
        peer.shutdown(socket.SHUT_WR)
        found, end = read_to_end(peer)
    check_replies(row, rest + found, False, before, server.hangs_up)
    expect(end == "end", f"ends with {end}")


def well_formed_refusal(status, fields, body):
    length = fields[b"content-length"]
    # That of what a GET would have got, in the answer to a HEAD.
    expect(length == [b"%d" % len(body)] or not body, f"a length of {length}")
    wanted = {
        b"405": (b"close", [], [b"GET"]),
        b"426": (b"close, Upgrade", [b"websocket"], []),
    }.get(status, (b"close", [], []))
    found = fields[b"connection"], fields[b"upgrade"], fields[b"allow"]
    expect(found == ([wanted[0]], wanted[1], wanted[2]), f"the fields of a {status}: {found}")
    versions = fields[b"sec-websocket-version"]
    expect((versions == [b"13"]) == (status == b"426"), f"versions {versions} in a {status}")


def request_to_server(row, server, bytewise, status=None):
    """`status` is that of the answer, where the application has the last word."""
    data = head(row.input, REQUEST)
    kind = row.outcome[0].partition("=")[0].partition(":")[0]
    words = dict(word.partition("=")[::2] for word in row.outcome if "=" in word)
    behind = {"up": frame(0x81, b"hi", bytes(4)), "more": b""}
    data += behind.get(kind, b"GET /admin HTTP/1.1\r\nHost: h\r\n\r\n")
    found, echo = b"", frame(0x81, b"hi")
    with server.connect() as peer:
        with contextlib.suppress(OSError):
            send(peer, data, bytewise)
            if server.hangs_up and kind == "up":
                found = read_until(peer, b"", lambda data: expect(data.endswith(echo), "no echo yet"))
            peer.shutdown(socket.SHUT_WR)
        rest, end = read_to_end(peer)
        found += rest
    expect(end == "end", f"ends with {end}: {found!r:.200}")
    if kind == "more":
        return expect(found == b"" and len(row.outcome) == 1, f"an answer: {found!r:.200}")
    answer, blank, rest = found.partition(b"\r\n\r\n")
    expect(blank and answer.startswith(b"HTTP/1.1 "), f"{found!r:.200}")
    fields, got = fields_of(answer), answer[9:12]
    if status is None:
        status = row.outcome[0].split(":")[1] if kind == "rej" else row.outcome[-1]
    expect(got == status.encode(), f"{got} instead of {status}")
    expect(len(row.outcome) == 1 or kind == "up", f"{row.outcome}")
    if status != "101":
        expect(len(answer) + 4 + len(rest) <= 512 or kind != "rej", "a long refusal")
        return well_formed_refusal(got, fields, rest)
    key = re.search(rb"(?i)\r\nsec-websocket-key:[ \t]*([^ \t\r]*)", data).group(1)
    expect(fields[b"sec-websocket-accept"] == [accept_of(key)], f"the Accept of {key}")
    expect(fields[b"upgrade"] == [b"websocket"] and fields[b"connection"] == [b"Upgrade"], f"{answer}")
    expect(not fields[b"sec-websocket-extensions"], "an extension")
    offered = [name.encode() for name in words.get("sub", "").split("+")][:1] if "sub" in words else []
    if not server.hangs_up:  # that one knows a subprotocol of its own
        expect(fields[b"sec-websocket-protocol"] == offered, f"a subprotocol other than {offered}")
    expect(rest == echo, f"{rest!r} instead of an echo")


# The client role: `autobahn_client`, and `wscat` where it has what a row wants.


class Driver:
    """A server that plays one row to each connection of `autobahn_client`."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE)
        self.url = "ws://127.0.0.1:%d" % self.listener.getsockname()[1]

    def accept(self):
        peer, _ = self.listener.accept()
        peer.settimeout(PATIENCE)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request, rest = read_head(peer)
        expect(rest == b"", "bytes before the answer")
        (key,) = fields_of(request)[b"sec-websocket-key"]
        return peer, request, accept_of(key)

    def housekeeping(self, message=b""):
        """One of the suite's own conversations: a text, and the end."""
        peer, _, accept = self.accept()
        with peer:
            text = frame(0x81, message) if message else b""
            peer.sendall(answer_of(accept) + text + frame(0x88, told(1000)))
            peer.shutdown(socket.SHUT_WR)
            read_to_end(peer)


def answer_of(accept, extension=b""):
    extension = b"Sec-WebSocket-Extensions: " + extension + b"\r\n" if extension else b""
    return (
        b"HTTP/1.1 101 a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n" + extension + b"\r\n"
    )  # fmt: skip


def stream_to_client(row, driver, bytewise):
    peer, request, accept = driver.accept()
    with peer:
        offers = fields_of(request)[b"sec-websocket-extensions"]
        expect(bool(offers) == ("deflate" in row.settings), f"offers {offers}")
        data = octets(row.input) + (junk(False) if is_over(row) else b"")
        early, found = b"", b""
        if "closed" in row.settings:
            peer.sendall(answer_of(accept))
            while len(early) < 8:
                early += peer.recv(8 - len(early)) or bytes(8)
            send(peer, data, bytewise)
        else:
            extension = b"permessage-deflate" if offers else b""
            answer = answer_of(accept, extension)
            peer.sendall(answer if bytewise else answer + data)
            if bytewise:
                send(peer, data, bytewise)
        peer.shutdown(socket.SHUT_WR)
        found, end = read_to_end(peer)
    check_replies(row, early + found, True, halves="closed" in row.settings)
    expect(end == "end", f"ends with {end}")


def response_to_client(row, driver, bytewise):
    """What the client should say on its standard output."""
    kind, _, rest = re.split("([:=])", row.outcome[0] + ":", maxsplit=1)
    expect(len(row.outcome) == 1 and not row.output, f"{row.outcome}")
    peer, _, accept = driver.accept()
    with peer:
        data = head(row.input, RESPONSE).replace(ACCEPT.encode(), accept)
        behind = {"more": b"", "open": frame(0x81, b"hi") + frame(0x88, told(1000))}
        data += behind.get(kind, b"HTTP/1.1 200 OK\r\n\r\n" + frame(0x81, b"hi"))
        with contextlib.suppress(OSError):
            send(peer, data, bytewise)
            peer.shutdown(socket.SHUT_WR)
        found, end = read_to_end(peer)
    if kind == "open":
        found = frames(found, True)
        expect(found[-1:] == [(0x88, told(1000))] and len(found) < 3, f"{found}")
        expect(end == "end" and found[:1] != [(0x82, b"hi")], f"ends with {end}")
    else:
        # It leaves with input unread.
        expect(found == b"" and end in ("end", "reset"), f"{found!r}, {end}")
    rest = rest.rstrip(":")
    return {
        "cfail": f"Failed({rest})", "http": f"refused with {rest}", "more": "no answer", "open": None,
    }[kind]  # fmt: skip


def run_clients(client, extra, chosen, bytewise):
    """(row, what is wrong) of each row, with one process for all of them."""
    driver, problems, said = Driver(), [], []
    command = [client, driver.url, *options(chosen[0], "client"), *extra]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    collecting = threading.Thread(target=lambda: said.extend(process.stdout))
    collecting.start()
    wanted = {}
    try:
        driver.housekeeping(b"%d" % len(chosen))
        for number, row in enumerate(chosen, 1):
            try:
                if row.table == "responses":
                    wanted[number] = response_to_client(row, driver, bytewise)
                else:
                    stream_to_client(row, driver, bytewise)
            except (Wrong, OSError) as error:
                problems.append((row, f"{type(error).__name__}: {error}"))
        driver.housekeeping()
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()
        collecting.join()
        driver.listener.close()
    # It names what went wrong, in the words of the table.
    found = dict(re.findall(r"^case (\d+) of \d+: (.*)$", "".join(said), re.M))
    for number, row in enumerate(chosen, 1):
        words = found.get(str(number))
        if row.table == "responses" and number in wanted and words != wanted[number]:
            problems.append((row, f"it says {words!r} instead of {wanted[number]!r}"))
    expect(process.returncode == 0 and said[-1] == f"{len(chosen)} cases\n", f"{said[-1:]}")
    return problems


def run_wscat(wscat, row, bytewise):
    """Rows that want subprotocols offered, or our Close first."""
    driver = Driver()
    offers = [word for name in row.settings.get("offers", "").split("+") if name for word in ("--protocol", name)]
    command = [wscat, driver.url, "--no-deflate", *offers]
    is_closed = "closed" in row.settings
    stdin = subprocess.DEVNULL if is_closed else subprocess.PIPE
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=stdin, stdout=pipe, stderr=pipe)
    try:
        if is_closed:
            stream_to_client(row, driver, bytewise)
            out, errors = process.communicate(timeout=PATIENCE)
            texts = [octets(event[5:]) + b"\n" for event in row.outcome if event.startswith("text:")]
            expect(out == b"".join(texts), f"prints {out!r}")
            return expect((process.returncode == 0) == row.outcome[-1].startswith("close"), f"{errors}")
        peer, _, accept = driver.accept()
        data = head(row.input, RESPONSE).replace(ACCEPT.encode(), accept)
        with peer:
            with contextlib.suppress(OSError):
                send(peer, data + frame(0x81, b"hi") + frame(0x88, told(1000)), bytewise)
                peer.shutdown(socket.SHUT_WR)
            found, _ = read_to_end(peer)
        out, errors = process.communicate(timeout=PATIENCE)
        kind, _, rest = re.split("([:=])", row.outcome[0] + ":", maxsplit=1)
        rest = rest.rstrip(":")
        if kind == "open":
            expect(frames(found, True) == [(0x88, told(1000))], f"{found!r}")
            said = b"wscat: subprotocol " + rest.encode() + b"\n" if rest else b""
            expect((process.returncode, out, errors) == (0, b"hi\n", said), f"{errors!r}")
        else:
            # Its words are for people: "the subprotocol", "the answer's subprotocol field" ..
            expect((process.returncode, out, found) == (3, b"", b""), f"{errors!r}")
            expect(kind == "cfail" and rest.lower()[:11].encode() in errors.lower(), f"{errors!r}")
    finally:
        process.kill()
        process.wait()
        driver.listener.close()


# All of them.


class Examples:
    def __init__(self, folder):
        self.folder = folder
        self.servers = {}
        self.lock = threading.Lock()

    def server(self, name, options=()):
        with self.lock:
            if (name, options) not in self.servers:
                self.servers[name, options] = Listening(f"{self.folder}/{name}", "127.0.0.1:0", *options)
            return self.servers[name, options]

    def close(self):
        for server in self.servers.values():
            server.close()


def not_on_the_wire(row, example):
    """Why a row cannot be put to an example, if so."""
    if "streamed" in row.settings:
        return "it reads whole messages"
    if example == "echo" and "plain" in row.settings:
        return "it serves no pages"
    if example == "client" and "require" in row.settings:
        return "it requires no subprotocol"
    if example == "server":
        if set(row.settings) & {*LIMITS, "closed"}:
            return "its limits are fixed"
        is_old = row.outcome[:1] == ["rej:400:VersionTooOld"] and "HTTP/1.0" in row.input
        if is_old or row.outcome[:1] == ["rej:426:NotAnUpgrade"]:
            return "it serves pages"
    return None


def run_row(examples, row, example, bytewise):
    """Raises what is wrong with one row."""
    if example == "client":
        if set(row.settings) & {"offers", "closed"}:
            return run_wscat(f"{examples.folder}/wscat", row, bytewise)
        extra = ["--read", "1"] if bytewise else []
        client = f"{examples.folder}/autobahn_client"
        return [expect(False, why) for _, why in run_clients(client, extra, [row], bytewise)]
    if example == "echo":
        extra = ("--read", "1") if bytewise else ()
        server = examples.server("echo", options(row, "server") + extra)
        if row.table == "requests":
            # It lets in who comes from anywhere.
            return request_to_server(row, server, bytewise, "101" if row.outcome[-1] == "403" else None)
        return stream_to_server(row, server, bytewise)
    flags = () if "deflate" not in row.settings else ("--deflate-takeover", "--window-bits", "15")
    server = examples.server("server", flags or ("--no-deflate",))
    if row.table != "requests":
        return stream_to_server(row, server, bytewise, "/echo")
    kind, _, rest = row.outcome[0].partition("=")
    if kind == "plain":
        return request_to_server(row, server, bytewise, "200" if rest == "/" else "404")
    if kind == "up":
        # There is one path that echoes.
        row = row.changed()
        row.input = re.sub(r"^((?:\\r\\n)*GET) / ", r"\1 /echo ", row.input)
        is_there = row.input.lstrip("\\rn").startswith("GET /echo ")
        return request_to_server(row, server, bytewise, None if is_there else "404")
    return request_to_server(row, server, bytewise)


def run_all(examples, pool):
    """{(table, example): [number of rows, what is wrong, {reason: how many are left out}]}"""
    outcome, jobs = {}, []

    def one(row, example):
        for bytewise in False, True:
            try:
                run_row(examples, row, example, bytewise)
            except (Wrong, OSError, subprocess.TimeoutExpired) as error:
                return [(row, f"{'byte by byte' if bytewise else 'whole'}: {type(error).__name__}: {error}")]
        return []

    def many(chosen):
        client = f"{examples.folder}/autobahn_client"
        found = run_clients(client, [], chosen, False)
        return found + run_clients(client, ["--read", "1"], chosen, True)

    for table, example in (
        ("streams-server", "echo"), ("requests", "echo"), ("streams-server", "server"),
        ("requests", "server"), ("streams-client", "client"), ("responses", "client"),
    ):  # fmt: skip
        entry = outcome[table, example] = [0, [], collections.Counter()]
        groups = collections.defaultdict(list)
        for row in rows(table):
            if why := not_on_the_wire(row, example):
                entry[2][why] += 1
                continue
            entry[0] += 1
            if example == "client" and not set(row.settings) & {"offers", "closed"}:
                groups[options(row, "client")].append(row)
            else:
                jobs.append((entry, pool.submit(one, row, example)))
        for group in groups.values():
            for start in range(0, len(group), 100):
                jobs.append((entry, pool.submit(many, group[start : start + 100])))
    for entry, job in jobs:
        entry[1] += job.result()
    return outcome


def changes(row):
    """The row with one thing expected otherwise, in each way that shows on the wire."""
    for at, word in enumerate(row.outcome):
        kind, _, rest = re.split("([:=])", word + ":", maxsplit=1)
        before, after = row.outcome[:at], row.outcome[at + 1 :]
        if kind in ("text", "bin", "ping"):
            yield row.changed(before + after)
            yield row.changed(before + [f"{kind}:{rest.rstrip(':')} 00".replace(": ", ":")] + after)
        elif kind in ("close", "fail") and "closed" not in row.settings:
            yield row.changed(before + after)
            other = re.sub(r"\d+", lambda code: str(int(code[0]) ^ 1), word, count=1)
            yield row.changed(before + [other] + after)
        elif kind == "rej":
            status = "400" if ":426:" in word else "426"
            yield row.changed([re.sub(r":\d+:", f":{status}:", word)])
            yield row.changed(["up=/@h.example", "101"])
            yield row.changed(["more"])
        elif kind == "up":
            yield row.changed(["rej:400:Host"])
            yield row.changed(["more"])
            yield row.changed([word, "sub=z", "101"] if "sub=" not in "".join(after) else [word, "101"])
        elif kind in ("cfail", "http", "open", "more"):
            others = {"cfail:Body", "cfail:Control", "http=418", "open=", "more"}
            # Where an answer is to fail, frames follow it: after a lone CR these are such a failure.
            others -= {"cfail:Control"} if kind == "more" else set()
            yield from (row.changed([other]) for other in others - {word, word + "="})
    if row.table.startswith("streams"):
        yield row.changed(["ping:61", *row.outcome])
        yield row.changed(output=(row.output + " 00").strip())
        if row.output:
            yield row.changed(output=row.output[:-2])


def check_that_it_can_fail(examples, seed):
    dice = random.Random(seed)
    tried = 0
    for pick in range(10):
        table, example = (
            ("streams-server", "echo"), ("requests", "echo"), ("streams-client", "client"), ("responses", "client"),
        )[pick % 4]  # fmt: skip
        row = dice.choice([row for row in rows(table)  # after our Close, not all is compared
                           if "closed" not in row.settings and not not_on_the_wire(row, example)])
        run_row(examples, row, example, False)
        others = list(changes(row))
        expect(len(others) >= 2, f"{row.name}: {others}")
        for other in others:
            try:
                run_row(examples, other, example, False)
            except Wrong:
                tried += 1
            else:
                raise Wrong(f"{table}: {row.name}: passes as {other.outcome} {other.output!r}")
    return tried


def main(folder, seed):
    start = time.monotonic()
    examples = Examples(folder)
    try:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            outcome = run_all(examples, pool)
        failed = 0
        for (table, example), (count, problems, left_out) in outcome.items():
            reasons = "".join(f"; {n} not: {why}" for why, n in left_out.items())
            print(f"{table} through {example}: {count} rows, whole and byte by byte; {len(problems)} wrong{reasons}")
            for row, why in problems[:20]:
                print(f"FAIL {row.name}: {why}")
            failed += len(problems)
        print(f"{time.monotonic() - start:.1f} s", flush=True)
        if not failed:
            tried = check_that_it_can_fail(examples, seed)
            print(f"ten rows at random (seed {seed}) with {tried} other expectations: all fail")
        alive = [server.process.poll() is None for server in examples.servers.values()]
        expect(all(alive), "a server has ended")
        return int(failed > 0)
    finally:
        examples.close()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    seed = random.SystemRandom().randrange(1 << 32)
    if "--seed" in arguments:
        at = arguments.index("--seed")
        seed = int(arguments[at + 1])
        del arguments[at : at + 2]
    if len(arguments) != 1:
        sys.exit(__doc__)
    sys.exit(main(os.path.abspath(arguments[0]), seed))
