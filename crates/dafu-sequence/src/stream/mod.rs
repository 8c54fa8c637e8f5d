//! One state for each user, moved on by one step an event.

mod fingerprint;
mod params;
mod records;
mod scorer;
mod snapshot;
mod step;
mod table;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;

pub use fingerprint::Fingerprint;
pub use params::{CheckedStreamParams, LatePolicy, MAX_CAPACITY, StreamParams};
pub(crate) use records::{RecordStepper, record_stream};
pub use scorer::{StreamAnswer, StreamScorer};
pub use snapshot::{SNAPSHOT_VERSION, StateSnapshot, StreamSnapshot};
pub(crate) use step::check_surprise;
pub use step::{check_answer, check_state};
pub use table::{StateTable, TableCounts};
