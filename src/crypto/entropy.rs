//! Randomness, handed in.

/// A source of cryptographically secure random bytes: the browser's, or a seeded one in tests and simulation.
pub trait Entropy {
    /// Fills `out` with random bytes.
    fn fill(&mut self, out: &mut [u8]);

    /// Thirty-two random bytes: a seed, a key, an id.
    fn array32(&mut self) -> [u8; 32] {
        let mut out = [0; 32];
        self.fill(&mut out);
        out
    }

    /// Sixteen random bytes.
    fn array16(&mut self) -> [u8; 16] {
        let mut out = [0; 16];
        self.fill(&mut out);
        out
    }

    /// Twenty-four random bytes: an XChaCha20 nonce.
    fn array24(&mut self) -> [u8; 24] {
        let mut out = [0; 24];
        self.fill(&mut out);
        out
    }

    /// A uniform number below `bound` (at least 1), by rejection, so that no value is likelier than another.
    fn below(&mut self, bound: u32) -> u32 {
        let bound = bound.max(1);
        // The largest multiple of bound that fits: draws at or above it would favour the low values.
        let limit = u32::MAX - u32::MAX % bound;
        loop {
            let mut four = [0; 4];
            self.fill(&mut four);
            let draw = u32::from_le_bytes(four);
            if draw < limit {
                return draw % bound;
            }
        }
    }
}
