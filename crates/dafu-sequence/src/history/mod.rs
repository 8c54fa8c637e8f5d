//! A classifier of records: what is read of them, and the network that judges them.

mod classifier;
mod params;

pub use classifier::{FraudSequence, HistoryClassifier, Periods};
pub use params::{CheckedHistoryParams, HistoryParams, Reading};
