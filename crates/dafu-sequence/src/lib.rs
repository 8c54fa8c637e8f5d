//! LSTM and GRU models over the events of users, in plain Rust.
pub mod data;
pub mod encode;
mod error;
pub mod native;
pub mod network;
pub mod objective;
mod params;
mod threads;

pub use error::SequenceError;
