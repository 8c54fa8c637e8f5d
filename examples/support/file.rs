//! The file that an example reads: CSV or Parquet, or simulated payments.

use crate::args::Args;
use dafu::ingest::{FileSource, IngestParams};
use dafu::sim::{CsvColumns, SimulatorParams, write_csv};
use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

/// Opens what `--input`, `--role`, `--fraud-value` and `--zone` say; simulated payments without `--input`.
///
/// # Errors
///
/// When the file cannot be opened or an argument is wrong.
pub fn open(args: &Args) -> Result<FileSource, Box<dyn Error>> {
    let mut params = IngestParams::default();
    for given in args.all("role") {
        let (column, role) = given
            .split_once('=')
            .ok_or_else(|| format!("--role {given:?}: use COLUMN=ROLE"))?;
        params = params.role(column, role.parse()?);
    }
    params = params.fraud_values(args.all("fraud-value"));
    if let Some(zone) = args.value("zone") {
        params = params.zone(zone.parse()?);
    }
    match args.value("input") {
        Some(path) => Ok(FileSource::open(path, &params)?),
        None => Ok(FileSource::from_bytes(simulated()?, &params)?),
    }
}

/// Makes a file, or empties it; an error where it is the one that `--input` names.
///
/// # Errors
///
/// With the path in the text.
pub fn create(path: &Path, args: &Args) -> Result<BufWriter<File>, Box<dyn Error>> {
    let input = args
        .value("input")
        .and_then(|input| Path::new(input).canonicalize().ok());
    if input.is_some() && path.canonicalize().ok() == input {
        return Err(format!("{} is the input: write to another place", path.display()).into());
    }
    let file = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(BufWriter::new(file))
}

/// Twenty days of simulated payments as a CSV file in memory.
fn simulated() -> Result<Vec<u8>, Box<dyn Error>> {
    let simulator = SimulatorParams::default()
        .users(500)
        .days(20)
        .seed(7)
        .simulator()?;
    let mut file = Vec::new();
    write_csv(simulator, &mut file, CsvColumns::All)?;
    Ok(file)
}
