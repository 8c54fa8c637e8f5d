//! The vocabulary of dafu: records, time, money, scores, datasets, evidence, metrics and saved models.
//!
//! Every other crate of dafu speaks in these types and none of them needs a sibling. The crate holds no
//! algorithm and reads no file.
//!
//! ```
//! use dafu_core::{Currency, Money, Score, Timestamp, Transaction};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let paid = Money::from_major(57.16, Currency::new("EUR")?)?;
//! let at: Timestamp = "2018-04-01T00:00:31Z".parse()?;
//! let tx = Transaction::new("t-1".parse()?, "u-596".parse()?, paid, "m-3156".parse()?, at);
//! assert_eq!(tx.amount.minor(), 5716);
//! assert!(Score::new(1.5).is_err());
//! # Ok(())
//! # }
//! ```
//!
//! Use the umbrella crate `dafu` for the whole pipeline; use this crate to write a stage, a source or a
//! scorer of your own that plugs into it.
//!
//! | feature | adds |
//! |---|---|
//! | `serde` | `Serialize` and `Deserialize` for records, results and evaluations |
//! | `postcard` | encoding of saved-model payloads ([`model::Envelope::encode`]) |
//! | `chrono` | chrono conversions, [`time::Zone`] with the IANA time zones |
//!
//! Minimum supported Rust version: 1.89.

mod assessment;
mod card_number;
mod dataset;
mod error;
pub mod evaluation;
mod evidence;
mod hash;
mod id;
pub mod metrics;
pub mod model;
mod money;
pub mod portable;
mod progress;
pub mod random;
mod record;
pub mod regression;
mod schema;
mod score;
mod setters;
mod stage;
mod stage_registry;
mod state_store;
pub mod table;
mod table_record;
pub mod time;
pub mod traits;
mod window;

pub use assessment::{Assessment, Bands, Decision, RiskBand, RuleOutcome, RuleRecord};
pub use card_number::is_card_number;
pub use dataset::FeatureRow;
pub use dataset::{Dataset, DatasetError};
pub use error::CoreError;
pub use evaluation::Evaluation;
pub use evidence::{Evidence, FeatureContribution, Reason, ReasonValue};
pub use hash::StableHasher;
pub use id::{EntityId, EntityKey, EntityKind, TransactionId};
pub use money::{Currency, Money};
pub use progress::{NoProgress, Progress};
pub use record::{
    BehaviorEvent, DailySummary, GeoPoint, Label, Transaction, TransactionStatus, Transfer, Value,
};
pub use schema::{FeatureGroup, FeatureSpec, FeatureType, Schema, SchemaHash, Unit};
pub use score::{FeatureIndex, Probability, RawScore, Score};
pub use stage::{Feedback, History, NoState, Stage, StageError, StageInput, StageSpec, StageState};
pub use stage_registry::{StageDecoder, StageRegistry};
pub use state_store::{Batch, MemStore, StateStore};
pub use table::{Column, ColumnData, Role, SourceError, Table, TableSource};
pub use time::Timestamp;
pub use traits::{Calibrate, Explain, Fit, ScoreRow, ScoreRows};
pub use window::{Aggregate, WindowProvider, WindowRequest};
