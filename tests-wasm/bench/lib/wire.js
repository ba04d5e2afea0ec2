// What crosses the data channels of a page, whoever opened them, and a clock that two browsers of one machine share.

const seen = { sent: 0, received: 0, opened: undefined, first: undefined };

/** Bytes of channel messages so far; when the first channel since `reset` opened and brought its first message. */
export const wire = () => ({ ...seen });

/** Waits anew for a channel to open. Bytes count on. */
export function reset() {
  seen.opened = undefined;
  seen.first = undefined;
}

const size = (data) => data.byteLength ?? data.size ?? data.length;

const send = RTCDataChannel.prototype.send;
RTCDataChannel.prototype.send = function (data) {
  seen.sent += size(data);
  return send.call(this, data);
};

function watch(channel) {
  const open = () => (seen.opened ??= clock());
  if (channel.readyState === "open") open();
  channel.addEventListener("open", open);
  channel.addEventListener("message", ({ data }) => {
    seen.received += size(data);
    seen.first ??= clock();
  });
}

// Only this machine: whoever brings addresses of public STUN servers does without them.
const Native = RTCPeerConnection;
const connections = [];
const print = (description) => /a=fingerprint:(\S+ \S+)/.exec(description?.sdp)?.[1];

/** Both ends of each connection that stands, by their certificates. */
export const ends = () => connections
  .filter(({ connectionState }) => connectionState === "connected")
  .map(({ localDescription, remoteDescription }) => ({ here: print(localDescription), there: print(remoteDescription) }));

globalThis.RTCPeerConnection = class extends Native {
  constructor(configuration) {
    super({ ...configuration, iceServers: [] });
    connections.push(this);
    this.addEventListener("datachannel", ({ channel }) => watch(channel));
  }

  createDataChannel(...given) {
    const channel = super.createDataChannel(...given);
    watch(channel);
    return channel;
  }
};

let origin;

/** Anchors the fine clock at moments when the coarse one, which all processes share, goes on by one. */
export function calibrate() {
  origin = Math.max(...Array.from({ length: 15 }, () => {
    const before = Date.now();
    while (Date.now() === before);
    return Date.now() - performance.now();
  }));
}

/** Milliseconds since 1970, to a fraction. */
export const clock = () => origin + performance.now();
