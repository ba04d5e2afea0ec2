//! Hiding what a device wrote since a time.

use proptest::prelude::*;

use super::*;

const HOUR: u64 = 60 * 60 * 1000;
const DAY: u64 = 24 * HOUR;
/// Some day.
const MONDAY: u64 = 20_000 * DAY;

/// The first device, which has all of the second's ten entries of the days from Monday on, received as they were
/// written.
fn week() -> (Device, Device) {
    let mut a = Device::founder(1);
    let mut b = Device::asker(2);
    a.space.note_time(MONDAY);
    a.now = MONDAY;
    a.grant(&b);
    meet(&mut a, &mut b);
    for day in 0..10 {
        let now = MONDAY + day * DAY;
        b.now = now;
        b.put(&format!("day {day}"), "x");
        a.space.note_time(now + HOUR / 2);
        a.pull_all(&b);
    }
    (a, b)
}

fn hide_since(a: &mut Device, b: &Device, since: u64) -> u64 {
    let now = a.time();
    a.space.hide_since(&mut a.files, now, &mut a.entropy, b.key(), since).unwrap()
}

fn hidden_from(device: &Device, writer: &Device) -> Option<u64> {
    device.space.writers().into_iter().find(|info| info.key == writer.key()).unwrap().hidden_from
}

#[test]
fn what_is_dated_since_then_is_hidden_and_comes_back() {
    let (mut a, mut b) = week();
    let from = hide_since(&mut a, &b, MONDAY + 4 * DAY);
    assert_eq!(a.names(), ["day 0", "day 1", "day 2", "day 3"]);
    assert_eq!(hidden_from(&a, &b), Some(from));
    assert!(a.space.is_active(&b.key()), "hidden, not cut");
    // What it writes next is hidden too.
    b.put("day 10", "x");
    meet(&mut a, &mut b);
    assert_eq!(b.names(), a.names());
    assert_eq!(a.names().len(), 4);
    // A lower one holds, and all come back together.
    assert!(hide_since(&mut a, &b, MONDAY + DAY) < from);
    assert_eq!(a.names(), ["day 0"]);
    let (now, key) = (a.time(), b.key());
    a.space.unhide(&mut a.files, now, &mut a.entropy, key).unwrap();
    assert_eq!((a.names().len(), hidden_from(&a, &b)), (11, None));
}

#[test]
fn what_came_since_then_is_hidden_whatever_its_date_says() {
    let (mut a, mut b) = week();
    // Somebody else has the device now, and sets its clock back.
    b.now = MONDAY;
    b.put("back-dated", "x");
    a.space.note_time(MONDAY + 20 * DAY);
    a.pull_all(&b);
    hide_since(&mut a, &b, MONDAY + 15 * DAY);
    assert_eq!(a.names().len(), 10);
    assert!(a.values("back-dated").is_empty());
    // Also after a reload.
    let (mut a, mut b) = week();
    b.now = MONDAY;
    b.put("back-dated", "x");
    a.space.note_time(MONDAY + 20 * DAY);
    a.pull_all(&b);
    let received = |device: &Device| {
        device.space.writers().into_iter().find(|info| info.key == b.key()).unwrap().last_received
    };
    assert_eq!(received(&a), Some(MONDAY + 20 * DAY));
    let mut a = a.reopened();
    a.unlock();
    assert_eq!(received(&a), Some(MONDAY + 20 * DAY));
    a.now = MONDAY + 21 * DAY;
    b.put("back-dated later", "x");
    a.space.note_time(MONDAY + 21 * DAY);
    a.pull_all(&b);
    hide_since(&mut a, &b, MONDAY + 15 * DAY);
    assert_eq!(a.names().len(), 10);
}

#[test]
fn a_new_device_that_catches_up_goes_by_dates() {
    let (a, b) = week();
    let mut c = Device::asker(3);
    let mut a = a;
    a.grant(&c);
    c.space.note_time(MONDAY + 30 * DAY);
    // In pieces, as it comes over a link.
    c.pull_records(&a);
    while [a.key(), b.key()].iter().any(|feed| c.pull(&a, feed, 2)) {}
    let first = c.space.first_since(&c.files, &b.key(), MONDAY + 8 * DAY).unwrap();
    assert_eq!(first, a.space.first_since(&a.files, &b.key(), MONDAY + 8 * DAY).unwrap());
    hide_since(&mut c, &b, MONDAY + 8 * DAY);
    assert_eq!(c.names().len(), 8);
}

#[test]
fn nothing_since_then_hides_what_comes() {
    let (mut a, mut b) = week();
    let held = a.space.clock()[&b.key()];
    assert_eq!(hide_since(&mut a, &b, MONDAY + 15 * DAY), held);
    assert_eq!(a.names().len(), 10);
    b.now = MONDAY;
    b.put("back-dated", "x");
    a.pull_all(&b);
    assert_eq!(a.names().len(), 10);
}

#[test]
fn marks_are_an_hour_apart_and_the_oldest_give_way() {
    let (mut a, mut b) = week();
    let file = a.files.file(&format!("space/{}/received", root().public()));
    let marks = a.files.len(file) / 48;
    a.space.note_time(MONDAY + 40 * DAY);
    for _ in 0..20 {
        b.put("k", "x");
        a.pull_all(&b);
    }
    assert_eq!(a.files.len(file) / 48, marks + 1);
    // More than are kept: a mark a second of feeds that nobody has.
    let end = a.files.len(file);
    let old: Vec<u8> = (0..25_000_u64)
        .flat_map(|n| [[5; 32].as_slice(), &n.to_le_bytes(), &n.to_le_bytes()].concat())
        .collect();
    a.files.write(file, end, &old).unwrap();
    let mut a = a.reopened();
    let file = a.files.file(&format!("space/{}/received", root().public()));
    assert_eq!(a.files.len(file) / 48, 10_000);
    let again = a.reopened();
    assert_eq!(again.names(), a.names());
}

proptest! {
    #![proptest_config(crate::testing::cases(48))]

    /// Whatever is dated or came since then is hidden, and nothing from before all that but what came within the hour.
    #[test]
    fn nothing_since_then_is_left_and_little_from_before_goes(
        steps in prop::collection::vec((0..100_u64, 0..5_u64, any::<bool>()), 1..20),
        since in 0..100_u64,
    ) {
        let mut a = Device::founder(1);
        let mut b = Device::asker(2);
        a.grant(&b);
        meet(&mut a, &mut b);
        let (quarter, mut clock) = (HOUR / 4, MONDAY);
        // Of each entry of the other, from its first on: its date, and when it came.
        let mut entries: Vec<(u64, u64)> = Vec::new();
        let key = b.key();
        let given = |a: &Device| a.space.clock().get(&key).copied().unwrap_or(0);
        let (mut dates, mut held) = (Vec::new(), given(&a));
        prop_assert_eq!(held, 0);
        for (date, wait, comes) in steps {
            let now = MONDAY + date * quarter;
            b.space.write(&mut b.files, now, &mut b.entropy, vec![put("k", "x", false)]).unwrap();
            dates.push(now);
            clock += wait * quarter;
            if comes {
                a.space.note_time(clock);
                a.pull_all(&b);
                let more = given(&a) - held;
                held += more;
                entries.extend(dates.drain(..).map(|date| (date, clock)));
            }
        }
        let since = MONDAY + since * quarter;
        let first = a.space.first_since(&a.files, &key, since).unwrap();
        // What came within the hour of the first of all goes by its date alone.
        let begun = entries.first().map_or(0, |(_, came)| *came);
        let later = |came: u64| came >= begun + HOUR;
        let position = |is: &dyn Fn(u64, u64) -> bool| {
            entries.iter().position(|(date, came)| is(*date, *came)).unwrap_or(entries.len())
        };
        let must = position(&|date, came| date >= since || (later(came) && came >= since));
        let may = position(&|date, came| date >= since || (later(came) && came + HOUR > since));
        let first = usize::try_from(first).unwrap();
        prop_assert!((may..=must).contains(&first), "{first} is not in {may}..={must}");
        prop_assert_eq!(entries.len(), usize::try_from(held).unwrap());
    }
}
