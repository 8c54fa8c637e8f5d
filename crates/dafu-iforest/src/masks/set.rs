//! Sets of rows.

/// Words of a set: one line of the cache. With half or twice as many, scoring was slower.
const WORDS: usize = 8;
/// Rows of a block.
pub(crate) const ROWS: usize = 64 * WORDS;

/// A set of the rows of a block.
///
/// Operations write into a set in memory, word by word from slices: what the compiler turns into vector code even
/// for the oldest x86-64. From sets as values it makes code for single words.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub(super) struct Set(pub(super) [u64; WORDS]);

impl Set {
    pub(super) const EMPTY: Self = Self([0; WORDS]);
    pub(super) const ALL: Self = Self([u64::MAX; WORDS]);

    #[inline]
    pub(super) fn insert(&mut self, row: usize) {
        // Such that the bytes of transposed codes come out in the order of the rows.
        let (word, bit) = (row / 8 % WORDS, row % 8 * 8 + row / (8 * WORDS));
        self.0[word] |= 1 << bit;
    }

    /// Those rows of a set that are not `out`.
    #[inline]
    pub(super) fn set_those(&mut self, all: &Self, out: impl Fn(usize) -> bool) {
        for (word, (bits, all)) in self.0.iter_mut().zip(all.0).enumerate() {
            let mut gone = 0;
            let mut waiting = all;
            while waiting != 0 {
                let bit = waiting.trailing_zeros() as usize;
                waiting &= waiting - 1;
                // The other way of `insert`.
                let row = bit % 8 * (8 * WORDS) + word * 8 + bit / 8;
                gone |= u64::from(out(row)) << bit;
            }
            *bits = all & !gone;
        }
    }

    /// Adds those of 64 rows whose byte is 1; they are part number `part` of the block.
    #[inline]
    pub(super) fn or_bytes(&mut self, bytes: &[u8; 8 * WORDS], part: usize) {
        let (words, _) = bytes.as_chunks::<8>();
        for (word, bytes) in self.0.iter_mut().zip(words) {
            *word |= u64::from_le_bytes(*bytes) << part;
        }
    }

    #[inline]
    pub(super) fn complement(&mut self) {
        for word in &mut self.0 {
            *word = !*word;
        }
    }

    #[inline]
    pub(super) fn set_and(&mut self, a: &Self, b: &Self) {
        for ((word, a), b) in self.0.iter_mut().zip(&a.0).zip(&b.0) {
            *word = a & b;
        }
    }

    #[inline]
    pub(super) fn set_xor(&mut self, a: &Self, b: &Self) {
        for ((word, a), b) in self.0.iter_mut().zip(&a.0).zip(&b.0) {
            *word = a ^ b;
        }
    }

    #[inline]
    pub(super) fn or(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word |= other;
        }
    }

    #[inline]
    pub(super) fn xor(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word ^= other;
        }
    }

    #[inline]
    pub(super) fn and_not(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word &= !other;
        }
    }

    /// Flips those rows of `a` that are not in `b`.
    #[inline]
    pub(super) fn xor_and_not(&mut self, a: &Self, b: &Self) {
        for ((word, a), b) in self.0.iter_mut().zip(&a.0).zip(&b.0) {
            *word ^= a & !b;
        }
    }
}

/// From eight sets, one for each bit of a code, to a code in each byte, row after row.
///
/// An 8 x 8 transposition of bits for all bytes at once: in every round, bits change places between two sets.
#[inline]
pub(super) fn transpose(planes: &mut [Set; 8]) {
    for (distance, mask) in [
        (1, 0x5555_5555_5555_5555),
        (2, 0x3333_3333_3333_3333),
        (4, 0x0f0f_0f0f_0f0f_0f0f_u64),
    ] {
        for at in (0..8).filter(|at| at & distance == 0) {
            let (front, back) = planes.split_at_mut(at + distance);
            for (a, b) in front[at].0.iter_mut().zip(&mut back[0].0) {
                let change = (*a >> distance ^ *b) & mask;
                *b ^= change;
                *a ^= change << distance;
            }
        }
    }
}
