//! What tests share: seeded randomness, and how often properties are tried.

use rand_chacha::{
    ChaCha12Rng,
    rand_core::{Rng, SeedableRng},
};

use crate::crypto::Entropy;

/// Reproducible randomness; never outside tests.
#[derive(Clone)]
pub(crate) struct Seeded(ChaCha12Rng);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha12Rng::seed_from_u64(seed))
    }
}

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

/// The number that a variable of the environment asks for, if it does.
pub(crate) fn asked<N: core::str::FromStr>(variable: &str) -> Option<N> {
    std::env::var(variable).ok()?.parse().ok()
}

/// So many cases of a property, times `HYPHA_CASES`: for a long run.
pub(crate) fn cases(count: u32) -> proptest::test_runner::Config {
    let times = asked("HYPHA_CASES").unwrap_or(1);
    proptest::test_runner::Config { cases: count.saturating_mul(times), ..Default::default() }
}
