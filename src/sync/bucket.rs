//! A token bucket: so many at once, so many a second.

/// Tokens of one kind. Time may stand still or jump; it never gives more than the burst.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Thousandths of a token.
    level: u64,
    per_second: u32,
    burst: u32,
    filled_at: u64,
}

impl Bucket {
    /// A full bucket at `now` (ms).
    pub fn new(per_second: u32, burst: u32, now: u64) -> Self {
        Self { level: u64::from(burst).saturating_mul(1000), per_second, burst, filled_at: now }
    }

    /// Takes one token; `false` if there is none.
    pub fn take(&mut self, now: u64) -> bool {
        self.take_many(1, now)
    }

    /// Takes so many tokens, or none and `false`.
    pub fn take_many(&mut self, count: usize, now: u64) -> bool {
        self.fill(now);
        let wanted = u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(1000);
        match self.level.checked_sub(wanted) {
            Some(level) => {
                self.level = level;
                true
            }
            None => false,
        }
    }

    /// When the next token will be there (ms); `now` or earlier if there is one.
    pub fn ready_at(&self) -> u64 {
        let missing = 1000_u64.saturating_sub(self.level);
        self.filled_at.saturating_add(missing.div_ceil(u64::from(self.per_second.max(1))))
    }

    fn fill(&mut self, now: u64) {
        // One millisecond gives per_second thousandths.
        let gained = now.saturating_sub(self.filled_at).saturating_mul(u64::from(self.per_second));
        self.level = self.level.saturating_add(gained).min(u64::from(self.burst).saturating_mul(1000));
        self.filled_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_burst_then_the_rate() {
        let mut bucket = Bucket::new(10, 3, 1_000);
        assert_eq!((0..5).filter(|_| bucket.take(1_000)).count(), 3);
        assert_eq!(bucket.ready_at(), 1_100);
        assert!(!bucket.take(1_099));
        assert!(bucket.take(1_100));
        assert_eq!((0..50).filter(|_| bucket.take(100_000)).count(), 3);
        let mut bytes = Bucket::new(10, 100, 0);
        assert!(!bytes.take_many(101, 0) && bytes.take_many(99, 0) && !bytes.take_many(2, 0));
        assert!(bytes.take_many(2, 100) && !bytes.take_many(usize::MAX, 100));
        // A clock that was set back gives nothing and breaks nothing.
        assert!(!bucket.take(5));
    }
}
