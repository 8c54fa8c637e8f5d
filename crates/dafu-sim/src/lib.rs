//! A seeded simulator of labelled card transactions with fraud scenarios.

mod behavior;
mod campaign;
mod draft;
mod engine;
mod error;
mod math;
mod name;
mod params;
mod place;
mod random;
mod scenario;
mod simulator;
mod summary;
mod world;

pub use behavior::BehaviorEvents;
pub use error::SimulatorError;
pub use params::{
    CheckedSimulatorParams, LabelDelay, MAX_DAYS, MAX_MERCHANTS, MAX_USERS, MIN_MERCHANTS,
    MIN_USERS, SimulatorParams,
};
pub use scenario::{Scenario, ScenarioRates};
pub use simulator::{SimulatedTransaction, SimulatedTransactions, Simulator};
pub use summary::DailySummaries;
