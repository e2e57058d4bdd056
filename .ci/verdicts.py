"""What seven well-known peers make of the hostile rows, as a page.

    python .ci/verdicts.py NODE_FOLDER PEERS_BINARY [NAME ...] [--rows] > tests/requirements/peers.md

PEERS_BINARY is the package in tests/peers, built with `--features all`; NODE_FOLDER has `ws`. Each
peer echoes, as its documentation has it, with our default limits where it has such, and every row
of tests/vectors is put to it over a socket, whole. What cannot be put to it is not applicable: it
lacks the extension, or the row is about a limit that it does not have. --rows also tells, on
standard error, each row that was not decided as the RFC decides it.
"""

import collections
import concurrent.futures
import os
import re
import socket
import subprocess
import sys
import time
import zlib

from interop import HERE, Listening, locked
from vectors import (
    ACCEPT, LIMITS, MIB, REQUEST, RESPONSE, Wrong, accept_of, fields_of, frame, frames, head, inflated,
    octets, read_head, replies, rows,
)  # fmt: skip

SILENCE = 0.4  # as long as an answer may take
ENDING = 2  # and the end of a connection that we have ended
STARTING = 20  # or a program that others leave little time
OK, ACCEPTED, OTHER, REFUSED, HUNG, OPEN = "ok", "accepted", "other", "refused", "hung", "open"
COLUMNS = {
    OK: "as the RFC", ACCEPTED: "accepted, to be refused", OTHER: "refused with another code, or none",
    REFUSED: "refused, though legal", HUNG: "hung or died", OPEN: "otherwise, as the RFC permits", None: "n/a",
}  # fmt: skip
RULES = {
    "ReservedBits": "frame bits", "ReservedOpcode": "frame bits", "LengthNotMinimal": "lengths",
    "LengthTopBit": "lengths", "FrameTooLarge": "lengths", "MessageTooLarge": "lengths",
    "MaskMissing": "masking", "MaskForbidden": "masking", "InvalidUtf8": "UTF-8",
    "InvalidCloseReason": "close codes", "InvalidCloseCode": "close codes",
    "CloseBodyTooShort": "close codes", "ContinuationExpected": "fragmentation",
    "ContinuationWithoutStart": "fragmentation", "FragmentedControl": "control frames",
    "ControlTooLong": "control frames", "TooManyFragments": "fragmentation",
    "TooManyEmptyFragments": "fragmentation",
}  # fmt: skip
LEGAL = {
    "W5.6": "UTF-8", "W5.5.1": "close codes", "W7": "close codes", "W5.2": "lengths", "W10.4": "lengths",
    "W5.5": "control frames", "W5.4": "fragmentation", "W6.2": "fragmentation",
}  # fmt: skip
CLASSES = (
    "frame bits", "lengths", "masking", "UTF-8", "close codes", "fragmentation", "control frames",
    "compression", "not whole yet", "request heads", "response heads",
)  # fmt: skip


class Peer:
    def __init__(self, name, command, language, deflate=False, limits=True, closes=""):
        self.name, self.command, self.language = name, command, language
        self.deflate, self.limits, self.closes = deflate, limits, closes

    def flags(self, row):
        return ["--deflate"] if "deflate" in row.settings else []

    def limit(self, row):
        return max([int(row.settings[name]) for name in ("frame", "message") if name in row.settings], default=MIB)


# Which class of rules a row belongs to.


def is_whole(row):
    """Whether the last frame is all there, and its message."""
    data, at, open_message = octets(row.input), 0, False
    while at < len(data):
        if len(data) < at + 2:
            return False
        first, second = data[at : at + 2]
        size, start = second & 0x7F, at + 2
        if size > 125:
            wide = 2 if size == 126 else 8
            if len(data) < start + wide:
                return False
            size, start = int.from_bytes(data[start : start + wide], "big"), start + wide
        at = start + (4 if second & 0x80 else 0) + size
        if at > len(data):
            return False
        if first & 0x0F < 8:
            open_message = not first & 0x80
    return not open_message


def class_of(row):
    if row.table in ("requests", "responses"):
        return row.table[:-1] + " heads"
    if "deflate" in row.settings:
        return "compression"
    last = row.outcome[-1] if row.outcome else ""
    if last.startswith("fail"):
        rule = last.split(":")[2]
        return RULES[rule] if is_whole(row) else "not whole yet"
    first = row.requirements.split(",")[0]
    return next(found for prefix, found in LEGAL.items() if first.startswith(prefix))


def levels():
    """{id: the level of its rule}, from the matrix."""
    with open(f"{HERE}/../tests/requirements/matrix.md", encoding="utf-8") as file:
        return dict(re.findall(r"^\| (\S+) \| [^|]* \| [^|]* \| \*\*([A-Z]+)", file.read(), re.M))


LEVELS = levels()


def is_our_choice(row):
    """Whether the RFCs permit what this crate refuses."""
    ids = row.requirements.split(",")
    if row.name.startswith(("bare LF", "two empty lines", "seventeen empty", "a thousand commas", "Expect")):
        return True
    if "H-38" in ids and not row.name.startswith(("00", "NUL", "bare CR")):
        return True  # another control character in a value
    if "H-53" in ids or (row.table == "responses" and "H-33" in ids):
        return True
    return not any(LEVELS[id] in ("M", "MN") for id in ids)


def accepted(row):
    return OPEN if is_our_choice(row) else ACCEPTED


def is_applicable(peer, row):
    settings = set(row.settings)
    if settings & {"streamed", "closed", "fragments", "empties", "line", "head", "fields", "plain", "offers"}:
        return False  # budgets, and an application, of our own
    if settings & {"frame", "message"} and not peer.limits:
        return False
    if row.name == "control frames do not count":
        return False  # to a limit that the row sets below their length
    if "deflate" in settings and not peer.deflate:
        return False
    if re.search("Too(Long|Large|Many)", " ".join(row.outcome)) and row.table in ("requests", "responses"):
        return False  # limits of a head are each one's own
    if row.table == "requests" and row.outcome[-1:] == ["403"]:
        return False  # whom to let in is the application's
    if row.table == "responses" and "deflate" in settings:
        # Only what is wrong whatever was offered.
        grammar = {"D7-05", "D7-06", "D7-07"} & set(row.requirements.split(","))
        return bool(grammar) and row.outcome[0].startswith("cfail") and "window" not in settings
    return True


# What a peer said.


def collect(sock, is_enough, patience):
    """What comes until it is enough, it ends, or nothing does: (data, 'end' or None)."""
    data, deadline = b"", time.monotonic() + patience
    while not is_enough(data):
        left = deadline - time.monotonic()
        if left <= 0:
            return data, None
        sock.settimeout(left)
        try:
            piece = sock.recv(65536)
        except TimeoutError:
            return data, None
        except OSError:
            return data, "end"
        if not piece:
            return data, "end"
        data += piece
    return data, None


def finish(sock):
    """Whether it ends when we do."""
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        return "end"
    return collect(sock, lambda _: False, ENDING)[1]


def said(data, with_mask):
    """The frames, as far as they are whole."""
    found, at = [], 0
    while len(data) >= at + 2:
        size, start = data[at + 1] & 0x7F, at + 2
        if size > 125:
            wide = 2 if size == 126 else 8
            size, start = int.from_bytes(data[start : start + wide], "big"), start + wide
        end = start + (4 if with_mask else 0) + size
        if end > len(data):
            break
        try:
            found += frames(data[at:end], with_mask)
        except Wrong:
            return [*found, ("?", b"")]
        at = end
    try:
        return list(inflated(found))
    except (Wrong, zlib.error):
        return [("?", b"")]


def judge_stream(row, data, end, at_last, with_mask):
    found = said(data, with_mask)
    closes = [payload for first, payload in found if first == 0x88]
    code = int.from_bytes(closes[0][:2], "big") if closes and closes[0] else None
    if at_last is None:
        return HUNG
    if not (row.outcome and row.outcome[-1].startswith("fail")):
        wanted = replies(row)
        messages = [reply for reply in wanted if reply[0] in (0x81, 0x82)]
        came = [reply for reply in found if reply[0] in (0x81, 0x82)]
        pongs = [reply for reply in wanted if reply[0] == 0x8A]
        is_answered = pongs[-1:] == [reply for reply in found if reply[0] == 0x8A][-1:]
        if any(event.startswith("close") for event in row.outcome):
            # The code of the answer is the peer's to choose, but for those that tell of a mistake.
            given = [payload for first, payload in wanted if first == 0x88][0]
            is_echo = closes and (closes[0] == given or code in (None, 1000, 1001))
            return OK if is_echo else REFUSED
        return OK if came == messages and is_answered and not closes and not end else REFUSED
    wanted = int(row.outcome[-1].split(":")[1])
    is_close = class_of(row) == "close codes"
    if closes:
        if is_close and code not in (1002, 1007, 1008, wanted):
            return accepted(row)  # it is answered as a Close like any other
        return OK if code == wanted else OTHER
    if end:
        return OTHER
    if class_of(row) == "not whole yet" or not is_whole(row):
        return OPEN
    return accepted(row)


def judge_request(row, data, end, at_last):
    status = data[9:12].decode(errors="replace") if data.startswith(b"HTTP/1.") else None
    kind = row.outcome[0].partition("=")[0].partition(":")[0]
    if status is None and at_last is None:
        return HUNG
    if kind == "more":
        return OK if not data else OTHER
    if kind == "up":
        return OK if status == "101" else REFUSED
    if status == "101":
        return accepted(row)
    if status is None and not end:
        return OPEN  # the head has no end yet
    return OK if status == row.outcome[0].split(":")[1] else OTHER


def judge_response(row, data, end, at_last):
    found = said(data, True)
    is_open = (0x81, b"hi") in found
    if at_last is None:
        return HUNG
    if row.outcome[0].startswith("open"):
        return OK if is_open else REFUSED
    if is_open or found:
        return accepted(row)
    if row.outcome[0] == "more":
        return OK if not end else OTHER
    return OK if end else OPEN


# The server role.


def put_to_server(peer, row, server):
    with socket.create_connection(server) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if row.table == "requests":
            sock.sendall(head(row.input, REQUEST))
            data, end = collect(sock, lambda data: b"\r\n\r\n" in data, SILENCE)
            return judge_request(row, data, end, end or finish(sock))
        request = r"GET / HTTP/1.1\r\n{all}"
        if "deflate" in row.settings:
            request += r"Sec-WebSocket-Extensions: permessage-deflate\r\n"
        sock.sendall(head(request + r"\r\n", REQUEST))
        sock.settimeout(STARTING)
        answer, rest = read_head(sock)
        if not answer.startswith(b"HTTP/1.1 101"):
            raise RuntimeError(f"{peer.name}: {answer}")
        if "deflate" in row.settings and not fields_of(answer)[b"sec-websocket-extensions"]:
            return None
        return put_stream(row, sock, False, rest)


def put_stream(row, sock, with_mask, rest=b""):
    try:
        sock.sendall(octets(row.input))
    except OSError:
        pass
    wanted = replies(row)
    fails = bool(row.outcome) and row.outcome[-1].startswith("fail")

    def is_enough(data):
        found = said(rest + data, with_mask) if data else []
        return (found == wanted and not fails) or any(first == 0x88 for first, _ in found)

    patience = SILENCE if wanted else 0.1
    data, end = collect(sock, is_enough, patience)
    return judge_stream(row, rest + data, end, end or finish(sock), with_mask)


def serve_all(peer):
    groups = collections.defaultdict(list)
    for table in ("streams-server", "requests"):
        for row in rows(table):
            if is_applicable(peer, row):
                groups[peer.limit(row), *peer.flags(row)].append(row)
            else:
                yield row, None
    for (limit, *flags), chosen in groups.items():
        with Listening(*peer.command, "server", str(limit), *flags) as server:
            host, port = server.address.split(":")
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                job = lambda row: put_to_server(peer, row, (host, int(port)))  # noqa: E731
                yield from zip(chosen, pool.map(job, chosen))
            if server.process.poll() is not None:
                yield chosen[-1], HUNG


# The client role.


def play(row, sock):
    sock.settimeout(STARTING)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request, _ = read_head(sock)
    fields = fields_of(request)
    accept = accept_of(fields[b"sec-websocket-key"][0])
    offered = bool(fields[b"sec-websocket-extensions"])
    if "deflate" in row.settings and not offered:
        return None
    if row.table == "responses":
        data = head(row.input, RESPONSE).replace(ACCEPT.encode(), accept)
        behind = b"" if row.outcome[0] == "more" else frame(0x81, b"hi")
        try:
            sock.sendall(data + behind)
        except OSError:
            pass
        patience = 0.1 if row.outcome[0] == "more" else SILENCE
        data, end = collect(sock, lambda data: len(data) >= 8, patience)
        return judge_response(row, data, end, end or finish(sock))
    extension = r"Sec-WebSocket-Extensions: permessage-deflate\r\n" if "deflate" in row.settings else ""
    answer = head(r"HTTP/1.1 101 Switching Protocols\r\n{all}" + extension + r"\r\n", RESPONSE)
    sock.sendall(answer.replace(ACCEPT.encode(), accept))
    return put_stream(row, sock, True)


def connect_some(peer, limit, flags, chosen):
    """One process after the other, as long as there are rows."""
    found = []
    while len(found) < len(chosen):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(STARTING)
            url = "ws://127.0.0.1:%d/" % listener.getsockname()[1]
            left = chosen[len(found) :]
            command = [*peer.command, "client", str(limit), url, str(len(left)), *flags]
            null = subprocess.DEVNULL
            process = subprocess.Popen(command, stdout=null, stderr=null)
            try:
                for row in left:
                    sock, _ = listener.accept()
                    with sock:
                        found.append((row, play(row, sock)))
            except (TimeoutError, Wrong):
                # It does not come again: the last row was too much.
                if len(found) == len(chosen) - len(left):
                    found.append((left[0], HUNG))
                else:
                    found[-1] = found[-1][0], HUNG
            finally:
                process.kill()
                process.wait()
    return found


def connect_all(peer):
    groups = collections.defaultdict(list)
    for table in ("streams-client", "responses"):
        for row in rows(table):
            if is_applicable(peer, row):
                groups[peer.limit(row), *peer.flags(row)].append(row)
            else:
                yield row, None
    jobs = []
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for (limit, *flags), chosen in groups.items():
            for start in range(0, len(chosen), 60):
                some = chosen[start : start + 60]
                jobs.append(pool.submit(connect_some, peer, limit, flags, some))
        for job in jobs:
            yield from job.result()


# The page.


def table_of(peers, verdicts):
    for role in "server", "client":
        yield f"## As a {role}"
        for name in CLASSES:
            if name == ("response heads" if role == "server" else "request heads"):
                continue
            lines = []
            for peer in peers:
                counts = verdicts[peer.name, role, name]
                if counts:
                    cells = [str(counts[column] or "") for column in COLUMNS]
                    lines.append(f"| {peer.name} | " + " | ".join(cells) + " |")
            if lines:
                yield f"\n### {name[0].upper()}{name[1:]}\n"
                yield "| peer | " + " | ".join(COLUMNS.values()) + " |"
                yield "|---|" + "--:|" * len(COLUMNS)
                yield "\n".join(lines)
        yield ""


def main(node_folder, peers_binary, names, is_verbose):
    python = [sys.executable, f"{HERE}/peers.py"]
    peers = [Peer(name, [peers_binary, name], "crate") for name in
             ("tungstenite", "fastwebsockets", "tokio-websockets")]  # fmt: skip
    peers += [Peer(name, [*python, name], "PyPI", deflate=True, limits=name != "wsproto") for name in
              ("websockets", "wsproto", "aiohttp")]  # fmt: skip
    peers.append(Peer("ws", ["node", f"{HERE}/peers.mjs", node_folder, "ws"], "npm", deflate=True))
    peers = [peer for peer in peers if not names or peer.name in names]
    verdicts, versions = collections.defaultdict(collections.Counter), []
    for peer in peers:
        version = locked(peer.name) if peer.language == "crate" else subprocess.run(
            [*peer.command, "version"], capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
        versions.append(f"`{peer.name}` {version} ({peer.language})")
        start = time.monotonic()
        for role, found in ("server", serve_all(peer)), ("client", connect_all(peer)):
            for row, verdict in found:
                verdicts[peer.name, role, class_of(row)][verdict] += 1
                if is_verbose and verdict not in (OK, None):
                    print(f"{peer.name} {role}: {class_of(row)}: {row.name}: {verdict}", file=sys.stderr)
        print(f"{peer.name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    print(PAGE.format(versions=",\n".join(versions)))
    print("\n".join(table_of(peers, verdicts)).rstrip())


PAGE = """# What well-known peers make of the hostile rows

Written by `.ci/verdicts.py`, whose first lines tell how to run it; do not edit. Every row of
`tests/vectors` that a peer has the means for was put to it over a socket, and what came back
compared with what RFC 6455, RFC 7692 and RFC 9112 say. Measured:
{versions}.

Each peer echoes as its own documentation has it, with a limit of 1 MiB for a message, or that of
the row; `fastwebsockets` takes its handshakes from `hyper`, `ws` from node. How to read the columns:

- *As the RFC*: a legal stream is answered, another one refused with the close code, or the status,
  that the row has. Echoes of what came before a failure are not asked for, a Close may be answered
  with the same code, none, 1000 or 1001, and of several Pings the last must be answered.
- *Refused with another code, or none*: the connection failed, which is what the RFC demands; which
  code says so is only a SHOULD. A TCP connection that just ends is counted here, and so is a request
  refused with another status.
- *Otherwise, as the RFC permits*: the RFC says SHOULD, or nothing, and this crate refuses by its own
  choice. Under *not whole yet* the mistake can be seen before its frame or its message has ended:
  this crate fails such streams at once, and who waits for the rest breaks no rule.
- *n/a*: the peer has no compression, or no limit to set; the row is about a budget of this crate (the
  fragments of a message, the size of a head, who may connect from where).

This crate has every row as the table has it, in both roles, over the same sockets: `.ci/rows.py`.
"""


if __name__ == "__main__":
    arguments = [word for word in sys.argv[1:] if word != "--rows"]
    if len(arguments) < 2:
        sys.exit(__doc__)
    main(os.path.abspath(arguments[0]), os.path.abspath(arguments[1]), arguments[2:], "--rows" in sys.argv)
