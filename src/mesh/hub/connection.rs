//! One hub: its adapter, its socket's state, back-off, health and limits.

use super::super::{HubId, HubInfo, Topic, backoff::Backoff, bucket::Bucket};
use super::{HubAdapter, HubEvent, HubFrame, HubOut, HubState, HubUrl, MAX_HUB_FRAME, Route, Socket};
use crate::crypto::Entropy;

/// A hub of the mesh.
pub(crate) struct HubConnection {
    id: HubId,
    url: HubUrl,
    adapter: Box<dyn HubAdapter>,
    state: HubState,
    error: Option<String>,
    backoff: Backoff,
    /// When the current state has to end: connect timeout, or health proven.
    until: Option<u64>,
    /// How often it was left alone as refusing or garbage.
    parked: u32,
    garbage: u64,
    garbage_left: Bucket,
    intake: Bucket,
    healthy: bool,
    /// Whether it was ever ready. Such a hub is of its kind for good: silence at first means that it is slow, or that
    /// the page slept over its answer.
    ever_ready: bool,
    /// Whether it is left alone only because nothing there spoke its kind's language.
    foreign: bool,
    /// The hub asked not to be tried earlier.
    not_before: u64,
}

/// What the mesh is to do or know; in order.
#[derive(Debug)]
pub(crate) enum HubNews {
    Close,
    /// Sealed bytes under a topic.
    Message {
        topic: Topic,
        route: Option<Route>,
        sealed: Vec<u8>,
    },
    Open(Socket),
    /// Topics are joined: say hello.
    Ready,
    Send(HubFrame),
    State,
    /// A message above the rate was dropped.
    Flooded,
}

impl HubConnection {
    /// A hub that is tried at the next tick.
    pub(crate) fn new(id: HubId, url: HubUrl, now: u64, entropy: &mut dyn Entropy) -> Self {
        let adapter = url.adapter(entropy.array32());
        Self {
            id,
            url,
            adapter,
            state: HubState::Waiting { until: now },
            error: None,
            backoff: Backoff::default(),
            until: None,
            parked: 0,
            garbage: 0,
            garbage_left: Bucket::new(GARBAGE_BURST, 1, now),
            intake: Bucket::new(INTAKE_BURST, INTAKE_PER_SECOND, now),
            healthy: false,
            ever_ready: false,
            foreign: false,
            not_before: 0,
        }
    }

    pub(crate) const fn id(&self) -> HubId {
        self.id
    }

    pub(crate) const fn url(&self) -> &HubUrl {
        &self.url
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state == HubState::Open
    }

    /// Whether candidates may go one by one.
    pub(crate) fn trickles(&self) -> bool {
        self.adapter.caps().trickle
    }

    /// Whether it is open and may carry data.
    pub(crate) fn may_relay(&self) -> bool {
        self.is_open() && self.adapter.caps().may_relay
    }

    pub(crate) fn info(&self) -> HubInfo {
        HubInfo {
            may_relay: self.adapter.caps().may_relay,
            hub: self.id,
            url: self.url.as_str().to_owned(),
            state: self.state,
            error: self.error.clone(),
            garbage: self.garbage,
        }
    }

    pub(crate) fn join(&mut self, topic: Topic, is_room: bool, now: u64) -> Vec<HubNews> {
        let mut out = HubOut::default();
        self.adapter.join(topic, is_room, now, &mut out);
        frames(out)
    }

    pub(crate) fn leave(&mut self, topic: &Topic) -> Vec<HubNews> {
        let mut out = HubOut::default();
        self.adapter.leave(topic, &mut out);
        frames(out)
    }

    /// To everybody under a topic; nothing happens while the hub is not open.
    pub(crate) fn publish(&mut self, topic: &Topic, sealed: &[u8], now: u64) -> Vec<HubNews> {
        let mut out = HubOut::default();
        if self.is_open() {
            self.adapter.publish(topic, sealed, now, &mut out);
        }
        frames(out)
    }

    /// To one; nothing happens while the hub is not open.
    pub(crate) fn send_to(
        &mut self,
        route: Option<&Route>,
        inbox: &Topic,
        sealed: &[u8],
        now: u64,
    ) -> Vec<HubNews> {
        let mut out = HubOut::default();
        if self.is_open() {
            self.adapter.send_to(route, inbox, sealed, now, &mut out);
        }
        frames(out)
    }

    pub(crate) fn opened(&mut self, now: u64) -> Vec<HubNews> {
        if self.state != HubState::Connecting {
            return Vec::new();
        }
        // From here the adapter's own deadline for a first answer counts.
        self.until = None;
        self.garbage_left = Bucket::new(GARBAGE_BURST, 1, now);
        let mut out = HubOut::default();
        self.adapter.opened(now, &mut out);
        frames(out)
    }

    pub(crate) fn closed(
        &mut self,
        code: Option<u16>,
        reason: &str,
        now: u64,
        entropy: &mut dyn Entropy,
    ) -> Vec<HubNews> {
        if !matches!(self.state, HubState::Connecting | HubState::Open) {
            return Vec::new();
        }
        let reason: String = reason.chars().take(MAX_REASON).collect();
        let error = match (code, reason.is_empty()) {
            (Some(code), true) => format!("the hub closed the connection (code {code})"),
            (Some(code), false) => format!("the hub closed the connection (code {code}): {reason}"),
            (None, true) => "the hub cannot be reached".to_owned(),
            (None, false) => format!("the hub cannot be reached: {reason}"),
        };
        self.wait(error, now, entropy);
        vec![HubNews::State]
    }

    pub(crate) fn frame(&mut self, frame: &HubFrame, now: u64, entropy: &mut dyn Entropy) -> Vec<HubNews> {
        if !matches!(self.state, HubState::Connecting | HubState::Open) {
            return Vec::new();
        }
        if !self.intake.take(now) {
            return vec![HubNews::Flooded];
        }
        let mut out = HubOut::default();
        let length = match frame {
            HubFrame::Binary(bytes) => bytes.len(),
            HubFrame::Text(text) => text.len(),
        };
        if length > MAX_HUB_FRAME {
            out.events.push(HubEvent::Garbage { what: "a frame above 64 KiB" });
        } else {
            self.adapter.frame(frame, now, &mut out);
        }
        self.digest(out, now, entropy)
    }

    /// The page came back: tries at once, or makes sure that a socket did not die in its sleep. What a hub asked for
    /// is kept: a page comes back with every change of tabs, and a hub that is full must not hear of each.
    pub(crate) fn awake(&mut self, now: u64, entropy: &mut dyn Entropy) -> Vec<HubNews> {
        let mut out = HubOut::default();
        let soon = now.saturating_add(u64::from(entropy.below(1_000)));
        match &mut self.state {
            HubState::Waiting { until } => {
                // Nobody asks for longer, so that a clock that was set back does not either.
                let asked = self.not_before.min(now.saturating_add(PARK_MS));
                *until = (*until).min(soon.max(asked));
            }
            // That nothing answered may have been the sleep, or a network that lets nothing through.
            HubState::Refused { until } if self.foreign => *until = (*until).min(soon),
            HubState::Connecting | HubState::Open => self.adapter.probe(now, &mut out),
            HubState::Garbage { .. } | HubState::Refused { .. } => {}
        }
        frames(out)
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        match self.state {
            HubState::Garbage { until } | HubState::Refused { until } | HubState::Waiting { until } => {
                Some(until)
            }
            HubState::Connecting | HubState::Open => {
                [self.until, self.adapter.deadline()].into_iter().flatten().min()
            }
        }
    }

    pub(crate) fn tick(&mut self, now: u64, entropy: &mut dyn Entropy) -> Vec<HubNews> {
        match self.state {
            HubState::Garbage { until } | HubState::Refused { until } | HubState::Waiting { until } => {
                if now < until {
                    return Vec::new();
                }
                vec![self.open(now), HubNews::State]
            }
            HubState::Connecting if self.until.is_some_and(|until| now >= until) => {
                self.wait(
                    format!("the hub did not answer within {} seconds", CONNECT_MS / 1_000),
                    now,
                    entropy,
                );
                vec![HubNews::Close, HubNews::State]
            }
            HubState::Connecting | HubState::Open => {
                if self.is_open() && self.until.is_some_and(|until| now >= until) {
                    // Only now: a hub that opens and refuses a second later must not reset its own back-off.
                    self.until = None;
                    self.healthy = true;
                    self.backoff.reset();
                    self.parked = 0;
                }
                let mut out = HubOut::default();
                self.adapter.tick(now, &mut out);
                self.digest(out, now, entropy)
            }
        }
    }

    /// What an adapter noticed becomes state; everything behind an event that ends the connection is dropped.
    fn digest(&mut self, out: HubOut, now: u64, entropy: &mut dyn Entropy) -> Vec<HubNews> {
        let mut news: Vec<HubNews> = out.frames.into_iter().map(HubNews::Send).collect();
        for event in out.events {
            match event {
                HubEvent::Garbage { what } => {
                    self.garbage = self.garbage.saturating_add(1);
                    self.error = Some(format!("the hub sent {what}"));
                    if !self.garbage_left.take(now) {
                        let until = self.park(now);
                        self.state = HubState::Garbage { until };
                        news.extend([HubNews::Close, HubNews::State]);
                        return news;
                    }
                }
                HubEvent::Message { topic, route, sealed } => {
                    news.push(HubNews::Message { topic, route, sealed })
                }
                HubEvent::Ready => {
                    self.state = HubState::Open;
                    self.ever_ready = true;
                    self.until = Some(now.saturating_add(HEALTHY_MS));
                    news.extend([HubNews::State, HubNews::Ready]);
                }
                HubEvent::Reopen => {
                    let was_open = self.is_open();
                    news.push(self.open(now));
                    if was_open {
                        news.push(HubNews::State);
                    }
                    return news;
                }
                HubEvent::Refused { reason } => {
                    self.error = Some(format!("the hub refuses: {reason}"));
                    self.foreign = false;
                    let until = self.park(now);
                    self.state = HubState::Refused { until };
                    news.extend([HubNews::Close, HubNews::State]);
                    return news;
                }
                HubEvent::Silent => {
                    self.wait("the hub stopped answering".to_owned(), now, entropy);
                    news.extend([HubNews::Close, HubNews::State]);
                    return news;
                }
                HubEvent::Throttled { wait_ms } => {
                    self.wait("the hub asks for patience".to_owned(), now, entropy);
                    self.not_before = now.saturating_add(wait_ms.min(PARK_MS));
                    if let HubState::Waiting { until } = &mut self.state {
                        *until = (*until).max(self.not_before);
                    }
                    news.extend([HubNews::Close, HubNews::State]);
                    return news;
                }
                HubEvent::WrongKind if self.ever_ready => {
                    self.wait("the hub does not answer".to_owned(), now, entropy);
                    news.extend([HubNews::Close, HubNews::State]);
                    return news;
                }
                HubEvent::WrongKind => {
                    self.foreign = true;
                    self.error = Some(match self.url.kind() {
                        Some(kind) => format!("not a hub of this kind: nothing there speaks {}", kind.name()),
                        None => "not a hub of a kind that is known".to_owned(),
                    });
                    let until = self.park(now);
                    self.state = HubState::Refused { until };
                    news.extend([HubNews::Close, HubNews::State]);
                    return news;
                }
            }
        }
        news
    }

    fn open(&mut self, now: u64) -> HubNews {
        self.state = HubState::Connecting;
        self.healthy = false;
        self.until = Some(now.saturating_add(CONNECT_MS));
        HubNews::Open(self.adapter.socket())
    }

    fn wait(&mut self, error: String, now: u64, entropy: &mut dyn Entropy) {
        self.adapter.closed();
        self.error = Some(error);
        self.until = None;
        if self.healthy {
            self.backoff.reset();
        }
        self.state = HubState::Waiting { until: now.saturating_add(self.backoff.fail(entropy)) };
    }

    fn park(&mut self, now: u64) -> u64 {
        self.adapter.closed();
        self.until = None;
        let wait = PARK_MS.saturating_mul(1 << self.parked.min(5)).min(MAX_PARK_MS);
        self.parked = self.parked.saturating_add(1);
        now.saturating_add(wait)
    }
}

fn frames(out: HubOut) -> Vec<HubNews> {
    out.frames.into_iter().map(HubNews::Send).collect()
}

/// For a socket to open.
const CONNECT_MS: u64 = 10_000;
/// Open so long, a hub is healthy and its back-off starts over.
const HEALTHY_MS: u64 = 30_000;
/// A hub that refuses is left alone so long at first.
const PARK_MS: u64 = 15 * 60_000;
const MAX_PARK_MS: u64 = 6 * 3_600_000;
/// Frames of garbage at once; one more is forgiven every second.
const GARBAGE_BURST: u32 = 64;
/// Frames at once and per second.
const INTAKE_BURST: u32 = 512;
const INTAKE_PER_SECOND: u32 = 256;
/// Characters of a hub's words that are kept.
const MAX_REASON: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Seeded;

    fn hub() -> (HubConnection, Seeded) {
        let url = HubUrl::parse("y-webrtc+ws://127.0.0.1:4444").unwrap();
        let mut entropy = Seeded::new(1);
        (HubConnection::new(HubId(0), url, 0, &mut entropy), entropy)
    }

    fn text(text: &str) -> HubFrame {
        HubFrame::Text(text.into())
    }

    #[test]
    fn back_off_resets_only_after_health() {
        let (mut hub, mut entropy) = hub();
        let mut now = 0;
        for _ in 0..10 {
            assert!(matches!(hub.tick(now, &mut entropy).first(), Some(HubNews::Open(_))));
            hub.opened(now);
            hub.frame(&text(r#"{"type":"pong"}"#), now, &mut entropy);
            assert!(hub.is_open());
            hub.closed(Some(1006), "", now + 1_000, &mut entropy);
            now = hub.deadline().unwrap();
        }
        assert_eq!(hub.backoff.failures(), 10);
        hub.tick(now, &mut entropy);
        hub.opened(now);
        hub.frame(&text(r#"{"type":"pong"}"#), now, &mut entropy);
        for _ in 0..10 {
            now = hub.deadline().unwrap();
            hub.tick(now, &mut entropy);
            hub.frame(&text(r#"{"type":"pong"}"#), now, &mut entropy);
        }
        assert_eq!(hub.backoff.failures(), 0);
    }

    #[test]
    fn garbage_is_counted_and_then_parked_for_ever_longer() {
        let (mut hub, mut entropy) = hub();
        let mut now = 0;
        for round in 0..8_u32 {
            hub.tick(now, &mut entropy);
            hub.opened(now);
            for _ in 0..64 {
                assert!(hub.frame(&text("okay"), now, &mut entropy).is_empty());
            }
            let news = hub.frame(&text("okay"), now, &mut entropy);
            assert!(matches!(news.as_slice(), [HubNews::Close, HubNews::State]), "{news:?}");
            let HubState::Garbage { until } = hub.info().state else { panic!("{:?}", hub.info()) };
            assert_eq!(until - now, (900_000_u64 << round.min(5)).min(21_600_000));
            now = until;
        }
        assert_eq!(hub.info().garbage, 65 * 8);
    }

    /// The page froze while the first question of a socket was out; the overdue tick runs before the queued pong.
    #[test]
    fn a_hub_that_worked_is_never_taken_for_another_kind() {
        let (mut hub, mut entropy) = hub();
        hub.tick(0, &mut entropy);
        hub.opened(0);
        hub.frame(&text(r#"{"type":"pong"}"#), 0, &mut entropy);
        assert!(hub.is_open());
        hub.closed(Some(1006), "", 3_600_000, &mut entropy);
        let now = hub.deadline().unwrap();
        hub.tick(now, &mut entropy);
        hub.opened(now);
        let now = now + 40_000;
        assert!(matches!(hub.tick(now, &mut entropy).as_slice(), [HubNews::Close, HubNews::State]));
        let HubState::Waiting { until } = hub.info().state else { panic!("{:?}", hub.info()) };
        assert!(until <= now + 2_000, "{}", until - now);
        assert_eq!(hub.info().error.unwrap(), "the hub does not answer");
    }

    #[test]
    fn waking_gives_the_first_answer_its_time_again() {
        let (mut hub, mut entropy) = hub();
        hub.tick(0, &mut entropy);
        hub.opened(0);
        assert!(hub.awake(40_000, &mut entropy).is_empty(), "the first question is still out");
        assert!(hub.tick(40_000, &mut entropy).is_empty());
        // No sooner than without the waking.
        assert_eq!(hub.deadline(), Some(50_000));
        hub.frame(&text(r#"{"type":"pong"}"#), 40_001, &mut entropy);
        assert!(hub.is_open());
    }

    #[test]
    fn waking_ends_the_wait_for_another_kind_but_none_that_the_hub_asked_for() {
        let (mut hub, mut entropy) = hub();
        hub.tick(0, &mut entropy);
        hub.opened(0);
        hub.tick(10_000, &mut entropy);
        assert!(matches!(hub.info().state, HubState::Refused { .. }));
        hub.awake(20_000, &mut entropy);
        assert!(hub.deadline().unwrap() <= 21_000);
        // It is the same hub as before, so the next wait is longer.
        let now = hub.deadline().unwrap();
        hub.tick(now, &mut entropy);
        hub.opened(now);
        hub.tick(now + 10_000, &mut entropy);
        assert_eq!(hub.deadline(), Some(now + 10_000 + 2 * PARK_MS));

        // One that refuses in words, or is full, is left alone as long as it was told.
        let url = HubUrl::parse("peerjs+ws://127.0.0.1:9000").unwrap();
        for (words, at_least, at_most) in [("Invalid key", PARK_MS, PARK_MS), ("user limit", 60_000, 60_000)]
        {
            let mut hub = HubConnection::new(HubId(1), url.clone(), 0, &mut entropy);
            hub.tick(0, &mut entropy);
            hub.opened(0);
            let error = format!(r#"{{"type":"ERROR","payload":{{"msg":"{words}"}}}}"#);
            hub.frame(&text(&error), 0, &mut entropy);
            for now in [1_000, 5_000, 59_999] {
                hub.awake(now, &mut entropy);
                let until = hub.deadline().unwrap();
                assert!((at_least..=at_most).contains(&until), "{words}: {until}");
            }
            // A clock that was set back makes no long wait of a short one.
            let mut hub = HubConnection::new(HubId(1), url.clone(), 0, &mut entropy);
            let now = 10 * PARK_MS;
            hub.tick(now, &mut entropy);
            hub.opened(now);
            hub.frame(&text(&error), now, &mut entropy);
            if words == "user limit" {
                hub.awake(0, &mut entropy);
                assert!(hub.deadline().unwrap() <= PARK_MS);
            }
        }
    }

    #[test]
    fn what_does_not_answer_is_named() {
        let (mut hub, mut entropy) = hub();
        hub.tick(0, &mut entropy);
        assert!(matches!(hub.tick(10_000, &mut entropy).as_slice(), [HubNews::Close, HubNews::State]));
        assert_eq!(hub.info().error.unwrap(), "the hub did not answer within 10 seconds");
        let now = hub.deadline().unwrap();
        hub.tick(now, &mut entropy);
        hub.opened(now);
        hub.tick(now + 10_000, &mut entropy);
        assert!(matches!(hub.info().state, HubState::Refused { .. }));
        assert_eq!(hub.info().error.unwrap(), "not a hub of this kind: nothing there speaks y-webrtc");
    }
}
