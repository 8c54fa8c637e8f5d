//! Codes of texts.

use super::CategoricalInput;
use super::params::RESERVED;
use std::collections::HashMap;
use std::sync::Arc;

/// The code of a missing text.
pub(super) const MISSING: u32 = 0;
/// The code of a text that training has rarely or never.
pub(super) const UNSEEN: u32 = 1;

/// The categories with a code of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vocabulary {
    names: Vec<Arc<str>>,
    codes: HashMap<Arc<str>, u32>,
}

impl Vocabulary {
    /// Of these categories, in the order of their codes; `None` where one is given twice, or there are too many.
    pub(super) fn new(names: Vec<Arc<str>>) -> Option<Self> {
        let codes: HashMap<_, _> = names.iter().cloned().zip(RESERVED..).collect();
        (codes.len() == names.len()).then_some(Self { names, codes })
    }

    pub(super) const fn names(&self) -> &[Arc<str>] {
        self.names.as_slice()
    }

    pub(super) fn code(&self, text: Option<&str>) -> u32 {
        match text {
            None => MISSING,
            Some(text) => self.codes.get(text).copied().unwrap_or(UNSEEN),
        }
    }

    pub(super) fn name(&self, code: u32) -> Option<&str> {
        match code {
            MISSING => Some("missing"),
            UNSEEN => Some("unseen"),
            _ => {
                let index = usize::try_from(code - RESERVED).ok()?;
                self.names.get(index).map(AsRef::as_ref)
            }
        }
    }

    /// Codes in use.
    pub(super) fn codes(&self) -> u32 {
        u32::try_from(self.names.len()).map_or(u32::MAX, |names| names.saturating_add(RESERVED))
    }
}

/// How often each text comes.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts(HashMap<Box<str>, u64>);

impl Counts {
    pub(super) fn push(&mut self, text: &str) {
        if let Some(count) = self.0.get_mut(text) {
            *count += 1;
        } else {
            self.0.insert(text.into(), 1);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The most frequent texts, by falling count, then in the order of their bytes.
    pub(super) fn names(self, input: &CategoricalInput) -> Vec<Arc<str>> {
        let most = usize::try_from(input.max_categories).unwrap_or(usize::MAX);
        let frequent = self.0.into_iter();
        let mut frequent: Vec<_> = frequent
            .filter(|(_, count)| *count >= input.min_count)
            .collect();
        frequent.sort_unstable_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then_with(|| a.cmp(b)));
        frequent.truncate(most);
        frequent
            .into_iter()
            .map(|(name, _)| Arc::from(name))
            .collect()
    }
}
