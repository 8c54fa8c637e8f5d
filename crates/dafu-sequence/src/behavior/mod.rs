//! Unusual behaviour of users, learned without labels.

mod analyzer;
mod anomaly;
mod calibration;
mod fit;
mod params;
mod stream;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;

pub use analyzer::UserBehaviorAnalyzer;
pub use anomaly::{AnomalyParams, BehavioralAnomaly, SurprisingInput};
pub use params::{BehaviorParams, CheckedBehaviorParams};
pub use stream::{BehaviorAnswer, BehaviorStream};
