// One peer in WebAssembly, its bytes carried by this host.

import { randomFillSync } from "node:crypto";

/** An instance of the module: `serve()` or `connect()` it, then hand it what is read. */
export class Peer {
  account = "";

  static async load(module) {
    const peer = new Peer();
    const bytes = (start, size) => new Uint8Array(peer.wasm.memory.buffer, start, size);
    const host = {
      entropy: (to, size) => void randomFillSync(bytes(to, size)),
      note: (text, size) => void (peer.account += new TextDecoder().decode(bytes(text, size))),
    };
    peer.wasm = (await WebAssembly.instantiate(module, { host })).exports;
    return peer;
  }

  serve() {
    this.wasm.serve(performance.now());
    return this;
  }

  connect() {
    this.wasm.connect();
    return this;
  }

  /** Hands over what was read, in pieces of at most 64 KiB. */
  receive(data, size = 65536) {
    for (let start = 0; start < data.length; start += size) {
      const piece = data.subarray(start, start + size);
      new Uint8Array(this.wasm.memory.buffer).set(piece, this.wasm.input());
      this.wasm.receive(piece.length, performance.now());
    }
  }

  /** What is to be written: a copy, since the memory may move. */
  take() {
    const size = this.wasm.output_len();
    const data = new Uint8Array(this.wasm.memory.buffer, this.wasm.output(), size).slice();
    this.wasm.written(size, performance.now());
    return data;
  }

  get ended() {
    return this.wasm.ended() !== 0;
  }

  /** Carries the bytes of a socket until it has ended: the account of this side. */
  over(socket) {
    return new Promise((resolve, reject) => {
      let timer;
      const turn = () => {
        clearTimeout(timer);
        const now = performance.now();
        const next = this.wasm.tick(now);
        if (next < 0) return socket.destroy(new Error("given up"));
        timer = setTimeout(turn, Math.min(next - now, 2 ** 31 - 1));
        const out = this.take();
        // What the network does not take yet is waited for: nothing more is read meanwhile.
        if (out.length > 0 && !socket.write(out)) socket.pause();
        if (this.ended && !socket.writableEnded) socket.end();
      };
      socket.setNoDelay(true);
      socket.on("drain", () => socket.resume());
      socket.on("data", (data) => (this.receive(data), turn()));
      socket.on("error", reject);
      socket.on("close", () => {
        clearTimeout(timer);
        this.wasm.eof();
        resolve(this.account);
      });
      turn();
    });
  }
}
