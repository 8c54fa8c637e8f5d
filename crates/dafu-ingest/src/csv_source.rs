//! CSV files as a source of tables.

use crate::convert::{Cell, Target};
use crate::detect::{Detection, detect_csv};
use crate::input::{ByteInput, Origin};
use crate::params::{CheckedIngestParams, IngestParams};
use crate::pass::{Broken, Pass, QUARANTINE_HEADER, Sink, quote_into};
use crate::plan::RolePlan;
use crate::record::{Fields, Next, RecordReader};
use crate::report::IngestReport;
use crate::suitability::{Suitability, SuitabilityBuilder};
use crate::{BadRecordClass, IngestError, Policy};
use dafu_core::table::Chunks;
use dafu_core::{Progress, Role, SourceError, Table, TableSource};
use std::borrow::Cow;
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A CSV file, plain or gzip, that is read in chunks as often as needed.
///
/// Memory: one chunk, the limits of one record, and the remembered transaction ids, whatever the file's size.
///
/// ```
/// use dafu_core::{Role, TableSource};
/// use dafu_ingest::{CsvSource, IngestParams};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let file = "id;kunde;betrag;zeit\n1;anna;12,50;01.04.2018 00:05\n2;ben;7,00;13.04.2018 17:20\n";
/// let params = IngestParams::default().role("kunde", Role::User).role("betrag", Role::Amount);
/// let source = CsvSource::from_bytes(file, &params)?;
/// println!("{}", source.plan());
/// for table in source.tables()? {
///     assert_eq!(table?.by_role(Role::Amount).and_then(|column| column.numbers()), Some(&[12.5, 7.0][..]));
/// }
/// assert_eq!(source.report().map(|report| report.rows_kept), Some(2));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CsvSource {
    origin: Origin,
    params: CheckedIngestParams,
    plan: RolePlan,
    header: Vec<String>,
    targets: Arc<[Target]>,
    report: Arc<Mutex<Option<IngestReport>>>,
    sink: Arc<Mutex<Option<Sink>>>,
}

impl fmt::Debug for CsvSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsvSource")
            .field("origin", &self.origin)
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

impl CsvSource {
    /// Opens a file and finds out what its columns mean from a sample of its first rows.
    ///
    /// # Errors
    ///
    /// [`IngestError`] when the parameters are wrong, the file cannot be read, is no CSV file, is empty, has too
    /// many columns, or has no column of a name that the parameters give a role.
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
        let Detection { header, plan } = detect_csv(&origin, &params, plan)?;
        let mut source = Self {
            origin,
            params,
            plan,
            header,
            targets: Arc::from([]),
            report: Arc::default(),
            sink: Arc::default(),
        };
        source.set_targets()?;
        Ok(source)
    }

    fn set_targets(&mut self) -> Result<(), IngestError> {
        let positions = self.plan.positions(&self.header)?;
        self.targets = self
            .plan
            .columns
            .iter()
            .zip(positions)
            .filter(|(column, _)| column.role != Role::Ignore)
            .map(|(column, position)| Target::new(column, position))
            .collect();
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
    /// [`IngestError::UnknownColumn`].
    pub fn with_role(mut self, column: &str, role: Role) -> Result<Self, IngestError> {
        self.plan = self.plan.with_role(column, role)?;
        self.set_targets()?;
        Ok(self)
    }

    /// Writes quarantined records as CSV (`row,class,column,record`, the record as it stood, card numbers taken
    /// out) during the next pass; later passes do not write them again. Of a record beyond the limits only what is
    /// held of it is written.
    #[must_use]
    pub fn with_quarantine(self, writer: impl Write + Send + 'static) -> Self {
        *self.sink.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(writer));
        self
    }

    /// Starts a pass over the file.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened.
    pub fn tables(&self) -> Result<CsvTables<'_>, IngestError> {
        let params = self.params.params();
        let input = ByteInput::open(&self.origin, &params.limits)?;
        let mut reader = RecordReader::new(input, self.plan.delimiter, params.limits);
        if params.header {
            reader.next()?;
        }
        let mut sink = self
            .sink
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(sink) = &mut sink {
            sink.write_all(QUARANTINE_HEADER)
                .map_err(|source| IngestError::Quarantine { row: 0, source })?;
        }
        Ok(CsvTables {
            source: self,
            reader,
            pass: Pass::new(Arc::clone(&self.targets), &self.params, sink),
            any: false,
            done: false,
        })
    }

    /// The report of the last pass that was read to its end.
    pub fn report(&self) -> Option<IngestReport> {
        self.report
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
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
            progress.report("looking at the data", tables_rows(&builder), None);
        }
        Ok(builder.finish(Some(&self.plan), Some(tables.report())))
    }
}

fn tables_rows(builder: &SuitabilityBuilder) -> u64 {
    builder.rows()
}

impl TableSource for CsvSource {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        let tables = self.tables().map_err(SourceError::new)?;
        Ok(Box::new(tables.map(|table| {
            table.map(Cow::Owned).map_err(SourceError::new)
        })))
    }
}

/// The tables of one pass, in order. A file without rows gives one table without rows.
pub struct CsvTables<'s> {
    source: &'s CsvSource,
    reader: RecordReader,
    pass: Pass<'s>,
    any: bool,
    done: bool,
}

impl fmt::Debug for CsvTables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsvTables")
            .field("report", &self.pass.report)
            .finish_non_exhaustive()
    }
}

impl CsvTables<'_> {
    /// What has happened so far; complete after the last table.
    pub const fn report(&self) -> &IngestReport {
        &self.pass.report
    }

    fn read_table(&mut self) -> Result<Option<Table>, IngestError> {
        let header_records = u64::from(self.source.params.params().header);
        while !self.pass.is_full() {
            let next = self.reader.next()?;
            let row = self.reader.records() - header_records.min(self.reader.records());
            match next {
                Next::End => {
                    self.done = true;
                    self.pass.finish(self.reader.bytes_read())?;
                    *self
                        .source
                        .report
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner) = Some(self.pass.report.clone());
                    break;
                }
                Next::Record => self.record(row, None)?,
                Next::Broken { class, column, cut } => {
                    let column = column.and_then(|position| self.target_at(position));
                    self.record(row, Some((Broken { class, column }, cut)))?;
                }
            }
        }
        // A source gives at least one table, so that its columns are known.
        if self.pass.is_empty() && self.any {
            return Ok(None);
        }
        self.any = true;
        self.pass.take_table().map(Some)
    }

    fn target_at(&self, position: usize) -> Option<usize> {
        self.pass
            .targets()
            .iter()
            .position(|target| target.position == Some(position))
    }

    fn record(&mut self, row: u64, broken: Option<(Broken, bool)>) -> Result<(), IngestError> {
        let fields = self.reader.fields();
        let delimiter = self.source.plan.delimiter;
        let policies = self.source.params.params().policies;
        let mut noted = Vec::new();
        let max_field = self.source.params.params().limits.max_field;
        if let Some((broken, cut)) = broken {
            let hopeless = matches!(
                broken.class,
                BadRecordClass::RowTooLong | BadRecordClass::UnclosedQuote
            );
            if cut || hopeless || policies.of(broken.class) != Policy::Coerce {
                return self
                    .pass
                    .broken_row(row, broken, &encode(fields, delimiter));
            }
            noted.push(broken);
        }
        if self.reader.field_count() != self.source.header.len() {
            let ragged = Broken {
                class: BadRecordClass::RaggedRow,
                column: None,
            };
            if policies.of(BadRecordClass::RaggedRow) != Policy::Coerce {
                return self
                    .pass
                    .broken_row(row, ragged, &encode(fields, delimiter));
            }
            noted.push(ragged);
        }
        let targets = Arc::clone(&self.source.targets);
        let cell = |index: usize| match targets[index]
            .position
            .and_then(|position| fields.at(position))
        {
            None => Cell::Missing,
            Some(bytes) if bytes.len() > max_field => {
                Cell::Bytes(cut_at_character(bytes, max_field))
            }
            Some(bytes) => Cell::Bytes(bytes),
        };
        self.pass
            .row(row, cell, || encode(fields, delimiter), &noted)
    }
}

/// The first bytes of a field, without a character that would be cut in two.
fn cut_at_character(bytes: &[u8], limit: usize) -> &[u8] {
    let is_middle = |at: usize| bytes.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let cut = (limit.saturating_sub(3)..=limit)
        .rev()
        .find(|&at| !is_middle(at))
        .unwrap_or(limit);
    &bytes[..cut]
}

/// A record as CSV again.
fn encode(fields: Fields<'_>, delimiter: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(fields.bytes().len() + fields.len());
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            out.push(delimiter);
        }
        quote_into(field, delimiter, &mut out);
    }
    out
}

impl Iterator for CsvTables<'_> {
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
