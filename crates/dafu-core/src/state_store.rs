//! Keeping bytes by key: the narrow store that states are written to.

use std::collections::BTreeMap;
use std::error::Error;

/// Changes that a store applies together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Keys with their new value; `None` removes the key. A later entry of the same key wins.
    pub entries: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Batch {
    /// Adds a write.
    #[must_use]
    pub fn put(mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.entries.push((key.into(), Some(value.into())));
        self
    }

    /// Adds a removal.
    #[must_use]
    pub fn remove(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.entries.push((key.into(), None));
        self
    }
}

/// A store of bytes by key, ordered by key.
pub trait StateStore: Send {
    /// What can go wrong.
    type Error: Error + Send + Sync + 'static;

    /// The value of a key.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Applies all changes or none. Durable on return, for stores that are.
    ///
    /// # Errors
    ///
    /// When the store cannot be written; then nothing of the batch is visible.
    fn apply(&mut self, batch: &Batch) -> Result<(), Self::Error>;

    /// Calls `visit` for every key with a prefix, in key order, until it returns false.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    fn scan(
        &self,
        prefix: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), Self::Error>;
}

/// A store in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemStore {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl StateStore for MemStore {
    type Error = std::convert::Infallible;

    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error> {
        Ok(self.entries.get(key).cloned())
    }

    fn apply(&mut self, batch: &Batch) -> Result<(), Self::Error> {
        for (key, value) in &batch.entries {
            match value {
                Some(value) => self.entries.insert(key.clone(), value.clone()),
                None => self.entries.remove(key),
            };
        }
        Ok(())
    }

    fn scan(
        &self,
        prefix: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), Self::Error> {
        for (key, value) in self.entries.range(prefix.to_vec()..) {
            if !key.starts_with(prefix) || !visit(key, value) {
                break;
            }
        }
        Ok(())
    }
}
