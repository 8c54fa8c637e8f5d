//! Risk by association: what it says of somebody whom he shares things with.

mod association;
mod features;
mod known;
mod page_rank;
mod propagation;
mod snapshot;

pub use association::{AssociationKind, AssociationParams, RiskGraph};
pub use features::{NodeFeatureParams, NodeFeatures};
pub use known::{KnownAt, KnownFraud};
pub use page_rank::{PageRank, PageRankParams};
pub use propagation::{PropagatedRisk, PropagationParams};
