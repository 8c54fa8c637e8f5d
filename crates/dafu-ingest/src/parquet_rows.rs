//! The records of a Parquet file, one after the other, into a pass.

use crate::convert::{Cell, Target, is_missing};
use crate::detect::{Detection, names};
use crate::input::Origin;
use crate::params::CheckedIngestParams;
use crate::parquet_column::{ColumnChunk, Meaning};
use crate::parquet_page::CheckedPages;
use crate::pass::{Broken, Pass, cell_bytes, cut_at_character, quote_into};
use crate::plan::RolePlan;
use crate::sample::Sample;
use crate::{BadRecordClass, IngestError, Policy, roles};
use dafu_core::table::Storage;
use dafu_core::{Role, Timestamp};
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescPtr;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Rows that are decoded at once.
const BATCH: usize = 4096;

/// Runs a part of the Parquet reader: its errors, and should it ever panic on a damaged file, that too, become ours.
fn guarded<T>(row: u64, act: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, IngestError> {
    let failed = |problem: String| IngestError::Parquet { row, problem };
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(result) => result.map_err(|error| failed(error.to_string())),
        Err(_) => Err(failed("the file is damaged".to_owned())),
    }
}

fn open(origin: &Origin) -> Result<Box<dyn FileReader>, IngestError> {
    match origin {
        Origin::Path(path) => {
            let file = File::open(path).map_err(|source| IngestError::Open {
                path: path.display().to_string(),
                source,
            })?;
            guarded(0, || Ok(Box::new(SerializedFileReader::new(file)?) as _))
        }
        Origin::Bytes(bytes) => {
            let bytes = bytes::Bytes::from_owner(Arc::clone(bytes));
            guarded(0, || Ok(Box::new(SerializedFileReader::new(bytes)?) as _))
        }
    }
}

fn leaves(reader: &dyn FileReader) -> Vec<ColumnDescPtr> {
    let metadata = reader.metadata().file_metadata();
    metadata.schema_descr().columns().to_vec()
}

/// What is known of a file without its rows.
#[derive(Clone)]
pub(crate) struct ParquetFile {
    pub(crate) rows: u64,
    /// Why a column cannot be read, by its place.
    unreadable: Vec<Option<&'static str>>,
}

impl ParquetFile {
    /// Finds out what the columns mean; with a plan of an earlier file, that plan says it.
    pub(crate) fn detect(
        origin: &Origin,
        params: &CheckedIngestParams,
        known: Option<&RolePlan>,
    ) -> Result<(Self, Detection), IngestError> {
        let reader = open(origin)?;
        let leaves = leaves(&*reader);
        let limit = params.params().limits.max_columns;
        if leaves.len() > limit {
            return Err(IngestError::TooManyColumns { limit });
        }
        if leaves.is_empty() {
            return Err(IngestError::Empty);
        }
        let mut assumptions = Vec::new();
        let paths = leaves.iter().map(|leaf| leaf.path().string());
        let header = names(paths.collect(), &mut assumptions);
        let unreadable = leaves.iter().map(|leaf| match Meaning::of(leaf) {
            Meaning::Unreadable(why) => Some(why),
            _ => None,
        });
        let rows = reader.metadata().file_metadata().num_rows();
        let file = Self {
            rows: u64::try_from(rows).unwrap_or(0),
            unreadable: unreadable.collect(),
        };
        let plan = if let Some(known) = known {
            known.clone()
        } else {
            let sample = file.sample(reader, &leaves, params)?;
            let plan = roles::detect(&header, &sample, params.params(), assumptions)?;
            file.without_unreadable(plan, params)
        };
        Ok((file, Detection { header, plan }))
    }

    /// The first rows, with their values written as text.
    fn sample(
        &self,
        reader: Box<dyn FileReader>,
        leaves: &[ColumnDescPtr],
        params: &CheckedIngestParams,
    ) -> Result<Sample, IngestError> {
        let places =
            (0..leaves.len()).map(|place| self.unreadable[place].is_none().then_some(place));
        let mut batch = Batch::new(reader, leaves, places);
        let mut sample = Sample::new(leaves.len());
        let wanted = params.params().sample_rows;
        while sample.rows() < wanted
            && !sample.is_full()
            && batch.next(sample.rows() as u64, wanted - sample.rows())?
        {
            for row in 0..batch.held {
                let cells = (0..leaves.len()).map(|column| written(&batch.cell(column, row)));
                let fields: Vec<Vec<u8>> = cells.collect();
                sample.push(fields.iter().map(Vec::as_slice));
            }
        }
        Ok(sample)
    }

    /// Leaves out what cannot be read, unless the parameters name it: then there will be an error.
    fn without_unreadable(&self, mut plan: RolePlan, params: &CheckedIngestParams) -> RolePlan {
        for (column, why) in plan.columns.iter_mut().zip(&self.unreadable) {
            if let Some(why) = why
                && !params.params().roles.contains_key(&column.name)
            {
                column.role = Role::Ignore;
                column.confidence = 1.0;
                (*why).clone_into(&mut column.reason);
            }
        }
        plan
    }

    /// Refuses columns that cannot be read.
    pub(crate) fn check(&self, targets: &[Target]) -> Result<(), IngestError> {
        for target in targets {
            if let Some(why) = target.position.and_then(|place| self.unreadable[place]) {
                return Err(IngestError::UnreadableColumn {
                    column: target.name.to_string(),
                    why,
                });
            }
        }
        Ok(())
    }
}

/// A cell as a CSV file would hold it.
fn written(cell: &Cell<'_>) -> Vec<u8> {
    let time = |micros: i64, instant: bool| match Timestamp::from_micros(micros) {
        Ok(at) if instant => at.to_string(),
        Ok(at) => at.to_string().trim_end_matches('Z').to_owned(),
        Err(_) => micros.to_string(),
    };
    match *cell {
        Cell::Micros(micros) => time(micros, true).into_bytes(),
        Cell::WallMicros(micros) => time(micros, false).into_bytes(),
        Cell::Number(number) if number.is_nan() => Vec::new(),
        _ => cell_bytes(cell),
    }
}

/// A column that is read: its place in the file, the values of a batch, and where the next ones come from.
struct Stream {
    place: usize,
    chunk: ColumnChunk,
    reader: Option<ColumnReader>,
}

/// Some rows of a file, decoded column by column.
struct Batch {
    file: Box<dyn FileReader>,
    /// `None` for a column whose cells are all missing.
    columns: Vec<Option<Stream>>,
    group: usize,
    /// Rows of the group that have not been decoded.
    left: u64,
    /// Rows of the batch.
    held: usize,
}

impl Batch {
    fn new(
        file: Box<dyn FileReader>,
        leaves: &[ColumnDescPtr],
        places: impl Iterator<Item = Option<usize>>,
    ) -> Self {
        let stream = |place: usize| Stream {
            place,
            chunk: ColumnChunk::new(&leaves[place]),
            reader: None,
        };
        Self {
            file,
            columns: places.map(|place| place.map(stream)).collect(),
            group: 0,
            left: 0,
            held: 0,
        }
    }

    /// Decodes the next batch of at most `most` rows; `false` at the end of the file. `row` is named in errors.
    fn next(&mut self, row: u64, most: usize) -> Result<bool, IngestError> {
        self.held = 0;
        while self.left == 0 {
            if self.group >= self.file.num_row_groups() {
                return Ok(false);
            }
            let (file, group) = (&self.file, self.group);
            let rows = guarded(row, || file.get_row_group(group))?;
            self.left = u64::try_from(rows.metadata().num_rows()).unwrap_or(0);
            for stream in self.columns.iter_mut().flatten() {
                let leaf = rows.metadata().column(stream.place).column_descr_ptr();
                let has_levels = leaf.max_def_level() > 0;
                let pages = guarded(row, || rows.get_column_page_reader(stream.place))?;
                let pages = Box::new(CheckedPages::new(pages, has_levels));
                stream.reader = Some(get_column_reader(leaf, pages));
            }
            self.group += 1;
        }
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let wanted = left.min(BATCH).min(most);
        for stream in self.columns.iter_mut().flatten() {
            let Some(reader) = &mut stream.reader else {
                continue;
            };
            let read = guarded(row, || stream.chunk.read(reader, wanted))?;
            if read != wanted {
                return Err(IngestError::Parquet {
                    row,
                    problem: format!("a column ends {} rows early", wanted - read),
                });
            }
        }
        self.left -= wanted as u64;
        self.held = wanted;
        Ok(true)
    }

    fn cell(&self, column: usize, row: usize) -> Cell<'_> {
        match &self.columns[column] {
            Some(stream) => stream.chunk.cell(row),
            None => Cell::Missing,
        }
    }
}

pub(crate) struct ParquetRows<'s> {
    batch: Batch,
    params: &'s CheckedIngestParams,
    /// The next row of the batch.
    at: usize,
    rows: u64,
    bytes: u64,
}

impl<'s> ParquetRows<'s> {
    pub(crate) fn open(
        origin: &Origin,
        params: &'s CheckedIngestParams,
        targets: &[Target],
    ) -> Result<Self, IngestError> {
        let reader = open(origin)?;
        let leaves = leaves(&*reader);
        let places = targets.iter().map(|target| target.position);
        // The file may have been exchanged since its columns were looked at.
        if let Some(gone) = places
            .clone()
            .flatten()
            .find(|&place| place >= leaves.len())
        {
            return Err(IngestError::Parquet {
                row: 0,
                problem: format!("column {} is no longer there", gone + 1),
            });
        }
        Ok(Self {
            batch: Batch::new(reader, &leaves, places),
            params,
            at: 0,
            rows: 0,
            bytes: 0,
        })
    }

    /// Bytes of the values read so far.
    pub(crate) const fn bytes_read(&self) -> u64 {
        self.bytes
    }

    /// Gives the next record to a pass; `false` at the end of the file.
    pub(crate) fn next(&mut self, pass: &mut Pass<'_>) -> Result<bool, IngestError> {
        if self.at == self.batch.held {
            self.at = 0;
            if !self.batch.next(self.rows, BATCH)? {
                return Ok(false);
            }
        }
        self.rows += 1;
        self.bytes += self.width();
        let limit = self.params.params().limits.max_bytes;
        if self.bytes > limit {
            let row = self.rows - 1;
            return Err(IngestError::TooManyBytes { row, limit });
        }
        self.record(pass)?;
        self.at += 1;
        Ok(true)
    }

    fn width(&self) -> u64 {
        let cells = (0..self.batch.columns.len()).map(|column| self.batch.cell(column, self.at));
        let width = |cell| match cell {
            Cell::Missing => 0,
            Cell::Bytes(bytes) => bytes.len() as u64,
            Cell::Flag(_) => 1,
            Cell::Number(_) | Cell::Integer(_) | Cell::Micros(_) | Cell::WallMicros(_) => 8,
        };
        cells.map(width).sum()
    }

    fn record(&self, pass: &mut Pass<'_>) -> Result<(), IngestError> {
        let (batch, at, row) = (&self.batch, self.at, self.rows);
        let params = self.params.params();
        let max_field = params.limits.max_field;
        let columns = batch.columns.len();
        let raw = || {
            let mut out = Vec::new();
            for column in 0..columns {
                if column > 0 {
                    out.push(b',');
                }
                quote_into(&written(&batch.cell(column, at)), b',', &mut out);
            }
            out
        };
        let width: usize = (0..columns)
            .map(|column| match batch.cell(column, at) {
                Cell::Bytes(bytes) => bytes.len(),
                _ => 0,
            })
            .sum();
        if width > params.limits.max_row {
            let broken = Broken {
                class: BadRecordClass::RowTooLong,
                column: None,
            };
            return pass.broken_row(row, broken, &raw());
        }
        let is_long = |&column: &usize| matches!(batch.cell(column, at), Cell::Bytes(bytes) if bytes.len() > max_field);
        let mut noted = Vec::new();
        if let Some(column) = (0..columns).find(is_long) {
            let broken = Broken {
                class: BadRecordClass::FieldTooLong,
                column: Some(column),
            };
            if params.policies.of(broken.class) != Policy::Coerce {
                return pass.broken_row(row, broken, &raw());
            }
            noted.push(broken);
        }
        let missing = &params.missing;
        let cell = |column: usize| match batch.cell(column, at) {
            Cell::Bytes(bytes) => Cell::Bytes(cut_at_character(bytes, max_field)),
            // Markers for missing values may be numbers too.
            Cell::Integer(number)
                if !missing.is_empty()
                    && is_missing(&number.to_string(), Storage::Number, missing) =>
            {
                Cell::Missing
            }
            other => other,
        };
        pass.row(row, cell, raw, &noted)
    }
}
