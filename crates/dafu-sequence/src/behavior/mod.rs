//! Unusual behaviour of users, learned without labels.

mod analyzer;
mod anomaly;
mod calibration;
mod fit;
mod params;
mod stream;

pub use analyzer::UserBehaviorAnalyzer;
pub use anomaly::{AnomalyParams, BehavioralAnomaly, SurprisingInput};
pub use params::{BehaviorParams, CheckedBehaviorParams};
pub use stream::{BehaviorAnswer, BehaviorStream};
