//! Remembering transaction ids in bounded memory.

use crate::convert::Typed;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

/// The keys are hashes already.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// What is known about the id of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It is new.
    First,
    /// It is new and could not be remembered.
    Full,
    /// It came before with the same content.
    Same { first_row: u64 },
    /// It came before with other content.
    Other { first_row: u64 },
}

/// Ids with a hash of their content and their row: 16 bytes each, besides the free space of the map.
///
/// Ids are told apart by 64 bits of their hash: among 4 million ids, two different ones are taken for one with a
/// probability of 4 in 10 million.
#[derive(Debug, Default)]
pub(crate) struct IdMemory {
    rows: HashMap<u64, (u32, u32), BuildHasherDefault<AsIs>>,
    limit: usize,
}

impl IdMemory {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            rows: HashMap::default(),
            limit,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn see(&mut self, id: &str, content: u64, row: u64) -> Seen {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        self.see_key(hasher.finish(), content, row)
    }

    /// The same for a hash in place of an id.
    pub(crate) fn see_key(&mut self, key: u64, content: u64, row: u64) -> Seen {
        #[expect(clippy::cast_possible_truncation, reason = "32 bits of a hash")]
        let content = content as u32;
        if let Some(&(known, first_row)) = self.rows.get(&key) {
            let first_row = u64::from(first_row);
            return if known == content {
                Seen::Same { first_row }
            } else {
                Seen::Other { first_row }
            };
        }
        if self.rows.len() >= self.limit {
            return Seen::Full;
        }
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        self.rows.insert(key, (content, row));
        Seen::First
    }
}

/// Hash of the values of a row, in order.
pub(crate) fn content_hash<'a, 'b: 'a>(values: impl Iterator<Item = &'a Typed<'b>>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for value in values {
        match value {
            // Adding zero makes one zero of the two.
            Typed::Number(number) => hasher.write_u64((number + 0.0).to_bits()),
            Typed::Time(time) => time.hash(&mut hasher),
            Typed::Label(label) => label.hash(&mut hasher),
            Typed::Text(text) => text.hash(&mut hasher),
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::{IdMemory, Seen};

    #[test]
    fn tells_duplicates_from_conflicts_up_to_the_limit() {
        let mut memory = IdMemory::new(2);
        assert_eq!(memory.see("a", 1, 1), Seen::First);
        assert_eq!(memory.see("b", 1, 2), Seen::First);
        assert_eq!(memory.see("c", 1, 3), Seen::Full);
        assert_eq!(memory.see("a", 1, 4), Seen::Same { first_row: 1 });
        assert_eq!(memory.see("b", 2, 5), Seen::Other { first_row: 2 });
        assert_eq!(memory.len(), 2);
    }
}
