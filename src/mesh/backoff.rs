//! How long to wait before trying again.

use crate::crypto::Entropy;

/// Full-jitter exponential back-off: a uniform draw below a bound that doubles with every failure.
///
/// Jitter over the whole range, because everybody who lost the same hub would otherwise return together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Milliseconds to wait after one more failure: 250 to 60,000.
    pub(crate) fn fail(&mut self, entropy: &mut dyn Entropy) -> u64 {
        let bound = FIRST_MS.saturating_mul(1 << self.failures.min(6)).min(MAX_MS);
        self.failures = self.failures.saturating_add(1);
        u64::from(entropy.below(bound)).max(MIN_MS)
    }

    /// Forgets the failures.
    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last reset.
    #[cfg(test)]
    pub(crate) const fn failures(&self) -> u32 {
        self.failures
    }
}

const FIRST_MS: u32 = 1_000;
const MAX_MS: u32 = 60_000;
const MIN_MS: u64 = 250;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Seeded;

    #[test]
    fn grows_to_a_minute_and_starts_over() {
        let mut entropy = Seeded::new(3);
        let mut backoff = Backoff::default();
        let mut longest = 0;
        for n in 0..200_u32 {
            let wait = backoff.fail(&mut entropy);
            let bound = (1_000_u64 << n.min(6)).min(60_000);
            assert!((250..=bound.max(250)).contains(&wait), "{n}: {wait}");
            longest = longest.max(wait);
        }
        assert!(longest > 50_000, "{longest}");
        backoff.reset();
        assert!(backoff.fail(&mut entropy) <= 1_000);
    }
}
