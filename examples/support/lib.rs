//! Shared by the examples: arguments, progress bars, drawings, replayed files, tables of probabilities, the export of scored
//! rows, the Handbook protocol with its LSTM, and simulated payments with features.

pub mod args;
pub mod bar;
pub mod drawing;
pub mod feature_figures;
pub mod file;
pub mod handbook;
pub mod payments;
pub mod probabilities;
pub mod replayed;
pub mod scored;
pub mod sequence;
pub mod sequence_figures;
pub mod usage;

/// The README's code blocks run as tests of this crate.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// Ends a program: what went wrong as a sentence on stderr.
pub fn exit(result: Result<(), Box<dyn std::error::Error>>) -> std::process::ExitCode {
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

/// The time of the host, for the files of a report. Nothing inside the libraries reads a clock.
///
/// # Errors
///
/// When the host's clock stands before 1970.
pub fn now() -> Result<dafu::Timestamp, Box<dyn std::error::Error>> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(dafu::Timestamp::from_micros(i64::try_from(
        since.as_micros(),
    )?)?)
}
