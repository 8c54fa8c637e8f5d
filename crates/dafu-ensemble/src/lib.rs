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
//! **Missing values**: NaN is missing; every split learns which way it goes.
//!
//! **Determinism**: the same bits for any number of threads. Gradients are summed as whole numbers.
//!
//! | feature | adds |
//! |---|---|
//! | `parallel` | histograms and columns on the current rayon pool |
//! | `serde` | parameters as configuration, models saved to and loaded from bytes |
//! | `linfa` | `DecisionTree` over linfa-trees, and `LinfaLearner` for any model of linfa |
//! | `smartcore` | `SmartcoreLearner` for any estimator of smartcore |
//!
//! Minimum supported Rust version: 1.89.

#[cfg(any(feature = "linfa", feature = "smartcore"))]
mod adapter;
mod bin;
mod boosted_trees;
#[cfg(feature = "linfa")]
mod decision_tree;
mod error;
mod gradient;
mod grow;
mod histogram;
mod imbalance;
mod inputs;
mod learner;
mod logistic;
mod logistic_regression;
mod neural_net;
mod params;
mod samples;
#[cfg(feature = "serde")]
mod saved;
mod split;
mod threads;
mod tree;
mod walk;

#[cfg(feature = "linfa")]
pub use adapter::linfa::LinfaLearner;
#[cfg(feature = "smartcore")]
pub use adapter::smartcore::SmartcoreLearner;
#[cfg(any(feature = "linfa", feature = "smartcore"))]
pub use adapter::{AdapterParams, Answers, ClassAnswer, ClassTarget};
pub use boosted_trees::BoostedTrees;
#[cfg(feature = "linfa")]
pub use decision_tree::{
    CheckedDecisionTreeParams, DecisionTree, DecisionTreeParams, Leaf, MAX_DECISION_TREE_ROWS,
    SplitQuality,
};
pub use error::EnsembleError;
pub use imbalance::{
    Average, BalancedBagging, BalancedBaggingParams, ClassWeight, ClassWeighted,
    EasyEnsembleParams, MAX_BAGS, undo_undersampling,
};
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
    BoostedTreesParams, CheckedBoostedTreesParams, Growth, MAX_COLUMNS, MAX_DEPTH, MAX_LEAVES,
    MAX_LEAVES_OF_MODEL, MAX_ROWS, MAX_TREES,
};
pub use samples::Samples;
