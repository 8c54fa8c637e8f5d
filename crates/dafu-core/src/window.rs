//! Asking for an aggregate over a sliding window: rules ask, features answer.

use crate::{EntityKind, FeatureRow, Transaction, TransactionStatus, Unit};
use std::error::Error;
use std::time::Duration;

/// What is computed over the events of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Aggregate {
    /// Number of events.
    Count,
    /// Sum of amounts.
    Sum,
    /// Mean amount.
    Mean,
    /// Largest amount.
    Max,
    /// Number of different entities of a kind.
    Distinct(EntityKind),
}

/// `count(tx, by=card, within=1h)` as a value: the window `(t - within, t]` of the entity of kind `by`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WindowRequest {
    /// What to compute.
    pub aggregate: Aggregate,
    /// Whose events.
    pub by: EntityKind,
    /// Length of the window.
    pub within: Duration,
    /// Whether the event itself counts.
    pub include_self: bool,
    /// Only events that ended like this; `None` for all.
    #[cfg_attr(feature = "serde", serde(default))]
    pub status: Option<TransactionStatus>,
}

impl WindowRequest {
    /// Unit of the answer.
    pub const fn unit(&self) -> Unit {
        match self.aggregate {
            Aggregate::Count | Aggregate::Distinct(_) => Unit::Count,
            Aggregate::Sum | Aggregate::Mean | Aggregate::Max => Unit::Money,
        }
    }
}

/// Answers window requests at an event.
pub trait WindowProvider {
    /// What can go wrong.
    type Error: Error + Send + Sync + 'static;

    /// Makes ready for a request; the returned slot is what [`WindowProvider::window`] takes.
    ///
    /// # Errors
    ///
    /// When the request cannot be served.
    fn prepare(&mut self, request: &WindowRequest) -> Result<usize, Self::Error>;

    /// The answer of a prepared slot at an event; `None` where the event has no such entity. Cost: no allocation.
    ///
    /// # Errors
    ///
    /// When the slot was never prepared.
    fn window(
        &self,
        slot: usize,
        event: &Transaction,
        row: Option<&FeatureRow<'_>>,
    ) -> Result<Option<f64>, Self::Error>;
}
