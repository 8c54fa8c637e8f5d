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
//! The method is that of Liu, Ting, Zhou, "Isolation Forest", ICDM 2008: trees split small samples of the rows at random
//! until rows stand alone, and rows that stand alone early are anomalous. [`IsolationForest`] lists every difference from
//! the paper.
//!
//! # Which variant
//!
//! What the variants make of the same rows: dark places are anomalous to them (bands of equal width from the lowest to the
//! highest score of each map). `cargo run --release --example score_map -- --figure DIR` draws it.
//!
#![doc = include_str!("../docs/score_maps.svg")]
//!
//! Forests that compare single columns at random (classic, density) see crosses of ordinary places beside the rows. Those
//! that cut where the gain is highest (fair cut, `SCiForest`) follow clusters closely, but tell less about places beyond
//! all rows, which get the value of the leaf at the edge; [`SplitRule::penalize_range`] is for that (ranges penalised: fair
//! cut with it).
//!
//! | variant | parameters | when to use it |
//! |---|---|---|
//! | classic | [`classic()`](IsolationForestParams::classic), the default: one column, one value at random | the first try; rows by the million; explanations column by column, ONNX |
//! | extended | [`SplitRule::extended`]: a sum over `level` + 1 columns at random | columns of one kind that go together; crosses disturb |
//! | fair cut | [`SplitRule::fair_cut`], no height limit: the cut of highest pooled gain | rows that form clusters of different density, anomalies between them |
//! | `SCiForest` | [`SplitRule::sciforest`], no height limit: the best of several sums by averaged gain | made for anomalies that form small clusters of their own |
//! | density | [`Scoring::Density`] with any rule: how crowded leaves are, not how deep | densities differ much and it is places between the rows that matter |
//! | several rules | [`IsolationForestParams::rules`]: trees take turns; [`guided()`](IsolationForestParams::guided): fair cut and `SCiForest` | variants that are good at different anomalies |
//! | recommended | [`recommended()`](IsolationForestParams::recommended): sums over six columns, 200 deep trees, density | no label says which variant suits, and its cost does not matter |
//! | online | [`OnlineIsolationForest`] | rows come one by one and what is ordinary drifts |
//!
//! Mean ROC AUC over ten public files on which the recommended setting was chosen, and over ten others (`ADBench`; ten
//! seeds; large files scored on their anomalies and some 20,000 other rows), and cost for Cover (286,048 rows of 10
//! columns; two runs with one thread of a shared AMD EPYC server):
//!
//! | variant | AUC, chosen on | AUC, others | fit, ms | thousand rows scored a second |
//! |---|---|---|---|---|
//! | classic | 0.8705 | 0.8880 | 4 | 3100 to 3400 |
//! | extended, level 1 | 0.8711 | 0.8910 | 10 to 11 | 550 to 570 |
//! | fair cut, 2 columns | 0.8457 | 0.9067 | 27 to 28 | 200 to 240 |
//! | `SCiForest`, 10 tries | 0.8441 | 0.9158 | 500 to 590 | 130 to 140 |
//! | density | 0.8741 | 0.8910 | 6 to 7 | 2600 to 3400 |
//! | recommended | 0.8821 | 0.9000 | 260 to 270 | 120 to 160 |
//!
//! The recommended setting was chosen on annthyroid, campaign, cover, http, mammography, pendigits, satellite, shuttle, thyroid
//! and wine: of some sixty settings the one of highest mean among those that lose at most 0.005 to scikit-learn (0.867 on
//! these files, 0.889 on the others) on any of them. Another, chosen by the mean alone, was tried on the other ten files
//! before and gained 0.003. Its own gain there is 0.011; its worst file is cardio (0.912, scikit-learn 0.926). Guided
//! splits gain more on the others than on the files of the choice, where they lose: see what Cover does to them.
//!
//! No variant is best everywhere: fair cuts reach 0.57 on Cover, where classic trees reach 0.89, and 0.83 on Satellite, where
//! those reach 0.71. Where there are labels, try. `DAFU_DATA=FOLDER cargo test --release -p dafu-iforest --test published
//! -- --include-ignored --nocapture` measures all figures of this page.
//!
//! # Data
//!
//! Rows are matrices of `f64` or `f32` in any memory layout. Infinite values are an error that names row and column; so is NaN
//! unless [`MissingValues::Impute`] or [`MissingValues::Divide`] is chosen. [`categorical`](IsolationForestParams::categorical)
//! columns hold whole numbers without an order, and [`UnseenCategories`] says what becomes of new ones; a number that is no
//! category is an error in training, and a new one in scoring. Sums over columns, so also
//! [`recommended()`](IsolationForestParams::recommended), count nothing for a new category, which is then not unusual. A column that is constant in training plays no part, whatever comes
//! later. Weights of rows:
//! [`fit_weighted`](IsolationForestParams::fit_weighted); of columns: [`ColumnWeights`]. Units of columns play no part, but
//! for [`Coefficients::Raw`].
//!
//! # Scores and thresholds
//!
//! The score of a row x is 2^(-E\[h(x)\] / c(psi)), where h(x) is the path length of x in a tree, E the mean over the
//! trees, psi the rows a tree was grown from and c(psi) the average path length ([`average_path_length`]). So the score is
//! standardised: 0.5 is a row as deep as the average path, towards 1 are anomalies, far below 0.5 rows that are deep in a crowd.
//! With several rules an average training row has 0.5; a density score of 0.5 is as dense as all rows in their box.
//! A score orders rows; it is no probability.
//!
//! Three ways to a decision: a contamination level ([`IsolationForest::thresholds`]: the share of training rows that will be
//! called anomalies, any number of levels in one fit), a threshold of your own on the score, or a p-value
//! ([`IsolationForest::conformal`]: of ordinary rows not trained on, at most a share a is called at level a, for any data;
//! [`benjamini_hochberg`] for many rows at once).
//!
//! For users of scikit-learn's `IsolationForest`, whose signs are the other way round:
//!
//! | scikit-learn | here |
//! |---|---|
//! | `score_samples(x)` | minus the score |
//! | `offset_` | minus the threshold of the level |
//! | `decision_function(x)` = `score_samples(x) - offset_` | [`decision_row`](IsolationForest::decision_row) = threshold - score |
//! | `predict(x)` is -1 where `decision_function(x) < 0`, else 1 | [`predict_row`](IsolationForest::predict_row) is true where the score is strictly above the threshold, that is where `decision_row` is below 0 |
//! | `contamination="auto"` | compare scores with 0.5, where they tell depths |
//! | `contamination=a`: an interpolated percentile of the training scores | the cut at which the number of flagged training rows is nearest to a n: [`ContaminationThreshold`] |
//! | `warm_start` | [`add_trees`](IsolationForest::add_trees) |
//! | c(n) by ln(n - 1) + 0.5772 | exact harmonic numbers; [`AveragePath::Approximate`] for theirs |
//! | values as `f32` | as they are given: `f64` or `f32` |
//!
//! # Explanations
//!
//! | question | call | cost |
//! |---|---|---|
//! | which columns moved this score? for every row | [`explain_row`](IsolationForest::explain_row) | a few scores |
//! | the same, fair to columns that only matter together; for rows that somebody looks at | [`shapley_row`](IsolationForest::shapley_row) | 10 (batches) to 50 times `explain_row` |
//! | what would have to be different? | [`ordinary_values`](IsolationForest::ordinary_values) | grows with t (log psi)^2 for splits by one column |
//! | which columns matter over many rows? | [`mean_absolute_contributions`](IsolationForest::mean_absolute_contributions) | as `explain_row` or `shapley_row` for each |
//! | figures that compare with published DIFFI | [`diffi_row`](IsolationForest::diffi_row), [`diffi_importance`](IsolationForest::diffi_importance) | as `explain_row` |
//!
//! # Growing models and streams
//!
//! [`add_trees`](IsolationForest::add_trees) grows further trees, also from new rows; [`merge`](IsolationForest::merge) takes in
//! a forest that was grown elsewhere; [`drop_oldest`](IsolationForest::drop_oldest) after `add_trees` makes a window over
//! weeks or days; then [`fit_thresholds`](IsolationForest::fit_thresholds).
//!
//! [`OnlineIsolationForest`] keeps an isolation forest of the last omega rows (2048 by default): each row is scored, learned,
//! and forgotten when it leaves the window. Use it when rows arrive one by one and what is ordinary drifts. For t trees of
//! l levels (at most log(omega / eta) / log(2 b) + 1) and d columns an update takes O(t (l + d)) amortised, a score O(t l + d)
//! without allocation; memory is the window and fewer than 1 + 4 sqrt(omega / eta) nodes a tree for b = 2 children (eta:
//! points from which a root splits, 32 by default).
//!
//! # Interchange
//!
//! Behind features: files of its own that keep every bit (`serde`), JSON that another language scores from (`json`), forests of
//! scikit-learn with its scores to 1e-9 (`import`), and ONNX models (`onnx`) of forests that compare single columns of numbers.
//!
//! # Cost
//!
//! For t trees of psi rows, n rows, d columns, l levels on the way of a row (at most ceil(log2 psi) with the default height
//! limit; without one up to psi - 1, some 2 ln psi for splits at random), c columns of a split and r tries:
//!
//! | | fit | score of a row |
//! |---|---|---|
//! | classic, density | O(t psi (d + l)) | O(t l + d) |
//! | extended | O(t psi (d + c l)) | O(t c l + d) |
//! | fair cut, `SCiForest` | O(t psi (d + r l (c + log psi))) | O(t c l + d) |
//!
//! A fit also takes one pass over the data to check the values, O(n d), unless [`FiniteCheck::SampledRows`] is chosen; with
//! contamination levels the cost of scoring the training rows comes on top. With the default 100 trees of 256 rows a model
//! takes about 300 KiB in memory and 70 KiB in a file, some 120 KiB more once it has scored a row, and 250 KiB more once it has
//! scored a batch. Batches are scored as sets of rows: [`batch_scoring`] says why, with the alternatives that were measured.
//!
//! # Beside other libraries
//!
//! How many times faster than scikit-learn 1.9.1 and isotree 0.6.1: 100 trees of 256 rows with the default height limit, one
//! thread, CPU time, medians of one run on a shared AMD EPYC server (`benches/peers/run.sh iforest --only speed`).
//!
//! | | Gaussian, 1,000,000 x 10 | Cover | Http | Shuttle |
//! |---|---|---|---|---|
//! | scoring all rows | 14, 24 | 8.5, 15 | 15, 20 | 16, 22 |
//! | one row | 11,000, 59 | 11,000, 60 | 17,000, 51 | 12,000, 47 |
//! | fit | 83, 0.92 | 70, 1.7 | 146, 1.7 | 103, 2.1 |
//! | fit, isotree given rows as they come | 16 | 4.5 | 2.5 | 2.6 |
//!
//! Microseconds for one row are 0.98, 0.94, 0.81 and 1.02. In the last line isotree has the row-major array that the others have;
//! above it, one that was put column by column before. A fit here includes a look at every value, which isotree does not
//! take. With two threads scoring is 2.1 times as fast as with one (`--only threads`). Without height limit, scoring 100,000
//! Gaussian rows by hyperplanes or pooled gain is 9 to 10 times as fast as isotree (`--only variants`, an earlier run).
//! Over ten seeds and the 20 `ADBench` files the mean ROC AUC is 0.8793, scikit-learn's 0.8779, and no file differs by more
//! than chance (`--only quality --seeds 10`).
//!
//! # Published figures
//!
//! Mean ROC AUC (standard deviation between seeds) of ten seeds on the `ADBench` files, all rows, beside the first paper's
//! table and the README of linkedin/isolation-forest, which repeats it beside its own ten seeds. Extended forests have full
//! extension, [`Coefficients::Raw`] and [`Cut::Box`]; beside them that README's, and the authors' Python code as measured there.
//!
//! | file | ICDM 2008 | linkedin | `classic()` | extended: linkedin | authors | `extended(d - 1)` |
//! |---|---|---|---|---|---|---|
//! | Http | 1.00 | 0.9997 | 0.9997 (0.0004) | 0.9941 | 0.9939 | 0.9989 (0.0008) |
//! | Smtp | 0.88 | 0.9099 | 0.9065 (0.0044) | 0.8582 | 0.8570 | 0.8589 (0.0122) |
//! | Shuttle | 1.00 | 0.9971 | 0.9973 (0.0005) | 0.9934 | 0.9932 | 0.9937 (0.0005) |
//! | Mammography | 0.86 | 0.8649 | 0.8607 (0.0085) | 0.8630 | 0.8639 | 0.8645 (0.0043) |
//! | Annthyroid | 0.82 | 0.8134 | 0.8274 (0.0153) | 0.6463 | 0.6505 | 0.6495 (0.0084) |
//! | Satellite | 0.71 | 0.7166 | 0.7081 (0.0119) | 0.7253 | 0.7396 | 0.7467 (0.0153) |
//! | Pima | 0.67 | 0.6675 | 0.6755 (0.0076) | 0.6435 | 0.6403 | 0.6397 (0.0092) |
//! | Breastw | 0.99 | 0.9864 | 0.9865 (0.0018) | 0.9835 | 0.9841 | 0.9839 (0.0014) |
//! | Ionosphere | 0.85 | 0.8443 | 0.8509 (0.0059) | 0.9075 | 0.9061 | 0.9034 (0.0063) |
//!
//! Both forests lie between the two published figures for every file, or outside by less than chance (three standard errors of
//! a difference of such means, and half of the last digit).
//!
//! # Reproducible
//!
//! The same rows, parameters and seed give the same bits for any number of threads, any batch size, every set of features
//! and on every platform.
//!
//! # When to use another crate
//!
//! For records instead of numbers, `dafu-pipeline` (or the umbrella `dafu`) does the reading, encoding and thresholds around
//! this crate; where frauds are labelled, `dafu-ensemble` learns from the labels. Anomalies that are only unusual in time,
//! such as a burst of ordinary payments, need columns that say so: `dafu-features`.
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `parallel` | trees and blocks of rows on the current rayon pool |
//! | `serde` | [`IsolationForestParams`] as configuration; `save`, `load`, `to_bytes`, `from_bytes` of both forests |
//! | `import` | `IsolationForest::from_sklearn_json`: forests of scikit-learn, with its scores to 1e-9 |
//! | `json` | `IsolationForest::{to_json, from_json}`: all that another language needs to score, as text |
//! | `linfa` | `Fit` and `Predict` of linfa for parameters and forests |
//! | `onnx` | `IsolationForest::to_onnx`: forests that compare single columns, for ONNX runtimes |
//!
//! Minimum supported Rust version: 1.89.

mod average_path;
#[cfg(doc)]
#[doc = include_str!("../docs/scoring.md")]
pub mod batch_scoring {}
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
mod ladder;
#[cfg(feature = "linfa")]
mod linfa;
mod masks;
mod model;
mod node;
mod one_row;
mod online;
mod params;
mod part_rows;
mod partition;
mod power;
mod prepared;
mod purpose;
#[cfg(test)]
mod random_trees;
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
#[cfg(any(feature = "import", feature = "json", feature = "serde"))]
pub use dafu_core::model::{Limits, ModelError};
pub use dafu_core::{CoreError, Score};
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
    CategorySplit, CheckedIsolationForestParams, Coefficients, ColumnWeights, Cut, FiniteCheck,
    Gain, HeightLimit, IsolationForestParams, MAX_HEIGHT, MAX_LEVELS, MAX_RULES, MAX_SAMPLE_SIZE,
    MAX_TREES, MAX_WIDTH, MaxFeatures, MissingValues, Parallelism, Scoring, SplitRule,
    ThresholdRows, UnseenCategories,
};
pub use threshold::ContaminationThreshold;
