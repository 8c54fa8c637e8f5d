//! What can go wrong.

use dafu_core::{Currency, EntityKey};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// A parameter is outside its interval.
    #[error("`{name}` must be {must}, got {got}")]
    Parameter {
        /// Name of the parameter.
        name: &'static str,
        /// What it must be.
        must: &'static str,
        /// The value given.
        got: String,
    },
    /// A graph has more nodes, edges or events than 32 bits count.
    #[error(
        "a graph holds at most {max} {what}; leave out what is old, or make one graph a tenant or a period"
    )]
    TooMany {
        /// Nodes, edges or events.
        what: &'static str,
        /// The limit.
        max: u32,
    },
    /// A snapshot is none that a stream with these parameters gives.
    #[error(
        "the snapshot holds {what} that no stream with these parameters has: it is damaged, or of another one"
    )]
    Snapshot {
        /// What is wrong in it.
        what: &'static str,
    },
    /// An amount is not finite.
    #[error("the amount between {one:?} and {other:?} must be finite, got {got}")]
    Amount {
        /// One end.
        one: EntityKey,
        /// The other end.
        other: EntityKey,
        /// The amount given.
        got: f64,
    },
    /// Transfers are of several currencies.
    #[error(
        "all transfers must be of one currency, got {got} after {expected}; convert them first"
    )]
    Currencies {
        /// The currency of those before.
        expected: Currency,
        /// Another one.
        got: Currency,
    },
}

/// Errors where a parameter is not good.
pub(crate) fn parameter(
    name: &'static str,
    got: impl std::fmt::Display,
    must: &'static str,
    good: bool,
) -> Result<(), GraphError> {
    if good {
        return Ok(());
    }
    Err(GraphError::Parameter {
        name,
        must,
        got: got.to_string(),
    })
}
