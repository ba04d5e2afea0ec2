// A bare data channel between two pages, which find each other through a hub that speaks as y-webrtc's does; and
// messages of any size over it, for systems that bring no transport: pieces of 64 KiB, each marked whether it is the last.

const PIECE = 65_535;
const HIGH = 1 << 20;

/** Connects; `role` is "A" or "B", one of each meets in a topic. Resolves once the channel is open. */
export function dial(role, hub, topic) {
  const socket = new WebSocket(hub);
  const connection = new RTCPeerConnection({ iceServers: [] });
  const say = (what) => socket.send(JSON.stringify({ type: "publish", topic, from: role, ...what }));
  const early = [];
  connection.onicecandidate = ({ candidate }) => candidate && say({ candidate });
  const channel = connection.createDataChannel("bare", { negotiated: true, id: 0 });
  channel.binaryType = "arraybuffer";
  const describe = async () => {
    await connection.setLocalDescription();
    say({ description: connection.localDescription });
  };
  let offered = false;
  const hear = async ({ from, here, description, candidate }) => {
    if (from === undefined || from === role) return;
    if (here && role === "B" && here !== "again") say({ here: "again" });
    if (here && role === "A" && !offered) {
      offered = true;
      await describe();
    }
    if (description) {
      await connection.setRemoteDescription(description);
      if (description.type === "offer") await describe();
      for (const one of early.splice(0)) await connection.addIceCandidate(one);
    }
    if (candidate) connection.remoteDescription ? await connection.addIceCandidate(candidate) : early.push(candidate);
  };
  socket.onopen = () => {
    socket.send(JSON.stringify({ type: "subscribe", topics: [topic] }));
    say({ here: "first" });
  };
  return new Promise((resolve, reject) => {
    socket.onmessage = ({ data }) => void hear(JSON.parse(data)).catch(reject);
    socket.onerror = () => reject(new Error("no hub"));
    channel.onopen = () => resolve(new Line(channel, () => (channel.close(), connection.close(), socket.close())));
  });
}

class Line {
  /** Called with each message. What comes before it is set waits. */
  #hear;
  #early = [];
  #parts = [];
  #turn = Promise.resolve();

  constructor(channel, close) {
    this.channel = channel;
    this.close = close;
    channel.bufferedAmountLowThreshold = HIGH / 4;
    channel.onmessage = ({ data }) => this.#take(new Uint8Array(data));
  }

  set onmessage(hear) {
    this.#hear = hear;
    for (const message of this.#early.splice(0)) hear(message);
  }

  send(message) {
    this.#turn = this.#turn.then(async () => {
      for (let from = 0, last = false; !last; from += PIECE) {
        last = from + PIECE >= message.length;
        const part = message.subarray(from, from + PIECE);
        const frame = new Uint8Array(1 + part.length);
        frame[0] = last ? 1 : 0;
        frame.set(part, 1);
        if (this.channel.bufferedAmount > HIGH) await new Promise((resolve) => (this.channel.onbufferedamountlow = resolve));
        this.channel.send(frame);
      }
    });
  }

  #take(frame) {
    this.#parts.push(frame.subarray(1));
    if (frame[0] !== 1) return;
    const parts = this.#parts.splice(0);
    const message = parts.length === 1 ? parts[0] : joined(parts);
    if (this.#hear) this.#hear(message);
    else this.#early.push(message);
  }
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
