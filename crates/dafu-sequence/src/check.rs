//! Checks of parameters.

use crate::SequenceError;
use std::fmt::Display;

pub(crate) fn within<T: PartialOrd + Display + Copy>(
    name: &'static str,
    got: T,
    least: T,
    most: T,
) -> Result<(), SequenceError> {
    if least <= got && got <= most {
        return Ok(());
    }
    Err(SequenceError::Parameter {
        name,
        expected: format!("{least} to {most}"),
        got: got.to_string(),
    })
}

/// A threshold of scores: no score is 1.
pub(crate) fn threshold(got: f64) -> Result<(), SequenceError> {
    if (0.0..1.0).contains(&got) {
        return Ok(());
    }
    Err(SequenceError::Parameter {
        name: "threshold",
        expected: "at least 0 and below 1".to_owned(),
        got: got.to_string(),
    })
}

pub(crate) fn at_most(name: &'static str, got: usize, most: usize) -> Result<(), SequenceError> {
    within(name, got, 0, most)
}
