//! The node: one state machine that owns everything.
//!
//! ```text
//! page ── Call ──▶ ┌──────┐ ── Reply, Event ──▶ page
//! hubs, tabs, ───▶ │ Node │ ── Mesh ──▶ hubs, tabs, peers
//! peers            └──────┘ ── Commit ──▶ storage ── Committed ──▶ (what waited for it goes)
//! ```
//! The driver handles what has come, then drains [`Node::poll`]. Writes of one such turn share one signature and one
//! commit. Nothing of one's own leaves, and no reply is given, before it is durable.

use zeroize::Zeroizing;

use super::{
    Call, ErrorCode, Event, Input, NodeError, Options, Output, Reply, State, Words,
    accounts::account::{Account, Device, Stage},
    accounts::created::Reclaim,
    accounts::devices::Locking,
    accounts::drafts::Draft,
    accounts::request_queue::RequestQueue,
    accounts::sign_in::Asking,
    accounts::sign_up::Beginning,
    calls::{Calls, Outcome},
    chores::Chores,
    durable::Durable,
    links::ephemeral::Ephemeral,
    links::syncing::Syncing,
    links::{Links, carriers::relaying},
    loading::Loading,
    replicas::{
        Promises,
        holding::{Holding, suits_replica},
    },
    secrets::Secrets,
    spaces::Spaces,
    spaces::memberships::Memberships,
    spaces::writing::Writing,
};
use crate::{
    crypto::{Entropy, PublicKey},
    mesh::{LinkId, Mesh},
    space::Space,
    storage::Files,
};

/// A complete peer of one domain.
pub struct Node {
    pub(super) options: Options,
    pub(super) entropy: Box<dyn Entropy>,
    pub(super) files: Files,
    pub(super) account: Account,
    pub(super) spaces: Spaces,
    pub(super) memberships: Memberships,
    pub(super) reclaims: Vec<Reclaim>,
    /// How many rival new passphrases the page was told of.
    pub(super) rivals_told: usize,
    pub(super) secrets: Option<Secrets>,
    pub(super) requests: RequestQueue,
    /// Devices that the root let in.
    pub(super) by_root: Vec<PublicKey>,
    pub(super) drafts: Vec<Draft>,
    pub(super) asking: Option<Asking>,
    pub(super) beginning: Option<Beginning>,
    pub(super) writes: Vec<Writing>,
    pub(super) syncing: Vec<Syncing>,
    pub(super) calls: Calls,
    pub(super) chores: Chores,
    pub(super) locking: Option<Locking>,
    pub(super) mesh: Mesh,
    pub(super) links: Links,
    /// Pairings whose texts are waited for, and by which calls.
    pub(super) pairings: Vec<(LinkId, u32)>,
    pub(super) loading: Loading,
    pub(super) promises: Promises,
    pub(super) holding: Holding,
    pub(super) durable: Durable,
    /// Keys of this turn's drafts; told once they are stored.
    pub(super) drafted: Vec<String>,
    /// Answers of this turn, which go once its batch is stored.
    pub(super) replies: Vec<(u32, Result<Reply, NodeError>)>,
    /// The state that the page was told last; `None` until the domain was looked up.
    pub(super) told: Option<State>,
    /// Set when storage failed: nothing is written any more.
    pub(super) broken: Option<NodeError>,
    /// This device's feeds until just now: their last entries were written by signing out, or by changing the passphrase.
    pub(super) departed: Vec<PublicKey>,
    /// Something of our own was written since the last batch.
    pub(super) own_writes: bool,
    pub(super) now: u64,
}

impl Node {
    /// Opens a node on its stored files. `remembered` is what [`Output::Remember`] gave, if it gave anything.
    pub fn open(
        mut files: Files,
        options: Options,
        remembered: Option<&[u8]>,
        entropy: Box<dyn Entropy>,
        now: u64,
    ) -> Result<Self, NodeError> {
        Self::try_open(&mut files, options, remembered, entropy, now)
    }

    /// The same with files that may lack pages: after an error they are still there, and may want some
    /// ([`Files::take_wanted`]).
    pub fn try_open(
        files: &mut Files,
        options: Options,
        remembered: Option<&[u8]>,
        mut entropy: Box<dyn Entropy>,
        now: u64,
    ) -> Result<Self, NodeError> {
        let account = Account::load(files)?;
        let memberships = Memberships::load(files)?;
        let calls = Calls::load(files)?;
        let mut mesh = Mesh::new(entropy.as_mut());
        mesh.set_transports(options.webrtc, relaying(options.relay));
        if let Some(max) = options.max_links {
            mesh.set_max_links(max);
        }
        let (holding, remember) = Holding::open(&options, remembered, files, entropy.as_mut())?;
        let remembered = remembered.filter(|_| !options.replica);
        let mut node = Self {
            requests: RequestQueue::load(files)?,
            links: Links::new(entropy.as_mut()),
            pairings: Vec::new(),
            promises: Promises::default(),
            holding,
            options,
            entropy,
            files: core::mem::take(files),
            account,
            memberships,
            reclaims: Vec::new(),
            rivals_told: 0,
            spaces: Spaces::default(),
            secrets: remembered.and_then(Secrets::from_remembered),
            by_root: Vec::new(),
            drafts: Vec::new(),
            asking: None,
            beginning: None,
            writes: Vec::new(),
            syncing: Vec::new(),
            calls,
            chores: Chores::new(now),
            loading: Loading::default(),
            locking: None,
            mesh,
            durable: Durable::default(),
            drafted: Vec::new(),
            replies: Vec::new(),
            told: None,
            broken: None,
            departed: Vec::new(),
            own_writes: false,
            now,
        };
        if let Err(error) = node.start(remember) {
            *files = node.files;
            return Err(error);
        }
        let found = node.files.take_found();
        node.tell_damage(&found);
        node.settle();
        node.ask_for_pages();
        node.checkpoint_later();
        Ok(node)
    }

    /// Takes one input in. What has to wait for pages is taken in when they have come.
    pub fn handle(&mut self, now: u64, input: Input) {
        let mut next = self.loading.hold(input);
        while let Some(input) = next {
            self.take(now, input);
            next = self.loading.next();
        }
    }

    fn take(&mut self, now: u64, input: Input) {
        // A clock that is set back must not make timers wait for hours.
        self.now = now;
        self.spaces.iter_mut().for_each(|joined| joined.space.note_time(now));
        match input {
            Input::Call { id, call } => {
                let waiting = self.writes.len();
                self.call(id, call);
                if self.writes.len() > waiting {
                    // It waits for the end of the turn, and so does all that follows from it.
                    return;
                }
            }
            Input::CommitFailed { quota, error, .. } => self.storage_failed(quota, &error),
            Input::LoadFailed { error } => {
                self.loading.give_up();
                self.storage_failed(false, &error);
            }
            Input::Committed { seq } => {
                self.files.committed(seq);
                self.durable.stored(seq);
                self.finish_lock();
                self.checkpoint_later();
                #[cfg(test)]
                self.checkpoint_often();
                self.compact_later();
            }
            Input::Loaded { pages } => self.loaded(pages),
            Input::LookedUp(answer) => self.looked_up(answer),
            // It could not be stored, and would pile up in memory.
            Input::Mesh(_) if self.broken.is_some() => {}
            Input::Mesh(input) => self.mesh_input(input),
            Input::Tick => {
                self.mesh.tick(now, self.entropy.as_mut());
                self.tick_links();
                self.tick_flows();
            }
            Input::Words { hash, words } => self.words_derived(&hash, words),
        }
        self.settle();
        self.ask_for_pages();
    }

    /// The next output; `None` when there is nothing more to do until the next input.
    pub fn poll(&mut self) -> Option<Output> {
        if !self.writes.is_empty() && !self.loading.is_holding() && self.may_flush() {
            self.flush_writes();
            self.settle();
            self.ask_for_pages();
        }
        self.durable.poll()
    }

    /// When [`Input::Tick`] is due, ms since 1970.
    pub fn deadline(&self) -> Option<u64> {
        [self.mesh.deadline(), self.links.deadline(), self.spaces.deadline(), self.flow_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// What this node is for its person.
    pub fn state(&self) -> State {
        if self.options.replica {
            return State::Replica;
        }
        if self.spaces.home().is_none() || self.beginning.is_some() {
            return State::Uninitialised;
        }
        match self.account.device.as_ref().map(|device| device.stage) {
            None => State::Visitor,
            Some(Stage::Requesting) => State::Requesting,
            Some(Stage::Revoked) => State::Revoked,
            // A lock shows once it is stored.
            Some(Stage::Locked) if self.locking.is_some() => State::Writer,
            Some(Stage::Granted) if self.secrets.is_some() => State::Writer,
            Some(Stage::Granted | Stage::Locked) => State::Locked,
        }
    }

    /// Whether the domain was looked up, so that the state is more than a beginning.
    pub const fn is_ready(&self) -> bool {
        self.told.is_some()
    }

    fn start(&mut self, remember: Option<Zeroizing<Vec<u8>>>) -> Result<(), NodeError> {
        let hubs = self.options.hubs.clone();
        for url in hubs {
            if let Err(error) = self.add_hub(&url) {
                self.event(Event::Failed(error));
            }
        }
        if self.options.replica {
            return self.start_replica(remember);
        }
        match (self.account.pinned, self.options.link) {
            // A device stays what it is; a reader who gives another link means it.
            (Some(pinned), Some(link)) if pinned != link && self.account.device.is_some() => {
                self.account.other = Some(link);
                self.open_home(pinned)?;
                self.event(Event::Failed(self.pinned_error()));
            }
            (_, Some(key)) | (Some(key), None) => {
                self.account.pinned = Some(key);
                self.open_home(key)?;
            }
            (None, None) => {}
        }
        self.open_memberships()?;
        self.resume()?;
        let fresh =
            self.account.asked.is_some_and(|(at, ttl)| self.now >= at && self.now < at.saturating_add(ttl));
        if self.options.link.is_none() && !fresh {
            self.durable.now(Output::LookUp { domain: self.options.domain.clone() });
        }
        if self.account.pinned.is_some() || fresh {
            self.tell_state();
        }
        Ok(())
    }

    /// Puts a device where it was before the reload.
    fn resume(&mut self) -> Result<(), NodeError> {
        let (Some(device), Some(home)) = (self.account.device.clone(), self.spaces.home_mut()) else {
            self.secrets = None;
            return Ok(());
        };
        // Keys of another install (a restored profile) are of no use.
        self.secrets =
            self.secrets.take().filter(|secrets| secrets.keys(&home.key()).signer.public() == device.writer);
        match (&self.secrets, device.stage) {
            (Some(secrets), Stage::Granted) => {
                let keys = secrets.keys(&home.key());
                home.unlock(&mut self.files, keys)?;
                self.unlock_others();
                self.spaces.iter_mut().for_each(|joined| joined.space.forget_changes());
                self.learn_names();
                self.load_drafts();
                self.seal_later();
            }
            (Some(_), Stage::Requesting) => {
                self.load_drafts();
                self.ask(&device);
            }
            (None, Stage::Requesting) => {
                // The keys are gone, so the answer could not be used.
                self.account.device = None;
                self.save_account();
            }
            _ => self.secrets = None,
        }
        Ok(())
    }

    /// Opens the space of this domain and looks for its peers.
    pub(super) fn open_home(&mut self, key: PublicKey) -> Result<(), NodeError> {
        self.open_space(key)?;
        self.spaces.set_home(key);
        Ok(())
    }

    /// Opens a space and looks for its peers.
    pub(super) fn open_space(&mut self, key: PublicKey) -> Result<(), NodeError> {
        if self.spaces.get(&key).is_some() {
            return Ok(());
        }
        let space = Space::open(&mut self.files, key)?;
        self.mesh.join(key, self.now, self.entropy.as_mut()).map_err(NodeError::bad_input)?;
        let channel = Ephemeral::open(&mut self.files, key, self.entropy.as_mut(), self.now)?;
        self.spaces.insert(space, channel);
        self.links.open_channels(&key);
        self.unlock_others();
        Ok(())
    }

    /// What every input is followed by: storage, bytes for peers, consequences, which may write again.
    pub(super) fn settle(&mut self) {
        loop {
            let own = core::mem::take(&mut self.own_writes);
            // First of all: from here on nothing that was just signed leaves before it is stored.
            self.store(own);
            if own {
                self.announce();
            }
            self.pump_links();
            self.follow_spaces();
            if !self.own_writes {
                break;
            }
        }
        self.pump_links();
        self.check_syncing();
        self.store(false);
        if self.tend_receipts() {
            self.pump_links();
        }
        // What was promised here, and is noted.
        self.store(false);
        let given = self.durable.last_given();
        if let Some(locking) = &mut self.locking {
            locking.after.get_or_insert(given);
        }
        let drafted = core::mem::take(&mut self.drafted);
        if let (false, Some(space)) = (drafted.is_empty(), self.spaces.home_key()) {
            self.durable.after_commit(Output::Event(Event::Changed { space, keys: drafted }));
        }
        for (id, result) in core::mem::take(&mut self.replies) {
            match &self.broken {
                None => self.durable.after_commit(Output::Reply { id, result }),
                // What it did will never be stored.
                Some(broken) => {
                    let result = result.and_then(|_| Err(broken.clone()));
                    self.durable.now(Output::Reply { id, result });
                }
            }
        }
    }

    fn store(&mut self, own: bool) {
        let ours: Vec<String> = match self.options.relaxed {
            true => {
                self.spaces.iter_mut().filter_map(|joined| joined.space.writer()).map(own_files).collect()
            }
            false => Vec::new(),
        };
        let others = |name: &str| {
            self.options.relaxed
                && name.starts_with("feed/")
                && !ours.iter().any(|ours| name.starts_with(ours))
        };
        if self.files.is_torn()
            && self.files.has_pending()
            && let Some(compaction) = self.files.checkpoint()
        {
            self.durable.given(compaction.through, compaction.bytes(), own);
            self.durable.now(Output::Compact(compaction));
        }
        if let Some(batch) = self.files.take_batch_where(&others) {
            self.durable.given(batch.seq, batch.record.len(), own);
            if self.broken.is_none() {
                self.durable.now(Output::Commit(batch));
            }
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        self.durable.now(Output::Event(event));
    }

    /// Answers a call once all that it wrote is durable.
    pub(super) fn reply(&mut self, id: u32, result: Result<Reply, NodeError>) {
        // The batch of this turn is not yet given: settle comes first. So what is kept here is stored with what was done.
        let once = self.calls.end(id);
        if let (Some(once), Some(outcome)) = (once, result.as_ref().ok().and_then(Outcome::of)) {
            self.calls.keep(&mut self.files, once, outcome);
        }
        self.replies.push((id, result));
    }

    pub(super) fn tell_state(&mut self) {
        let state = self.state();
        if self.told != Some(state) {
            self.told = Some(state);
            self.event(Event::State(state));
        }
    }

    pub(super) fn save_account(&mut self) {
        self.account.save(&mut self.files);
    }

    fn storage_failed(&mut self, quota: bool, error: &str) {
        let failure = if quota {
            NodeError::new(ErrorCode::Quota, format!("{error}; nothing that was confirmed is lost"))
        } else {
            NodeError::new(
                ErrorCode::Storage,
                format!(
                    "the browser could not store data ({error}); reload to go on: nothing that was confirmed is lost"
                ),
            )
        };
        for output in self.durable.fail() {
            if let Output::Reply { id, .. } = output {
                self.durable.now(Output::Reply { id, result: Err(failure.clone()) });
            }
        }
        self.broken = Some(failure.clone());
        for write in core::mem::take(&mut self.writes) {
            self.reply(write.id, Err(failure.clone()));
        }
        self.finish_lock();
        self.event(Event::Failed(failure));
    }

    pub(super) fn device(&self) -> Option<&Device> {
        self.account.device.as_ref()
    }

    /// The four words that this device shows while it waits.
    pub fn sign_in_words(&self) -> Option<Words> {
        self.asking.as_ref()?.words
    }

    /// Whether it waits with a passphrase that was changed since: nobody will let it in by that one.
    pub fn is_outdated(&self) -> bool {
        self.device().is_some_and(Device::is_outdated)
    }

    fn call(&mut self, id: u32, call: Call) {
        if let Some(broken) = &self.broken {
            let result = Err(broken.clone());
            self.durable.now(Output::Reply { id, result });
            return;
        }
        let Some(call) = self.park(id, call) else { return };
        let call = match call {
            Call::Once { id: once, again, call } => {
                let done = if again { self.repeated(&once, &call) } else { None };
                if let Some(result) = done {
                    return self.reply(id, result);
                }
                self.calls.begin(id, once);
                *call
            }
            other => other,
        };
        if self.options.replica && !suits_replica(&call) {
            let why = "a replica has no account and writes nothing; open a node of a person for that";
            return self.reply(id, Err(NodeError::bad_input(why)));
        }
        let result = match call {
            Call::AddHub { url } => self.add_hub(&url),
            Call::Approve { request, words } => self.approve(request, words),
            Call::CancelSignIn => self.cancel_sign_in(),
            Call::ChangePassphrase { old, new } => self.change_passphrase(&old, &new),
            Call::Deny { request, block } => self.deny(request, block),
            Call::CreateSpace { title } => match self.create_space(&title) {
                Ok(reply) => return self.reply(id, Ok(reply)),
                Err(error) => Err(error),
            },
            Call::Join { space, invite } => match self.join(space, invite.as_ref()) {
                Ok(reply) => return self.reply(id, Ok(reply)),
                Err(error) => Err(error),
            },
            Call::ChooseRoot { root } => match self.choose_root(&root) {
                Ok(true) => Ok(()),
                Ok(false) => Err(NodeError::bad_input("there is no such new passphrase to choose")),
                Err(error) => Err(error),
            },
            Call::Forget => self.forget(),
            Call::Hold { space, quota } => match self.hold(space, quota) {
                Ok(reply) => return self.reply(id, Ok(reply)),
                Err(error) => Err(error),
            },
            Call::Import { part } => match self.import(&part) {
                Ok(reply) => return self.reply(id, Ok(reply)),
                Err(error) => Err(error),
            },
            Call::Lock => match self.lock(id) {
                // Answered when it is stored.
                Ok(()) => return,
                Err(error) => Err(error),
            },
            Call::Pair { space, offer } => match self.pair(id, space, offer.as_deref()) {
                // Answered when the browser has found its addresses.
                Ok(()) => return,
                Err(error) => Err(error),
            },
            Call::PairWith { pairing, answer } => match self.pair_with(pairing, answer.as_deref()) {
                Ok(reply) => return self.reply(id, Ok(reply)),
                Err(error) => Err(error),
            },
            Call::Unpair { pairing } => {
                self.mesh.unpair(LinkId(pairing));
                Ok(())
            }
            Call::Pin { key } => self.pin(key),
            Call::Recover { secret, device, remember, cut_others } => {
                self.recover(&secret, &device, remember, cut_others)
            }
            // Once is once enough.
            Call::Once { .. } => Err(NodeError::bad_input("a call inside a call")),
            Call::RemoveHub { url } => self.remove_hub(&url),
            Call::Unlock { secret } => self.unlock(&secret),
            Call::SignIn { secret, device, remember } => match self.sign_in(id, &secret, &device, remember) {
                // Answered when the words are there.
                Ok(()) => return,
                Err(error) => Err(error),
            },
            Call::SignUp { secret, device, remember, claim } => {
                match self.sign_up(id, secret, &device, remember, claim) {
                    // Answered when nobody had a space under this key.
                    Ok(()) => return,
                    Err(error) => Err(error),
                }
            }
            Call::In { space, act } => match self.act(id, space, act) {
                // Answered in its time.
                Ok(None) => return,
                Ok(Some(reply)) => return self.reply(id, Ok(reply)),
                Err(error) => Err(error),
            },
        };
        self.reply(id, result.map(|()| Reply::Done));
    }
}

/// Where the feed of a writer is stored.
fn own_files(writer: PublicKey) -> String {
    format!("feed/{writer}/")
}
