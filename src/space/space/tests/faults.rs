//! Every record that is stored of a space, damaged in every way: it is found, what peers have comes again, and an own
//! feed that may have been longer is never continued.

use super::*;
use crate::storage::{Damage, StorageError};

/// Ways in which a record can be wrong.
const FAULTS: [&str; 4] = ["flipped first", "flipped last", "cut short", "gone"];

fn spoil(backend: &mut MemoryBackend, key: &PageKey, fault: &str) {
    let Some(record) = backend.page_mut(key) else { panic!("no {key:?}") };
    let last = record.len() - 1;
    match fault {
        "flipped first" => record[0] ^= 0x80,
        "flipped last" => record[last] ^= 1,
        "cut short" => record.truncate(last / 2),
        _ => backend.remove_page(key),
    }
}

/// Two devices that know the same, and what the second has stored, all of it in pages.
fn stored() -> (Device, Device) {
    let mut a = Device::founder(1);
    let mut b = Device::asker(2);
    a.grant(&b);
    meet(&mut a, &mut b);
    for n in 0..40 {
        a.put(&format!("a/{n}"), &"long ".repeat(100));
        b.put(&format!("b/{n}"), "short");
    }
    meet(&mut a, &mut b);
    b.commit();
    let compaction = b.files.compaction(true).unwrap();
    b.backend.compact(&compaction);
    (a, b)
}

#[test]
fn whatever_page_is_lost_the_space_comes_back_whole() {
    let (a, b) = stored();
    let (own, expected) = (format!("feed/{}/", b.key()), b.all());
    let keys: Vec<PageKey> = b.backend.snapshot().pages.into_iter().map(|(key, _)| key).collect();
    assert!(keys.len() > 10, "{keys:?}");
    let mut own_lost = 0;
    for (key, fault) in keys.iter().flat_map(|key| FAULTS.map(|fault| (key, fault))) {
        let mut backend = b.backend.clone();
        spoil(&mut backend, key, fault);
        let files = match Files::load(backend.snapshot()) {
            Ok(files) => files,
            // What the journal adds to the pages is not known without it: nothing is used.
            Err(error) => {
                assert_eq!(error, StorageError::Damaged { what: Damage::Compaction });
                assert!(key.file.is_empty() && key.page == 0 && fault != "gone", "{key:?} {fault}");
                continue;
            }
        };
        let page = Damage::Page { file: key.file.clone(), page: key.page };
        // What tells which records there are may be lost as well: then it is not known that none has gone.
        let named = if key.file.is_empty() { Damage::Pages } else { page };
        assert!(files.damage().contains(&named), "{key:?} {fault}: {:?}", files.damage());
        let mut device = Device::with(backend, root().public(), 2);
        device.unlock();
        device.pull_all(&a);
        // What only this device has written and is lost here comes from the other as well.
        assert_eq!(device.all(), expected, "{key:?} {fault}");
        let length = |device: &Device| device.space.clock().get(&device.key()).copied();
        assert_eq!(length(&device), length(&b), "{key:?} {fault}");
        // An own feed that may have been longer than it seems is not continued, whatever peers say.
        match device.write(vec![put("x", "y", false)]) {
            Ok(_) => assert_ne!(key.file, format!("{own}head"), "{fault}"),
            Err(SpaceError::NotAuthorised { .. }) => own_lost += 1,
            Err(error) => panic!("{key:?} {fault}: {error}"),
        }
    }
    assert!(own_lost >= FAULTS.len(), "{own_lost}");
}
