//! The file that an example reads: CSV or Parquet, or simulated payments.

use crate::args::Args;
use dafu::ingest::{FileSource, IngestParams};
use dafu::sim::{CsvColumns, SimulatorParams, write_csv};
use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

/// Opens what `--input`, `--role` and `--zone` say; simulated payments without `--input`. Records that cannot be used
/// are written to `quarantine` when the file is first read.
///
/// # Errors
///
/// When the file cannot be opened or an argument is wrong.
pub fn open(args: &Args, quarantine: &Path) -> Result<FileSource, Box<dyn Error>> {
    let mut params = IngestParams::default();
    for given in args.all("role") {
        let (column, role) = given
            .split_once('=')
            .ok_or_else(|| format!("--role {given:?}: use COLUMN=ROLE"))?;
        params = params.role(column, role.parse()?);
    }
    if let Some(zone) = args.value("zone") {
        params = params.zone(zone.parse()?);
    }
    let Some(path) = args.value("input") else {
        return Ok(FileSource::from_bytes(simulated()?, &params)?);
    };
    let source = FileSource::open(path, &params)?;
    Ok(source.with_quarantine(BufWriter::new(File::create(quarantine)?)))
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
