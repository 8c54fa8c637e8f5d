//! Isolation forests over ndarray: anomaly scores for rows of numbers, without labels.
//!
//! ```
//! use dafu_iforest::{IsolationForestError, IsolationForestParams};
//! use ndarray::Array2;
//!
//! # fn main() -> Result<(), IsolationForestError> {
//! let mut rows = Array2::from_shape_fn((1000, 2), |(i, j)| ((i * (31 + 6 * j)) % 97) as f64);
//! rows.row_mut(17).assign(&ndarray::array![400.0, -300.0]);
//!
//! // One forest, a threshold for each contamination level.
//! let forest = IsolationForestParams::default().contamination([0.001, 0.01]).seed(7).fit(rows.view())?;
//!
//! let mut scores = vec![0.0; rows.nrows()];
//! forest.score_rows(rows.view(), &mut scores)?;
//! assert!(scores.iter().all(|&score| score <= scores[17]));
//!
//! assert!(forest.predict_row(&[400.0, -300.0], 0.001)?);
//! for level in forest.thresholds() {
//!     println!("{} of rows: score above {}", level.contamination(), level.threshold());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The method is that of Liu, Ting, Zhou, "Isolation Forest", ICDM 2008: trees split small samples at random until
//! rows stand alone, and rows that stand alone early are anomalous. The score of a row x is
//! 2^(-E\[h(x)\] / c(psi)), where h(x) is the path length of x in a tree, E the mean over the trees, psi the rows
//! a tree was grown from and c(psi) the average path length ([`average_path_length`]). [`IsolationForest`] lists
//! every difference from the paper.
//!
//! **Cost**, for t trees of psi rows, n rows and d columns: fit O(t psi (d + log psi)), with one pass over the data
//! to check for missing values unless [`FiniteCheck::SampledRows`] is chosen; with contamination levels the cost of
//! scoring the training rows comes on top. Score O(t log psi + d) for one row. With the default 100 trees of 256
//! rows a model takes about 300 KiB in memory and 100 KiB in a file.
//!
//! **Reproducible**: the same rows, parameters and seed give the same bits for any number of threads, any batch
//! size and on every platform.
//!
//! **Missing values**: NaN and infinite values are an error that names row and column. Impute first, for example
//! with `dafu-features`.
//!
//! **Explanations**: [`IsolationForest::explain_row`] says cheaply which columns moved a score,
//! [`IsolationForest::shapley_row`] shares it out fairly, [`IsolationForest::ordinary_values`] says what would have to be
//! different, [`IsolationForest::diffi_importance`] and [`IsolationForest::mean_absolute_contributions`] rank columns over
//! many rows.
//!
//! When to use another crate: for records instead of numbers, `dafu-pipeline` (or the umbrella `dafu`) does the
//! reading, encoding and thresholds around this crate.
//!
//! | feature | adds |
//! |---|---|
//! | `parallel` | trees and blocks of rows on the current rayon pool |
//! | `serde` | [`IsolationForestParams`] as configuration; `IsolationForest::{save, load, to_bytes, from_bytes}` |
//! | `import` | `IsolationForest::from_sklearn_json`: forests of scikit-learn, with its scores to 1e-9 |
//! | `json` | `IsolationForest::{to_json, from_json}`: all that another language needs to score, as text |
//! | `onnx` | `IsolationForest::to_onnx`: forests that compare single columns, for ONNX runtimes |
//!
//! Minimum supported Rust version: 1.89.

mod average_path;
mod conformal;
mod error;
mod explain;
mod fit;
mod form;
mod grow;
mod growth;
mod input;
#[cfg(any(feature = "import", feature = "json", feature = "onnx"))]
mod interchange;
#[cfg(feature = "linfa")]
mod linfa;
mod masks;
mod model;
mod node;
mod online;
mod params;
mod part_rows;
mod power;
mod purpose;
#[cfg(feature = "serde")]
mod saved;
mod score;
#[cfg(test)]
mod tests;
mod threshold;
mod traits;
mod value;
#[cfg(test)]
mod variant_tests;
mod walk;
mod way;

pub use average_path::{AveragePath, average_path_length};
pub use conformal::{Conformal, benjamini_hochberg};
pub use dafu_core::Score;
pub use error::{DamagedModel, HeaderField, IsolationForestError};
pub use explain::{Attribution, OrdinaryRange, OrdinaryValue};
pub use input::Value;
#[cfg(any(feature = "import", feature = "json"))]
pub use interchange::ImportProblem;
#[cfg(feature = "onnx")]
pub use interchange::UnsupportedExport;
pub use model::IsolationForest;
pub use online::{
    CheckedOnlineIsolationForestParams, LeafGrowth, MAX_BRANCHING, MAX_WINDOW,
    OnlineIsolationForest, OnlineIsolationForestParams, Renewal,
};
pub use params::{
    CategorySplit, CheckedIsolationForestParams, Coefficients, ColumnWeights, FiniteCheck, Gain,
    HeightLimit, IsolationForestParams, MAX_HEIGHT, MAX_LEVELS, MAX_RULES, MAX_SAMPLE_SIZE,
    MAX_TREES, MAX_WIDTH, MaxFeatures, MissingValues, Parallelism, Scoring, SplitRule,
    ThresholdRows, UnseenCategories,
};
pub use threshold::ContaminationThreshold;
