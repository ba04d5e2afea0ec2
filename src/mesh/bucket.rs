//! A rate limit.

/// Token bucket: `burst` at once, `per_second` in the long run.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    /// Thousandths of a token.
    level: u64,
    burst: u64,
    per_second: u64,
    at: u64,
}

impl Bucket {
    /// A full bucket.
    pub(crate) const fn new(burst: u32, per_second: u32, now: u64) -> Self {
        // Widening only: u32 to u64.
        let (burst, per_second) = (widen(burst) * 1_000, widen(per_second));
        Self { level: burst, burst, per_second, at: now }
    }

    /// Takes one token; false when there is none.
    pub(crate) fn take(&mut self, now: u64) -> bool {
        let gained = now.saturating_sub(self.at).saturating_mul(self.per_second);
        self.level = self.level.saturating_add(gained).min(self.burst);
        self.at = now;
        match self.level.checked_sub(1_000) {
            Some(left) => {
                self.level = left;
                true
            }
            None => false,
        }
    }
}

const fn widen(value: u32) -> u64 {
    let [a, b, c, d] = value.to_le_bytes();
    u64::from_le_bytes([a, b, c, d, 0, 0, 0, 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_back_and_refills() {
        let mut bucket = Bucket::new(3, 2, 0);
        assert_eq!((0..5).filter(|_| bucket.take(0)).count(), 3);
        assert!(!bucket.take(400));
        assert!(bucket.take(500));
        assert_eq!((0..10).filter(|_| bucket.take(1_000_000)).count(), 3);
    }
}
