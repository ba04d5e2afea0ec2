//! Invites: who may make them, how often and how long they let in whom.

use super::*;
use crate::space::{Invite, InviteFault, InviteInfo};

fn fault(result: Result<(), SpaceError>) -> InviteFault {
    match result {
        Err(SpaceError::Invite { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_invite_lets_in_somebody_who_reads_everything() {
    let (mut a, mut q) = (creator(1), newcomer(2));
    a.put_private("before", "1");
    let link = a.invite(Role::Writer, 1, 0);
    let text = link.to_text();
    let link = InviteLink::parse(&text).ok().unwrap();
    assert_eq!(link.space(), a.space.key());
    q.pull_all(&a);
    let info =
        InviteInfo { key: link.key(), role: Role::Writer, uses: 1, used: 0, expires: 0, author: a.key() };
    assert_eq!((a.space.invites(), q.space.invites()), (vec![info], vec![info]));
    let request = q.request(&link);
    a.let_in(&request).unwrap();
    let clock = a.space.clock();
    a.let_in(&request).unwrap();
    assert_eq!(a.space.clock(), clock, "one grant is enough");
    q.pull_all(&a);
    assert_eq!(q.values("before"), ["1"]);
    q.put_private("after", "2");
    a.pull_all(&q);
    assert_eq!(a.values("after"), ["2"]);
    let info = InviteInfo { used: 1, ..info };
    assert_eq!((a.space.invites(), q.space.invites()), (vec![info], vec![info]));
    let grants = q.space.access.grants();
    let grant = grants.iter().find(|grant| grant.writer == q.key()).unwrap();
    assert_eq!(grant.invite, Some(link.sign(&q.key())));
    assert_eq!(grant.person, PersonId::founded_by(&q.key()));
    assert_eq!(a.space.writers().iter().filter(|info| info.device.is_some()).count(), 2);
    // Known again after a reload.
    let mut again = a.reopened();
    again.unlock();
    assert_eq!(again.space.invites(), [info]);
    assert_eq!(fault(again.let_in(&newcomer(3).request(&link))), InviteFault::Used);
}

#[test]
fn uses_and_expiry_are_kept() {
    let (mut a, mut b) = (creator(1), newcomer(20));
    a.bring_in(&b, Role::Admin).unwrap();
    let link = a.invite(Role::Writer, 2, 0);
    meet(&mut a, &mut b);
    a.let_in(&newcomer(2).request(&link)).unwrap();
    // Another admin counts what it knows of.
    b.let_in(&newcomer(3).request(&link)).unwrap();
    b.let_in(&newcomer(4).request(&link)).unwrap();
    assert_eq!(fault(b.let_in(&newcomer(5).request(&link))), InviteFault::Used);
    meet(&mut a, &mut b);
    assert_eq!(fault(a.let_in(&newcomer(5).request(&link))), InviteFault::Used);
    let until = a.time() + 10;
    let link = a.invite(Role::Writer, 0, until);
    a.let_in(&newcomer(6).request(&link)).unwrap();
    a.now = until - 2;
    a.let_in(&newcomer(7).request(&link)).unwrap();
    assert_eq!(fault(a.let_in(&newcomer(8).request(&link))), InviteFault::Expired);
    assert_eq!(a.space.invites().len(), 2);
}

#[test]
fn a_citation_that_nobody_checked_uses_nothing_up() {
    let (mut a, mut q) = (creator(1), newcomer(2));
    let link = a.invite(Role::Writer, 2, 0);
    a.let_in(&q.request(&link)).unwrap();
    q.pull_all(&a);
    // Its own devices, as if each had come by the invite.
    for seed in 30..33 {
        let own = newcomer(seed);
        let (now, citation, person) = (q.time(), link.sign(&own.key()), q.persons_of(&q)[0]);
        let Device { files, space, entropy, .. } = &mut q;
        space
            .admit(files, now, entropy, &own.grant_of(), person, Role::Writer, Some(citation), false)
            .unwrap();
    }
    a.pull_all(&q);
    assert_eq!(a.space.active_writers().len(), 5, "they count as what they are");
    assert_eq!(a.space.invites()[0].used, 1);
    a.let_in(&newcomer(3).request(&link)).unwrap();
}

#[test]
fn only_an_admin_invites_and_lets_in() {
    let (mut a, mut q) = two_persons(Role::Writer);
    let link = a.invite(Role::Writer, 0, 0);
    q.pull_all(&a);
    let now = q.time();
    let error = q.space.invite(&mut q.files, now, &mut q.entropy, Role::Writer, 0, 0);
    assert!(matches!(error.err(), Some(SpaceError::NotAuthorised { .. })));
    assert!(matches!(q.let_in(&newcomer(3).request(&link)), Err(SpaceError::NotAuthorised { .. })));
    // What a dishonest program announces has no effect.
    let own = InviteLink::generate(q.space.key(), &mut q.entropy);
    for key in [own.key(), link.key()] {
        let invite = Invite { key, role: Role::Admin, uses: 0, expires: 0 };
        let draft = author::Draft::access(vec![crate::space::AccessOp::Invite(invite)]);
        q.space.append(&mut q.files, 1, &mut q.entropy, vec![draft]).unwrap();
    }
    a.pull_all(&q);
    assert_eq!(fault(a.let_in(&newcomer(3).request(&own))), InviteFault::Unknown);
    let third = newcomer(4);
    a.let_in(&third.request(&link)).unwrap();
    assert_eq!(a.role_of(&third), Some(Role::Writer));
    assert!(!a.space.needs_update());
    let mut locked = a.reopened();
    assert_eq!(locked.let_in(&third.request(&link)), Err(SpaceError::Locked));
}

#[test]
fn what_was_taken_back_or_comes_from_a_removed_device_is_no_invite() {
    let (mut a, mut b) = (creator(1), newcomer(20));
    a.bring_in(&b, Role::Admin).unwrap();
    meet(&mut a, &mut b);
    let (kept, taken, lost) =
        (a.invite(Role::Writer, 0, 0), a.invite(Role::Writer, 0, 0), b.invite(Role::Writer, 0, 0));
    meet(&mut a, &mut b);
    let now = b.time();
    b.space.revoke_invite(&mut b.files, now, &mut b.entropy, taken.key()).unwrap();
    let clock = b.space.clock();
    b.space.revoke_invite(&mut b.files, now, &mut b.entropy, taken.key()).unwrap();
    assert_eq!(b.space.clock(), clock);
    let unknown = newcomer(9).key();
    let error = b.space.revoke_invite(&mut b.files, now, &mut b.entropy, unknown);
    assert_eq!(fault(error), InviteFault::Unknown);
    meet(&mut a, &mut b);
    assert_eq!(fault(a.let_in(&newcomer(2).request(&taken))), InviteFault::Expired);
    assert_eq!(a.space.invites().len(), 2);
    a.cut(b.key());
    // Who took it back is gone; that does not bring it back.
    assert_eq!(fault(a.let_in(&newcomer(2).request(&taken))), InviteFault::Unknown);
    assert_eq!(fault(a.let_in(&newcomer(2).request(&lost))), InviteFault::Unknown);
    assert_eq!(a.space.invites().iter().map(|info| info.key).collect::<Vec<_>>(), [kept.key()]);
    a.let_in(&newcomer(2).request(&kept)).unwrap();
}

#[test]
fn a_request_for_another_key_or_space_is_refused() {
    let (mut a, q) = (creator(1), newcomer(2));
    let link = a.invite(Role::Writer, 0, 0);
    let now = a.time();
    let other = newcomer(3).grant_of();
    let error = a.space.accept_invite(&mut a.files, now, &mut a.entropy, &other, &link.sign(&q.key()));
    assert_eq!(fault(error), InviteFault::Signature);
    let elsewhere = InviteLink::generate(root().public(), &mut a.entropy);
    assert_eq!(fault(a.let_in(&q.request(&elsewhere))), InviteFault::Signature);
    let strange = InviteLink::generate(a.space.key(), &mut a.entropy);
    assert_eq!(fault(a.let_in(&q.request(&strange))), InviteFault::Unknown);
    // A removed key does not come back with an invite.
    a.let_in(&q.request(&link)).unwrap();
    a.cut(q.key());
    assert!(matches!(a.let_in(&q.request(&link)), Err(SpaceError::NotAuthorised { .. })));
}
