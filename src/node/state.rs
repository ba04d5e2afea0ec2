//! What a node is for its person.

/// State of a node; each survives a reload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// A writer whose key is not in memory.
    Locked,
    /// Holds a space without any key.
    Replica,
    /// Waits to be let in.
    Requesting,
    /// Was removed.
    Revoked,
    /// No space is known for this domain.
    Uninitialised,
    /// Reads.
    Visitor,
    /// Reads and writes.
    Writer,
}

impl State {
    /// The state as JavaScript sees it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::Replica => "replica",
            Self::Requesting => "requesting",
            Self::Revoked => "revoked",
            Self::Uninitialised => "uninitialised",
            Self::Visitor => "visitor",
            Self::Writer => "writer",
        }
    }
}
