// One hub of a kind that comes from npm, as a process of its own: `node hub-process.mjs <kind> <port>`. The servers
// are the packages' own; what stands here is only what they leave to whoever runs them. `liar` is no hub.

import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { WebSocketServer, createWebSocketStream } from "ws";

const require = createRequire(import.meta.url);
const [kind, port] = [process.argv[2], Number(process.argv[3])];
const host = "127.0.0.1";

const kinds = {
  async mqtt() {
    const { Aedes } = await import("aedes");
    const broker = await Aedes.createBroker();
    const server = createServer();
    const sockets = new WebSocketServer({ server, handleProtocols: (offered) => (offered.has("mqtt") ? "mqtt" : false) });
    sockets.on("connection", (socket, request) => {
      const stream = createWebSocketStream(socket);
      stream.on("error", () => {});
      broker.handle(stream, request);
    });
    await new Promise((resolve) => server.listen(port, host, resolve));
  },
  async nostr() {
    const { NostrRelay } = await import("@nostr-relay/core");
    const { Validator } = await import("@nostr-relay/validator");
    const { EventRepository } = await import("@nostr-relay/common");
    // A relay that keeps nothing; ephemeral events never reach it.
    class Nothing extends EventRepository {
      isSearchSupported = () => false;
      upsert = () => ({ isDuplicate: false });
      find = () => [];
      destroy = async () => {};
    }
    const relay = new NostrRelay(new Nothing());
    const validator = new Validator();
    new WebSocketServer({ port, host }).on("connection", (socket) => {
      relay.handleConnection(socket);
      socket.on("message", async (data) => {
        try {
          await relay.handleMessage(socket, await validator.validateIncomingMessage(data));
        } catch (error) {
          socket.send(JSON.stringify(["NOTICE", `invalid: ${error.message}`]));
        }
      });
      socket.on("close", () => relay.handleDisconnect(socket));
    });
  },
  async peerjs() {
    const { PeerServer } = await import("peer");
    await new Promise((resolve) => PeerServer({ port, host, path: "/" }, resolve));
  },
  async signalhubws() {
    // Its own engine has binaries for Node.js 8 to 12 only; it takes another.
    const { WebSocketServer: Engine } = require("ws");
    await new Promise((resolve) => require("signalhubws/server")(Engine).listen(port, resolve));
  },
  async wt() {
    const { default: Server } = await import("bittorrent-tracker/server");
    const tracker = new Server({ udp: false, http: false, ws: true, stats: false });
    tracker.on("warning", () => {});
    tracker.on("error", () => {});
    await new Promise((resolve) => tracker.listen(port, host, resolve));
  },
  async liar() {
    const lies = [
      "<html>", "null", '{"type":"pong"}', '{"type":"publish"}', '{"type":"publish","topic":"x","d":"*"}',
      `{"type":"publish","topic":"${"0".repeat(64)}","d":"AAAA"}`, "[".repeat(5_000), '["EVENT","h0",{}]', '{"action":"send"}',
    ];
    new WebSocketServer({ port, host }).on("connection", (socket) => {
      const lie = setInterval(() => {
        for (const one of lies) socket.send(one);
        socket.send(randomBytes(300));
      }, 20);
      socket.on("close", () => clearInterval(lie));
      socket.on("error", () => {});
    });
  },
};

await kinds[kind]();
console.log("listening");
