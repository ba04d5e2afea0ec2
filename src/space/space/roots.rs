//! Acts of the root: founding a space, closing a feed for good, coming back with the passphrase alone.

use super::{Install, Space, author::Draft};
use crate::{
    collections::sort,
    crypto::{Entropy, Hash, MessageKey, PublicKey, Signer},
    space::{
        Kind, MAX_LINKS, Manifest, ManifestError, Op, PersonId, Role, RootItem, RootRecord, SpaceError,
        WriterStanding,
    },
    storage::Files,
    value::{SignedValue, next_seq},
};

impl Space {
    /// Begins a home: grants this device, signs the manifest, and appends the first entry: an epoch sealed to this
    /// device and the root, and the sign-in message key in private.
    pub fn found(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        root: &Signer,
        install: Install<'_>,
        domain: &str,
    ) -> Result<(), SpaceError> {
        self.begin(files, now, entropy, root, install, Some(domain))
    }

    /// Begins the home of a domain, or a space of no domain.
    pub(super) fn begin(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        root: &Signer,
        install: Install<'_>,
        domain: Option<&str>,
    ) -> Result<(), SpaceError> {
        self.check_root(root)?;
        if !self.records.is_empty() {
            return Err(SpaceError::NotAuthorised {
                writer: install.grant.writer,
                why: "the space has begun already",
            });
        }
        let Install { grant: device, keys, message_key } = install;
        self.unlock(files, keys)?;
        let epoch = self.content.generate(entropy);
        let person = PersonId::founded_by(&device.writer);
        let grant = self.sealed_grant(epoch, device, person, Role::Admin, entropy)?;
        self.sign_record(files, root, vec![RootItem::Grant(grant)])?;
        let kind = if domain.is_some() { Kind::Home } else { Kind::Space };
        self.sign_manifest(files, root, kind, domain.unwrap_or_default())?;
        let (op, _) = self.publish_epoch(epoch, vec![device.writer], entropy)?;
        let private = message_key.map(|key| (epoch, vec![message_key_op(key)]));
        self.append(files, now, entropy, vec![Draft { access: vec![op], private, ..Draft::default() }])?;
        Ok(())
    }

    /// Closes a feed for good at `length` (what is held of it, if none is given), and takes away the device cuts in the
    /// entries that `voids` names. If this device can write, it makes a new epoch for those who remain. With
    /// `descendants` it closes those of [`Space::descendants`] too, each at what is held of it.
    #[expect(clippy::too_many_arguments, reason = "all that a removal has in hand")]
    pub fn root_cut(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        root: &Signer,
        writer: PublicKey,
        length: Option<u64>,
        voids: Vec<Hash>,
        descendants: bool,
    ) -> Result<(), SpaceError> {
        self.check_root(root)?;
        let mut items = vec![RootItem::Cut { cut: self.cut_at(files, writer, length)?, voids }];
        let others = if descendants { self.descendants(&writer) } else { Vec::new() };
        for other in others {
            items.push(RootItem::Cut { cut: self.cut_at(files, other, None)?, voids: Vec::new() });
        }
        self.sign_records(files, root, items)?;
        self.renew_manifest(files, root)?;
        if !self.is_writable() {
            return Ok(());
        }
        match self.renew_epoch(files, now, entropy) {
            // The cut stands. The next private write makes the epoch.
            Err(SpaceError::Behind { .. }) => Ok(()),
            result => result,
        }
    }

    /// Takes away the device cuts in the named entries: those of [`Space::cuts_of`] let a writer back in.
    pub fn root_void(
        &mut self,
        files: &mut Files,
        root: &Signer,
        entries: Vec<Hash>,
    ) -> Result<(), SpaceError> {
        self.check_root(root)?;
        self.sign_records(files, root, vec![RootItem::Void(entries)])?;
        self.renew_manifest(files, root)
    }

    /// Comes back with the passphrase alone: the root grants this device and, if wished, cuts all others. Content keys
    /// are opened with the root's key and sealed to this device (and the others, if they stay).
    pub fn recover(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        root: &Signer,
        install: Install<'_>,
        cut_others: bool,
    ) -> Result<(), SpaceError> {
        self.check_root(root)?;
        self.open_root_seals(files, root)?;
        let gone = if cut_others { Some(self.open_feeds(&install.grant.writer)) } else { None };
        self.readmit(files, now, entropy, root, install, gone.as_deref())
    }

    /// Hands the space over to another root: the old one signs its successor, the new one cuts every writer at what is
    /// held of it and grants this device's new install; a new epoch begins, and all content keys are sealed anew.
    pub fn change_root(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        (old, new): (&Signer, &Signer),
        install: Install<'_>,
    ) -> Result<(), SpaceError> {
        self.hand_over(files, old, new)?;
        let gone = self.open_feeds(&install.grant.writer);
        self.readmit(files, now, entropy, new, install, Some(&gone))
    }

    /// The old root opens what is sealed to it and signs its successor.
    pub(super) fn hand_over(
        &mut self,
        files: &mut Files,
        old: &Signer,
        new: &Signer,
    ) -> Result<(), SpaceError> {
        self.check_root(old)?;
        self.open_root_seals(files, old)?;
        let record = self.sign_record(files, old, vec![RootItem::Successor(new.public())])?;
        // Whoever changes the passphrase follows it, whatever rivals the old one may have signed.
        self.pin(files, old.public(), record)?;
        self.check_root(new)
    }

    /// The root grants this device and closes the feeds of those that are gone. If they are named, even if there are none,
    /// it does so under a new epoch, and seals all content keys to the root once more. All content keys are held.
    pub(super) fn readmit(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        root: &Signer,
        install: Install<'_>,
        gone: Option<&[PublicKey]>,
    ) -> Result<(), SpaceError> {
        let Install { grant: device, keys, message_key } = install;
        self.unlock(files, keys)?;
        let renew = gone.is_some();
        // A name needs an epoch that the others can open; if they go, or there is none, it is the new one.
        let usable = if renew { None } else { self.usable_epoch() };
        let held: Vec<Hash> = self.content.ids().collect();
        let epoch = usable.unwrap_or_else(|| self.content.generate(entropy));
        let person = self.first_person().unwrap_or_else(|| PersonId::founded_by(&device.writer));
        let mut items =
            vec![RootItem::Grant(self.sealed_grant(epoch, device, person, Role::Admin, entropy)?)];
        for writer in gone.unwrap_or_default().iter().filter(|writer| **writer != device.writer) {
            // Of a key that nothing is known of here, nothing may come later either.
            let length = if self.feeds.contains_key(writer) { None } else { Some(0) };
            items.push(RootItem::Cut { cut: self.cut_at(files, *writer, length)?, voids: Vec::new() });
        }
        self.sign_records(files, root, items)?;
        self.renew_manifest(files, root)?;
        let (mut access, mut rest) = (Vec::new(), Vec::new());
        if usable.is_none() {
            let (op, more) = self.publish_epoch(epoch, self.active_writers(), entropy)?;
            access.push(op);
            rest = more;
        }
        let known = self.message_key().map(MessageKey::as_bytes);
        let news = message_key.filter(|key| known != Some(key.as_bytes()));
        let private = news.map(|key| (epoch, vec![message_key_op(key)]));
        let mut drafts = vec![Draft { access, private, ..Draft::default() }];
        drafts.append(&mut rest);
        self.reseal(entropy, &held, &[device.writer], renew, &mut drafts)?;
        self.append(files, now, entropy, drafts)?;
        Ok(())
    }

    /// Every feed but one that may still take effect: also of those that a device cut, and of whom they let in, since
    /// their cuts do until the root closes them.
    pub(super) fn open_feeds(&self, but: &PublicKey) -> Vec<PublicKey> {
        let mut open = self.access.followed();
        let closed = |writer: &PublicKey| {
            self.access.writer(writer).is_some_and(|state| state.standing == WriterStanding::RootCut)
        };
        open.retain(|writer| writer != but && self.feeds.contains_key(writer) && !closed(writer));
        open
    }

    /// The person that the first root grant names: all devices of a home carry it, and in a created space it is the
    /// creator.
    pub(super) fn first_person(&self) -> Option<PersonId> {
        self.records.iter().find_map(|(_, bytes)| {
            let record = RootRecord::decode(&self.key, bytes).ok()?;
            record.items.iter().find_map(|item| match item {
                RootItem::Grant(grant) => Some(grant.person),
                _ => None,
            })
        })
    }

    /// Signs as many root records as the statements need.
    fn sign_records(
        &mut self,
        files: &mut Files,
        root: &Signer,
        items: Vec<RootItem>,
    ) -> Result<(), SpaceError> {
        for part in RootItem::parts(items) {
            self.sign_record(files, root, part)?;
        }
        Ok(())
    }

    /// Signs a root record that links all heads, and takes it in.
    fn sign_record(
        &mut self,
        files: &mut Files,
        root: &Signer,
        items: Vec<RootItem>,
    ) -> Result<Hash, SpaceError> {
        let mut heads = self.access.record_heads();
        // More heads than one record can link: empty records draw them together first.
        while let Some((some, _)) = heads.split_at_checked(MAX_LINKS).filter(|(_, rest)| !rest.is_empty()) {
            let record = RootRecord::sign(&self.key, root, some.to_vec(), Vec::new())?;
            self.take_record(files, &record)?;
            heads = self.access.record_heads();
        }
        let record = RootRecord::sign(&self.key, root, heads, items)?;
        let hash = record.hash();
        self.take_record(files, &record)?;
        Ok(hash)
    }

    /// Signs the manifest anew with the record heads of now; what it says of the space stays.
    fn renew_manifest(&mut self, files: &mut Files, root: &Signer) -> Result<(), SpaceError> {
        let (kind, domain) = match self.manifest() {
            Some(manifest) => (manifest.kind, manifest.domain),
            None => (Kind::Home, String::new()),
        };
        self.sign_manifest(files, root, kind, &domain)
    }

    pub(super) fn sign_manifest(
        &mut self,
        files: &mut Files,
        root: &Signer,
        kind: Kind,
        domain: &str,
    ) -> Result<(), SpaceError> {
        let mut heads = self.access.record_heads();
        sort(&mut heads);
        heads.truncate(crate::space::manifest::MAX_HEADS);
        let manifest = Manifest { kind, domain: domain.to_owned(), heads };
        let seq = next_seq(self.manifest.as_ref()).map_err(ManifestError::from)?;
        let value = SignedValue::sign(root, &[], seq, &manifest.encode()).map_err(ManifestError::from)?;
        self.store_manifest(files, value)
    }
}

fn message_key_op(key: &MessageKey) -> Op {
    Op::MessageKey(zeroize::Zeroizing::new(*key.as_bytes()))
}
