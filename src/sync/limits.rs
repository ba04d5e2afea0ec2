//! Every cap of a connection, with its unit and its reason.
//!
//! A length is checked against its cap before anything is allocated. Whoever goes past one is named a fault and
//! loses the session; what we send ourselves stays far below.

/// Bytes of one frame on the carrier, length prefix and authentication tag included: a data channel carries a
/// message of this size everywhere.
pub const MAX_FRAME: usize = 16 * 1024;
/// Bytes of one message before it is split into frames. A block is at most 1 MiB; its proof fits beside it.
pub const MAX_MESSAGE: usize = 2 * 1024 * 1024;
/// Bytes that may wait in a session before [`super::Session::writable`] says zero: two chunks are always ready
/// while the carrier drains, and storage is not read ahead of it further than this.
pub const QUEUE_TARGET: usize = 256 * 1024;
/// Bytes that may ever wait in a session; beyond, sending fails. Four of the largest messages.
pub const QUEUE_MAX: usize = 4 * MAX_MESSAGE;

/// Spaces shared with one peer at once.
pub const MAX_CHANNELS: usize = 64;
/// Spaces that may be opened in the life of a session, so that closed ones can be remembered.
pub const MAX_CHANNELS_EVER: usize = 1024;
/// Writer keys that a peer may prove in one space. A device has one or two.
pub const MAX_PROVEN: usize = 16;

/// Requests in flight in one direction of a channel.
pub const MAX_REQUESTS: usize = 16;
/// Requests in flight for one feed, so that several peers share the work.
pub const MAX_REQUESTS_PER_FEED: usize = 4;
/// Heads that wait to be asked for on one channel.
pub const MAX_HEADS_WAITING: usize = 1024;
/// Requests that were cancelled or fell away and whose late data is still thrown away without a fault.
pub const MAX_CANCELLED: usize = 256;
/// Bytes of blocks in one data message, unless one block is larger.
pub const CHUNK: usize = 64 * 1024;
/// Blocks in one data message.
pub const MAX_BLOCKS: usize = 4096;
/// Bytes of one block.
pub const MAX_BLOCK: usize = crate::feed::MAX_BLOCK;
/// Blocks asked for in one request.
pub const MAX_REQUEST_BLOCKS: u64 = 65_536;
/// Bytes one request aims at, by the mean block size seen so far: big enough for a stream, small enough to share
/// the work among several peers.
pub const REQUEST_BYTES: u64 = 512 * 1024;
/// Blocks in a request to a feed whose block size is not known yet.
pub const FIRST_REQUEST_BLOCKS: u64 = 1024;
/// Bytes of a new tail that is pushed to a level peer instead of announced: about what an announcement costs, so
/// that several pushes of one entry over a mesh waste little.
pub const PUSH_BYTES: usize = 4096;
/// Blocks of a new tail that is pushed.
pub const PUSH_BLOCKS: u64 = 16;
/// Milliseconds without progress after which a request is taken back and may be asked elsewhere.
pub const REQUEST_TIMEOUT_MS: u64 = 15_000;
/// Doublings of that time for a peer whose requests are taken back again and again: up to 16 minutes.
pub const MAX_STRIKES: u32 = 6;
/// Milliseconds until a peer is asked again for what came to nothing: another branch of which it had no more, a search
/// for a fork that found none, a feed of which it has another branch.
pub const AGAIN_MS: u64 = 2_000;
/// Doublings of that time when it comes to nothing again and again: up to 4 minutes.
pub const MAX_AGAIN: u32 = 7;
/// Milliseconds until a feed is asked for again after an answer that was overtaken.
pub const STALE_MS: u64 = 50;
/// Blocks in a request past the cut of a device: they can only hold cuts of its own, and it may sign them for ever.
pub const RATION_BLOCKS: u64 = 16;
/// Milliseconds between such requests to one peer.
pub const RATION_MS: u64 = 5_000;
/// Milliseconds between announcements of a feed that is still being fetched.
pub const PROGRESS_MS: u64 = 100;

/// Feeds in one announcement.
pub const MAX_ANNOUNCED: usize = 256;
/// Feeds remembered of one peer in one space.
pub const MAX_FEEDS: usize = 16_384;
/// Ranges in one have message, and ranges remembered per feed.
pub const MAX_RANGES: usize = 64;

/// Hashes in one list of items.
pub const MAX_HASHES: usize = 4096;
/// Hashes remembered of one peer.
pub const MAX_ITEMS: usize = 65_536;
/// Bytes of one item: the largest root record. Signed values and evidence are far smaller.
pub const MAX_ITEM: usize = crate::space::MAX_RECORD;

/// Blocks in one challenge: each is read whole.
pub const MAX_CHALLENGED: usize = 8;

/// Addresses in one peer exchange.
pub const MAX_PEERS: usize = 64;
/// Bytes of one address in a peer exchange.
pub const MAX_PEER: usize = 512;
/// Bytes of an extension's name.
pub const MAX_EXTENSION_NAME: usize = 64;
/// Bytes of an extension's message.
pub const MAX_EXTENSION: usize = 64 * 1024;
/// Bytes of the text in a close message.
pub const MAX_REASON: usize = 256;

/// Bytes of the ciphertext of an ephemeral message.
pub const MAX_ENVELOPE: usize = 16 * 1024;
/// Most hops of an ephemeral message.
pub const MAX_HOPS: u8 = 8;
/// Milliseconds that an ephemeral message may expire ahead of now.
pub const MAX_EXPIRY_MS: u64 = 5 * 60 * 1000;
/// Envelopes remembered, so that each is delivered once. The oldest expiry gives way.
pub const MAX_SEEN: usize = 16_384;
/// Envelopes remembered across a reload.
pub const MAX_KEPT: usize = 1024;
/// Ephemeral messages a second accepted from one peer.
pub const ENVELOPES_PER_SECOND: u32 = 50;
/// Ephemeral messages accepted from one peer at once.
pub const ENVELOPE_BURST: u32 = 200;
/// Bytes of ephemeral messages a second accepted from one peer. They are multiplied by the number of peers when they
/// are passed on, so that a stranger must not fill the lines of all.
pub const ENVELOPE_BYTES_PER_SECOND: u32 = 128 * 1024;
/// Bytes of ephemeral messages accepted from one peer at once.
pub const ENVELOPE_BYTES_BURST: u32 = 1024 * 1024;
/// Milliseconds that a peer's clock may differ and still have a say. Within it are clocks set to another time zone.
pub const MAX_CLOCK_OFFSET_MS: i64 = 24 * 3600 * 1000;
/// Peers whose rates one relay keeps.
pub const MAX_RELAY_PEERS: usize = 1024;

/// Milliseconds between heartbeats.
pub const HEARTBEAT_MS: u64 = 10_000;
/// Milliseconds of silence after which the peer is taken for gone: three heartbeats.
pub const SILENCE_MS: u64 = 30_000;
/// Milliseconds a handshake may take.
pub const HANDSHAKE_MS: u64 = 15_000;
/// Milliseconds after which a carrier on which parts went out in silence is asked whether it lives, if there is another.
pub const SUSPECT_MS: u64 = 1_500;
/// Milliseconds after which a carrier that does not answer is left for another.
pub const STALL_MS: u64 = 1_500;
/// The same if there is no other carrier: then it is only looked after.
pub const STALL_ALONE_MS: u64 = 5_000;
/// Bytes of parts that may be sent and not acknowledged: what another carrier would have to bring again.
pub const KEPT_BYTES: usize = 1024 * 1024;
/// Parts after which the peer is told that they came, if nothing else tells it: far below [`KEPT_BYTES`].
pub const ACKNOWLEDGE_AFTER: u64 = 8;
/// The same while there are several carriers: it also shows that a slow one lives.
pub const ACKNOWLEDGE_AFTER_SEVERAL: u64 = 2;
/// Carriers of one session at once. One that is being replaced may still be there.
pub const MAX_CARRIERS: usize = 4;
/// Bytes of ephemeral messages that may wait in a session: they share the carrier with replication, message by message,
/// and what does not fit is left out.
pub const TALK_MAX: usize = 256 * 1024;
/// Milliseconds that a session without an open channel lives.
pub const IDLE_MS: u64 = 60_000;

/// Pushes and announcements a second that one side of a channel sends; the rest is put together into the next.
pub const TAIL_PER_SECOND: u32 = 100;

/// Rates at which messages of a kind are accepted: per second, and at once. At once is ten seconds' worth, so that
/// a carrier which stalled and delivers late does no harm; a sender of ours keeps to a tenth.
pub const fn rate(kind: super::Kind) -> (u32, u32) {
    use super::Kind;
    match kind {
        Kind::Open | Kind::Refuse | Kind::CloseChannel => (100, 1_000),
        Kind::Prove | Kind::Beacon | Kind::Relist => (10, 100),
        Kind::Announce | Kind::Items | Kind::Peers => (200, 2_000),
        Kind::Have | Kind::Request | Kind::AskHead | Kind::Cancel | Kind::Lack | Kind::Item => {
            (1_000, 10_000)
        }
        // One for each round trip, a search of a few dozen for each fork; an answer is a signature to verify.
        Kind::AskBranch | Kind::Branch | Kind::AskSide => (100, 1_000),
        // A signature each; and a challenge reads up to eight blocks.
        Kind::AskReceipt | Kind::Receipt | Kind::Answer | Kind::Decline => (10, 200),
        Kind::Challenge => (2, 50),
        // Asked for, or pushed like announcements; 64 KiB each at this rate is beyond any carrier.
        Kind::Data | Kind::Packed => (5_000, 50_000),
        Kind::Envelope => (200, 2_000),
        Kind::Extension => (500, 5_000),
    }
}
