// Packages of node, as programs: see peers.py, whose command line this has, behind the folder where
// they are installed.
//
//     node .ci/peers.mjs FOLDER ws server LIMIT [--deflate]
//     node .ci/peers.mjs FOLDER ws client LIMIT URL COUNT [--deflate]
//     node .ci/peers.mjs FOLDER ws|undici converse URL CLOSING
//     node .ci/peers.mjs FOLDER ws host
//     node .ci/peers.mjs FOLDER ws|undici version

import { createRequire } from "node:module";
import path from "node:path";

const [folder, name, mode, ...given] = process.argv.slice(2);
const require = createRequire(path.resolve(folder, "node_modules", "x.js"));
const deflate = given.includes("--deflate");
const rest = given.filter((word) => word !== "--deflate");
const LARGE = 32 << 20;
const FAREWELL = [3456, "das genügt"];
const OURS = [4321, "grüß Gott"];

// One shape for both: messages in a queue, then the end.
class Peer {
    constructor(socket) {
        this.socket = socket;
        this.queue = [];
        this.wake = () => {};
        socket.binaryType = "arraybuffer";
        socket.addEventListener("message", ({ data }) => {
            this.queue.push(typeof data === "string" ? data : Buffer.from(data));
            this.wake();
        });
        socket.addEventListener("close", ({ code, reason }) => {
            this.end = [code, reason];
            this.wake();
        });
        socket.addEventListener("error", () => {});
    }

    opened() {
        return new Promise((resolve, reject) => {
            this.socket.addEventListener("open", resolve);
            this.socket.addEventListener("close", () => reject(new Error("it did not open")));
        });
    }

    async receive() {
        while (this.queue.length === 0) {
            if (this.end) throw new Error(`ended with ${this.end}`);
            await new Promise((resolve) => (this.wake = resolve));
        }
        return this.queue.shift();
    }

    async closed() {
        while (!this.end) await new Promise((resolve) => (this.wake = resolve));
        return this.end;
    }

    async close() {
        this.socket.close(...FAREWELL);
        expect(await this.closed(), FAREWELL);
    }
}

function connect(url, limit, protocols) {
    if (name === "undici") {
        return new Peer(new (require("undici").WebSocket)(url, protocols));
    }
    const WebSocket = require("ws");
    return new Peer(new WebSocket(url, protocols, { maxPayload: limit, perMessageDeflate: deflate }));
}

function serve(handler, limit, protocol) {
    const { WebSocketServer } = require("ws");
    const options = { host: "127.0.0.1", port: 0, maxPayload: limit, perMessageDeflate: deflate };
    if (protocol) options.handleProtocols = (offers) => offers.has(protocol) && protocol;
    const server = new WebSocketServer(options, () => {
        console.log(`listening on 127.0.0.1:${server.address().port}`);
    });
    server.on("connection", handler);
}

function echo(socket) {
    socket.on("error", () => {}); // it closes by itself
    socket.on("message", (data, binary) => socket.send(data, { binary }));
}

function expect(found, wanted) {
    const [ours, theirs] = [found, wanted].map((it) => (Buffer.isBuffer(it) ? it : JSON.stringify(it)));
    if (Buffer.isBuffer(ours) && Buffer.isBuffer(theirs) ? !ours.equals(theirs) : ours !== theirs) {
        throw new Error(`${String(ours).slice(0, 100)} instead of ${String(theirs).slice(0, 100)}`);
    }
}

async function item(what, work) {
    const late = new Promise((_, reject) => setTimeout(reject, 120_000, new Error("too late")).unref());
    try {
        const why = await Promise.race([work(), late]);
        console.log(`${what}\t${why ? `- ${why}` : "ok"}`);
    } catch (error) {
        console.log(`${what}\t${error.message}`);
    }
}

async function trip(peer, ...messages) {
    for (const message of messages) {
        peer.socket.send(message);
        expect(await peer.receive(), message);
    }
}

async function talk(peer) {
    const bytes = Buffer.alloc(16 << 20, Buffer.from([...Array(251).keys()]));
    await item("text", () => trip(peer, "grüße 😀".repeat(20)));
    await item("binary", () => trip(peer, bytes.subarray(0, 70_000)));
    await item("empty", () => trip(peer, "", Buffer.alloc(0)));
    await item("16 MiB", () => trip(peer, bytes));
    await item("fragments", async () => {
        if (name === "undici") return "sends whole messages only";
        peer.socket.send("gr", { fin: false });
        peer.socket.send("", { fin: false });
        peer.socket.ping("between");
        peer.socket.send("üße", { fin: true });
        expect(await peer.receive(), "grüße");
    });
    await item("compression", async () => {
        expect(peer.socket.extensions.split(";")[0], "permessage-deflate");
        await trip(peer, "compress me ".repeat(10_000));
    });
}

async function converse(url, closing) {
    const peer = connect(url, LARGE, ["b", "a"]);
    await peer.opened();
    await item("subprotocol", async () => expect(peer.socket.protocol, "b"));
    await talk(peer);
    await item("close by the peer", () => peer.close());
    const other = connect(closing, LARGE, []);
    await other.opened();
    other.socket.send("last");
    await item("close by us", async () => expect(await other.closed(), OURS));
}

async function host(socket, request) {
    const peer = new Peer(socket);
    if (request.url === "/getCaseCount") {
        socket.send("1");
    } else if (request.url === "/runCase?case=1&agent=sockless") {
        await talk(peer);
        await item("close by the peer", () => peer.close());
    } else if (request.url === "/wscat") {
        socket.send(await peer.receive());
        await item("close by us", async () => expect(await peer.closed(), OURS));
    }
    socket.close();
}

if (mode === "version") {
    console.log(require(`${name}/package.json`).version);
} else if (mode === "server") {
    serve(echo, Number(rest[0]));
} else if (mode === "client") {
    for (let left = Number(rest[2]); left > 0; left--) {
        const peer = connect(rest[1], Number(rest[0]), []);
        echo(peer.socket);
        await peer.closed();
    }
} else if (mode === "converse") {
    await converse(...rest);
} else {
    serve(host, LARGE, "b");
}
