//! From records to numbers: features over exact windows, the same in batch and stream; imputation, encoding, scaling.
//!
//! # Features over time
//!
//! A [`FeatureSet`] says which features there are, a [`FeatureEngine`] computes them: event by event
//! ([`FeatureEngine::observe`]), in a stream that looks ahead ([`FeatureEngine::stream`]) or in batch
//! ([`FeatureEngine::observe_all`], [`FeatureEngine::replay`]), with the same bits. Every feature of an event depends on
//! nothing that came after it; [`semantics`] has the rules, and [`assert_point_in_time`] tests features of any origin.
//!
//! ```
//! use dafu_core::{Currency, Money, Transaction};
//! use dafu_features::{FeatureEngine, FeatureSet, Field, Measure, RecordKind, Span, Window};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let set = FeatureSet::new(RecordKind::Transaction)
//!     .feature(Window::new(Field::User, Measure::Count).within(Span::hours(1)))
//!     .feature(Window::new(Field::User, Measure::Ratio).within(Span::days(30)));
//! let mut engine = FeatureEngine::new(&set)?;
//! for (minute, amount) in [(10, 20.0), (30, 20.0), (55, 90.0)] {
//!     let paid = Money::from_major(amount, Currency::new("EUR")?)?;
//!     let at = format!("2026-03-01T12:{minute}:00Z").parse()?;
//!     let tx = Transaction::new(format!("t-{minute}").parse()?, "anna".parse()?, paid, "shop".parse()?, at);
//!     engine.observe(&tx)?;
//!     if minute == 55 {
//!         let row = engine.observe(&tx)?.row; // the same event again counts nothing twice
//!         assert_eq!(row.get("user_count_1h"), Some(3.0));
//!         assert_eq!(row.get("user_amount_ratio_30d"), Some(4.5));
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`measure`] has the parts alone: amounts, calendars, times of day, rates with their uncertainty, addresses, user agents,
//! places, sketches. [`TimeSorted`] puts a source of any length in order of time.
//!
//! # Preprocessing
//!
//! What becomes of the columns of a table before a model sees them, fitted on training rows only.
//!
//! ```
//! use dafu_core::{Currency, Money, Transaction};
//! use dafu_features::{ColumnParams, Encoding, PreprocessorParams};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let history: Vec<Transaction> = (0..40_u32)
//!     .map(|n| {
//!         let paid = Money::from_major(f64::from(3 + n % 7), Currency::new("EUR")?)?;
//!         let (user, shop) = (format!("u-{}", n % 9), format!("m-{}", n % 4));
//!         let at = format!("2026-03-{:02}T{:02}:30:00Z", 1 + n % 28, n % 24).parse()?;
//!         let id = format!("t-{n}").parse()?;
//!         Ok(Transaction::new(id, user.parse()?, paid, shop.parse()?, at).with_label(n % 13 == 0))
//!     })
//!     .collect::<Result<_, dafu_core::CoreError>>()?;
//!
//! // Learn on the first rows, apply to the later ones.
//! let merchants = ColumnParams::default().encoding(Encoding::Target { smoothing: 10.0 });
//! let params = PreprocessorParams::default().column("merchant_id", merchants);
//! let preprocessor = params.fit(&history[..30])?;
//! let later = preprocessor.transform(&dafu_core::Table::from_transactions(&history[30..]))?;
//! assert_eq!(later.rows(), 10);
//! println!("{}", preprocessor.report());
//! # Ok(())
//! # }
//! ```
//!
//! [`PreprocessorParams`] says what becomes of which column, by role or by name; [`Preprocessor`] holds what was
//! learned and turns tables into datasets with named, typed features; [`FitReport`] says in sentences what each column
//! became and why.
//!
//! **What is learned** comes from training rows only, in one pass and bounded memory, and is applied unchanged later:
//! new levels, missing values and values outside the range of training have outcomes that are stated at each setting.
//! Labels touch nothing but [`Encoding::Target`], and there unknown labels count for nothing and
//! [`Preprocessor::transform_training`] keeps each row from seeing its own.
//!
//! **Reproducible**: the same row gives the same bits alone, in a table, and in any cut of a file into tables. Sines,
//! cosines and logarithms are those of the platform and may differ in the last bit from one to another.
//!
//! When to use another crate: for numbers that are complete already, a model such as `dafu-iforest` takes them as they
//! are; for the whole way from a file to scores, take `dafu-pipeline` (or the umbrella `dafu`).
//!
//! | feature | adds |
//! |---|---|
//! | `linfa` | `to_linfa` and `LinfaStep`: datasets for linfa, its linear scalers and whiteners as a step |
//! | `parallel` | batches on several threads; the numbers are the same bits |
//! | `serde` | [`PreprocessorParams`] and [`FeatureSet`] as configuration; `Preprocessor::{save, load, to_bytes, from_bytes}`; `FeatureEngine::{snapshot, restore, save_to, load_from}` |
//! | `toml` | `FeatureSet::{from_toml, to_toml}` |
//!
//! Minimum supported Rust version: 1.89.

mod engine;
mod error;
mod geo;
mod leak;
pub mod measure;
mod preprocess;
pub mod semantics;
mod set;
mod time_sort;

#[cfg(feature = "serde")]
pub use engine::StoreError;
pub use engine::{EngineStats, FeatureEngine, Observation, Outcome, Record, ReplaySink};
pub use error::FeatureError;
pub use geo::haversine_km;
pub use leak::{PointInTimeError, assert_point_in_time};
pub use preprocess::{
    AmountFeatures, CheckedPreprocessorParams, ColumnParams, ColumnReport, Constants, Encoding,
    FitReport, Fitter, Folds, Indicator, Infinite, NumberImpute, Preprocessor, PreprocessorParams,
    Scaling, TextImpute, TimeFeature,
};
#[cfg(feature = "linfa")]
pub use preprocess::{LinfaStep, to_linfa};
pub use set::{
    Definition, Derived, EventFeature, Feature, FeatureSet, Field, Filter, Key, Labels, LatePolicy,
    Lateness, Measure, Quantity, RecordKind, Span, StateLimits, Window,
};
pub use time_sort::{CheckedTimeSortParams, TimeSortParams, TimeSorted};
