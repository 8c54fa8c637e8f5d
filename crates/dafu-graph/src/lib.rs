//! Fraud rings with evidence.

mod community;
mod dense;
mod error;
mod graph;
mod link;
mod rating;
mod ring;
mod risk;
mod show;
mod stream;

pub use community::{Communities, LeidenParams};
pub use dense::{DenseBlock, DenseParams};
pub use error::GraphError;
pub use graph::{
    Components, Edge, EntityEvent, EntityGraph, EntityGraphBuilder, NodeId, connected_components,
};
pub use link::{KindParams, Link, LinkParams, Links, MinHashParams, SkippedEntity};
pub use rating::{
    GiverRisk, OwnRating, RatingEvidence, RatingNetwork, Rev2, Rev2Params, Rev2Prior,
};
pub use ring::{
    FraudRing, PlaceParams, RingParams, RingReport, SharedEntity, detect_fraud_networks,
};
pub use risk::{
    AssociationKind, AssociationParams, KnownAt, KnownFraud, NodeFeatureParams, NodeFeatures,
    PageRank, PageRankParams, PropagatedRisk, PropagationParams, RiskGraph,
};
pub use show::GraphFormat;
#[cfg(feature = "serde")]
pub use stream::RingStreamSnapshot;
pub use stream::{Association, RingChange, RingStream, RingStreamParams, RingTie};
