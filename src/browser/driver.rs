//! The pump between a [`Node`] and the browser.
//!
//! ```text
//! socket, peer, tab, timer, disk ─┐                        ┌─▶ sockets, peers, tabs, disk
//! page: call ─────────────────────┴▶ inbox ▶ Node ▶ poll ──┴─▶ page: replies, events
//! ```
//! One turn: everything in the inbox goes into the node, then everything that it put out is done. Nothing done here
//! reaches back into the node except by the inbox, and JavaScript is called only when nothing is borrowed: a
//! callback may ask for anything. Calls of the page wait for the end of its turn, so that a thousand writes in one
//! loop share one signature and one transaction.

mod pages;

use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use futures_channel::oneshot;
use gloo_timers::callback::Timeout;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use zeroize::Zeroizing;

use super::later::{Held, Later};
use super::store::{Report, Store};
use super::{clock, opening, rtc, socket, tabs, wake};
use crate::crypto::{Hash, Host, KdfError};
use crate::mesh::{MeshInput, MeshOutput};
use crate::node::{Call, ErrorCode, Event, Input, Lookup, Node, NodeError, Options, Output, Reply, Words};
use crate::storage::{Commit, Files};

pub use pages::{Looked, Reading};

/// A future of the page, on the page's thread.
pub type Pending<T> = Pin<Box<dyn Future<Output = T>>>;

/// A call, and who waits for its answer.
type Waiting = (u32, oneshot::Sender<Result<Reply, NodeError>>);

/// What the pump asks of the page.
pub trait Page {
    /// Runs Argon2id where it does not stop the page.
    fn derive_words(&self, hash: Hash) -> Pending<Result<Words, KdfError>>;
    /// Something happened.
    fn event(&self, event: Event);
    /// Fetches `/.well-known/dat`.
    fn look_up(&self, domain: Host) -> Pending<Lookup>;
    /// Loads the rest of the module, however long it takes; none where it is there.
    fn rest(&self) -> Option<Pending<()>>;
}

/// How to open a node in a browser.
pub struct Config {
    /// Name of the database; `None` keeps everything in memory.
    pub database: Option<String>,
    /// `RTCIceServer[]` or undefined.
    pub ice_servers: JsValue,
    /// Keys of the unlocked node that another tab had; without them, what is remembered is used.
    pub keys: Option<Zeroizing<Vec<u8>>>,
    /// Whether a node that may still live had this database until now: it shall write nothing any more.
    pub takes_over: bool,
    /// For the node.
    pub options: Options,
}

/// A running node.
pub struct Driver {
    node: RefCell<Node>,
    inbox: RefCell<VecDeque<Input>>,
    later: RefCell<Later>,
    pumping: Cell<bool>,
    soon: Cell<bool>,
    closed: Cell<bool>,
    /// How many reads wait for the disk.
    reading: Cell<u32>,
    /// Who waits until the node can be read.
    idle: RefCell<Vec<oneshot::Sender<()>>>,
    /// In the order in which they came, which is that of the answers, nearly always.
    calls: RefCell<VecDeque<Waiting>>,
    last_call: Cell<u32>,
    timer: RefCell<Option<(u64, Timeout)>>,
    page: Box<dyn Page>,
    store: Rc<Store>,
    links: rtc::Links,
    sockets: socket::Sockets,
    tabs: Option<tabs::Tabs>,
    wake: RefCell<Option<wake::Wake>>,
    me: Weak<Self>,
}

impl Driver {
    /// Opens the database and the node on it, and starts.
    pub async fn open(config: Config, page: Box<dyn Page>) -> Result<Rc<Self>, NodeError> {
        let Config { database, ice_servers, keys, takes_over, options } = config;
        let (database, mut files) = match database {
            Some(name) => {
                let (database, files) = opening::open_files(&name, takes_over).await?;
                (Some(database), files)
            }
            None => (None, Files::new()),
        };
        let remembered = match &database {
            _ if keys.is_some() => keys,
            // What cannot be recalled is as good as not remembered: the passphrase gives it again.
            Some(database) => super::keys::recall(database).await.ok().flatten(),
            None => None,
        };
        let (with_tabs, kept) = (options.tabs, remembered.as_ref().map(|bytes| bytes.as_slice()));
        let node = opening::open_node(database.as_ref(), &mut files, &options, kept).await?;
        let driver = Rc::new_cyclic(|me: &Weak<Self>| Self {
            node: RefCell::new(node),
            inbox: RefCell::default(),
            later: RefCell::default(),
            pumping: Cell::new(false),
            soon: Cell::new(false),
            closed: Cell::new(false),
            reading: Cell::new(0),
            idle: RefCell::default(),
            calls: RefCell::default(),
            last_call: Cell::new(0),
            timer: RefCell::new(None),
            page,
            store: Store::new(database, {
                let me = me.clone();
                move |report| {
                    let Some(driver) = me.upgrade() else { return };
                    match report {
                        Report::Input(input) => driver.take(input),
                        Report::Problem(error) => driver.page.event(Event::Failed(error)),
                    }
                }
            }),
            links: rtc::Links::new(
                {
                    let take = taker(me);
                    Rc::new(move |link, event| take(MeshInput::Rtc { link, event }))
                },
                ice_servers,
            ),
            sockets: socket::Sockets::new(Rc::new(taker(me))),
            tabs: with_tabs
                .then(|| {
                    tabs::Tabs::join({
                        let take = taker(me);
                        move |bytes| take(MeshInput::Tab { bytes })
                    })
                })
                .flatten(),
            wake: RefCell::new(None),
            me: me.clone(),
        });
        let awake = taker(&driver.me);
        *driver.wake.borrow_mut() = wake::Wake::listen(move || awake(MeshInput::Awake));
        driver.pump();
        Ok(driver)
    }

    /// Asks the node; the future is the answer.
    pub fn call(self: &Rc<Self>, call: Call) -> impl Future<Output = Result<Reply, NodeError>> + 'static {
        let (answer, answered) = oneshot::channel();
        if !self.closed.get() {
            let id = self.last_call.get().wrapping_add(1);
            self.last_call.set(id);
            self.calls.borrow_mut().push_back((id, answer));
            self.inbox.borrow_mut().push_back(Input::Call { id, call });
            self.pump_soon();
        }
        // Without a node the sender is dropped, now or when it closes.
        async move { answered.await.unwrap_or_else(|_| Err(closed())) }
    }

    /// Reads the node.
    pub fn read<T>(&self, read: impl FnOnce(&Node) -> T) -> Result<T, NodeError> {
        if self.closed.get() {
            return Err(closed());
        }
        // Calls of this turn must be seen by reads of this turn.
        self.pump();
        Ok(read(&self.node.borrow()))
    }

    /// Makes the node do what an honest one never does.
    #[cfg(feature = "hostile")]
    pub fn hostile<T>(&self, act: impl FnOnce(&mut Node) -> T) -> Result<T, NodeError> {
        if self.closed.get() {
            return Err(closed());
        }
        self.pump();
        let done = act(&mut self.node.borrow_mut());
        self.pump();
        Ok(done)
    }

    /// Lets go of everything; resolves when the last bytes are stored. Does nothing the second time. `robbed`: another node
    /// has the database, so what is not stored yet is not stored any more.
    pub async fn close(&self, robbed: bool) {
        if robbed {
            self.store.give_up();
        }
        if !self.closed.get() {
            // Called while the node is at work: then whoever is there notices later.
            if let Ok(mut node) = self.node.try_borrow_mut() {
                node.say_goodbye(clock::now());
            }
        }
        self.pump();
        self.closed.set(true);
        // Reads that wait for it are told so.
        self.idle.borrow_mut().clear();
        *self.timer.borrow_mut() = None;
        *self.wake.borrow_mut() = None;
        self.links.close();
        self.sockets.close_all();
        self.store.close().await;
        // Whoever still waits is told that the node is closed.
        self.calls.borrow_mut().clear();
    }

    /// Takes an input in and runs a turn.
    fn take(&self, input: Input) {
        if self.closed.get() && !matches!(input, Input::Committed { .. } | Input::CommitFailed { .. }) {
            return;
        }
        let mut rest = None;
        let held = self.later.borrow_mut().hold(input, || {
            rest = self.page.rest();
            rest.is_some()
        });
        match held {
            Held::No(input) => {
                self.inbox.borrow_mut().push_back(input);
                self.pump();
            }
            Held::First => self.release_after(rest),
            Held::Too => {}
        }
    }

    fn release_after(&self, rest: Option<Pending<()>>) {
        let me = self.me.clone();
        spawn_local(async move {
            if let Some(rest) = rest {
                rest.await;
            }
            if let Some(driver) = me.upgrade().filter(|driver| !driver.closed.get()) {
                let waited = driver.later.borrow_mut().release();
                driver.inbox.borrow_mut().extend(waited);
                driver.pump();
            }
        });
    }

    fn pump_soon(&self) {
        if !self.soon.replace(true)
            && let Some(driver) = self.me.upgrade()
        {
            spawn_local(async move {
                driver.soon.set(false);
                driver.pump();
            });
        }
    }

    fn pump(&self) {
        if self.pumping.replace(true) {
            return;
        }
        loop {
            let inputs = core::mem::take(&mut *self.inbox.borrow_mut());
            if inputs.is_empty() {
                break;
            }
            let mut node = self.node.borrow_mut();
            for input in inputs {
                node.handle(clock::now(), input);
            }
            drop(node);
            self.drain();
        }
        self.drain();
        self.pumping.set(false);
        if !self.inbox.borrow().is_empty() {
            self.pump_soon();
        }
        self.after_turn();
        self.arm();
    }

    fn drain(&self) {
        loop {
            let output = self.node.borrow_mut().poll();
            match output {
                Some(output) => self.perform(output),
                None => return,
            }
        }
    }

    fn perform(&self, output: Output) {
        match output {
            Output::Commit(batch) => self.store.commit(Commit::Batch(batch)),
            Output::Compact(compaction) => self.store.commit(Commit::Compaction(compaction)),
            Output::DeriveWords { hash } => {
                let words = self.page.derive_words(hash);
                self.later(async move { Input::Words { hash, words: words.await } });
            }
            Output::Event(event) => self.page.event(event),
            Output::Load(keys) => self.load(keys),
            Output::LookUp { domain } => {
                let answer = self.page.look_up(domain);
                self.later(async move { Input::LookedUp(answer.await) });
            }
            Output::Mesh(output) => self.perform_mesh(output),
            Output::Remember(bytes) => self.store.remember(bytes),
            Output::Reply { id, result } => {
                let mut calls = self.calls.borrow_mut();
                let at = calls.iter().position(|(call, _)| *call == id);
                let answer = at.and_then(|at| calls.remove(at));
                drop(calls);
                if let Some((_, answer)) = answer {
                    // Nobody listens if the page dropped its promise.
                    drop(answer.send(result));
                }
            }
        }
    }

    fn perform_mesh(&self, output: MeshOutput) {
        if self.closed.get() {
            return;
        }
        match output {
            // The node has taken those.
            MeshOutput::Event(_) | MeshOutput::RelaySend { .. } => {}
            MeshOutput::HubClose { hub } => self.sockets.close(hub),
            MeshOutput::HubOpen { hub, url, protocols } => self.sockets.open(hub, &url, &protocols),
            MeshOutput::HubSend { hub, frame } => self.sockets.send(hub, &frame),
            MeshOutput::LinkSend { link, bytes } => self.links.send(link, &bytes),
            MeshOutput::Rtc { link, command } => self.links.command(link, command),
            MeshOutput::TabPost { bytes } => {
                if let Some(tabs) = &self.tabs {
                    tabs.post(&bytes);
                }
            }
        }
    }

    /// Takes in what a future gives.
    fn later(&self, input: impl Future<Output = Input> + 'static) {
        let me = self.me.clone();
        spawn_local(async move {
            let input = input.await;
            if let Some(driver) = me.upgrade() {
                driver.take(input);
            }
        });
    }

    /// Sets the timer to the node's deadline.
    fn arm(&self) {
        let deadline = self.node.borrow().deadline().filter(|_| !self.closed.get());
        let mut timer = self.timer.borrow_mut();
        match deadline {
            None => *timer = None,
            Some(due) if timer.as_ref().is_some_and(|(set, _)| *set == due) => {}
            Some(due) => {
                let wait = due.saturating_sub(clock::now()).min(LONGEST_WAIT_MS);
                let me = self.me.clone();
                let timeout = Timeout::new(u32::try_from(wait).unwrap_or(u32::MAX), move || {
                    // In a turn of its own: this callback must not outlive the timer that it belongs to.
                    spawn_local(async move {
                        if let Some(driver) = me.upgrade() {
                            *driver.timer.borrow_mut() = None;
                            driver.take(Input::Tick);
                        }
                    });
                });
                *timer = Some((due, timeout));
            }
        }
    }
}

/// Takes mesh inputs in for as long as the driver lives.
fn taker(me: &Weak<Driver>) -> impl Fn(MeshInput) + 'static + use<> {
    let me = me.clone();
    move |input| {
        if let Some(driver) = me.upgrade() {
            driver.take(Input::Mesh(input));
        }
    }
}

fn closed() -> NodeError {
    NodeError::new(ErrorCode::Closed, "this node is closed; open it again")
}

/// Browsers keep time in 31 bits; waking early does no harm.
const LONGEST_WAIT_MS: u64 = 3_600_000;
