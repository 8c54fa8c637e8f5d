//! Which events of an entity a window keeps.

use super::field::Field;
use dafu_core::TransactionStatus;
use std::fmt;

/// A condition on one event.
///
/// A window with a filter remembers only events that meet it. The event at hand reads the window whether it meets the
/// filter or not; it counts itself only where it does.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Filter {
    /// The amount is this or more, in major units.
    AmountAtLeast(f64),
    /// The amount is less, in major units. `AmountBelow(0.0)` keeps refunds.
    AmountBelow(f64),
    /// A field has this value.
    Is {
        /// The field.
        field: Field,
        /// Its value.
        value: String,
    },
    /// A field has a value.
    Known(Field),
    /// The record ended like this; a record without a status does not meet it.
    Status(TransactionStatus),
    /// Local time is in the night of the set's calendar.
    Night,
    /// Local time is on a Saturday or Sunday.
    Weekend,
    /// All of these hold.
    All(Vec<Filter>),
    /// One of these holds.
    Any(Vec<Filter>),
    /// This does not hold.
    Not(Box<Filter>),
}

impl fmt::Display for Filter {
    /// In words, as they stand in the description of a feature.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |parts: &[Self], word: &str| {
            let parts: Vec<String> = parts.iter().map(|part| format!("({part})")).collect();
            parts.join(word)
        };
        match self {
            Self::AmountAtLeast(least) => write!(f, "the amount is at least {least}"),
            Self::AmountBelow(limit) => write!(f, "the amount is below {limit}"),
            Self::Is { field, value } => write!(f, "{field} is {value}"),
            Self::Known(field) => write!(f, "{field} is known"),
            Self::Status(status) => write!(f, "the status is {status:?}"),
            Self::Night => f.write_str("it is night"),
            Self::Weekend => f.write_str("it is a weekend"),
            Self::All(parts) if parts.is_empty() => f.write_str("anything holds"),
            Self::Any(parts) if parts.is_empty() => f.write_str("nothing holds"),
            Self::All(parts) => f.write_str(&join(parts, " and ")),
            Self::Any(parts) => f.write_str(&join(parts, " or ")),
            Self::Not(part) => write!(f, "not ({part})"),
        }
    }
}

impl Filter {
    /// The opposite.
    #[must_use]
    pub fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// The conditions themselves, without those that join them.
    pub(crate) fn leaves(&self) -> Vec<&Self> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::leaves).collect(),
            Self::Not(part) => part.leaves(),
            leaf => vec![leaf],
        }
    }

    /// How deep conditions are nested.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                1 + parts.iter().map(Self::depth).max().unwrap_or_default()
            }
            Self::Not(part) => 1 + part.depth(),
            _ => 1,
        }
    }
}
