//! A table of what probabilities are worth.

use dafu::metrics::{
    MetricsError, TopCalibrationParams, brier_skill, calibration_line, log_loss, top_calibration,
};
use std::error::Error;

/// Prints the names of the columns of [`print_probabilities`].
pub fn print_header() {
    println!(
        "\n{:<14}{:>10}{:>13}{:>16}{:>31}{:>12}",
        "probabilities", "log loss", "Brier skill", "slope", "ECE of the top 1 %", "by chance"
    );
}

/// Prints a line on some probabilities: log loss, Brier skill above a share of frauds that was known before, slope of the
/// calibration line with its standard error, and calibration error among the highest 1 % with an interval of 95 %.
///
/// # Errors
///
/// For rows of one class, and slices of different lengths.
pub fn print_probabilities(
    name: &str,
    said: &[f64],
    frauds: &[bool],
    prior: f64,
) -> Result<(), Box<dyn Error>> {
    let slope = match calibration_line(frauds, said, None) {
        Ok(line) => format!("{:.2} +- {:.2}", line.slope, line.slope_error),
        Err(MetricsError::NoFiniteSlope) => "-".to_owned(),
        Err(error) => return Err(error.into()),
    };
    let top = top_calibration(frauds, said, None, &TopCalibrationParams::default())?;
    let error = &top.error;
    println!(
        "{name:<14}{:>10.5}{:>13.3}{slope:>16}{:>31}{:>12.3}",
        log_loss(frauds, said, None)?,
        brier_skill(frauds, said, None, Some(prior))?,
        format!(
            "{:.3} ({:.3} to {:.3})",
            error.value, error.lower, error.upper
        ),
        top.by_chance
    );
    Ok(())
}
