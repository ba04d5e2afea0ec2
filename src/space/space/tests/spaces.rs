//! Created spaces and several persons in them.

mod homes;
mod joining;
mod orders;

use super::*;
use crate::space::{InviteLink, JoinRequest, Kind, PersonId, TITLE_KEY, WriterStanding};

/// Root of a created space.
pub(super) fn shared_root() -> Signer {
    Signer::from_seed(&[210; 32])
}

/// Somebody with the link of the created space, who signs with this seed.
pub(super) fn visitor(seed: u8) -> Device {
    Device::with(MemoryBackend::new(), shared_root().public(), seed)
}

/// A visitor that wants to write: unlocked, its own feed open.
pub(super) fn newcomer(seed: u8) -> Device {
    let mut device = visitor(seed);
    device.unlock();
    let key = device.key();
    device.space.follow(&mut device.files, key).unwrap();
    device
}

/// The device that creates the space.
pub(super) fn creator(seed: u8) -> Device {
    let mut device = visitor(seed);
    let (grant, keys) = (device.grant_of(), device.keys());
    let Device { files, space, entropy, .. } = &mut device;
    space
        .create(files, 1000, entropy, &shared_root(), Install { grant: &grant, keys, message_key: None })
        .unwrap();
    device
}

impl Device {
    pub(super) fn invite(&mut self, role: Role, uses: u64, expires: u64) -> InviteLink {
        let now = self.time();
        self.space.invite(&mut self.files, now, &mut self.entropy, role, uses, expires).unwrap()
    }

    /// What a joiner sends.
    pub(super) fn request(&self, link: &InviteLink) -> Vec<u8> {
        JoinRequest::sign(link, &self.signer(), [self.seed; 16], &format!("device {}", self.seed)).unwrap()
    }

    pub(super) fn let_in(&mut self, request: &[u8]) -> Result<(), SpaceError> {
        let JoinRequest { device, invite, .. } = JoinRequest::decode(request).unwrap();
        let now = self.time();
        self.space.accept_invite(&mut self.files, now, &mut self.entropy, &device, &invite)
    }

    pub(super) fn bring_in(&mut self, other: &Self, role: Role) -> Result<(), SpaceError> {
        let (now, grant) = (self.time(), other.grant_of());
        self.space.grant(&mut self.files, now, &mut self.entropy, &grant, role)
    }

    pub(super) fn role_of(&self, other: &Self) -> Option<Role> {
        self.space.role(&other.key())
    }

    pub(super) fn persons_of(&self, other: &Self) -> Vec<PersonId> {
        self.space.access.writer(&other.key()).map_or(Vec::new(), |state| state.persons)
    }

    pub(super) fn standing_of(&self, writer: PublicKey) -> WriterStanding {
        self.space.access.writer(&writer).unwrap().standing
    }
}

/// A creator and somebody else whom it let in.
pub(super) fn two_persons(role: Role) -> (Device, Device) {
    let (mut a, mut q) = (creator(1), newcomer(2));
    let link = a.invite(role, 0, 0);
    a.let_in(&q.request(&link)).unwrap();
    meet(&mut a, &mut q);
    (a, q)
}

#[test]
fn a_created_space_has_its_creator_and_no_domain() {
    let mut a = creator(1);
    let manifest = a.space.manifest().unwrap();
    assert_eq!((manifest.kind, manifest.domain.as_str()), (Kind::Space, ""));
    assert!(a.space.message_key().is_none() && a.space.is_writable() && a.space.is_complete());
    assert_eq!(a.persons_of(&a), [PersonId::founded_by(&a.key())]);
    a.put_private("k", "private");
    let mut again = a.reopened();
    again.unlock();
    assert_eq!(again.values("k"), ["private"]);
    let (grant, keys) = (a.grant_of(), a.keys());
    let Device { files, space, entropy, .. } = &mut a;
    let error =
        space.create(files, 1, entropy, &shared_root(), Install { grant: &grant, keys, message_key: None });
    assert!(matches!(error, Err(SpaceError::NotAuthorised { .. })));
    let (mut other, keys) = (visitor(3), a.keys());
    let Device { files, space, entropy, .. } = &mut other;
    let error = space.create(files, 1, entropy, &root(), Install { grant: &grant, keys, message_key: None });
    assert!(matches!(error, Err(SpaceError::Root { .. })));
}

#[test]
fn a_writer_brings_in_its_own_devices_and_nobody_else() {
    let (mut a, mut q) = two_persons(Role::Writer);
    let (mut own, mut friend, third) = (newcomer(3), newcomer(4), newcomer(5));
    assert_eq!((q.role_of(&q), q.persons_of(&q)), (Some(Role::Writer), vec![PersonId::founded_by(&q.key())]));
    // Its own device, with its own role.
    q.bring_in(&own, Role::Writer).unwrap();
    assert!(matches!(q.bring_in(&third, Role::Admin), Err(SpaceError::NotAuthorised { .. })));
    // Under another person's id, or with more than it has, by an entry that a dishonest program makes.
    let mut forge = |writer: &Device, person: PersonId, role: Role| {
        let now = q.time();
        let epoch = q.space.usable_epoch().unwrap();
        let grant = q.space.sealed_grant(epoch, &writer.grant_of(), person, role, &mut q.entropy).unwrap();
        let draft = author::Draft::access(vec![crate::space::AccessOp::Grant(grant)]);
        q.space.append(&mut q.files, now, &mut q.entropy, vec![draft]).unwrap();
    };
    forge(&friend, PersonId::founded_by(&friend.key()), Role::Writer);
    forge(&friend, PersonId::founded_by(&a.key()), Role::Writer);
    forge(&third, PersonId::founded_by(&Signer::from_seed(&[2; 32]).public()), Role::Admin);
    meet(&mut a, &mut q);
    own.pull_all(&q);
    friend.pull_all(&q);
    own.put("own", "counts");
    friend.space.append(&mut friend.files, 1, &mut friend.entropy, vec![author::Draft::default()]).unwrap();
    a.pull_all(&own);
    a.pull_all(&friend);
    for device in [&a, &q] {
        assert_eq!((device.role_of(&own), device.persons_of(&own)), (Some(Role::Writer), q.persons_of(&q)));
        assert_eq!((device.role_of(&friend), device.role_of(&third)), (None, None));
    }
    assert_eq!(a.values("own"), ["counts"]);
    assert_eq!(q.space.own_writers().len(), 2);
    // It cannot take others out, whatever its program signs, and its own it can.
    let cut = crate::space::AccessOp::Cut(q.space.cut_at(&q.files, a.key(), None).unwrap());
    let draft = author::Draft::access(vec![cut]);
    q.space.append(&mut q.files, 1, &mut q.entropy, vec![draft]).unwrap();
    q.cut(own.key());
    meet(&mut a, &mut q);
    assert_eq!(a.standing_of(a.key()), WriterStanding::Active);
    assert_eq!(a.standing_of(own.key()), WriterStanding::Cut);
    assert_eq!(q.space.own_writers(), [q.key()]);
    a.cut(q.key());
    assert_eq!(a.standing_of(q.key()), WriterStanding::Cut);
}

#[test]
fn an_admin_raises_a_member_that_stays_the_same_person() {
    let (mut a, mut q) = two_persons(Role::Writer);
    let person = q.persons_of(&q);
    let link = a.invite(Role::Admin, 1, 0);
    a.let_in(&q.request(&link)).unwrap();
    meet(&mut a, &mut q);
    assert_eq!((q.role_of(&q), q.persons_of(&q)), (Some(Role::Admin), person));
    let mut friend = newcomer(3);
    let link = q.invite(Role::Writer, 0, 0);
    q.let_in(&friend.request(&link)).unwrap();
    friend.pull_all(&q);
    friend.put_private("k", "from a third");
    q.pull_all(&friend);
    a.pull_all(&q);
    assert_eq!(a.values("k"), ["from a third"]);
}

#[test]
fn the_title_is_what_an_admin_wrote_last() {
    let (mut a, mut q) = two_persons(Role::Writer);
    let title = |device: &Device| device.space.title(&device.files).unwrap();
    let give = |device: &mut Device, title: &str| {
        let now = device.time();
        device.space.set_title(&mut device.files, now, &mut device.entropy, title)
    };
    assert_eq!(title(&a), None);
    give(&mut a, " The old barn\u{202e} ").unwrap();
    meet(&mut a, &mut q);
    assert_eq!(title(&q).as_deref(), Some("The old barn"));
    assert!(matches!(give(&mut q, "mine"), Err(SpaceError::NotAuthorised { .. })));
    q.put(TITLE_KEY, "mine");
    meet(&mut a, &mut q);
    assert_eq!((title(&a), a.values(TITLE_KEY)), (Some("The old barn".into()), vec!["mine".to_owned()]));
    give(&mut a, "The new barn").unwrap();
    q.pull_all(&a);
    let visitor = {
        let mut visitor = visitor(9);
        visitor.pull_all(&q);
        visitor
    };
    assert_eq!(title(&visitor).as_deref(), Some("The new barn"));
    assert!(matches!(give(&mut a, &"x".repeat(257)), Err(SpaceError::TooLarge { got: 257, .. })));
    give(&mut a, "").unwrap();
    q.pull_all(&a);
    assert_eq!((title(&a), title(&q)), (None, None));
    // What an admin writes by itself is shown only as far as it can be.
    a.put(TITLE_KEY, &"é".repeat(200));
    assert_eq!(title(&a), Some("é".repeat(128)));
    let value = encode_value(&Value::Integer(7)).unwrap();
    a.write(vec![WriteOp::Put { key: TITLE_KEY.into(), value, private: false, expect: Expect::Any }])
        .unwrap();
    assert_eq!(title(&a), None);
}

#[test]
fn a_successor_takes_over_and_others_stay() {
    let (mut a, mut q) = two_persons(Role::Writer);
    let mut second = newcomer(3);
    a.bring_in(&second, Role::Admin).unwrap();
    meet(&mut a, &mut second);
    a.put_private("before", "1");
    q.put_private("q", "2");
    let link = second.invite(Role::Writer, 0, 0);
    meet(&mut a, &mut q);
    meet(&mut a, &mut second);
    let (new, person) = (Signer::from_seed(&[211; 32]), a.persons_of(&a));
    let unseen = newcomer(40).key();
    let mut old: Vec<PublicKey> = a.space.own_writers();
    assert_eq!(old.len(), 2);
    old.push(unseen);
    let old_key = a.key();
    a.seed = 11;
    let (grant, keys, now) = (a.grant_of(), a.keys(), a.time());
    let Device { files, space, entropy, .. } = &mut a;
    let wrong = space.succeed(
        files,
        now,
        entropy,
        (&new, &new),
        &old,
        Install { grant: &grant, keys: Keys { signer: Signer::from_seed(&[11; 32]) }, message_key: None },
    );
    assert!(matches!(wrong, Err(SpaceError::Root { .. })));
    space
        .succeed(
            files,
            now,
            entropy,
            (&shared_root(), &new),
            &old,
            Install { grant: &grant, keys, message_key: None },
        )
        .unwrap();
    assert_eq!((a.space.root(), a.space.key()), (new.public(), shared_root().public()));
    assert_eq!(a.space.manifest().unwrap().kind, Kind::Space);
    a.put_private("after", "3");
    second.put("second", "too late");
    meet(&mut a, &mut q);
    q.pull_all(&second);
    meet(&mut a, &mut q);
    for device in [&a, &q] {
        assert_eq!(device.names(), ["after", "before", "q"]);
        assert_eq!(device.standing_of(old_key), WriterStanding::RootCut);
        assert_eq!(device.standing_of(second.key()), WriterStanding::RootCut);
        assert_eq!((device.role_of(&q), device.role_of(&a)), (Some(Role::Writer), Some(Role::Admin)));
        assert_eq!(device.persons_of(&a), person);
        assert!(device.space.is_complete());
    }
    second.pull_all(&a);
    assert!(second.values("after").is_empty());
    // A key that nobody had granted yet is out all the same.
    assert_eq!(a.standing_of(unseen), WriterStanding::RootCut);
    // What a removed device invited lets in nobody.
    let late = newcomer(5);
    assert!(matches!(a.let_in(&late.request(&link)), Err(SpaceError::Invite { .. })));
    q.put_private("q", "4");
    a.pull_all(&q);
    assert_eq!(a.values("q"), ["4"]);
    // The old root has no say any more, the new one brings everything back.
    let mut c = visitor(6);
    c.pull_all(&q);
    let (grant, keys, now) = (c.grant_of(), c.keys(), c.time());
    let Device { files, space, entropy, .. } = &mut c;
    let error = space.root_cut(files, now, entropy, &shared_root(), q.key(), None, Vec::new(), false);
    assert!(matches!(error, Err(SpaceError::Root { .. })));
    let third = Signer::from_seed(&[212; 32]);
    space
        .succeed(
            files,
            now,
            entropy,
            (&new, &third),
            &[a.key()],
            Install { grant: &grant, keys, message_key: None },
        )
        .unwrap();
    assert_eq!(c.names(), ["after", "before", "q"]);
    assert_eq!((c.persons_of(&c), c.standing_of(a.key())), (person, WriterStanding::RootCut));
}

#[test]
fn the_root_alone_brings_its_person_back_into_a_created_space() {
    let (mut a, mut q) = two_persons(Role::Writer);
    a.put_private("a", "1");
    q.put_private("q", "2");
    meet(&mut a, &mut q);
    let person = a.persons_of(&a);
    for (seed, cut) in [(6, vec![]), (7, vec![a.key(), newcomer(6).key()])] {
        let mut c = visitor(seed);
        c.pull_all(&q);
        let (grant, now) = (c.grant_of(), c.time());
        let keys = || Keys { signer: Signer::from_seed(&[seed; 32]) };
        let Device { files, space, entropy, .. } = &mut c;
        let error = space.restore(
            files,
            now,
            entropy,
            &root(),
            &cut,
            Install { grant: &grant, keys: keys(), message_key: None },
        );
        assert!(matches!(error, Err(SpaceError::Root { .. })));
        space
            .restore(
                files,
                now,
                entropy,
                &shared_root(),
                &cut,
                Install { grant: &grant, keys: keys(), message_key: None },
            )
            .unwrap();
        assert_eq!(c.names(), ["a", "q"]);
        assert_eq!((c.role_of(&c), c.persons_of(&c)), (Some(Role::Admin), person.clone()));
        let standing = if cut.is_empty() { WriterStanding::Active } else { WriterStanding::RootCut };
        assert_eq!(c.standing_of(a.key()), standing);
        c.put_private("a", "3");
        c.put_private("a", "1");
        meet(&mut c, &mut q);
        assert_eq!(q.values("a"), ["1"]);
        let members = q.space.members();
        assert_eq!(members.len(), 2);
        let mine = members.iter().find(|member| member.mine).unwrap();
        assert_eq!((mine.role, mine.writers.as_slice()), (Some(Role::Writer), [q.key()].as_slice()));
        let other = members.iter().find(|member| !member.mine).unwrap();
        assert_eq!((other.role, vec![other.person]), (Some(Role::Admin), person.clone()));
    }
}

#[test]
fn a_space_that_was_left_is_gone_but_for_what_this_device_signed() {
    let (mut a, mut q) = two_persons(Role::Writer);
    a.put("a", &"x".repeat(50_000));
    q.put("q", "1");
    meet(&mut a, &mut q);
    let (length, own) = (q.space.feed(&q.key()).unwrap().length(), q.key());
    let stored = |files: &mut Files| -> u64 {
        let ids: Vec<_> = files.names("").iter().map(|name| files.file(name)).collect();
        ids.into_iter().map(|id| files.len(id)).sum()
    };
    assert!(stored(&mut q.files) > 50_000);
    q.commit();
    let space = core::mem::replace(&mut q.space, Space::open(&mut q.files, root().public()).unwrap());
    space.remove(&mut q.files, &[own]).unwrap();
    q.space = Space::open(&mut q.files, shared_root().public()).unwrap();
    let mut q = q.reopened();
    assert!((1..10_000).contains(&stored(&mut q.files)));
    assert_eq!((q.space.records().count(), q.all().len()), (0, 0));
    assert_eq!(q.space.feeds().map(|feed| (feed.key(), feed.length())).collect::<Vec<_>>(), [(own, length)]);
    // It comes back with the same key and goes on where it was.
    q.unlock();
    q.pull_all(&a);
    assert_eq!(q.values("a").len(), 1);
    q.put("q", "2");
    a.pull_all(&q);
    assert_eq!(a.values("q"), ["2"]);
    assert_eq!(a.standing_of(own), WriterStanding::Active);
}
