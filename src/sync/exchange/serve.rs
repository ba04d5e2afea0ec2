//! Answering the peer's requests, feeds taking turns.

use super::{
    super::limits::{CHUNK, MAX_REQUESTS},
    Answers, Exchange, Fault, Message, Replica, ReplicaError, Serving, Wanted,
};

impl Exchange {
    pub(super) fn requested(&mut self, serving: Serving) -> Result<(), Fault> {
        if self.serving.len() >= MAX_REQUESTS {
            return Err(Fault::Limit { what: "requests in flight", max: MAX_REQUESTS });
        }
        if self.serving.iter().any(|other| other.id == serving.id) {
            return Err(Fault::Unexpected { what: "request number used twice" });
        }
        self.serving.push_back(serving);
        Ok(())
    }

    /// The next data of the request at hand.
    pub(super) fn next_data(&mut self, replica: &dyn Replica) -> Result<Option<Message>, Fault> {
        let Some(at) = self.next_served() else { return Ok(None) };
        let Some(mut serving) = self.serving.remove(at) else { return Ok(None) };
        if serving.what == Wanted::Head {
            let Serving { id, feed, ref blocks, .. } = serving;
            return match replica.prove_head(&feed, blocks.start, blocks.end) {
                Err(ReplicaError::Absent) => Ok(self.put_off(at, serving)),
                Ok(proof) => {
                    Ok(Some(Message::Data { answers: Answers::Request(id), proof, blocks: Vec::new() }))
                }
                Err(ReplicaError::Local(detail)) => Err(Fault::Local(detail)),
                Err(_) => Ok(Some(Message::Lack { id })),
            };
        }
        if matches!(serving.what, Wanted::Branch | Wanted::Side { .. }) {
            return match self.fork_answer(&serving, replica)? {
                None => Ok(self.put_off(at, serving)),
                answer => Ok(answer),
            };
        }
        let answer = replica.prove(&serving.feed, serving.blocks.clone(), serving.from, CHUNK);
        let (proof, blocks) = match answer {
            Ok(answer) => answer,
            Err(ReplicaError::Absent) => return Ok(self.put_off(at, serving)),
            Err(ReplicaError::Local(detail)) => return Err(Fault::Local(detail)),
            Err(_) => return Ok(Some(Message::Lack { id: serving.id })),
        };
        let count = u64::try_from(blocks.len()).unwrap_or(u64::MAX);
        let start = serving.blocks.start;
        serving.blocks.start = start.saturating_add(count);
        if let Some(head) = &proof.head {
            serving.from = head.length;
        }
        let (id, feed, next) = (serving.id, serving.feed, serving.blocks.start);
        let known = self.known(feed)?;
        if let Some(head) = &proof.head {
            known.head = known.head.max(head.length);
            known.told_head = known.told_head.max(head.length);
        }
        if start <= known.contiguous {
            known.contiguous = known.contiguous.max(next);
        }
        if !serving.blocks.is_empty() {
            self.serving.insert(at, serving);
        }
        self.served = Some(feed);
        Ok(Some(Message::Data { answers: Answers::Request(id), proof, blocks }))
    }

    /// What it reads is on its way from the disk: it stays, and another feed is next.
    fn put_off(&mut self, at: usize, serving: Serving) -> Option<Message> {
        self.served = Some(serving.feed);
        self.serving.insert(at, serving);
        None
    }

    /// Feeds take turns, so that a small one does not wait for a large one; the requests of one feed are answered in
    /// their order, which keeps its blocks together.
    fn next_served(&self) -> Option<usize> {
        let after = self.serving.iter().map(|serving| serving.feed);
        let feed = after.clone().filter(|feed| self.served.is_none_or(|last| *feed > last)).min();
        let feed = feed.or_else(|| after.min())?;
        self.serving.iter().position(|serving| serving.feed == feed)
    }
}
