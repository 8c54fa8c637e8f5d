//! Fraud rings with evidence.

mod community;
mod dense;
mod error;
mod graph;
mod link;
mod ring;
mod stream;

pub use community::{Communities, LeidenParams};
pub use dense::{DenseBlock, DenseParams};
pub use error::GraphError;
pub use graph::{Edge, EntityGraph, EntityGraphBuilder, NodeId};
pub use link::{KindParams, Link, LinkParams, Links, SkippedEntity};
pub use ring::{
    FraudRing, PlaceParams, RingParams, RingReport, SharedEntity, detect_fraud_networks,
};
pub use stream::{RingChange, RingStream, RingStreamParams};
