// A DERP client in a page: logs in through a WebSocket and relays. The test says by the query what to do and gets the result by POST.
// SPDX-License-Identifier: LGPL-2.1-or-later
"use strict";

const FRAME = {serverKey: 1, clientInfo: 2, serverInfo: 3, sendPacket: 4, recvPacket: 5, keepAlive: 6, peerGone: 8, ping: 0x12, pong: 0x13};

const join = (...parts) => {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};

const hex = bytes => Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("");
const fromHex = text => Uint8Array.from(text.match(/../g) ?? [], pair => parseInt(pair, 16));
const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

const frame = (kind, ...parts) => {
  const payload = join(...parts);
  const head = new Uint8Array(5);
  head[0] = kind;
  new DataView(head.buffer).setUint32(1, payload.length);
  return join(head, payload);
};

const packet = size => Uint8Array.from({length: size}, (_, i) => i * 7 % 251);

const check = (what, holds) => {
  if (!holds)
    throw new Error(what);
};

class Client {
  constructor(url, offers) {
    this.pair = nacl.box.keyPair();
    this.pending = new Uint8Array(0);
    this.largest = 0;
    this.socket = new WebSocket(url, offers);
    this.socket.binaryType = "arraybuffer";
    this.wake = () => {};
    this.closed = new Promise(resolve => { this.socket.onclose = resolve; });
    this.closed.then(() => this.wake());
    this.socket.onmessage = event => {
      const data = new Uint8Array(event.data);
      this.largest = Math.max(this.largest, data.length);
      this.pending = join(this.pending, data);
      this.wake();
    };
  }

  get key() {
    return this.pair.publicKey;
  }

  // Bytes of several frames go as messages of that size, wherever that cuts them.
  write(bytes, size = bytes.length) {
    for (let at = 0; at < bytes.length; at += size)
      this.socket.send(bytes.slice(at, at + size));
  }

  async read(size) {
    while (this.pending.length < size) {
      if (this.socket.readyState > WebSocket.OPEN)
        throw new Error(`closed with ${(await this.closed).code}`);
      await new Promise(resolve => { this.wake = resolve; });
    }
    const bytes = this.pending.slice(0, size);
    this.pending = this.pending.slice(size);
    return bytes;
  }

  async recv() {
    for (;;) {
      const head = await this.read(5);
      const payload = await this.read(new DataView(head.buffer).getUint32(1));
      if (head[0] !== FRAME.keepAlive)
        return {kind: head[0], payload};
    }
  }

  async expect(kind, ...parts) {
    const found = await this.recv();
    check(`expected frame ${kind}, got ${found.kind} of ${found.payload.length} bytes`,
          found.kind === kind && (parts.length === 0 || same(found.payload, join(...parts))));
    return found.payload;
  }

  async login() {
    const greeting = await this.expect(FRAME.serverKey);
    this.serverKey = greeting.slice(8, 40);
    const nonce = nacl.randomBytes(24);
    const info = new TextEncoder().encode(JSON.stringify({version: 2, CanAckPings: true}));
    this.write(frame(FRAME.clientInfo, this.key, nonce, nacl.box(info, nonce, this.serverKey, this.pair.secretKey)));
    const answer = await this.expect(FRAME.serverInfo);
    const opened = nacl.box.open(answer.slice(24), answer.slice(0, 24), this.serverKey, this.pair.secretKey);
    check("ServerInfo does not open", opened !== null);
    check("ServerInfo has no version", JSON.parse(new TextDecoder().decode(opened)).version === 2);
    return this;
  }

  sendPacket(to, bytes, size) {
    this.write(frame(FRAME.sendPacket, to, bytes), size);
  }
}

const run = async wishes => {
  const url = wishes.get("url");
  const native = fromHex(wishes.get("peer"));
  const a = await new Client(url, ["derp"]).login();
  const b = await new Client(url, ["other", "derp"]).login();
  check("another subprotocol", a.socket.protocol === "derp" && b.socket.protocol === "derp");
  check("an extension", a.socket.extensions === "" && b.socket.extensions === "");

  for (const size of [0, 1, 125, 126, 1400, 16384, 65536]) {
    a.sendPacket(b.key, packet(size));
    await b.expect(FRAME.recvPacket, a.key, packet(size));
  }
  for (const size of [1, 5, 37, 1000]) {
    b.sendPacket(a.key, packet(3000), size);
    await a.expect(FRAME.recvPacket, b.key, packet(3000));
  }
  check("a message that is too long", b.largest <= 16384);

  // To a client outside of this browser and back.
  a.sendPacket(native, packet(1400));
  await a.expect(FRAME.recvPacket, native, packet(1400));

  a.write(frame(FRAME.ping, packet(8)));
  await a.expect(FRAME.pong, packet(8));

  b.socket.close(1000, "done");
  const end = await b.closed;
  check(`the goodbye came back as ${end.code}`, end.code === 1000 && end.wasClean);
  await a.expect(FRAME.peerGone, b.key, [0]);

  a.socket.send("text");
  const refusal = await a.closed;
  check(`text was answered with ${refusal.code}`, refusal.code === 1003 && refusal.wasClean);
  return `PASS ${hex(a.key)}`;
};

run(new URLSearchParams(location.search))
  .catch(error => `FAIL ${error.message}`)
  .then(text => fetch("result", {method: "POST", body: text}));
