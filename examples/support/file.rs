//! The file that an example reads: CSV, or simulated payments.

use crate::args::Args;
use dafu::ingest::{CsvSource, IngestParams, RolePlan, Suitability};
use dafu::sim::{CsvColumns, SimulatorParams, write_csv};
use dafu::table::Chunks;
use dafu::{Progress, SourceError, TableSource};
use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

/// A file with a plan of what its columns mean.
#[derive(Debug)]
pub enum InputFile {
    /// CSV, plain or gzip.
    Csv(CsvSource),
}

impl InputFile {
    /// Opens what `--input`, `--role` and `--zone` say; simulated payments without `--input`. Records that cannot be
    /// used are written to `quarantine` when the file is first read.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened or an argument is wrong.
    pub fn open(args: &Args, quarantine: &Path) -> Result<Self, Box<dyn Error>> {
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
            return Ok(Self::Csv(CsvSource::from_bytes(simulated()?, &params)?));
        };
        if is_parquet(path)? {
            return Err(format!(
                "{path} is a Parquet file, which cannot be read yet: write it as CSV"
            )
            .into());
        }
        let sink = BufWriter::new(File::create(quarantine)?);
        Ok(Self::Csv(
            CsvSource::open(path, &params)?.with_quarantine(sink),
        ))
    }

    /// What the columns mean.
    pub fn plan(&self) -> &RolePlan {
        match self {
            Self::Csv(source) => source.plan(),
        }
    }

    /// Reads the file once and says what a person would want to know before training on it.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn suitability(&self, progress: &dyn Progress) -> Result<Suitability, Box<dyn Error>> {
        match self {
            Self::Csv(source) => Ok(source.suitability(progress)?),
        }
    }
}

impl TableSource for InputFile {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        match self {
            Self::Csv(source) => source.chunks(),
        }
    }
}

fn is_parquet(path: &str) -> Result<bool, Box<dyn Error>> {
    use std::io::Read;
    let mut magic = [0; 4];
    let mut file = File::open(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(file.read_exact(&mut magic).is_ok() && magic == *b"PAR1")
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
