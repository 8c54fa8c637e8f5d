//! Isolation forests over streams.

mod bounds;
mod depth;
mod model;
mod params;
#[cfg(feature = "serde")]
mod saved;
#[cfg(test)]
mod tests;
mod tree;

pub use model::OnlineIsolationForest;
pub use params::{
    CheckedOnlineIsolationForestParams, LeafGrowth, MAX_BRANCHING, MAX_WINDOW,
    OnlineIsolationForestParams, Renewal,
};
