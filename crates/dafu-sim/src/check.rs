//! What parameters have in common.

use crate::SimulatorError;
use dafu_core::Timestamp;

/// Errors for the first count outside its interval: name, least, most, got.
pub(crate) fn counts(all: &[(&'static str, u32, u32, u32)]) -> Result<(), SimulatorError> {
    for &(name, min, max, got) in all {
        if !(min..=max).contains(&got) {
            let (min, max, got) = (min.into(), max.into(), got.into());
            return Err(SimulatorError::CountOutOfRange {
                name,
                min,
                max,
                got,
            });
        }
    }
    Ok(())
}

/// Errors for the first number outside its interval, or NaN: name, least, most, got.
pub(crate) fn numbers(all: &[(&'static str, f64, f64, f64)]) -> Result<(), SimulatorError> {
    for &(name, min, max, got) in all {
        if !(got >= min && got <= max) {
            return Err(SimulatorError::OutOfRange {
                name,
                min,
                max,
                got,
            });
        }
    }
    Ok(())
}

/// Errors for a start that is not the beginning of a day, and for days after the year 9000.
pub(crate) fn start(start: Timestamp, days: u32) -> Result<(), SimulatorError> {
    let first = start.day();
    let midnight = first.checked_mul(86_400_000_000) == Some(start.as_micros());
    // Day 2,567,655 is the first of the year 9000.
    if midnight && first + i64::from(days) <= 2_567_655 {
        return Ok(());
    }
    Err(SimulatorError::Start { got: start })
}
