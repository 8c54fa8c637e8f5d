//! Four-panel figures, HTML reports and exports for fraud detection runs.
//!
//! ```
//! use dafu_core::evaluation::{
//!     EvaluationBuilder, EvaluationSpec, LearningMode, Observation, Scope, ThresholdKind, ThresholdSpec,
//! };
//! use dafu_core::{Bands, Label, Score};
//! use dafu_report::{Figure, Panel, ReportMeta, render_html, render_svg};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let risk = Score::new(0.7)?;
//! let mut builder = EvaluationBuilder::new(EvaluationSpec {
//!     mode: LearningMode::Unsupervised,
//!     scope: Scope { in_sample: false, judged: None, trained: None, training_population: 900, training_rows: 900 },
//!     thresholds: vec![ThresholdSpec { name: "risk 0.70".into(), kind: ThresholdKind::Risk(0.7), risk, expected_alert_share: None }],
//!     chosen: 0, bands: Bands::default(), axes: None, currency: None, exact_rows: 1_000_000,
//! });
//! for row in 0..100_u32 {
//!     let (risk, label) = (Score::new(f64::from(row) / 100.0)?, Label::from(row > 90));
//!     builder.push(&Observation { risk, label, amount: None, time: None, user: None, axes: None })?;
//! }
//! let evaluation = builder.finish()?;
//! let figure = render_svg(&evaluation); // four panels; `render_png` with the feature `png`
//! let roc = Figure::of_panel(&evaluation, Panel::Roc).to_svg(); // one of them
//! let page = render_html(&evaluation, &ReportMeta::new("A first look"));
//! assert!(figure.contains("ROC AUC 1.000") && roc.len() < figure.len() && page.contains("A first look"));
//! # Ok(())
//! # }
//! ```
//!
//! [`write_all`] writes all files of a report, [`ScoredCsvWriter`] the scored rows. Everything is drawn from
//! [`dafu_core::Evaluation`], which `dafu-pipeline` makes; use `dafu-core` alone for the metrics without pictures.
//!
//! Output is deterministic: the same evaluation gives the same bytes. No clock, no network, no system font is read.
//! Colours are those of Okabe and Ito (2008, *Color Universal Design*), which colour-blind readers can tell apart;
//! shapes and line styles say the same again. PNG texts are set in Roboto (Copyright 2011 Google Inc., Apache License
//! 2.0, the text beside the font in `font/`).
//!
//! | feature | adds |
//! |---|---|
//! | `png` | `render_png`, `Figure::to_png` and `figure.png` of [`write_all`] |
//!
//! Minimum supported Rust version: 1.89.

mod advance;
mod error;
mod export;
mod figure;
mod html;
mod ink;
mod meta;
mod number;
mod panel;
mod plot;
#[cfg(feature = "png")]
mod raster;
mod scale;
mod scene;
mod scored_csv;
mod svg;
mod writer;

pub use error::ReportError;
pub use export::{metrics_json, stamped_name, summary_json};
#[cfg(feature = "png")]
pub use figure::render_png;
pub use figure::{Figure, Panel, render_svg};
pub use html::render_html;
pub use meta::{ReasonCount, ReportMeta};
pub use scored_csv::{CsvMode, ScoredCsvWriter, ScoredRow};
pub use writer::{ReportFiles, ReportWriter, write_all};
