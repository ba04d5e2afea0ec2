//! The kinds of messages and their wire numbers.

/// Kinds of messages, in the order of their wire numbers.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Opens a channel.
    Open,
    /// Declines a channel.
    Refuse,
    /// Closes a channel.
    CloseChannel,
    /// Proof that the peer is a writer or replica.
    Prove,
    /// Heads of feeds.
    Announce,
    /// Ranges of blocks held.
    Have,
    /// Asks for blocks.
    Request,
    /// Blocks with their proof.
    Data,
    /// Takes a request back.
    Cancel,
    /// A request that cannot be answered.
    Lack,
    /// Hashes of items held.
    Items,
    /// An item.
    Item,
    /// An ephemeral message.
    Envelope,
    /// Other peers of the space.
    Peers,
    /// A message of an extension.
    Extension,
    /// Asks for a signed head and the proof that it extends a shorter feed.
    AskHead,
    /// Asks where a block stands in the tree of the latest head.
    AskBranch,
    /// Where it stands.
    Branch,
    /// Asks for blocks of one branch of a feed whose author signed several.
    AskSide,
    /// Asks for a receipt.
    AskReceipt,
    /// A receipt.
    Receipt,
    /// Asks to show that blocks are held.
    Challenge,
    /// Shows it.
    Answer,
    /// No receipt, or no answer.
    Decline,
    /// What the sender has, in one hash.
    Beacon,
    /// The sender lists all it has anew.
    Relist,
    /// Blocks with their proof, without what each shares with the one before.
    Packed,
}

impl Kind {
    pub(super) const ALL: [Self; 27] = [
        Self::Open,
        Self::Refuse,
        Self::CloseChannel,
        Self::Prove,
        Self::Announce,
        Self::Have,
        Self::Request,
        Self::Data,
        Self::Cancel,
        Self::Lack,
        Self::Items,
        Self::Item,
        Self::Envelope,
        Self::Peers,
        Self::Extension,
        Self::AskHead,
        Self::AskBranch,
        Self::Branch,
        Self::AskSide,
        Self::AskReceipt,
        Self::Receipt,
        Self::Challenge,
        Self::Answer,
        Self::Decline,
        Self::Beacon,
        Self::Relist,
        Self::Packed,
    ];

    /// Its name in faults.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Refuse => "refuse",
            Self::CloseChannel => "close channel",
            Self::Prove => "prove",
            Self::Announce => "announce",
            Self::Have => "have",
            Self::Request => "request",
            Self::Data => "data",
            Self::Cancel => "cancel",
            Self::Lack => "lack",
            Self::Items => "items",
            Self::Item => "item",
            Self::Envelope => "envelope",
            Self::Peers => "peers",
            Self::Extension => "extension",
            Self::AskHead => "ask head",
            Self::AskBranch => "ask branch",
            Self::Branch => "branch",
            Self::AskSide => "ask side",
            Self::AskReceipt => "ask receipt",
            Self::Receipt => "receipt",
            Self::Challenge => "challenge",
            Self::Answer => "answer",
            Self::Decline => "decline",
            Self::Beacon => "beacon",
            Self::Relist => "relist",
            Self::Packed => "packed",
        }
    }

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }

    pub(super) fn byte(self) -> u8 {
        // Position and wire number are the same; a test checks it.
        Self::ALL
            .iter()
            .position(|kind| *kind == self)
            .and_then(|at| u8::try_from(at).ok())
            .unwrap_or(u8::MAX)
    }
}
