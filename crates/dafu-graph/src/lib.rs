//! Fraud rings with evidence, in batch and as events arrive; risk by association; money flows; rating networks.
//!
//! ```
//! use dafu_graph::{EntityGraph, RingParams};
//! use dafu_sim::RingWorldParams;
//!
//! let world = RingWorldParams::default().users(3_000).rings(4).smallest_ring(8).seed(1).simulate()?;
//! let payments: Vec<_> = world.transactions().map(|payment| payment.transaction).collect();
//! let graph = EntityGraph::from_transactions(&payments)?;
//! let report = RingParams::default().detect(&graph)?;
//! for ring in &report.rings {
//!     println!("{} {:.2}: {}", ring.id, ring.score, ring.explanation);
//! }
//! assert_eq!(report.rings.len(), 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | to | there is |
//! |---|---|
//! | build a graph | [`EntityGraph`], [`EntityGraphBuilder`] for any pairs, petgraph both ways |
//! | find rings | [`detect_fraud_networks`], [`RingParams::detect`]: [`FraudRing`] with evidence |
//! | follow events | [`RingStream`]: the same rings, changes, expiry, [`forget`](RingStream::forget) |
//! | judge an event | [`RingStream::associate`]: the ring and the known fraud that it has to do with |
//! | say what links users | [`LinkParams`]: reliability and hub cap by kind, decay, budget, `MinHash` |
//! | say what is no ring | [`PlaceParams`]: what homes and places of work share |
//! | draw and export | [`FraudRing::to_svg`], [`GraphFormat`] |
//! | spread known fraud | [`PropagationParams`], [`PageRankParams`], [`NodeFeatureParams`] |
//! | follow money | [`FlowParams`] on a [`TransferGraph`]: eight patterns, all cycles in the order of time |
//! | judge raters | [`RatingNetwork`], [`Rev2Params`] |
//! | cut graphs | [`LeidenParams`] (communities), [`DenseParams`] (FRAUDAR), [`connected_components`] |
//!
//! Everything is deterministic: the same events and seeds give the same answers. Keep tenants apart by a graph for each. Use
//! `dafu-features` for counts over windows of time.
//!
//! | feature | |
//! |---|---|
//! | `serde` | parameters, rings and snapshots as serde types |
//!
//! MSRV 1.89.

mod community;
mod dense;
mod error;
mod flow;
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
pub use flow::{
    CutOff, Cycles, Flow, FlowParams, FlowPattern, FlowReport, TransferGraph, TransferIndex,
};
pub use graph::{
    Components, Edge, EntityEvent, EntityGraph, EntityGraphBuilder, NodeId, connected_components,
};
pub use link::{KindParams, Link, LinkParams, Links, MinHashParams, SkippedEntity};
pub use rating::{
    GiverRisk, OwnRating, RatingEvidence, RatingNetwork, Rev2, Rev2Params, Rev2Prior,
};
pub use ring::{
    FraudRing, PlaceParams, RingParams, RingReport, SharedEntity, SkippedThing,
    detect_fraud_networks,
};
pub use risk::{
    AssociationKind, AssociationParams, KnownAt, KnownFraud, NodeFeatureParams, NodeFeatures,
    PageRank, PageRankParams, PropagatedRisk, PropagationParams, RiskGraph,
};
pub use show::GraphFormat;
#[cfg(feature = "serde")]
pub use stream::RingStreamSnapshot;
pub use stream::{Association, RingChange, RingStream, RingStreamParams, RingTie};
