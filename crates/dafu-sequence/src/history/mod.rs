//! A classifier of records: what is read of them, and the network that judges them.

mod classifier;
mod explain;
mod fit;
mod params;
mod stream;

pub use classifier::{FraudSequence, HistoryClassifier};
pub use explain::{FraudExplanation, InputContribution, RecordContribution};
pub use fit::Periods;
pub use params::{CheckedHistoryParams, HistoryParams, Reading};
pub use stream::{HistoryAnswer, HistoryStream};
