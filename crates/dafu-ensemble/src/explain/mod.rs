//! What a model goes by, whatever it is inside.
//!
//! | question | answer |
//! |---|---|
//! | which columns does the model need? | [`PermutationParams`] |
//! | what does it make of the values of a column? | [`PartialDependenceParams`] |
//! | what did each column add to the answer for one row? | [`Explainer`] |
//! | which groups of columns made it suspicious? | [`group_reasons`] |
//!
//! The first two ask the model about rows that were changed, so rows may come about that cannot be: an amount of a hotel at a
//! kiosk. Put columns that belong together into one [`ColumnGroup`].

mod explainer;
mod partial_dependence;
mod permutation;
mod reason;

pub use explainer::Explainer;
pub use partial_dependence::{DependenceScale, PartialDependence, PartialDependenceParams};
pub use permutation::{
    ColumnGroup, ExplainedMetric, Importance, Importances, PermutationParams, average_precision,
    roc_auc,
};
pub use reason::{GroupReason, group_reasons};

/// Rows that a model answers at a time, and that are copied to be changed.
const CHUNK: usize = 4096;
