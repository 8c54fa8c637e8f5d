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

pub(crate) fn at_most(name: &'static str, got: usize, most: usize) -> Result<(), SequenceError> {
    within(name, got, 0, most)
}
