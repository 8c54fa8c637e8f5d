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
//! Whether they hold, [`dafu_core::metrics`] tells: reliability diagram, calibration error, line and Brier decomposition.
//!
//! **Missing values**: NaN is missing; every split learns which way it goes.
//!
//! **Determinism**: the same bits for any number of threads. Gradients are summed as whole numbers.
//!
//! **Which, and how many**: [`select`] searches parameters on folds in time, [`combine`] blends several models.
//!
//! When to use another crate: everything here tells two classes apart, learned on the CPU from rows that are in memory.
//!
//! - For a number instead of a class, more than two classes, a ranking of lists, training on a GPU or from data larger than memory,
//!   take `XGBoost` or `LightGBM` by one of their bindings. Models of two classes that they saved are read by the feature
//!   `import`, and answer here without their libraries.
//! - For regression, clusters, nearest neighbours, support vectors or fewer dimensions in plain Rust, take linfa or smartcore.
//!   Their classifiers stand beside those of this crate, in searches and blends as well, by the features `linfa` and `smartcore`;
//!   such a model has no saved form here.
//! - Without labels there is nothing to learn from: `dafu-iforest` needs none. For records instead of rows of numbers,
//!   `dafu-pipeline` (or the umbrella `dafu`) does the features, the blend and its calibration.
//!
//! | feature | adds |
//! |---|---|
//! | `import` | models of `XGBoost` (JSON) and `LightGBM` (text) |
//! | `linfa` | `DecisionTree` over linfa-trees, and `LinfaLearner` for any model of linfa |
//! | `parallel` | work on the current rayon pool |
//! | `serde` | parameters as configuration, models saved and loaded, calibrators and thresholds to be kept |
//! | `smartcore` | `SmartcoreLearner` for any estimator of smartcore |
//!
//! Minimum supported Rust version: 1.89.

#[cfg(any(feature = "linfa", feature = "smartcore"))]
mod adapter;
mod boosted_trees;
mod calibrate;
pub mod combine;
#[cfg(feature = "linfa")]
mod decision_tree;
pub mod drift;
mod error;
pub mod explain;
mod forest_params;
mod imbalance;
#[cfg(feature = "import")]
mod import;
mod inputs;
mod learner;
mod logistic;
mod logistic_regression;
mod neural_net;
mod params;
mod random_forest;
mod samples;
#[cfg(feature = "serde")]
mod saved;
pub mod select;
mod threads;
mod threshold;
mod tree;

#[cfg(feature = "linfa")]
pub use adapter::linfa::LinfaLearner;
#[cfg(feature = "smartcore")]
pub use adapter::smartcore::SmartcoreLearner;
#[cfg(any(feature = "linfa", feature = "smartcore"))]
pub use adapter::{AdapterParams, Answers, ClassAnswer, ClassTarget};
pub use boosted_trees::BoostedTrees;
pub use calibrate::{CalibrationMethod, Calibrator};
#[cfg(feature = "linfa")]
pub use decision_tree::{
    CheckedDecisionTreeParams, DecisionTree, DecisionTreeParams, Leaf, MAX_DECISION_TREE_ROWS,
    SplitQuality,
};
pub use error::EnsembleError;
pub use forest_params::{
    Bagging, CheckedRandomForestParams, MaxFeatures, RandomForestParams, SplitPlaces,
};
pub use imbalance::{
    Average, BalancedBagging, BalancedBaggingParams, ClassWeight, ClassWeighted,
    EasyEnsembleParams, MAX_BAGS, undo_undersampling,
};
#[cfg(feature = "import")]
pub use import::ImportProblem;
pub use inputs::Imputation;
pub use learner::{Classifier, Learner};
pub use logistic_regression::{
    CheckedLogisticRegressionParams, Convergence, LogisticRegression, LogisticRegressionParams,
    MAX_LOGISTIC_INPUTS,
};
pub use neural_net::{
    CheckedNeuralNetParams, MAX_HIDDEN_LAYERS, MAX_LAYER_UNITS, NeuralNet, NeuralNetParams,
    StoppingMetric,
};
pub use params::{
    BoostedTreesParams, CheckedBoostedTreesParams, Growth, MAX_CATEGORIES, MAX_COLUMNS, MAX_DEPTH,
    MAX_LEAVES, MAX_LEAVES_OF_MODEL, MAX_ROWS, MAX_TREES,
};
pub use random_forest::{OutOfBag, RandomForest};
pub use samples::Samples;
pub use threshold::{ChosenThreshold, CostPolicy, Reach, ThresholdRows, ThresholdRule};
pub use tree::constraint::Monotone;
pub use tree::shap::TreeExplainer;
