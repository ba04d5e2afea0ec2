//! Progress: what is being done, and how long it took.

use anyhow::Result;
use std::time::{Duration, Instant};

/// Runs `work` under a line that says what it is, and a second one with the time it took.
pub fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("▸ {what} …");
    let start = Instant::now();
    let result = work();
    let time = seconds(start.elapsed());
    match &result {
        Ok(_) => println!("  {what}: done in {time}"),
        Err(_) => println!("  {what}: failed after {time}"),
    }
    result
}

/// Header of one ring of tests.
pub fn header(title: &str) {
    println!("\n━━ {title} {}", "━".repeat(76_usize.saturating_sub(title.chars().count())));
}

/// `1.2 s`, or `3 min 04 s` from a minute on.
pub fn seconds(time: Duration) -> String {
    let total = time.as_secs();
    if total < 60 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} min {:02} s", total / 60, total % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(seconds(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(seconds(Duration::from_secs(184)), "3 min 04 s");
    }
}
