//! Events of entities as numbers and codes, and the sequences that models read of them.

mod events;
mod set;

pub use events::{EventNumbers, Events, EventsBuilder};
pub use set::{SequenceSet, Span};
