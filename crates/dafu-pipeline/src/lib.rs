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
//! Fitting reads it twice in bounded memory. Stages join through [`dafu_core::StageSpec`]; a stage of your own is
//! added with [`DetectorBuilder::stage`] and loaded through a [`dafu_core::StageRegistry`].
//!
//! Use `dafu-iforest` alone when all you have are rows of numbers.
//!
//! | feature | adds |
//! |---|---|
//! | `iforest` (default) | the isolation forest as a stage, and as the stage of a detector that names none |
//! | `records` (default) | records of tables for stages that need more than features, through `dafu-ingest` |
//! | `parallel` | several threads; the results are the same bits |
//!
//! Minimum supported Rust version: 1.89.

mod answers;
mod axes;
mod builder;
mod detector;
mod error;
mod evaluate;
#[cfg(feature = "iforest")]
mod forest_stage;
mod model;
mod models_file;
mod reasons;
mod records;
mod risk_map;
mod sample;
mod saved;
mod time_slice;
mod trainer;
mod training_rows;

pub use builder::{Detection, DetectorBuilder, Mode};
pub use detector::Detector;
pub use error::PipelineError;
pub use evaluate::{EvaluateOptions, Judged, Sink};
#[cfg(feature = "iforest")]
pub use forest_stage::{ForestSpec, ForestStage};
pub use model::DetectorModel;
pub use models_file::{
    IsolationForestBlock, LstmBlock, ModelsFile, OneOrMany, SampleSize, XgboostBlock,
};
pub use risk_map::RiskMap;
pub use saved::stage_registry;
pub use time_slice::TimeSlice;
pub use trainer::Trainer;
