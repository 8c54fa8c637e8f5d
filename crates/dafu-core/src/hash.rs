//! One small stable hash for schema identity, content identity and file checksums.

use std::hash::Hasher;

/// FNV-1a, 64 bits: the same value on every platform and in every version.
///
/// Chosen because its definition fits in two lines and will never change; any single changed byte changes
/// the hash, since each step is a bijection of the state. Not a defence against forgery.
///
/// Source: Fowler, Noll, Vo, Eastlake, "The FNV Non-Cryptographic Hash Algorithm" (IETF draft, 2012), section 2.
#[derive(Debug, Clone)]
pub struct StableHasher(u64);

impl Default for StableHasher {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for StableHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

impl StableHasher {
    /// Adds a text with its length, so that `("ab", "c")` and `("a", "bc")` differ.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.write(&(text.len() as u64).to_le_bytes());
        self.write(text.as_bytes());
        self
    }

    /// Adds a number in little-endian order.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.write(&number.to_le_bytes());
        self
    }

    /// Hash of a byte string.
    #[must_use]
    pub fn hash_bytes(bytes: &[u8]) -> u64 {
        let mut hasher = Self::default();
        hasher.write(bytes);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::StableHasher;

    #[test]
    fn equals_the_published_test_vectors() {
        assert_eq!(StableHasher::hash_bytes(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(StableHasher::hash_bytes(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(StableHasher::hash_bytes(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
