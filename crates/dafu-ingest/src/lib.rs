//! Reading transactions from files: CSV, plain or gzip, and Parquet, into columns with roles, in bounded memory.
//!
//! ```
//! use dafu_core::{NoProgress, Role};
//! use dafu_ingest::{FileSource, IngestParams};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = "transaction_id,user_id,amount,merchant_id,timestamp,is_fraud,fraud_scenario\n\
//!             1,anna,57.16,shop,2018-04-01T00:00:31Z,0,0\n\
//!             2,ben,notanumber,shop,2018-04-01T00:02:10Z,0,0\n";
//! let source = FileSource::from_bytes(file, &IngestParams::default())?;
//! // What the columns mean, and why.
//! assert_eq!(source.plan().role("amount"), Some(Role::Amount));
//! assert_eq!(source.plan().role("fraud_scenario"), Some(Role::Ignore));
//! // What to know before training on it. Bad rows are counted and kept aside, not lost.
//! let data = source.suitability(&NoProgress)?;
//! assert_eq!(data.rows, 1);
//! println!("{data}");
//! # Ok(())
//! # }
//! ```
//!
//! Use `dafu` for the whole way from a file to a detector, and this crate where you need typed columns from files
//! that you do not trust.
//!
//! | feature | adds |
//! |---|---|
//! | `parquet` | Parquet files (plain, snappy, zstd or gzip pages), without arrow |
//! | `serde` | `Serialize` and `Deserialize` for plans and reports |
//!
//! Minimum supported Rust version: 1.89.

mod card_token;
mod cardinality;
mod column_stats;
mod convert;
mod csv_rows;
mod detect;
mod duplicate;
mod error;
mod file_source;
mod input;
mod label;
mod leak;
mod number;
mod params;
#[cfg(feature = "parquet")]
mod parquet_column;
#[cfg(feature = "parquet")]
mod parquet_page;
#[cfg(feature = "parquet")]
mod parquet_rows;
mod pass;
mod plan;
mod policy;
mod record;
mod record_reader;
mod report;
mod role_name;
mod roles;
mod sample;
mod suitability;
mod time_format;

pub use cardinality::Cardinality;
pub use error::IngestError;
pub use file_source::{FileSource, FileTables};
pub use label::LabelValues;
pub use number::NumberStyle;
pub use params::{CheckedIngestParams, DateOrder, IngestParams, Limits, Suspects, TokenKey};
pub use plan::{ColumnPlan, RecordKind, RolePlan};
pub use policy::{BadRecordClass, Policies, Policy};
pub use record_reader::{BehaviorEventReader, DailySummaryReader, TransactionReader};
pub use report::{ClassReport, Conflict, IngestReport, QuarantinedRecord};
pub use suitability::{
    ClassBalance, ColumnProfile, RecommendedMode, Suitability, SuitabilityBuilder, TimeSpan,
};
pub use time_format::TimeFormat;
