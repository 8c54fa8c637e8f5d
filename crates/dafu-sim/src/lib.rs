//! A seeded simulator of labelled card transactions with fraud scenarios.
//!
//! ```
//! use dafu_sim::{Scenario, SimulatorParams};
//! # fn main() -> Result<(), dafu_sim::SimulatorError> {
//! let params = SimulatorParams::default().users(200).days(30).seed(42);
//! let mut fraud = 0;
//! let mut all = 0;
//! for simulated in params.simulator()?.with_truth() {
//!     all += 1;
//!     fraud += u32::from(simulated.is_fraud());
//!     assert!(simulated.label_known_at > simulated.transaction.timestamp);
//!     assert!(simulated.scenario != Some(Scenario::Ring) || simulated.transaction.device.is_some());
//! }
//! assert!(all > 5_000 && fraud > 0 && fraud < all / 20);
//! # Ok(())
//! # }
//! ```
//!
//! [`Simulator`] gives plain transactions, [`Simulator::with_truth`] the same with the scenario and the instant at
//! which the label is known, [`Simulator::daily_summaries`] and [`Simulator::behavior_events`] the other two kinds of
//! records; [`RingWorld`] is a network of accounts with rings in it, [`FlowWorld`] transfers with patterns of laundering. Use `dafu-ingest` to read data that you have.
//!
//! Internet addresses are taken from ranges that nobody routes (10/8, 100.64/10, 198.18/15).
//!
//! | feature | adds |
//! |---|---|
//! | `csv` | `write_csv` |
//! | `serde` | `Serialize` and `Deserialize` for the parameters and [`Scenario`] |
//!
//! Minimum supported Rust version: 1.89.
//!
#![doc = include_str!("../SCENARIOS.md")]
#![doc = ""]
#![doc = include_str!("../NETWORK.md")]

mod behavior;
mod campaign;
mod check;
#[cfg(feature = "csv")]
mod csv_file;
mod draft;
mod engine;
mod error;
mod flow;
mod name;
mod network;
mod params;
mod place;
mod random;
mod scenario;
mod simulator;
mod summary;
mod world;

pub use behavior::BehaviorEvents;
#[cfg(feature = "csv")]
pub use csv_file::{CsvColumns, write_csv};
pub use error::SimulatorError;
pub use flow::{FlowKind, FlowWorld, FlowWorldParams, PlantedFlow};
pub use network::{Group, GroupKind, RingTransaction, RingWorld, RingWorldParams};
pub use params::{
    CheckedSimulatorParams, LabelDelay, MAX_DAYS, MAX_MERCHANTS, MAX_USERS, MIN_MERCHANTS,
    MIN_USERS, SimulatorParams,
};
pub use scenario::{Scenario, ScenarioRates};
pub use simulator::{SimulatedTransaction, SimulatedTransactions, Simulator};
pub use summary::DailySummaries;
