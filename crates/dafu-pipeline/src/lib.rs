//! The detector: one builder from a history of transactions to assessments with reasons.
//!
//! ```
//! use dafu_pipeline::Detector;
//! use dafu_sim::SimulatorParams;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let history: Vec<_> = SimulatorParams::default().days(20).users(200).seed(7).simulator()?.collect();
//! let (past, today) = history.split_at(history.len() - 1);
//!
//! let mut detector = Detector::builder().contamination([0.01, 0.05]).seed(1).build()?.fit(past)?;
//! let assessment = detector.score(&today[0])?;
//! assert!((0.0..=1.0).contains(&assessment.risk_score.get()));
//! # Ok(())
//! # }
//! ```
//!
//! A history is anything that gives tables ([`dafu_core::TableSource`]): a slice of transactions, a file, a table.
//! Fitting reads it twice in bounded memory, once more with features of past events. Stages join through [`dafu_core::StageSpec`]; a stage of your own is
//! added with [`DetectorBuilder::stage`] and loaded through a [`dafu_core::StageRegistry`].
//!
//! # What happened before
//!
//! A payment alone says little. With [`DetectorBuilder::features`] a detector also sees what its user, merchant, device
//! and network did before it: how often, how much, where, and with what labels, each as of the time of the payment. The
//! history is gone through in order of time; single transactions go on from where it ends, with the same bits as in
//! batch.
//!
//! ```
//! use dafu_features::{FeatureSet, Labels, Span};
//! use dafu_pipeline::Detector;
//! use dafu_sim::SimulatorParams;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let history: Vec<_> = SimulatorParams::default().days(30).users(50).seed(7).simulator()?.collect();
//! let (past, today) = history.split_at(history.len() - 100);
//!
//! // Labels stand on the records, and are known a week later.
//! let set = FeatureSet::standard().labels(Labels::AfterDelay(Span::days(7)));
//! let mut detector = Detector::builder().features(set).seed(1).build()?.fit(past)?;
//! for transaction in today {
//!     let assessment = detector.score(transaction)?;
//!     if assessment.is_fraud {
//!         println!("{:.2} {}", assessment.risk_score.get(), assessment.reasons[0].text);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | call | features of past events | memory afterwards |
//! |---|---|---|
//! | [`Detector::score`] | go on from the memory | has the event, once |
//! | [`Detector::peek`] | go on from the memory | as before |
//! | [`Detector::score_table`], [`Detector::assess_table`] | go on from a copy of the memory, row after row | as before |
//! | [`Detector::evaluate`] | go on from where the history, or a restored memory, ended | as before |
//! | [`Detector::feedback`] | later events see the label | has the label |
//! | [`Detector::forget`] | later events do not know the entity | has nothing under the entity's key |
//!
//! Tables and sources that begin before that memory ends go on from none, since what was known then is gone. A saved
//! model ([`Detector::to_bytes`]) holds the set and its key, and no memory: a loaded detector begins without, or goes
//! on from the memory that [`Detector::snapshot`] gave and [`Detector::restore`] takes.
//!
//! Stages with a memory, such as the sequence model, are led through the history as well, so that they go on from where it
//! ends; in tables and evaluations they go on from copies of their states, as features do.
//!
//! Use `dafu-iforest` alone when all you have are rows of numbers.
//!
//! | feature | adds |
//! |---|---|
//! | `ensemble` (default) | supervised learners as stages; with labels, a detector that names no stage learns a calibrated blend of boosted trees, logistic regression and the forest |
//! | `iforest` (default) | the isolation forest as a stage, and as the stage of a detector that names none |
//! | `records` (default) | records of tables for stages that need more than features, through `dafu-ingest` |
//! | `graph` | rings and risk by association as a stage ([`GraphSpec`]), through `dafu-graph` |
//! | `rules` | rules with units as a stage, and as a policy on scores, through `dafu-rules` |
//! | `sequence` | recurrent networks over the events of each user as a stage, through `dafu-sequence`; the block `lstm` of a `models.json` |
//! | `parallel` | several threads; the results are the same bits |
//!
//! Minimum supported Rust version: 1.89.

mod answers;
mod axes;
mod builder;
#[cfg(any(feature = "ensemble", feature = "iforest", feature = "sequence"))]
mod category_columns;
mod combination;
mod detector;
mod error;
mod evaluate;
mod features;
#[cfg(feature = "iforest")]
mod forest_stage;
#[cfg(feature = "graph")]
mod graph_stage;
mod inputs;
#[cfg(feature = "ensemble")]
mod learner_stage;
mod memory;
mod model;
mod models_file;
mod reasons;
mod records;
mod risk_map;
#[cfg(feature = "rules")]
mod rules;
mod sample;
mod saved;
#[cfg(feature = "sequence")]
mod sequence_stage;
mod snapshot;
#[cfg(feature = "ensemble")]
mod supervised;
mod tagged;
mod time_slice;
mod trainer;
mod training_rows;

pub use builder::{Detection, DetectorBuilder, Mode};
pub use detector::Detector;
pub use error::PipelineError;
pub use evaluate::{EvaluateOptions, Judged, Sink};
#[cfg(feature = "iforest")]
pub use forest_stage::{ForestSpec, ForestStage};
#[cfg(feature = "graph")]
pub use graph_stage::{GraphSpec, GraphStage};
#[cfg(feature = "ensemble")]
pub use learner_stage::{LearnerSpec, LearnerStage};
pub use model::DetectorModel;
pub use models_file::{
    IsolationForestBlock, LstmBlock, ModelsFile, OneOrMany, SampleSize, XgboostBlock,
};
pub use risk_map::RiskMap;
#[cfg(feature = "rules")]
pub use rules::{RuleSpec, RuleStage};
pub use saved::stage_registry;
#[cfg(feature = "sequence")]
pub use sequence_stage::{SequenceSpec, SequenceStage};
pub use time_slice::TimeSlice;
pub use trainer::Trainer;
