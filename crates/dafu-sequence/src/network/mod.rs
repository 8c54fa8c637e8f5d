//! What a network is made of, whichever backend computes it.

mod backend;
mod config;
mod layout;
mod weights;

pub(crate) use backend::check_events;
pub use backend::{AdamStep, Backend, Batch, Network, Objective};
pub use config::{Cell, Embedding, NetworkConfig, Task};
pub use config::{MAX_CATEGORIES, MAX_LAYERS, MAX_UNITS};
pub(crate) use layout::{AttentionLayout, RecurrentLayout};
pub use layout::{Layout, Parameter};
pub use weights::Weights;
