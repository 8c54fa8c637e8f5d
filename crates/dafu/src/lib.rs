//! Fraud detection in Rust: build a [`Detector`] from a history of transactions, call it for every new one.
//!
//! ```
//! use dafu::prelude::*;
//! use dafu_sim::SimulatorParams; // or `dafu::sim`, with the feature `sim`
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let history: Vec<Transaction> =
//!     SimulatorParams::default().users(200).days(20).seed(7).simulator()?.collect();
//! let mut detector = Detector::builder().contamination([0.01, 0.05]).seed(1).build()?.fit(&history)?;
//!
//! let assessment = detector.score(&history[17])?;
//! println!("{:.2} {} {:?}", assessment.risk_score.get(), assessment.band, assessment.decision);
//! for reason in &assessment.reasons {
//!     println!("  {:.2} {}", reason.contribution, reason.text);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! With a set of features, a detector also sees what user, merchant, device and network did before: the history is
//! gone through in order of time, and each new transaction goes on from where it ends.
//!
//! ```
//! use dafu::prelude::*;
//! use dafu_sim::SimulatorParams;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let history: Vec<Transaction> =
//!     SimulatorParams::default().users(50).days(30).seed(7).simulator()?.collect();
//! let (past, today) = history.split_at(history.len() - 100);
//!
//! // Where the records have labels, say when those were known: `.labels(Labels::AfterDelay(Span::days(7)))`.
//! let mut detector = Detector::builder().features(FeatureSet::standard()).seed(1).build()?.fit(past)?;
//! for transaction in today {
//!     let assessment = detector.score(transaction)?;
//!     println!("{:.2} {:?}", assessment.risk_score.get(), assessment.explanations);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! This crate holds no logic: it re-exports the pieces, and each piece is a crate that works alone.
//!
//! | module | crate | what it does |
//! |---|---|---|
//! | root, [`metrics`], [`evaluation`], [`model`] | `dafu-core` | records, scores, tables, metrics, saved models |
//! | [`pipeline`] | `dafu-pipeline` | the [`Detector`]: roles, features, stages, thresholds, assessments |
//! | [`features`] | `dafu-features` | imputation, encoding, scaling; windows over past events, in batch and stream |
//! | `ensemble` | `dafu-ensemble` | supervised learners, blends, calibration, thresholds, explanations, drift |
//! | `graph` | `dafu-graph` | fraud rings, risk by association, money flows |
//! | `iforest` | `dafu-iforest` | isolation forests over ndarray |
//! | `ingest` | `dafu-ingest` | CSV and Parquet, role detection, bad records, suitability |
//! | `report` | `dafu-report` | figures, HTML report, exports |
//! | `rules` | `dafu-rules` | rules in a typed language with units, decision tables, backtests |
//! | `sequence` | `dafu-sequence` | LSTM and GRU models over the events of users |
//! | `sim` | `dafu-sim` | simulated transactions with fraud |
//!
//! | feature | adds |
//! |---|---|
//! | `ensemble` (default) | supervised learners: with labels, a detector learns a calibrated blend |
//! | `graph` (default) | fraud rings among accounts, also as a stage (`GraphSpec`) |
//! | `import` | models of `XGBoost` and `LightGBM` in `ensemble`, forests of scikit-learn in `iforest` |
//! | `json` | isolation forests as JSON |
//! | `linfa` | readable decision trees, any model of linfa as a learner, forests with the traits of linfa |
//! | `onnx` | isolation forests as ONNX models |
//! | `smartcore` | any estimator of smartcore as a learner |
//! | `iforest` (default) | the isolation forest |
//! | `ingest` (default) | reading CSV files |
//! | `parquet` | reading Parquet files |
//! | `report` (default) | figures, reports, exports |
//! | `rules` (default) | rules with units: as a stage, and as a policy on scores |
//! | `sequence` (default) | recurrent networks as a stage (`SequenceSpec`), and the block `lstm` of a `models.json` |
//! | `parallel` (default) | several threads; the results are the same bits |
//! | `sim` | the simulator |
//! | `toml` | sets of features from TOML |
//!
//! Minimum supported Rust version: 1.89.

#[doc(inline)]
pub use dafu_core::*;
#[cfg(feature = "ensemble")]
#[doc(inline)]
pub use dafu_ensemble as ensemble;
#[doc(inline)]
pub use dafu_features as features;
#[doc(inline)]
pub use dafu_features::{FeatureEngine, FeatureSet};
#[cfg(feature = "graph")]
#[doc(inline)]
pub use dafu_graph as graph;
#[cfg(feature = "iforest")]
#[doc(inline)]
pub use dafu_iforest as iforest;
#[cfg(feature = "ingest")]
#[doc(inline)]
pub use dafu_ingest as ingest;
#[doc(inline)]
pub use dafu_pipeline as pipeline;
#[cfg(feature = "graph")]
#[doc(inline)]
pub use dafu_pipeline::GraphSpec;
#[cfg(feature = "sequence")]
#[doc(inline)]
pub use dafu_pipeline::SequenceSpec;
#[doc(inline)]
pub use dafu_pipeline::{
    Detection, Detector, DetectorBuilder, EvaluateOptions, Judged, Mode, PipelineError, TimeSlice,
    Trainer,
};
#[cfg(feature = "report")]
#[doc(inline)]
pub use dafu_report as report;
#[cfg(feature = "rules")]
#[doc(inline)]
pub use dafu_rules as rules;
#[cfg(feature = "rules")]
#[doc(inline)]
pub use dafu_rules::{Rule, RuleSet};
#[cfg(feature = "sequence")]
#[doc(inline)]
pub use dafu_sequence as sequence;
#[cfg(feature = "sim")]
#[doc(inline)]
pub use dafu_sim as sim;

/// What most programs need.
pub mod prelude {
    #[doc(inline)]
    pub use dafu_core::{
        Assessment, Decision, Evaluation, Label, Money, RiskBand, Role, Score, Table, TableSource,
        Timestamp, Transaction,
    };
    #[doc(inline)]
    pub use dafu_features::{FeatureSet, Labels, Span};
    #[cfg(feature = "sequence")]
    #[doc(inline)]
    pub use dafu_pipeline::SequenceSpec;
    #[doc(inline)]
    pub use dafu_pipeline::{Detector, Mode, TimeSlice};
    #[cfg(feature = "rules")]
    #[doc(inline)]
    pub use dafu_rules::{Rule, RuleSet};
}
