// node embed/wasm/test.mjs MODULE.wasm EXAMPLES
//
// The conversation with one end in WebAssembly, and with both: in memory, and over TCP with the
// example programs in the folder EXAMPLES at the other end. The accounts are the transcript.

import { execFile, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer, connect } from "node:net";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { Peer } from "./peer.mjs";

const [path, examples] = process.argv.slice(2);
const module = await WebAssembly.compile(await readFile(path));
const transcript = await readFile(new URL("../transcript.txt", import.meta.url), "utf8");
const imports = WebAssembly.Module.imports(module).map(({ module, name }) => `${module}.${name}`);
let failed = 0;

function check(name, found, wanted = transcript) {
  const same = found === wanted;
  console.log(`${same ? "ok  " : "FAIL"}  ${name}`);
  if (!same) {
    failed++;
    console.log(found);
  }
}

/** A server's account, as the transcript has it. */
const served = (account) => account.replaceAll(/^/gm, "server: ").replace(/server: $/, "");

/** Both ends in this process, their bytes handed over in pieces of `size`. */
async function inMemory(size) {
  const [server, client] = [await Peer.load(module), await Peer.load(module)];
  server.serve();
  client.connect();
  for (;;) {
    const [there, back] = [client, server].map((peer) => peer.output());
    client.written(there.length);
    server.written(back.length);
    if (there.length + back.length === 0) break;
    server.receive(there, size);
    client.receive(back, size);
  }
  client.wasm.eof();
  server.wasm.eof();
  return served(server.account) + client.account;
}

/** Ours the client, a native example the server. */
async function clientOf(name) {
  const process = spawn(`${examples}/${name}`, ["127.0.0.1:0"], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const lines = createInterface(process.stdout)[Symbol.asyncIterator]();
    const address = (await lines.next()).value.split(" ").at(-1).split(":");
    const socket = connect({ host: address[0], port: Number(address[1]), allowHalfOpen: true });
    await once(socket, "connect");
    const account = await (await Peer.load(module)).connect().over(socket);
    let theirs = "";
    do theirs += `${(await lines.next()).value}\n`;
    while (!/^ended.*\n$/m.test(theirs));
    return served(theirs) + account;
  } finally {
    process.kill();
  }
}

/** Ours the server, a native example the client. */
async function serverOf(name) {
  const listener = createServer({ allowHalfOpen: true });
  await once(listener.listen(0, "127.0.0.1"), "listening");
  const client = new Promise((resolve) =>
    execFile(`${examples}/${name}`, [`127.0.0.1:${listener.address().port}`], (error, stdout) =>
      resolve(error ? String(error) : stdout)));
  const [socket] = await once(listener, "connection");
  listener.close();
  const account = await (await Peer.load(module)).serve().over(socket);
  return served(account) + (await client);
}

/** A socket at each end. */
async function pair() {
  const listener = createServer({ allowHalfOpen: true });
  await once(listener.listen(0, "127.0.0.1"), "listening");
  const near = connect({ port: listener.address().port, host: "127.0.0.1", allowHalfOpen: true });
  const [far] = await once(listener, "connection");
  listener.close();
  return [near, far];
}

const REQUEST = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/** Ours the server; its socket, the other end as it is, the account to come. */
async function open() {
  const [near, far] = await pair();
  const peer = (await Peer.load(module)).serve();
  const account = peer.over(far);
  near.write(REQUEST);
  await once(near, "data");
  return { peer, near, far, account };
}

/** A binary message, masked with zeros. */
function message(size) {
  const frame = Buffer.alloc(14 + size);
  frame.writeUInt16BE(0x82ff);
  frame.writeUInt32BE(size, 6);
  return frame;
}

const soon = (promise) => Promise.race([promise, setTimeout(60_000, "nothing", { ref: false })]);

/** A Pong that was held back behind a long answer. */
async function held() {
  const { near, account } = await open();
  const pong = new Promise((resolve) =>
    near.on("data", (data) => data.toString("latin1").endsWith("\x8a\x01p") && resolve("pong")));
  near.write(Buffer.concat([message(200_000), Buffer.from("\x89\x81\0\0\0\0p", "latin1")]));
  const came = await soon(pong);
  near.end();
  await soon(account);
  return came;
}

/** A peer that ends the transport, and nothing else. */
async function hungUp() {
  const { near, account } = await open();
  near.end();
  const told = await soon(account);
  near.destroy();
  return told.split("\n").at(-2);
}

/** Ours the server, of a client that says goodbye and does not end: what it says when it leaves. */
async function endless() {
  const { near, account } = await open();
  near.write(Buffer.from("\x88\x82\0\0\0\0\x03\xe8", "latin1"));
  const told = await account.catch(String);
  near.destroy();
  return told.split("\n").at(-2) ?? told;
}

/** Ours the client, of a server that does not end: whether it waits for that, and what it says. */
async function waits() {
  const [near, far] = await pair();
  const server = (await Peer.load(module)).serve();
  far.on("data", (data) => {
    server.receive(data);
    for (let out; (out = server.output()).length > 0; server.written(out.length)) far.write(out);
  });
  const account = (await Peer.load(module)).connect().over(near);
  near.on("data", () => {
    // Both Closes have come: only the end is left to wait for.
    if (server.ended && near.bytesRead === far.bytesWritten) near.setTimeout(500);
  });
  const told = await account;
  far.destroy();
  return `${near.writableEnded ? "left" : "waited"}, ${told.split("\n").at(-2)}`;
}

/** Who does not read for a while: what waits is known to wait, and all of it comes. */
async function slow() {
  const [size, count] = [1 << 20, 24];
  const { peer, near, far, account } = await open();
  near.pause();
  for (let n = 0; n < count; n++) near.write(message(size));
  let [before, waiting] = [-1, 0];
  for (let n = 0; n < 100 && (waiting === 0 || far.bytesWritten !== before); n++) {
    before = far.bytesWritten;
    await setTimeout(200);
    waiting = peer.wasm.output_len();
  }
  let came = 0;
  const all = new Promise((resolve) => near.on("data", (data) => {
    came += data.length;
    if (came >= count * (10 + size)) resolve("all"); // Pings may be among it
  }));
  near.resume();
  const late = setTimeout(60_000, null, { ref: false }).then(() => `${came} bytes`);
  const whole = await Promise.race([all, late]);
  near.end();
  await soon(account);
  return `${waiting > 0 && far.writableLength <= 65536 ? "waits" : "forgotten"}, ${whole}`;
}

const leaving = endless(); // all of a close timeout
check("the host gives entropy and takes notes, nothing else", imports.sort().join(), "host.entropy,host.note");
for (const size of [65536, 4096, 61, 7]) {
  check(`in memory, ${size} bytes at a time`, await inMemory(size));
}
check("a client in node, std_server", await clientOf("std_server"));
check("a client in node, mio_server", await clientOf("mio_server"));
check("a server in node, std_client", await serverOf("std_client"));
check("a server in node, mio_client", await serverOf("mio_client"));
check("a Pong behind a long answer", await held(), "pong");
check("an end without a Close", await hungUp(), "the transport ended too early");
check("the client does not end", await leaving, 'ended, clean, 1000 ""');
check("the server ends first", await waits(), `waited, ${transcript.split("\n").at(-2)}`);
check("what the network does not take", await slow(), "waits, all");
console.log(failed ? `${failed} failed` : "all passed");
process.exit(failed ? 1 : 0);
