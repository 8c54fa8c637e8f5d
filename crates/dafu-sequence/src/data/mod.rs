//! Events of entities as numbers and codes, and the sequences that models read of them.

mod events;
mod set;

pub(crate) use events::check_inputs;
pub use events::{EventNumbers, Events, EventsBuilder};
pub use set::{SequenceSet, Span};
