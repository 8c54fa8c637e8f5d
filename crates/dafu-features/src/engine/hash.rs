//! Ids as 64-bit numbers, under a secret key.

/// `SipHash-1-3` of a text under a key: nobody without the key can make two ids meet.
///
/// Source: Aumasson, Bernstein, "`SipHash`: a fast short-input PRF" (2012), section 2; one round a block and three at
/// the end, as in Rust's own hash maps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IdHasher {
    keys: [u64; 2],
}

impl IdHasher {
    pub(crate) const fn new(key: u64) -> Self {
        Self { keys: [key, 0] }
    }

    /// Hash of an id; never 0, which stands for a missing one.
    #[inline]
    pub(crate) fn id(self, text: &[u8]) -> u64 {
        self.hash(text).max(1)
    }

    fn hash(self, bytes: &[u8]) -> u64 {
        let [k0, k1] = self.keys;
        let mut v = [
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ];
        let (blocks, rest) = bytes.as_chunks::<8>();
        for block in blocks {
            absorb(&mut v, u64::from_le_bytes(*block));
        }
        absorb(&mut v, rest_of(rest) | (bytes.len() as u64) << 56);
        v[2] ^= 0xff;
        round(&mut v);
        round(&mut v);
        round(&mut v);
        v[0] ^ v[1] ^ v[2] ^ v[3]
    }
}

/// Up to seven bytes as a number, the first lowest. Without a loop or a copy of unknown length: most ids are that short.
#[inline]
fn rest_of(rest: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        let overlap = 8 * (rest.len() - 4);
        return u64::from(u32::from_le_bytes(*first))
            | u64::from(u32::from_le_bytes(*last)) << overlap;
    }
    let byte = |at: usize| u64::from(rest.get(at).copied().unwrap_or_default());
    byte(0) | byte(1) << 8 | byte(2) << 16
}

#[inline]
fn absorb(v: &mut [u64; 4], block: u64) {
    v[3] ^= block;
    round(v);
    v[0] ^= block;
}

#[inline]
fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[2] = v[2].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[1]);
    v[0] = v[0].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].rotate_left(32);
}

/// One more word of something that is not to be mistaken for something else by accident; [`pair`] comes last. Five
/// cycles a word, where a finaliser each would take thirteen.
#[inline]
pub(crate) fn mix(mixed: u64, word: u64) -> u64 {
    (mixed.rotate_left(26) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// One key from two ids; the order of the two matters.
#[inline]
pub(crate) fn pair(first: u64, second: u64) -> u64 {
    // The finaliser of MurmurHash3 over both, so that equal ids on both sides do not cancel out.
    let mut x = first ^ second.rotate_left(32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    (x ^ (x >> 33)).max(1)
}

/// A hasher for keys that are hashes already.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hashed(u64);

impl std::hash::Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// A map whose keys are hashes already.
pub(crate) type HashedMap<V> =
    std::collections::HashMap<u64, V, std::hash::BuildHasherDefault<Hashed>>;

#[cfg(test)]
mod tests {
    use super::IdHasher;
    use std::hash::Hasher;

    #[test]
    fn equals_the_siphash_of_the_standard_library() {
        let text = b"the quick brown fox jumps over the lazy dog";
        for length in 0..text.len() {
            let mut theirs = std::hash::DefaultHasher::new();
            theirs.write(&text[..length]);
            assert_eq!(IdHasher::new(0).hash(&text[..length]), theirs.finish());
        }
        assert_ne!(IdHasher::new(1).id(b"a"), IdHasher::new(2).id(b"a"));
    }
}
