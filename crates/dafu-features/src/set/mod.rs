//! Sets of features, as people write them.

mod event_feature;
mod feature;
mod feature_set;
mod field;
mod filter;
mod span;
mod standard;
#[cfg(feature = "serde")]
mod text;
mod window;
mod window_measure;

pub use event_feature::EventFeature;
pub use feature::{Definition, Derived, Feature};
pub use feature_set::{FeatureSet, Labels, LatePolicy, Lateness, StateLimits};
pub use field::{Field, Key, Quantity, RecordKind};
pub use filter::Filter;
pub use span::Span;
pub use window::Window;
pub use window_measure::Measure;
pub(crate) use window_measure::Subject;
