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

  /** The next piece to write, at most 64 KiB: a copy, since the memory may move. */
  output() {
    const size = Math.min(this.wasm.output_len(), 65536);
    return new Uint8Array(this.wasm.memory.buffer, this.wasm.output(), size).slice();
  }

  /** The network has taken so much of it. */
  written(size) {
    this.wasm.written(size, performance.now());
  }

  get ended() {
    return this.wasm.ended() !== 0;
  }

  /**
   * Carries the bytes of a socket, made with `allowHalfOpen`, until it has ended: the account of
   * this side. A client asks nothing, so a peer that says nothing for `patience` is given up.
   */
  over(socket, patience = 60_000) {
    return new Promise((resolve, reject) => {
      let timer, writing = false;
      const turn = () => {
        clearTimeout(timer);
        const now = performance.now();
        const next = this.wasm.tick(now);
        if (next === -2) return socket.destroy();
        if (next < 0) return socket.destroy(new Error("given up"));
        timer = setTimeout(turn, Math.min(next - now, 2 ** 31 - 1));
        if (writing) return;
        const out = this.output();
        if (out.length === 0) {
          socket.resume();
          if ((this.ended || socket.readableEnded) && !socket.writableEnded) socket.end();
          return;
        }
        // A piece at a time, so that what is told is what was taken. Nothing is read meanwhile.
        writing = true;
        socket.pause();
        socket.write(out, (error) => {
          writing = false;
          if (error) return; // and "close" is next
          this.written(out.length);
          turn();
        });
      };
      socket.setNoDelay(true);
      socket.setTimeout(patience, () => socket.destroy());
      socket.on("data", (data) => (this.receive(data), turn()));
      socket.on("end", turn);
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
