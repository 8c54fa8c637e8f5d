//! Supervised learners for rare fraud.
//!
//! ```
//! use dafu_ensemble::{BoostedTreesParams, Samples};
//! use ndarray::Array2;
//!
//! // Large amounts at night are frauds.
//! let rows = Array2::from_shape_fn((1000, 2), |(row, column)| [row * 37 % 1000 % 24, row * 7 % 500][column] as f64);
//! let frauds: Vec<bool> = rows.rows().into_iter().map(|row| row[0] < 6.0 && row[1] > 400.0).collect();
//!
//! let model = BoostedTreesParams::default().fit(&Samples::new(rows.view(), &frauds)?)?;
//! assert!(model.log_odds_row(&[3.0, 480.0])? > 3.0);
//! assert!(model.log_odds_row(&[12.0, 480.0])? < -3.0);
//! # Ok::<(), dafu_ensemble::EnsembleError>(())
//! ```
//!
//! **Probabilities**: log odds become probabilities by a [`Calibrator`], and alerts by [`ThresholdRows`] or a [`CostPolicy`].
//!
//! **Missing values**: NaN is missing; every split learns which way it goes.
//!
//! **Determinism**: the same bits for any number of threads. Gradients are summed as whole numbers.
//!
//! **Which, and how many**: [`select`] searches parameters on folds in time, [`combine`] blends several models.
//!
//! | feature | adds |
//! |---|---|
//! | `import` | models of `XGBoost` (JSON) and `LightGBM` (text) |
//! | `parallel` | histograms and columns on the current rayon pool |
//! | `serde` | parameters as configuration, models saved and loaded, calibrators and thresholds to be kept |
//!
//! Minimum supported Rust version: 1.89.

mod boosted_trees;
mod calibrate;
pub mod combine;
pub mod drift;
mod error;
pub mod explain;
mod forest_params;
#[cfg(feature = "import")]
mod import;
mod learner;
mod logistic;
mod params;
mod random_forest;
mod samples;
pub mod select;
mod threads;
mod threshold;
mod tree;

pub use boosted_trees::BoostedTrees;
pub use calibrate::{CalibrationMethod, Calibrator};
pub use error::EnsembleError;
pub use forest_params::{
    Bagging, CheckedRandomForestParams, ClassWeight, MaxFeatures, RandomForestParams, SplitPlaces,
};
#[cfg(feature = "import")]
pub use import::ImportProblem;
pub use learner::{Classifier, Learner};
pub use params::{
    BoostedTreesParams, CheckedBoostedTreesParams, Growth, MAX_CATEGORIES, MAX_COLUMNS, MAX_DEPTH,
    MAX_LEAVES, MAX_LEAVES_OF_MODEL, MAX_ROWS, MAX_TREES,
};
pub use random_forest::{OutOfBag, RandomForest};
pub use samples::Samples;
pub use threshold::{ChosenThreshold, CostPolicy, Reach, ThresholdRows, ThresholdRule};
pub use tree::constraint::Monotone;
pub use tree::shap::TreeExplainer;
