//! What devices tell each other of how long feeds are.
//!
//! Whoever passes a feed on could hold back its end, a removal of a device for one. So devices say over the ephemeral channel
//! which signed heads they know; a head whose blocks do not come shows that something is missing.
//!
//! ```text
//! payload   version u8 │ varint count (≤ 100), at least 1 │ each: feed 32 │ varint length │ varint fork │ tree hash 32 │ signature 64
//! ```
//! Told are one's own head first, then what has grown, at most once a minute; all again every five minutes, and
//! to newcomers. Kept are, in memory, the longest head of each writer whose signature holds, and when it was heard.
//! Times are in ms; those of [`KnownHead`] by the corrected clock, when to tell by the node's own.

use crate::{
    codec::{DecodeError, Reader, Writer},
    collections::Map,
    crypto::PublicKey,
    feed::{HeadCheck, MAX_LENGTH, SignedHead},
    space::Space,
    storage::Files,
};

/// The longest head of a writer that was heard of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KnownHead {
    /// The head; its signature holds.
    pub head: SignedHead,
    /// When it was first heard of.
    pub since: u64,
    /// When the writer itself last said that this is its head.
    pub confirmed: Option<u64>,
}

/// What was heard, and what was told.
#[derive(Default)]
pub(crate) struct KnownHeads {
    known: Map<PublicKey, KnownHead>,
    /// Writers who signed two histories, already reported.
    reported: Vec<PublicKey>,
    /// Lengths told.
    told: Map<PublicKey, u64>,
    told_at: Option<u64>,
    all_told_at: u64,
    newcomer: bool,
}

/// What a message of heads brought.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Heard {
    /// Heads longer than any known.
    pub(crate) news: bool,
    /// Writers who signed something else than is held.
    pub(crate) forks: Vec<PublicKey>,
}

impl KnownHeads {
    /// Takes heads that a writer told.
    pub(crate) fn heard(
        &mut self,
        space: &Space,
        files: &Files,
        from: &PublicKey,
        payload: &[u8],
        now: u64,
    ) -> Result<Heard, DecodeError> {
        let mut heard = Heard::default();
        for (writer, head) in decode(payload)? {
            let Some(feed) = space.feed(&writer) else { continue };
            if !space.is_active(&writer) || head.length > MAX_LENGTH || head.fork != feed.fork() {
                continue;
            }
            let confirmed = (*from == writer).then_some(now);
            if let Some(known) = self.known.get_mut(&writer).filter(|known| known.head == head) {
                known.confirmed = confirmed.or(known.confirmed);
                continue;
            }
            let fork = matches!(feed.check(files, &head), Ok(HeadCheck::Fork));
            let longer = self.known.get(&writer).is_none_or(|known| head.length > known.head.length);
            // Only what may matter is worth a verification.
            if !(longer || fork && !self.reported.contains(&writer)) || head.verify(&writer).is_err() {
                continue;
            }
            if fork {
                self.reported.push(writer);
                heard.forks.push(writer);
            } else {
                heard.news |= head.length > feed.length();
                self.known.insert(writer, KnownHead { head, since: now, confirmed });
            }
        }
        Ok(heard)
    }

    /// Whether there is a head of an active writer whose blocks are not all here.
    pub(crate) fn is_lacking(&self, space: &Space) -> bool {
        self.known.iter().any(|(writer, known)| {
            space.feed(writer).is_none_or(|feed| feed.contiguous() < known.head.length)
                && space.is_active(writer)
        })
    }

    /// The longest head of a writer that was heard of.
    pub(crate) fn get(&self, writer: &PublicKey) -> Option<&KnownHead> {
        self.known.get(writer)
    }

    /// Somebody came, who has not heard.
    pub(crate) const fn newcomer(&mut self) {
        self.newcomer = true;
    }

    /// When something may have to be told.
    pub(crate) fn deadline(&self) -> u64 {
        let pause = if self.newcomer { NEWCOMER_MS } else { PAUSE_MS };
        self.told_at.map_or(0, |at| at.saturating_add(pause))
    }

    /// What is to be told now by this writer, if anything; `None` is no writer, and tells nothing.
    pub(crate) fn next(&mut self, space: &Space, own: Option<&PublicKey>, now: u64) -> Option<Vec<u8>> {
        if now < self.deadline() {
            return None;
        }
        self.told_at = Some(now);
        let newcomer = core::mem::take(&mut self.newcomer);
        let own = own?;
        if newcomer || now >= self.all_told_at.saturating_add(REPEAT_MS) {
            self.all_told_at = now;
            self.told.clear();
        }
        let mut heads: Vec<(PublicKey, SignedHead)> = Vec::new();
        for feed in space.feeds() {
            let key = feed.key();
            let known = self.known.get(&key).map(|known| known.head);
            let held = feed.head().copied();
            let Some(head) = held.into_iter().chain(known).max_by_key(|head| head.length) else { continue };
            if self.told.get(&key).is_none_or(|told| *told < head.length) && space.is_active(&key) {
                heads.push((key, head));
            }
        }
        if let Some(at) = heads.iter().position(|(key, _)| key == own) {
            heads.swap(0, at);
        }
        heads.truncate(MAX_HEADS);
        self.told.extend(heads.iter().map(|(key, head)| (*key, head.length)));
        (!heads.is_empty()).then(|| encode(&heads))
    }
}

fn encode(heads: &[(PublicKey, SignedHead)]) -> Vec<u8> {
    let mut out = Writer::versioned();
    out.count(heads.len());
    for (feed, head) in heads {
        out.raw(&feed.0);
        head.write(&mut out);
    }
    out.finish()
}

/// Reads heads; does not verify.
fn decode(bytes: &[u8]) -> Result<Vec<(PublicKey, SignedHead)>, DecodeError> {
    let mut reader = Reader::versioned(bytes)?;
    let count = reader.count("heads", MAX_HEADS)?;
    if count == 0 {
        return Err(DecodeError::NotCanonical { what: "no heads" });
    }
    let mut heads = Vec::with_capacity(count);
    for _ in 0..count {
        heads.push((PublicKey(reader.array()?), SignedHead::read(&mut reader)?));
    }
    reader.end()?;
    Ok(heads)
}

/// Most heads in one message: each has at most 144 bytes.
const MAX_HEADS: usize = 100;
/// Between two messages.
const PAUSE_MS: u64 = 60_000;
/// Between two messages when somebody came.
const NEWCOMER_MS: u64 = 10_000;
/// All are told again after this long: it says that they are still the latest.
const REPEAT_MS: u64 = 5 * 60_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Hash, Signer};

    #[test]
    fn heads_round_trip_and_fit_a_message() {
        let signer = Signer::from_seed(&[1; 32]);
        let head = SignedHead::sign(&signer, crate::codec::MAX_SAFE, crate::codec::MAX_SAFE, Hash([2; 32]));
        let heads = vec![(signer.public(), head); MAX_HEADS];
        let bytes = encode(&heads);
        assert!(bytes.len() <= crate::node::links::peer_message::MAX_PAYLOAD, "{}", bytes.len());
        assert_eq!(decode(&bytes), Ok(heads.clone()));
        let more = encode(&[heads.as_slice(), &heads[..1]].concat());
        assert!(matches!(decode(&more), Err(DecodeError::TooLarge { .. })));
        assert!(decode(&encode(&[])).is_err() && decode(&bytes[..bytes.len() - 1]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
            let _ = decode(&[&[1], bytes.as_slice()].concat());
        }
    }
}
