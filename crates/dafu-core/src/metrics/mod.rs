//! Evaluation metrics.
mod confusion;
mod curve;
mod error;
#[cfg(feature = "serde")]
mod infinity;
mod input;
mod ranking;
pub use confusion::Confusion;
pub use curve::*;
pub use error::{Class, MetricsError};
pub use ranking::*;
