//! What an encoder has to know of the events before.

use dafu_core::{StableHasher, Timestamp};
use std::hash::Hasher;

/// Most texts that a state remembers, of all novelty inputs together.
pub const MAX_REMEMBERED: usize = 16;

/// How a text stands to those of the events before of the same entity: the codes of a
/// [`NoveltyInput`](super::NoveltyInput).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Novelty {
    /// The event has none. What is remembered stays as it is.
    Missing,
    /// No event before it had one.
    First,
    /// The same as at the last event that had one.
    Same,
    /// Another than at the last event, but one of those that are remembered.
    Known,
    /// None of those that are remembered.
    New,
}

impl Novelty {
    /// All of them, by code.
    pub const ALL: [Self; 5] = [
        Self::Missing,
        Self::First,
        Self::Same,
        Self::Known,
        Self::New,
    ];

    /// The code: the place in [`Novelty::ALL`].
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The name: `missing`, `first`, `same`, `known`, `new`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::First => "first",
            Self::Same => "same",
            Self::Known => "known",
            Self::New => "new",
        }
    }
}

/// What an encoder has to know of the events before of one entity: the time of the last one, and hashes of a few texts.
/// The default stands for an entity without events.
///
/// 80 bytes without anything on the heap: a stream scorer holds one for each entity. Texts are remembered as hashes of 32
/// bits: one of four billion new ones is taken for a given known one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct EncoderState {
    previous: Option<Timestamp>,
    /// For each novelty input, as many as its memory: those of the latest events, last first; 0 for none.
    remembered: [u32; MAX_REMEMBERED],
}

impl EncoderState {
    /// The time of the last event.
    pub const fn previous(&self) -> Option<Timestamp> {
        self.previous
    }

    pub(super) const fn advance(&mut self, time: Timestamp) {
        self.previous = Some(time);
    }

    /// Compares a text with the `memory` remembered ones from `from` on, and remembers it.
    ///
    /// # Panics
    ///
    /// When there are not so many: parameters are checked.
    pub(super) fn observe(&mut self, from: usize, memory: usize, text: Option<&str>) -> Novelty {
        let Some(text) = text else {
            return Novelty::Missing;
        };
        let hash = hash(text);
        let remembered = &mut self.remembered[from..from + memory];
        let place = remembered.iter().position(|known| *known == hash);
        let novelty = match place {
            Some(0) => Novelty::Same,
            Some(_) => Novelty::Known,
            None if remembered[0] == 0 => Novelty::First,
            None => Novelty::New,
        };
        remembered[..=place.unwrap_or(memory - 1)].rotate_right(1);
        remembered[0] = hash;
        novelty
    }
}

/// A hash that is not 0, the same on every platform.
fn hash(text: &str) -> u32 {
    let hash = StableHasher::default().text(text).finish();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "both halves, folded as the authors of FNV recommend"
    )]
    let folded = (hash ^ (hash >> 32)) as u32;
    folded.max(1)
}
