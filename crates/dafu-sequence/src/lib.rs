//! LSTM and GRU models over the events of users, in plain Rust.

pub mod behavior;
mod check;
mod classifier;
mod conformal;
pub mod data;
pub mod encode;
mod error;
pub mod history;
mod input_model;
pub mod native;
pub mod network;
pub mod objective;
mod params;
#[cfg(feature = "serde")]
pub mod saved;
pub mod stream;
mod surprise;
mod threads;
#[cfg(feature = "tch")]
pub mod torch;
pub mod training;

pub use classifier::SequenceClassifier;
pub use conformal::Conformal;
pub use error::SequenceError;
pub use input_model::{NextEventModel, SequenceAutoencoder};
pub use params::{CheckedSequenceParams, MAX_SEQUENCE_LENGTH, SequenceParams};
pub use surprise::{Predictions, Surprises};
