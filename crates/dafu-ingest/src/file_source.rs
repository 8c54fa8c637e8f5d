//! Files as a source of tables.

use crate::IngestError;
use crate::convert::Target;
use crate::csv_rows::CsvRows;
use crate::detect::detect_csv;
use crate::input::Origin;
use crate::params::{CheckedIngestParams, IngestParams, Suspects};
#[cfg(feature = "parquet")]
use crate::parquet_rows::{ParquetFile, ParquetRows};
use crate::pass::{Pass, QUARANTINE_HEADER, Sink};
use crate::plan::RolePlan;
use crate::report::IngestReport;
use crate::suitability::{Suitability, SuitabilityBuilder};
use dafu_core::table::Chunks;
use dafu_core::{Progress, Role, SourceError, Table, TableSource};
use std::borrow::Cow;
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A file that is read in chunks as often as needed: CSV, plain or gzip, or Parquet (feature `parquet`). Its first
/// bytes say which.
///
/// Memory: one chunk, the limits of one record, and the remembered transaction ids, whatever the file's size; of
/// Parquet also one page of each column that is used.
///
/// In Parquet, columns of structures are called `outer.inner`; lists, maps and binary documents are left out. Instants
/// of any unit are read; wall-clock times are in the zone of the parameters. Its pages are decoded by the crate
/// `parquet`, which makes room for the size that a page claims (up to 2 GiB) before it has read it: read Parquet files
/// of strangers in a process with a memory limit.
///
/// ```
/// use dafu_core::{Role, TableSource};
/// use dafu_ingest::{FileSource, IngestParams};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let file = "id;kunde;betrag;zeit\n1;anna;12,50;01.04.2018 00:05\n2;ben;7,00;13.04.2018 17:20\n";
/// let params = IngestParams::default().role("kunde", Role::User).role("betrag", Role::Amount);
/// let source = FileSource::from_bytes(file, &params)?;
/// println!("{}", source.plan());
/// for table in source.tables()? {
///     assert_eq!(table?.by_role(Role::Amount).and_then(|column| column.numbers()), Some(&[12.5, 7.0][..]));
/// }
/// assert_eq!(source.report().map(|report| report.rows_kept), Some(2));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FileSource {
    origin: Origin,
    params: CheckedIngestParams,
    format: Format,
    plan: RolePlan,
    header: Vec<String>,
    targets: Arc<[Target]>,
    report: Arc<Mutex<Option<IngestReport>>>,
    sink: Arc<Mutex<Option<Sink>>>,
}

#[derive(Clone)]
enum Format {
    Csv,
    #[cfg(feature = "parquet")]
    Parquet(ParquetFile),
}

impl fmt::Debug for FileSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSource")
            .field("origin", &self.origin)
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

impl FileSource {
    /// Opens a file and finds out what its columns mean from a sample of its first rows.
    ///
    /// # Errors
    ///
    /// [`IngestError`] when the parameters are wrong, the file cannot be read, is neither CSV nor Parquet, is empty,
    /// has too many columns, or has no column of a name that the parameters give a role.
    pub fn open(path: impl AsRef<Path>, params: &IngestParams) -> Result<Self, IngestError> {
        Self::from_origin(Origin::Path(path.as_ref().to_owned()), params, None)
    }

    /// Opens a file with a plan of an earlier one: columns are found by name, whatever their order, and further
    /// columns are left out. Only the label column may be missing. Roles of the parameters are not used.
    ///
    /// # Errors
    ///
    /// As [`Self::open`]; [`IngestError::UnknownColumn`] for a planned column that the file does not have.
    pub fn open_with(
        path: impl AsRef<Path>,
        params: &IngestParams,
        plan: &RolePlan,
    ) -> Result<Self, IngestError> {
        Self::from_origin(Origin::Path(path.as_ref().to_owned()), params, Some(plan))
    }

    /// The same as [`Self::open`] for bytes in memory.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn from_bytes(bytes: impl AsRef<[u8]>, params: &IngestParams) -> Result<Self, IngestError> {
        Self::from_origin(Origin::Bytes(Arc::from(bytes.as_ref())), params, None)
    }

    /// The same as [`Self::open_with`] for bytes in memory.
    ///
    /// # Errors
    ///
    /// As [`Self::open_with`].
    pub fn from_bytes_with(
        bytes: impl AsRef<[u8]>,
        params: &IngestParams,
        plan: &RolePlan,
    ) -> Result<Self, IngestError> {
        Self::from_origin(Origin::Bytes(Arc::from(bytes.as_ref())), params, Some(plan))
    }

    fn from_origin(
        origin: Origin,
        params: &IngestParams,
        plan: Option<&RolePlan>,
    ) -> Result<Self, IngestError> {
        let params = params.check()?;
        #[cfg(feature = "parquet")]
        let (format, detection) = if origin.is_parquet()? {
            let (file, detection) = ParquetFile::detect(&origin, &params, plan)?;
            (Format::Parquet(file), detection)
        } else {
            (Format::Csv, detect_csv(&origin, &params, plan)?)
        };
        #[cfg(not(feature = "parquet"))]
        let (format, detection) = (Format::Csv, detect_csv(&origin, &params, plan)?);
        let mut source = Self {
            origin,
            params,
            format,
            plan: detection.plan,
            header: detection.header,
            targets: Arc::from([]),
            report: Arc::default(),
            sink: Arc::default(),
        };
        source.set_targets()?;
        Ok(source)
    }

    fn set_targets(&mut self) -> Result<(), IngestError> {
        let positions = self.plan.positions(&self.header)?;
        let targets = Target::all(&self.plan, &positions);
        match &self.format {
            Format::Csv => {}
            #[cfg(feature = "parquet")]
            Format::Parquet(file) => file.check(&targets)?,
        }
        self.targets = targets;
        Ok(())
    }

    /// What the columns mean.
    pub const fn plan(&self) -> &RolePlan {
        &self.plan
    }

    /// The column names in the order of the file.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Gives a column a role.
    ///
    /// # Errors
    ///
    /// [`IngestError::UnknownColumn`], [`IngestError::UnreadableColumn`].
    pub fn with_role(mut self, column: &str, role: Role) -> Result<Self, IngestError> {
        self.plan = self.plan.with_role(column, role)?;
        self.set_targets()?;
        Ok(self)
    }

    /// Leaves out the columns that only a look at the whole file showed to give the label away, unless the parameters
    /// give them a role or keep suspects. Returns their names with the source.
    ///
    /// # Errors
    ///
    /// None in practice: as [`Self::with_role`].
    pub fn without_leaks(mut self, data: &Suitability) -> Result<(Self, Vec<String>), IngestError> {
        let mut gone = Vec::new();
        if self.params.params().suspects == Suspects::LeaveOut {
            for column in &data.columns {
                let Some(why) = &column.leak else { continue };
                if self.plan.leave_out(&column.name, why) {
                    gone.push(column.name.clone());
                }
            }
            self.set_targets()?;
        }
        Ok((self, gone))
    }

    /// Writes quarantined records as CSV (`row,class,column,record`, card numbers taken out) during the next pass;
    /// later passes do not write them again. A CSV record is written as it stood, and of one beyond the limits what is
    /// held of it; of a Parquet record the columns that are used.
    #[must_use]
    pub fn with_quarantine(self, writer: impl Write + Send + 'static) -> Self {
        *lock(&self.sink) = Some(Box::new(writer));
        self
    }

    /// Starts a pass over the file.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened.
    pub fn tables(&self) -> Result<FileTables<'_>, IngestError> {
        let rows = match &self.format {
            Format::Csv => {
                let columns = self.header.len();
                let rows = CsvRows::open(&self.origin, &self.params, self.plan.delimiter, columns)?;
                Rows::Csv(Box::new(rows))
            }
            #[cfg(feature = "parquet")]
            Format::Parquet(_) => Rows::Parquet(Box::new(ParquetRows::open(
                &self.origin,
                &self.params,
                &self.targets,
            )?)),
        };
        let mut sink = lock(&self.sink).take();
        if let Some(sink) = &mut sink {
            sink.write_all(QUARANTINE_HEADER)
                .map_err(|source| IngestError::Quarantine { row: 0, source })?;
        }
        Ok(FileTables {
            source: self,
            rows,
            pass: Pass::new(Arc::clone(&self.targets), &self.params, sink),
            any: false,
            done: false,
        })
    }

    /// The report of the last pass that was read to its end.
    pub fn report(&self) -> Option<IngestReport> {
        lock(&self.report).clone()
    }

    /// Reads the file once and says what a person would want to know before training on it.
    ///
    /// # Errors
    ///
    /// [`IngestError`] when reading fails or a record is rejected.
    ///
    /// # Complexity
    ///
    /// One pass, O(rows x columns); memory bounded, see [`Suitability`].
    pub fn suitability(&self, progress: &dyn Progress) -> Result<Suitability, IngestError> {
        let mut builder = SuitabilityBuilder::default();
        let mut tables = self.tables()?;
        for table in &mut tables {
            builder.observe(&table?);
            progress.report("looking at the data", builder.rows(), self.rows_hint());
        }
        Ok(builder.finish(Some(&self.plan), Some(tables.report())))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TableSource for FileSource {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        let tables = self.tables().map_err(SourceError::new)?;
        Ok(Box::new(tables.map(|table| {
            table.map(Cow::Owned).map_err(SourceError::new)
        })))
    }

    fn rows_hint(&self) -> Option<u64> {
        match &self.format {
            // Known once the file has been read to its end.
            Format::Csv => lock(&self.report).as_ref().map(|report| report.rows_kept),
            #[cfg(feature = "parquet")]
            Format::Parquet(file) => Some(file.rows),
        }
    }
}

enum Rows<'s> {
    Csv(Box<CsvRows<'s>>),
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetRows<'s>>),
}

impl Rows<'_> {
    /// Gives the next record to a pass; `false` at the end of the file.
    fn next(&mut self, pass: &mut Pass<'_>) -> Result<bool, IngestError> {
        match self {
            Self::Csv(rows) => rows.next(pass),
            #[cfg(feature = "parquet")]
            Self::Parquet(rows) => rows.next(pass),
        }
    }

    const fn bytes_read(&self) -> u64 {
        match self {
            Self::Csv(rows) => rows.bytes_read(),
            #[cfg(feature = "parquet")]
            Self::Parquet(rows) => rows.bytes_read(),
        }
    }
}

/// The tables of one pass, in order. A file without rows gives one table without rows.
pub struct FileTables<'s> {
    source: &'s FileSource,
    rows: Rows<'s>,
    pass: Pass<'s>,
    any: bool,
    done: bool,
}

impl fmt::Debug for FileTables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileTables")
            .field("report", &self.pass.report)
            .finish_non_exhaustive()
    }
}

impl FileTables<'_> {
    /// What has happened so far; complete after the last table.
    pub const fn report(&self) -> &IngestReport {
        &self.pass.report
    }

    fn read_table(&mut self) -> Result<Option<Table>, IngestError> {
        while !self.pass.is_full() {
            if !self.rows.next(&mut self.pass)? {
                self.done = true;
                self.pass.finish(self.rows.bytes_read())?;
                *lock(&self.source.report) = Some(self.pass.report.clone());
                break;
            }
        }
        // A source gives at least one table, so that its columns are known.
        if self.pass.is_empty() && self.any {
            return Ok(None);
        }
        self.any = true;
        self.pass.take_table().map(Some)
    }
}

impl Iterator for FileTables<'_> {
    type Item = Result<Table, IngestError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        match self.read_table() {
            Ok(table) => table.map(Ok),
            Err(error) => {
                self.done = true;
                Some(Err(error))
            }
        }
    }
}
