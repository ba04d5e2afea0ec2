//! A node as a file, and back.

use super::*;

fn export(world: &World, at: usize) -> Vec<u8> {
    let (mut bytes, mut cursor) = (Vec::new(), Some(ExportCursor::default()));
    while let Some(now) = cursor {
        let (piece, next) = world.node(at).export(&now);
        bytes.extend(piece);
        cursor = next.map(|next| ExportCursor::decode(&next.encode()).unwrap());
    }
    bytes
}

/// The parts of a file: checksum and body.
fn file(world: &World, at: usize) -> Vec<Vec<u8>> {
    parts(&export(world, at))
}

/// The parts of a sync file of the domain's space for a node with this clock.
fn sync_file(world: &World, at: usize, since: &crate::space::Clock) -> Vec<Vec<u8>> {
    parts_behind(sync_bytes(world, at, since).strip_prefix(b"hypha synced\x01").unwrap())
}

fn sync_bytes(world: &World, at: usize, since: &crate::space::Clock) -> Vec<u8> {
    let (mut bytes, mut cursor) = (Vec::new(), Some(ExportCursor::default()));
    while let Some(now) = cursor {
        let (piece, next) = world.node(at).export_sync(None, since, &now).unwrap();
        bytes.extend(piece);
        cursor = next;
    }
    bytes
}

fn parts(bytes: &[u8]) -> Vec<Vec<u8>> {
    parts_behind(bytes.strip_prefix(b"hypha export\x01").unwrap())
}

fn parts_behind(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = bytes;
    let mut parts = Vec::new();
    while let Some((size, behind)) = rest.split_first_chunk::<4>() {
        let (part, behind) = behind.split_at(16 + u32::from_le_bytes(*size) as usize);
        parts.push(part.to_vec());
        rest = behind;
    }
    let last = parts.last().unwrap();
    assert_eq!(last[16..], [[4].as_slice(), &(parts.len() as u64 - 1).to_le_bytes()].concat());
    parts
}

/// Takes parts in, those that came too early again, as a page does. How many were damaged, and how many were never of use.
fn import(world: &mut World, at: usize, mut parts: Vec<Vec<u8>>) -> (usize, usize) {
    let mut bad = 0;
    loop {
        let (before, mut later) = (parts.len(), Vec::new());
        for part in parts {
            match world.call(at, Call::Import { part: part.clone() }) {
                Ok(Reply::Imported(Imported::Later)) => later.push(part),
                Ok(_) => {}
                Err(error) => {
                    assert!(matches!(error.code, ErrorCode::Corrupt), "{error}");
                    bad += 1;
                }
            }
        }
        if later.is_empty() || later.len() == before {
            return (bad, later.len());
        }
        parts = later;
    }
}

/// Two devices, two spaces, private entries, a visitor with nothing.
fn two(seed: u64) -> (World, usize, usize, crate::crypto::PublicKey) {
    let mut world = World::new(seed);
    let (first, key) = sign_up(&mut world);
    let second = world.browser(Some(key));
    world.until("read", |world| !world.node(second).writers(None).is_empty());
    let_in(&mut world, first, second, true);
    for n in 0..30 {
        world.call(first, post(&format!("first/{n:02}"), &"x".repeat(20_000))).unwrap();
        world.call(second, put(&format!("second/{n:02}"), "private", true)).unwrap();
    }
    let Ok(Reply::Space(other)) = world.call(first, Call::CreateSpace { title: "Other".into() }) else {
        panic!()
    };
    let Call::In { act, .. } = post("there", "text") else { panic!() };
    world.call(first, Call::In { space: Some(other), act }).unwrap();
    world.until("level", |world| keys(world, first).len() == 60 && keys(world, second).len() == 60);
    (world, first, second, other)
}

/// Writers and their lengths.
fn clocks(world: &World, at: usize) -> Vec<(crate::crypto::PublicKey, u64)> {
    world.node(at).writers(None).into_iter().map(|known| (known.key, known.held)).collect()
}

#[test]
fn a_file_brings_everything_back_in_any_order_and_signs_in() {
    for (seed, backwards) in [(0, false), (1, true)] {
        let (mut world, first, second, other) = two(seed);
        let mut parts = file(&world, first);
        assert!(parts.len() > 8 && parts.iter().all(|part| part.len() < 600_000));
        let held = clocks(&world, first);
        // Nobody is there any more but the file.
        world.kill(first);
        world.kill(second);
        let third = world.browser(None);
        world.until("looked up", |world| world.node(third).is_ready());
        if backwards {
            parts.reverse();
        }
        assert_eq!(import(&mut world, third, parts.clone()), (0, 0));
        assert_eq!(clocks(&world, third), held);
        assert_eq!(world.node(third).state(), State::Visitor);
        assert_eq!(keys(&world, third).len(), 30, "what is private stays so: no key travels");
        assert_eq!(world.node(third).get(Some(other), "there").unwrap().unwrap().item.key, "there");
        // Once more: nothing new.
        world.reload(third);
        assert_eq!(clocks(&world, third), held);
        assert_eq!(import(&mut world, third, parts), (0, 0));
        assert_eq!(clocks(&world, third), held);
        let call =
            Call::Recover { secret: secret(1), device: "New".into(), remember: true, cut_others: false };
        world.call(third, call).unwrap();
        assert_eq!(world.node(third).state(), State::Writer);
        assert_eq!(keys(&world, third).len(), 60, "with the passphrase all of it opens");
        world.call(third, post("after", "text")).unwrap();
    }
}

#[test]
fn what_is_damaged_is_left_out_and_the_rest_taken() {
    let (mut world, first, second, _) = two(2);
    let held = clocks(&world, first);
    let mut parts = file(&world, first);
    let all = parts.len();
    // A run of blocks in the middle: larger than anything else.
    let blocks: Vec<usize> = (0..all).filter(|at| parts[*at].len() > 100_000).collect();
    let spoiled = blocks[blocks.len() / 2];
    parts[spoiled][5000] ^= 1;
    // One that is whole, and lies: its checksum was made for what it says.
    let mut lie = parts[blocks[0]].clone();
    let end = lie.len() - 1;
    lie[end] ^= 1;
    let sum = crate::crypto::blake2b_128(&[&lie[16..]]);
    lie[..16].copy_from_slice(&sum);
    parts.push(lie);
    world.kill(first);
    world.kill(second);
    let third = world.browser(None);
    world.until("looked up", |world| world.node(third).is_ready());
    assert_eq!(import(&mut world, third, parts).0, 1, "the lie comes last: what it is about is here by then");
    let got: u64 = clocks(&world, third).iter().map(|(_, held)| held).sum();
    let had: u64 = held.iter().map(|(_, held)| held).sum();
    assert!(got < had && got > 0, "{got} of {had} without gaps");
    // The others have what is missing.
    world.start(first);
    world.until("healed", |world| clocks(world, third) == held);
}

#[test]
fn a_sync_file_brings_what_is_lacking_and_only_that() {
    let (mut world, first, second, other) = two(5);
    let (clock, early) = (world.node(second).clock(None), sync_file(&world, first, &Default::default()));
    world.kill(second);
    let key = world.node(first).home().unwrap();
    for n in 0..5 {
        world.call(first, post(&format!("later/{n}"), &"y".repeat(20_000))).unwrap();
    }
    let held = clocks(&world, first);
    let (news, all) = (sync_file(&world, first, &clock), sync_file(&world, first, &Default::default()));
    let size = |parts: &[Vec<u8>]| parts.iter().map(Vec::len).sum::<usize>();
    assert!(size(&news) * 4 < size(&all), "{} of {} bytes", size(&news), size(&all));
    world.kill(first);

    // By the clock, to a device that has the rest.
    world.start(second);
    assert_eq!(import(&mut world, second, news.clone()), (0, 0));
    assert_eq!(clocks(&world, second), held);
    assert_eq!(import(&mut world, second, news), (0, 0), "twice is as good as once");
    world.kill(second);

    // Everything, to a visitor that has an early copy: what is longer here extends what is there.
    let third = world.browser(Some(key));
    world.until("looked up", |world| world.node(third).is_ready());
    assert_eq!(import(&mut world, third, early), (0, 0));
    assert!(clocks(&world, third) != held);
    assert_eq!(import(&mut world, third, all.clone()), (0, 0));
    assert_eq!(clocks(&world, third), held);
    assert!(world.node(third).get(Some(other), "there").is_err(), "one space's file has one space");

    // A browser that reads another space takes none of it.
    let stranger = world.browser(None);
    world.until("looked up", |world| world.node(stranger).is_ready());
    let refused = world.call(stranger, Call::Import { part: all[0].clone() }).unwrap_err();
    assert_eq!(refused.code, ErrorCode::BadInput);
}

#[test]
fn a_lie_is_refused() {
    let (mut world, first, second, _) = two(3);
    let mut parts = file(&world, first);
    world.kill(first);
    world.kill(second);
    let third = world.browser(None);
    world.until("looked up", |world| world.node(third).is_ready());
    for part in parts.iter_mut().filter(|part| part[16] == 3) {
        let end = part.len() - 1;
        part[end] ^= 1;
        let sum = crate::crypto::blake2b_128(&[&part[16..]]);
        part[..16].copy_from_slice(&sum);
    }
    let runs = parts.iter().filter(|part| part[16] == 3).count();
    let (bad, later) = import(&mut world, third, parts);
    assert!(
        bad > 0 && bad + later == runs,
        "{bad} refused, {later} of writers that nobody let in, of {runs}"
    );
    assert!(clocks(&world, third).iter().all(|(_, held)| *held == 0));
}

#[test]
fn another_space_than_the_one_here_is_not_taken_in() {
    let (world, first, _, _) = two(4);
    let parts = file(&world, first);
    let mut other = World::new(5);
    let at = other.browser(None);
    other.until("looked up", |world| world.node(at).is_ready());
    let call = Call::SignUp { secret: secret(9), device: "Else".into(), remember: true, claim: None };
    other.call(at, call).unwrap();
    let error = other.call(at, Call::Import { part: parts[0].clone() }).map(|_| ()).unwrap_err();
    assert_eq!(error.code, ErrorCode::Pinned);
    assert!(matches!(
        other.call(at, Call::Import { part: parts[1].clone() }),
        Ok(Reply::Imported(Imported::Later))
    ));
}

fn unhex(text: &serde_json::Value) -> Vec<u8> {
    let pairs = text.as_str().unwrap().as_bytes().chunks(2).map(|pair| core::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// A file of this version, which every later one has to read. `HYPHA_WRITE_VECTORS=1` writes another one, if none is there.
#[test]
fn a_file_of_long_ago_is_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests-wasm/vectors/export.json");
    if std::env::var("HYPHA_WRITE_VECTORS").is_ok_and(|value| value == "1")
        && !std::path::Path::new(path).exists()
    {
        let mut world = World::new(7);
        let (at, space) = sign_up(&mut world);
        for n in 0..20 {
            world.call(at, put(&format!("{n:02}"), "text", n % 3 == 1)).unwrap();
        }
        let file = crate::crypto::hex(&export(&world, at));
        std::fs::write(path, format!("{{\n\"space\": \"{space}\",\n\"file\": \"{file}\"\n}}\n")).unwrap();
    }
    let stored: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let bytes = unhex(&stored["file"]);
    let mut world = World::new(8);
    let at = world.browser(None);
    world.until("looked up", |world| world.node(at).is_ready());
    assert_eq!(import(&mut world, at, parts(&bytes)), (0, 0));
    assert_eq!(world.node(at).home().unwrap().to_string(), stored["space"]);
    assert_eq!(keys(&world, at).len(), 13);
    assert!(export(&world, at) == bytes, "who took it in has what was in it");
    let call = Call::Unlock { secret: secret(1) };
    assert!(world.call(at, call).is_err(), "nobody is signed in");
    let call = Call::Recover { secret: secret(1), device: "New".into(), remember: true, cut_others: false };
    world.call(at, call).unwrap();
    assert_eq!(keys(&world, at).len(), 20);
}

/// Sync files of this version: all, and what one who has the first file lacks. Written as the file above.
#[test]
fn sync_files_of_long_ago_are_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests-wasm/vectors/sync.json");
    if std::env::var("HYPHA_WRITE_VECTORS").is_ok_and(|value| value == "1")
        && !std::path::Path::new(path).exists()
    {
        let mut world = World::new(7);
        let (at, space) = sign_up(&mut world);
        for n in 0..11 {
            world.call(at, put(&format!("{n:02}"), "text", false)).unwrap();
        }
        let early = crate::crypto::hex(&sync_bytes(&world, at, &Default::default()));
        let clock = world.node(at).clock(None);
        for n in 11..15 {
            world.call(at, put(&format!("{n:02}"), "text", false)).unwrap();
        }
        let later = crate::crypto::hex(&sync_bytes(&world, at, &clock));
        let all = crate::crypto::hex(&sync_bytes(&world, at, &Default::default()));
        let text = format!(
            "{{\n\"space\": \"{space}\",\n\"early\": \"{early}\",\n\"later\": \"{later}\",\n\"all\": \"{all}\"\n}}\n"
        );
        std::fs::write(path, text).unwrap();
    }
    let stored: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let file = |name: &str| parts_behind(unhex(&stored[name]).strip_prefix(b"hypha synced\x01").unwrap());
    let space = crate::crypto::PublicKey(unhex(&stored["space"]).try_into().unwrap());
    // One after the other, or all over the first.
    for files in [["early", "later"], ["early", "all"]] {
        let mut world = World::new(8);
        let at = world.browser(Some(space));
        world.until("looked up", |world| world.node(at).is_ready());
        for (name, count) in files.into_iter().zip([11, 15]) {
            assert_eq!(import(&mut world, at, file(name)), (0, 0), "{name}");
            assert_eq!(keys(&world, at).len(), count, "{name}");
        }
    }
}

/// Between two pieces people go on: a space is left, somebody is let in. What stays is in the file whole.
#[test]
fn what_comes_and_goes_while_a_file_is_made_leaves_nothing_else_out() {
    let mut world = World::new(9);
    let (first, key) = sign_up(&mut world);
    let mut spaces: Vec<_> = (0..3)
        .map(|n| match world.call(first, Call::CreateSpace { title: format!("Garden {n}") }) {
            Ok(Reply::Space(space)) => space,
            other => panic!("{other:?}"),
        })
        .collect();
    spaces.sort();
    let within = |space, call: Call| match call {
        Call::In { act, .. } => Call::In { space: Some(space), act },
        other => other,
    };
    for space in &spaces {
        for n in 0..6 {
            world.call(first, within(*space, post(&format!("{n}"), &"x".repeat(90_000)))).unwrap();
        }
    }
    world.call(first, post("home", "text")).unwrap();
    let other = world.browser(Some(key));
    let_in(&mut world, first, other, true);
    let joined =
        |world: &World, at: usize, space| world.node(at).list(Some(space), &crate::space::Range::default());
    world.until("everywhere", |world| {
        spaces.iter().all(|space| joined(world, other, *space).is_ok_and(|found| found.len() == 7))
    });
    // Into the middle of the second.
    let (mut bytes, mut cursor) = (Vec::new(), ExportCursor::default());
    while bytes.len() < 600_000 {
        let (piece, next) = world.node(first).export(&cursor);
        bytes.extend(piece);
        cursor = ExportCursor::decode(&next.unwrap().encode()).unwrap();
    }
    world.call(first, within(spaces[0], of_home(SpaceCall::Leave))).unwrap();
    world.call(other, post("theirs", "text")).unwrap();
    world.call(first, within(spaces[1], post("more", "text"))).unwrap();
    world.until("left", |world| keys(world, first).len() == 2 && joined(world, first, spaces[0]).is_err());
    assert_eq!(world.node(first).spaces().len(), 3);
    let mut next = Some(cursor);
    while let Some(now) = next {
        let (piece, behind) = world.node(first).export(&now);
        bytes.extend(piece);
        next = behind;
    }
    world.kill(first);
    world.kill(other);
    let third = world.browser(None);
    world.until("looked up", |world| world.node(third).is_ready());
    assert_eq!(import(&mut world, third, parts(&bytes)), (0, 0));
    for space in &spaces[1..] {
        assert_eq!(
            joined(&world, third, *space).unwrap().iter().filter(|found| found.item.key.len() == 1).count(),
            6
        );
    }
    assert!(keys(&world, third).contains(&"home".to_owned()));
}

proptest::proptest! {
    #[test]
    fn any_part_and_any_cursor_never_panic(bytes: Vec<u8>, spaces in 0..3_usize, items: Option<u8>, feed: [u8; 32], block: u64) {
        let mut world = World::new(6);
        let (at, key) = sign_up(&mut world);
        let whole = |body: &[u8]| [crate::crypto::blake2b_128(&[body]).as_slice(), body].concat();
        for kind in 0..5 {
            let body = [[kind].as_slice(), &key.0, &bytes].concat();
            let _ = world.call(at, Call::Import { part: whole(&body) });
        }
        let _ = world.call(at, Call::Import { part: bytes.clone() });
        let _ = ExportCursor::decode(&bytes).map(|cursor| world.node(at).export(&cursor));
        let mut cursor = vec![1];
        cursor.extend(if spaces == 0 { key.0 } else { feed });
        cursor.extend([(spaces == 2) as u8, items.unwrap_or(0) % 100, 0]);
        cursor.extend(feed);
        cursor.extend([(block % 3) as u8, (block % 128) as u8]);
        let _ = world.node(at).export(&ExportCursor::decode(&cursor).unwrap());
    }
}
