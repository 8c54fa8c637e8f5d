//! What parameters have in common.

use crate::RuleError;
use std::fmt::Display;

/// Errors unless a share is one.
pub(super) fn share(name: &'static str, got: f64) -> Result<(), RuleError> {
    parameter(
        name,
        got,
        "at least 0 and at most 1",
        (0.0..=1.0).contains(&got),
    )
}

/// Errors where a parameter is not good.
pub(super) fn parameter(
    name: &'static str,
    got: impl Display,
    must: &'static str,
    good: bool,
) -> Result<(), RuleError> {
    if good {
        return Ok(());
    }
    Err(RuleError::Parameter {
        name,
        must,
        got: got.to_string(),
    })
}
