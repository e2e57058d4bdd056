// node embed/wasm/test.mjs MODULE.wasm EXAMPLES
//
// The conversation with one end in WebAssembly, and with both: in memory, and over TCP with the
// example programs in the folder EXAMPLES at the other end. The accounts are the transcript.

import { execFile, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer, connect } from "node:net";
import { once } from "node:events";
import { createInterface } from "node:readline";
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
    const [there, back] = [client.take(), server.take()];
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

check("the host gives entropy and takes notes, nothing else", imports.sort().join(), "host.entropy,host.note");
for (const size of [65536, 4096, 61, 7]) {
  check(`in memory, ${size} bytes at a time`, await inMemory(size));
}
check("a client in node, std_server", await clientOf("std_server"));
check("a client in node, mio_server", await clientOf("mio_server"));
check("a server in node, std_client", await serverOf("std_client"));
check("a server in node, mio_client", await serverOf("mio_client"));
console.log(failed ? `${failed} failed` : "all passed");
process.exitCode = failed ? 1 : 0;
