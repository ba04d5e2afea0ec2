//! What arrives on a carrier: handshake, frames, and the moment when a session opens.

use std::collections::VecDeque;

use super::{LegState, Session, SessionOutput, State, kept, open::Open};
use crate::collections::Map;
use crate::sync::{
    CloseReason, Fault, PROTOCOL_VERSION, Role,
    channel::Channels,
    frame::{Content, Joiner, enclose},
    handshake::{Secured, Step},
    limits::MAX_FRAME,
};

impl Session {
    pub(super) fn frame(&mut self, at: usize, frame: &[u8]) -> Result<(), Fault> {
        let Some(leg) = self.legs.get_mut(at) else { return Ok(()) };
        let LegState::Shaking(handshake) = &mut leg.state else { return self.sealed(at, frame) };
        let handshake = handshake.take().ok_or(Fault::Handshake { detail: "was over" })?;
        let (rest, step) = handshake.read(frame)?;
        match step {
            Step::Reply(reply) => {
                leg.clear.extend(enclose(&reply));
                leg.state = LegState::Shaking(rest.map(Box::new));
            }
            Step::Done(reply, secured) => {
                leg.clear.extend(reply.and_then(|reply| enclose(&reply)));
                self.secured(at, secured)?;
            }
            Step::Versions(theirs) if self.legs.len() < 2 => self.end(CloseReason::Version { theirs }),
            Step::Versions(theirs) => return Err(Fault::Version { ours: PROTOCOL_VERSION, theirs }),
        }
        Ok(())
    }

    fn sealed(&mut self, at: usize, sealed: &[u8]) -> Result<(), Fault> {
        let now = self.now;
        let Some(leg) = self.legs.get_mut(at) else { return Ok(()) };
        let received = if let State::Open(open) = &self.state { open.received } else { 0 };
        let mut plain = [0; MAX_FRAME];
        let frame = leg.open(sealed, &mut plain, received)?;
        if matches!(self.state, State::Handshake) {
            if let Content::Attach { id, received } = frame.content {
                // The session begins on another carrier, whose last word is still under way.
                leg.early = Some((id, received));
                return Ok(());
            }
            self.establish(at);
        }
        let (State::Open(open), Some(leg)) = (&mut self.state, self.legs.get_mut(at)) else { return Ok(()) };
        let joined = leg.attached;
        if let Some(reason) = open.receive(leg, &frame, now, &mut self.events)? {
            self.end(reason);
            return Ok(());
        }
        if !joined {
            // The initiator's attach is answered by one.
            leg.attach = self.role == Role::Responder;
        }
        let (via, active) = (leg.via, open.active);
        if via != active {
            // The peer has reasons not to use the carrier that is in use here.
            self.legs.iter_mut().filter(|leg| leg.via == active).for_each(|leg| leg.probe(now));
        }
        self.choose();
        Ok(())
    }

    /// The handshake on a carrier is done. Whichever is first at the initiator begins the session; the responder knows
    /// it by the first frame, unless there is only one.
    fn secured(&mut self, at: usize, secured: Box<Secured>) -> Result<(), Fault> {
        let alone = self.legs.len() == 1;
        let Some(leg) = self.legs.get_mut(at) else { return Ok(()) };
        if matches!(self.state, State::Open(_)) {
            self.join(at, secured)
        } else {
            leg.state = LegState::Undecided(secured);
            if alone || self.role == Role::Initiator {
                self.establish(at);
            }
            Ok(())
        }
    }

    /// A carrier is with the same node as the session: the initiator says that it joins.
    fn join(&mut self, at: usize, secured: Box<Secured>) -> Result<(), Fault> {
        let (State::Open(open), Some(leg)) = (&mut self.state, self.legs.get_mut(at)) else { return Ok(()) };
        if secured.remote != open.remote {
            return Err(Fault::Handshake { detail: "the carrier leads to another node" });
        }
        leg.state = LegState::Sealed(Box::new(secured.transport));
        leg.attach = self.role == Role::Initiator;
        // From now on the peer may use both: what it says here may be ahead of its answer there.
        open.several = true;
        if let Some((id, received)) = leg.early.take() {
            open.attach(leg, id, received, self.now)?;
            leg.attach = true;
        }
        Ok(())
    }

    /// Begins the session on a carrier; the others join it.
    fn establish(&mut self, at: usize) {
        let now = self.now;
        let Some(leg) = self.legs.get_mut(at) else { return };
        let LegState::Undecided(secured) = core::mem::replace(&mut leg.state, LegState::Shaking(None)) else {
            return;
        };
        let Secured { transport, hash, remote, id } = *secured;
        leg.state = LegState::Sealed(Box::new(transport));
        leg.attached = true;
        leg.beat(now);
        self.events.push_back(SessionOutput::Established { remote, hash, id });
        self.state = State::Open(Box::new(Open {
            id,
            remote,
            channels: Channels::new(hash, self.role),
            joiner: Joiner::default(),
            buckets: Map::new(),
            queue: VecDeque::new(),
            started: 0,
            queued: 0,
            talk: VecDeque::new(),
            talk_queued: 0,
            talked: false,
            opening: 0,
            sent: 0,
            received: 0,
            acknowledged: 0,
            active: leg.via,
            several: false,
            keeps: leg.keeps,
            kept: kept::Kept::default(),
            handed: 0,
            untold: 0,
            progressed: false,
            moves: 0,
            resent: 0,
            repeated: 0,
            pinged_at: now,
            rtt: None,
            offsets: VecDeque::new(),
            idle_since: Some(now),
            closing: None,
        }));
        for (space, open) in core::mem::take(&mut self.early) {
            match open {
                // More than the limit: those past it are not opened.
                true => drop(self.open(space)),
                false => self.serve(space),
            }
        }
        for other in (0..self.legs.len()).rev() {
            let Some(leg) = self.legs.get_mut(other) else { continue };
            if let LegState::Undecided(_) = &leg.state
                && let LegState::Undecided(secured) =
                    core::mem::replace(&mut leg.state, LegState::Shaking(None))
                && self.join(other, secured).is_err()
            {
                self.drop_leg(other);
            }
        }
    }
}
