"""WebSocket packages of Python, as programs: what the rows and the matrix are put to.

    python .ci/peers.py NAME server LIMIT [--deflate]             echoes; says where it listens
    python .ci/peers.py NAME client LIMIT URL COUNT [--deflate]   echoes on COUNT connections
    python .ci/peers.py NAME converse URL CLOSING                 talks to `echo`, twice
    python .ci/peers.py NAME host                                 talks to `autobahn_client`, `wscat`
    python .ci/peers.py NAME version

NAME is websockets, wsproto, aiohttp; for the last three also picows, and for `converse` also
websocket-client and libcurl. LIMIT is that of a message, in bytes. `converse` and `host` print an
item, a tab, and `ok`, `-` with the reason why this peer cannot, or what was wrong.
"""

import asyncio
import contextlib
import importlib.metadata
import logging
import struct
import sys

LARGE = 32 << 20
FAREWELL = 3456, "das genügt"
OURS = 4321, "grüß Gott"


class Ended(Exception):
    """The connection has ended."""


class Unable(Exception):
    """The package has no means for this."""


class Websockets:
    """`connect` and `serve` of websockets.asyncio."""

    def __init__(self, peer, path=""):
        self.peer, self.path = peer, path
        self.subprotocol = peer.subprotocol
        self.compressed = bool(peer.protocol.extensions)

    @classmethod
    async def connect(cls, url, limit, deflate, subprotocols=None):
        from websockets.asyncio.client import connect

        compression = "deflate" if deflate else None
        return cls(await connect(url, max_size=limit, compression=compression, proxy=None,
                                 ping_interval=None, close_timeout=10, subprotocols=subprotocols))

    @classmethod
    async def serve(cls, handler, limit, deflate, subprotocols=None):
        from websockets.asyncio.server import serve

        def run(peer):
            return handler(cls(peer, peer.request.path))

        def pick(_, offers):
            return next((name for name in subprotocols or () if name in offers), None)

        compression = "deflate" if deflate else None
        server = await serve(run, "127.0.0.1", 0, max_size=limit, compression=compression,
                             ping_interval=None, close_timeout=10, select_subprotocol=pick)
        return server.sockets[0].getsockname()[1]

    async def send(self, message):
        await self.peer.send(message)

    async def fragments(self, pieces):
        await self.peer.send(pieces)

    async def receive(self):
        from websockets.exceptions import ConnectionClosed

        try:
            return await self.peer.recv()
        except ConnectionClosed:
            raise Ended from None

    async def close(self, code=1000, reason=""):
        await self.peer.close(code, reason)
        return self.closed()

    def closed(self):
        return self.peer.close_code, self.peer.close_reason


class Aiohttp:
    """`ClientSession.ws_connect` and `web.WebSocketResponse`."""

    def __init__(self, peer, compressed, path="", session=None):
        self.peer, self.compressed, self.path, self.session = peer, compressed, path, session
        self.subprotocol = peer.protocol if session else peer.ws_protocol
        self.reason = ""

    @classmethod
    async def connect(cls, url, limit, deflate, subprotocols=()):
        import aiohttp

        session = aiohttp.ClientSession()
        try:
            timeout = aiohttp.ClientWSTimeout(ws_close=10)
            peer = await session.ws_connect(url, max_msg_size=limit, compress=15 if deflate else 0,
                                            timeout=timeout,
                                            protocols=subprotocols or ())
        except BaseException:
            await session.close()
            raise
        return cls(peer, bool(peer.compress), session=session)

    @classmethod
    async def serve(cls, handler, limit, deflate, subprotocols=()):
        from aiohttp import web

        async def run(request):
            peer = web.WebSocketResponse(max_msg_size=limit, compress=deflate,
                                         protocols=subprotocols or (), timeout=10)
            await peer.prepare(request)
            await handler(cls(peer, bool(peer.compress), request.path))
            return peer

        application = web.Application()
        application.router.add_get("/{path:.*}", run)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner.addresses[0][1]

    async def send(self, message):
        await (self.peer.send_str if isinstance(message, str) else self.peer.send_bytes)(message)

    async def fragments(self, pieces):
        raise Unable("sends whole messages only")

    async def receive(self):
        import aiohttp

        message = await self.peer.receive()
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            return message.data
        if message.type == aiohttp.WSMsgType.CLOSE:
            self.reason = message.extra
        if self.session:
            await self.session.close()
        raise Ended

    async def close(self, code=1000, reason=""):
        await self.peer.close(code=code, message=reason.encode())
        if self.session:
            await self.session.close()
        return self.peer.close_code, None  # it drops the reason of the answer

    def closed(self):
        return self.peer.close_code, self.reason


class Wsproto:
    """`WSConnection` over the streams of asyncio. It has no limit of its own."""

    def __init__(self, reader, writer, connection):
        self.reader, self.writer, self.connection = reader, writer, connection
        self.message, self.end = [], (None, None)
        self.events = self.read()
        self.subprotocol, self.compressed, self.path = None, False, ""

    async def read(self):
        while True:
            # As its documentation has it: what the peer sent against the rules is answered.
            from wsproto.utilities import RemoteProtocolError

            for event in self.connection.events():
                yield event
            data = await self.reader.read(65536)
            try:
                self.connection.receive_data(data or None)
            except RemoteProtocolError as error:
                if error.event_hint is not None:
                    await self.write(error.event_hint)
                return
            if not data:
                return

    async def write(self, event):
        self.writer.write(self.connection.send(event))
        await self.writer.drain()

    @classmethod
    async def connect(cls, url, limit, deflate, subprotocols=()):
        import wsproto
        from wsproto.events import AcceptConnection, Request
        from wsproto.extensions import PerMessageDeflate

        address = url.removeprefix("ws://").rstrip("/")
        host, port = address.split(":")
        reader, writer = await asyncio.open_connection(host, port)
        self = cls(reader, writer, wsproto.WSConnection(wsproto.ConnectionType.CLIENT))
        try:
            extensions = [PerMessageDeflate()] if deflate else []
            await self.write(Request(host=address, target="/", extensions=extensions,
                                     subprotocols=list(subprotocols or ())))
            event = await anext(self.events)
            if not isinstance(event, AcceptConnection):
                raise Ended
        except BaseException:
            writer.close()
            raise
        self.subprotocol, self.compressed = event.subprotocol, bool(event.extensions)
        return self

    @classmethod
    async def serve(cls, handler, limit, deflate, subprotocols=()):
        import wsproto
        from wsproto.events import AcceptConnection, Request
        from wsproto.extensions import PerMessageDeflate

        async def run(reader, writer):
            self = cls(reader, writer, wsproto.WSConnection(wsproto.ConnectionType.SERVER))
            try:
                event = await anext(self.events, None)
                if isinstance(event, Request):
                    offers = event.subprotocols
                    chosen = next((name for name in subprotocols or () if name in offers), None)
                    extension = PerMessageDeflate()
                    await self.write(AcceptConnection(
                        subprotocol=chosen, extensions=[extension] if deflate else []))
                    self.path, self.compressed = event.target, deflate and extension.enabled()
                    await handler(self)
            finally:
                writer.close()

        server = await asyncio.start_server(run, "127.0.0.1", 0)
        return server.sockets[0].getsockname()[1]

    async def send(self, message):
        from wsproto.events import BytesMessage, TextMessage

        kind = TextMessage if isinstance(message, str) else BytesMessage
        await self.write(kind(data=message))

    async def fragments(self, pieces):
        from wsproto.events import TextMessage

        for number, piece in enumerate(pieces, 1):
            await self.write(TextMessage(data=piece, message_finished=number == len(pieces)))

    async def receive(self):
        from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

        async for event in self.events:
            if isinstance(event, (TextMessage, BytesMessage)):
                self.message.append(event.data)
                if event.message_finished:
                    pieces, self.message = self.message, []
                    return pieces[0][:0].join(pieces)
            elif isinstance(event, Ping):
                await self.write(event.response())
            elif isinstance(event, CloseConnection):
                self.end = event.code, event.reason or ""
                with contextlib.suppress(Exception):
                    await self.write(event.response())
                break
        self.writer.close()
        raise Ended

    async def close(self, code=1000, reason=""):
        from wsproto.events import CloseConnection

        with contextlib.suppress(Exception):
            await self.write(CloseConnection(code=code, reason=reason))
            while True:
                await self.receive()
        return self.end

    def closed(self):
        return self.end


class Picows:
    """Its listeners; it leaves the joining of fragments, and UTF-8, to who uses it."""

    compressed = False

    def __init__(self, transport, frames, path=""):
        self.transport, self.frames, self.path, self.end = transport, frames, path, (None, None)
        self.subprotocol = transport.response.headers.get("Sec-WebSocket-Protocol")

    @staticmethod
    def listener():
        import picows

        class Listener(picows.WSListener):
            def __init__(self):
                self.frames = asyncio.Queue()

            def on_ws_connected(self, transport):
                self.transport = transport
                if hasattr(self, "handler"):
                    self.task = asyncio.ensure_future(self.handler(Picows(transport, self.frames, self.path)))

            def on_ws_frame(self, transport, frame):
                close = frame.msg_type == picows.WSMsgType.CLOSE
                payload = frame.get_payload_as_bytes()
                if close and not transport.is_close_frame_sent:
                    transport.send_close(frame.get_close_code(), frame.get_close_message())
                if close and not transport.is_client_side:
                    transport.disconnect()
                self.frames.put_nowait((frame.msg_type, frame.fin, payload))

            def on_ws_disconnected(self, transport):
                self.frames.put_nowait(None)

        return Listener()

    @classmethod
    async def connect(cls, url, limit, deflate, subprotocols=()):
        import picows

        fields = {"Sec-WebSocket-Protocol": ", ".join(subprotocols)} if subprotocols else None
        transport, listener = await picows.ws_connect(
            cls.listener, url, max_frame_size=limit, extra_headers=fields
        )
        return cls(transport, listener.frames)

    @classmethod
    async def serve(cls, handler, limit, deflate, subprotocols=()):
        import picows

        def factory(request):
            listener = cls.listener()
            listener.handler, listener.path = handler, request.path.decode()
            offers = request.headers.get("Sec-WebSocket-Protocol", "")
            chosen = [name for name in offers.split(", ") if name in (subprotocols or ())][:1]
            fields = {"Sec-WebSocket-Protocol": chosen[0]} if chosen else None
            response = picows.WSUpgradeResponse.create_101_response(extra_headers=fields)
            return picows.WSUpgradeResponseWithListener(response, listener)

        server = await picows.ws_create_server(factory, "127.0.0.1", 0, max_frame_size=limit)
        return server.sockets[0].getsockname()[1]

    async def send(self, message):
        import picows

        kind = picows.WSMsgType.TEXT if isinstance(message, str) else picows.WSMsgType.BINARY
        self.transport.send(kind, message.encode() if isinstance(message, str) else message)

    async def fragments(self, pieces):
        import picows

        for number, piece in enumerate(pieces, 1):
            kind = picows.WSMsgType.CONTINUATION if number > 1 else picows.WSMsgType.TEXT
            self.transport.send(kind, piece.encode(), fin=number == len(pieces))

    async def receive(self):
        import picows

        kinds, found = [], b""
        while frame := await self.frames.get():
            kind, fin, payload = frame
            if kind == picows.WSMsgType.CLOSE:
                code = struct.unpack("!H", payload[:2])[0] if payload else None
                self.end = code, payload[2:].decode()
            elif kind in (picows.WSMsgType.TEXT, picows.WSMsgType.BINARY, picows.WSMsgType.CONTINUATION):
                kinds.append(kind)
                found += payload
                if fin:
                    return found.decode() if kinds[0] == picows.WSMsgType.TEXT else found
        raise Ended

    async def close(self, code=1000, reason=""):
        self.transport.send_close(code, reason.encode())
        with contextlib.suppress(Ended):
            while True:
                await self.receive()
        return self.end

    def closed(self):
        return self.end


class WebsocketClient:
    """websocket-client's `create_connection`; a client only."""

    compressed = False

    def __init__(self, peer):
        self.peer, self.end = peer, (None, None)
        self.subprotocol = peer.getsubprotocol()

    @classmethod
    async def connect(cls, url, limit, deflate, subprotocols=()):
        import websocket

        return cls(await asyncio.to_thread(websocket.create_connection, url, timeout=120, subprotocols=subprotocols))

    async def send(self, message):
        send = self.peer.send if isinstance(message, str) else self.peer.send_binary
        await asyncio.to_thread(send, message)

    async def fragments(self, pieces):
        from websocket import ABNF

        for number, piece in enumerate(pieces, 1):
            kind = ABNF.OPCODE_CONT if number > 1 else ABNF.OPCODE_TEXT
            frame = ABNF.create_frame(piece.encode(), kind, int(number == len(pieces)))
            self.peer.send_frame(frame)

    async def receive(self):
        from websocket import ABNF

        kind, data = await asyncio.to_thread(self.peer.recv_data)
        if kind == ABNF.OPCODE_CLOSE:
            self.end = struct.unpack("!H", data[:2])[0] if data else None, data[2:].decode()
            self.peer.shutdown()
            raise Ended
        return data.decode() if kind == ABNF.OPCODE_TEXT else data

    async def close(self, code=1000, reason=""):
        self.peer.send_close(code, reason.encode())
        with contextlib.suppress(Ended):
            while True:
                await self.receive()
        return self.end

    def closed(self):
        return self.end


class Libcurl:
    """libcurl's frames, through pycurl; a client only, which leaves joining to who uses it."""

    compressed = False

    def __init__(self, curl, fields):
        self.curl, self.end = curl, (None, None)
        chosen = [line.split(":")[1].strip() for line in fields if line.lower().startswith("sec-websocket-protocol:")]
        self.subprotocol = chosen[0] if chosen else None

    @classmethod
    async def connect(cls, url, limit, deflate, subprotocols=()):
        import pycurl

        fields, curl = [], pycurl.Curl()
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.CONNECT_ONLY, 2)
        curl.setopt(pycurl.HEADERFUNCTION, lambda line: fields.append(line.decode()))
        if subprotocols:
            curl.setopt(pycurl.HTTPHEADER, ["Sec-WebSocket-Protocol: " + ", ".join(subprotocols)])
        await asyncio.to_thread(curl.perform)
        return cls(curl, fields)

    async def write(self, data, flags):
        """A long frame goes out in parts, while its echo is on its way already."""
        import pycurl

        view = memoryview(data)
        first = True
        while first or view:
            try:
                rest = len(view) if not first else 0
                sent = self.curl.ws_send(bytes(view[: 1 << 20]) if len(data) > 1 << 20 else data,
                                         flags | (pycurl.WS_OFFSET if len(data) > 1 << 20 else 0),
                                         len(data) if first and len(data) > 1 << 20 else 0)
                view, first = view[sent:], False
            except BlockingIOError:
                await asyncio.sleep(0.001)

    async def send(self, message):
        import pycurl

        flags = pycurl.WS_TEXT if isinstance(message, str) else pycurl.WS_BINARY
        await self.write(message.encode() if isinstance(message, str) else message, flags)

    async def fragments(self, pieces):
        import pycurl

        for number, piece in enumerate(pieces, 1):
            more = pycurl.WS_CONT if number < len(pieces) else 0
            await self.write(piece.encode(), pycurl.WS_TEXT | more)

    async def receive(self):
        import pycurl

        found = b""
        while True:
            try:
                data, meta = self.curl.ws_recv(1 << 20)
            except BlockingIOError:
                await asyncio.sleep(0.001)
                continue
            except pycurl.error:
                raise Ended from None
            if meta.flags & pycurl.WS_CLOSE:
                self.end = struct.unpack("!H", data[:2])[0] if data else None, data[2:].decode()
                with contextlib.suppress(pycurl.error):
                    self.curl.ws_send(data, pycurl.WS_CLOSE)
                raise Ended
            if meta.flags & (pycurl.WS_TEXT | pycurl.WS_BINARY):
                found += data
                if not meta.bytesleft and not meta.flags & pycurl.WS_CONT:
                    return found.decode() if meta.flags & pycurl.WS_TEXT else found

    async def close(self, code=1000, reason=""):
        import pycurl

        self.curl.ws_send(struct.pack("!H", code) + reason.encode(), pycurl.WS_CLOSE)
        with contextlib.suppress(Ended):
            while True:
                await self.receive()
        return self.end

    def closed(self):
        return self.end


PEERS = {
    "websockets": (Websockets, "websockets"), "wsproto": (Wsproto, "wsproto"),
    "aiohttp": (Aiohttp, "aiohttp"), "picows": (Picows, "picows"),
    "websocket-client": (WebsocketClient, "websocket-client"), "libcurl": (Libcurl, "pycurl"),
}  # fmt: skip


# Echoes, for the rows.


async def echo(peer):
    with contextlib.suppress(Ended, ConnectionError):
        while True:
            await peer.send(await peer.receive())


async def serve(kind, limit, deflate):
    port = await kind.serve(echo, limit, deflate)
    print(f"listening on 127.0.0.1:{port}", flush=True)
    await asyncio.Event().wait()


async def connect(kind, limit, url, count, deflate):
    for _ in range(count):
        with contextlib.suppress(Exception):  # what it ends with is seen at the other end
            await echo(await kind.connect(url, limit, deflate))


# Conversations, for the matrix.


def expect(found, wanted):
    if found != wanted:
        raise AssertionError(f"{found!r:.100} instead of {wanted!r:.100}")


async def item(name, work):
    try:
        await asyncio.wait_for(work, 120)
        result = "ok"
    except Unable as why:
        result = f"- {why}"
    except Exception as error:
        result = f"{type(error).__name__}: {error}".replace("\n", " ")
    print(f"{name}\t{result}", flush=True)


async def trip(peer, *messages):
    for message in messages:
        await peer.send(message)
        expect(await peer.receive(), message)


async def talk(peer, can_deflate):
    await item("text", trip(peer, "grüße 😀" * 20))
    await item("binary", trip(peer, bytes(range(256)) * 300))
    await item("empty", trip(peer, "", b""))
    await item("16 MiB", trip(peer, bytes(range(256)) * (1 << 16)))

    async def fragments():
        await peer.fragments(["gr", "", "üße"])
        expect(await peer.receive(), "grüße")

    async def compression():
        if not can_deflate:
            raise Unable("has no compression")
        expect(peer.compressed, True)
        await trip(peer, "compress me " * 10_000)

    await item("fragments", fragments())
    await item("compression", compression())


async def close(peer):
    code, reason = await peer.close(*FAREWELL)
    expect((code, FAREWELL[1] if reason is None else reason), FAREWELL)


async def is_closed(peer):
    try:
        while True:
            await peer.receive()
    except Ended:
        expect(peer.closed(), OURS)


async def converse(kind, url, closing):
    can_deflate = kind in (Websockets, Aiohttp, Wsproto)
    peer = await kind.connect(url, LARGE, can_deflate, ["b", "a"])

    async def subprotocol():
        expect(peer.subprotocol, "b")

    await item("subprotocol", subprotocol())
    await talk(peer, can_deflate)
    await item("close by the peer", close(peer))
    peer = await kind.connect(closing, LARGE, can_deflate)
    await peer.send("last")
    await item("close by us", is_closed(peer))


async def host(kind):
    can_deflate = kind in (Websockets, Aiohttp, Wsproto)

    async def handler(peer):
        path = peer.path.partition("?")[0]
        if path == "/getCaseCount":
            await peer.send("1")
            await peer.close()
        elif path == "/runCase":
            await talk(peer, can_deflate)
            await item("close by the peer", close(peer))
        elif path == "/wscat":
            await peer.send(await peer.receive())
            await item("close by us", is_closed(peer))
        else:
            await peer.close()

    port = await kind.serve(handler, LARGE, can_deflate, ["b"])
    print(f"listening on 127.0.0.1:{port}", flush=True)
    await asyncio.Event().wait()


def main(name, mode, *rest):
    logging.disable(logging.CRITICAL)
    kind, package = PEERS[name]
    deflate = "--deflate" in rest
    rest = [word for word in rest if word != "--deflate"]
    if mode == "version":
        version = importlib.metadata.version(package)
        if name == "libcurl":
            import pycurl

            version = pycurl.version.split()[1].split("/")[1]
        print(version)
    elif mode == "server":
        asyncio.run(serve(kind, int(rest[0]), deflate))
    elif mode == "client":
        asyncio.run(connect(kind, int(rest[0]), rest[1], int(rest[2]), deflate))
    elif mode == "converse":
        asyncio.run(converse(kind, *rest))
    else:
        asyncio.run(host(kind))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
