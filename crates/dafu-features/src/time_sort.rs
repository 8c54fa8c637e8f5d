//! Rows in the order of event time, in bounded memory whatever the length of the source.

mod layout;
mod merge;
mod sorter;
mod spill;
#[cfg(test)]
mod tests;

use crate::FeatureError;
use dafu_core::table::Chunks;
use dafu_core::{SourceError, Table, TableSource, Timestamp};
use layout::Layout;
use merge::MergedTables;
use sorter::{RowOrder, Sorter};
use spill::Run;
use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

const MOST_ROWS: usize = 1 << 30;

/// How a source is brought into the order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct TimeSortParams {
    /// Rows sorted in memory at once, 1 to 1,073,741,824. A source that is not in order and has more rows goes
    /// through temporary files.
    pub run_rows: usize,
    /// Rows of the tables that come out, 1 to 1,073,741,824. A source that is in order keeps its own tables.
    pub chunk_rows: usize,
    /// Where temporary files go; `None` for the directory of the system.
    pub temp_dir: Option<PathBuf>,
}

impl Default for TimeSortParams {
    fn default() -> Self {
        Self {
            run_rows: 1 << 18,
            chunk_rows: 1 << 14,
            temp_dir: None,
        }
    }
}

impl TimeSortParams {
    /// Sets the rows sorted in memory at once.
    #[must_use]
    pub fn run_rows(mut self, run_rows: usize) -> Self {
        self.run_rows = run_rows;
        self
    }

    /// Sets the rows of the tables that come out.
    #[must_use]
    pub fn chunk_rows(mut self, chunk_rows: usize) -> Self {
        self.chunk_rows = chunk_rows;
        self
    }

    /// Sets where temporary files go.
    #[must_use]
    pub fn temp_dir(mut self, temp_dir: impl Into<PathBuf>) -> Self {
        self.temp_dir = Some(temp_dir.into());
        self
    }

    /// Checks every parameter. Whether files can be written is seen when the first one is.
    ///
    /// # Errors
    ///
    /// [`FeatureError::OutOfRange`] with the name of the parameter.
    pub fn check(&self) -> Result<CheckedTimeSortParams, FeatureError> {
        for (parameter, got) in [("run_rows", self.run_rows), ("chunk_rows", self.chunk_rows)] {
            if !(1..=MOST_ROWS).contains(&got) {
                return Err(FeatureError::OutOfRange {
                    parameter,
                    min: 1,
                    max: 1 << 30,
                    got: i64::try_from(got).unwrap_or(i64::MAX),
                });
            }
        }
        Ok(CheckedTimeSortParams(self.clone()))
    }
}

/// Parameters that passed [`TimeSortParams::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedTimeSortParams(TimeSortParams);

impl CheckedTimeSortParams {
    /// The parameters.
    pub fn params(&self) -> &TimeSortParams {
        &self.0
    }

    /// [`TimeSorted::new`] with these parameters.
    ///
    /// # Errors
    ///
    /// Those of [`TimeSorted::new`], parameters aside.
    pub fn sort<'a>(&self, source: &'a dyn TableSource) -> Result<TimeSorted<'a>, FeatureError> {
        let chunk_rows = self.0.chunk_rows;
        // The first pass has ended, and its table is gone, before the second begins.
        if let Some(rows) = rows_in_order(source)? {
            return Ok(TimeSorted {
                source,
                chunk_rows,
                rows,
                order: Order::AsItCame,
            });
        }
        let sorted = Sorter::new(&self.0).sort(source)?;
        Ok(TimeSorted {
            source,
            chunk_rows,
            rows: sorted.rows,
            order: sorted.order,
        })
    }
}

/// How many rows a source has, if they are in order.
fn rows_in_order(source: &dyn TableSource) -> Result<Option<u64>, FeatureError> {
    let mut watch = Watch::default();
    for table in source.chunks()? {
        if watch.observe(&*table?)?.is_some() {
            return Ok(None);
        }
    }
    Ok(Some(watch.rows))
}

/// The rows of another source in the order of the time column; rows of one instant keep the order in which they came.
///
/// Every cell and every row number is that of the source, bit for bit.
///
/// - A source that is in order already is passed through: its own tables, as they are, borrowed where it lends them.
/// - One that is not and has at most [`TimeSortParams::run_rows`] rows is sorted in memory.
/// - A longer one is cut into runs of so many rows, each sorted and written to a temporary file, and read back by
///   merging at most 64 files at once. On Unix only the owner may read the files. They are removed with this value,
///   and also when sorting fails; a process that is killed leaves files named `dafu-sort-*.tmp`.
///
/// Sorting is done once, in [`TimeSorted::new`]; [`TableSource::chunks`] may be called any number of times.
///
/// ```
/// use dafu_core::{Currency, Money, Table, TableSource, Transaction};
/// use dafu_features::{TimeSortParams, TimeSorted};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let paid = Money::from_major(9.5, Currency::new("EUR")?)?;
/// let mut transactions = Vec::new();
/// for (id, day) in [("late", 3), ("early", 1), ("between", 2)] {
///     let at = format!("2026-03-{day:02}T12:00:00Z").parse()?;
///     transactions.push(Transaction::new(id.parse()?, "u-1".parse()?, paid, "m-1".parse()?, at));
/// }
/// let source = Table::from_transactions(&transactions);
/// let sorted = TimeSorted::new(&source, &TimeSortParams::default())?;
/// assert!(!sorted.is_sorted());
/// for table in sorted.chunks()? {
///     assert_eq!(table?.row_numbers(), [2, 3, 1]);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Complexity
///
/// For n rows in runs of r rows and m = ceil(n / r) runs:
///
/// - Time: O(n) for a source in order, else O(n log n) comparisons. A source in order is read once by `new`; another
///   one up to its first row out of order, then once to its end.
/// - Disk: each row is written once; for m > 64 (more than 16,777,216 rows with the default) some or all rows are
///   merged into larger files beforehand and so written once more, up to m = 4,096, and about once more for each
///   further factor of 64.
/// - Memory: r rows with 16 bytes more for each and one table of the source while sorting (and after it, when all rows
///   fit into one run); one table of [`TimeSortParams::chunk_rows`] rows and 64 buffers of 64 KiB for each iterator of
///   a source in files. A row that is longer than 64 KiB makes the buffer as long as itself.
/// - Files: at most 65 open at once while sorting, 64 for each iterator.
pub struct TimeSorted<'a> {
    source: &'a dyn TableSource,
    chunk_rows: usize,
    rows: u64,
    order: Order,
}

/// Where the rows in order are.
#[derive(Debug)]
enum Order {
    /// In the source.
    AsItCame,
    /// In a table in the order of arrival, with the order of time beside it.
    InMemory { table: Table, order: RowOrder },
    /// In files, each in order, at most [`spill::FAN_IN`] of them.
    InFiles { layout: Layout, runs: Vec<Run> },
}

impl fmt::Debug for TimeSorted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeSorted")
            .field("rows", &self.rows)
            .field("is_sorted", &self.is_sorted())
            .field("spilled_bytes", &self.spilled_bytes())
            .finish_non_exhaustive()
    }
}

impl<'a> TimeSorted<'a> {
    /// Looks whether a source is in order and sorts it if it is not.
    ///
    /// The source is read up to its first row out of order, then from its beginning, so it must give the same rows
    /// each time. What a source does once, in its next whole pass (such as writing bad records somewhere), should be
    /// done before, since the first pass may end early. Should a source in order have changed when it is read later,
    /// the iterator says so with [`FeatureError::SourceChanged`].
    ///
    /// # Errors
    ///
    /// - [`FeatureError::OutOfRange`] for parameters;
    /// - [`FeatureError::Source`] when the source fails;
    /// - [`FeatureError::NoTimeColumn`] and [`FeatureError::MissingTime`] when rows cannot be ordered;
    /// - [`FeatureError::ChangedColumns`] when its tables differ in the number, names, roles or storage of columns;
    /// - [`FeatureError::TempFile`] when a temporary file cannot be written or read, [`FeatureError::DamagedTempFile`]
    ///   when one was changed by others.
    ///
    /// # Complexity
    ///
    /// See [`TimeSorted`].
    pub fn new(source: &'a dyn TableSource, params: &TimeSortParams) -> Result<Self, FeatureError> {
        params.check()?.sort(source)
    }

    /// Whether the source was in order already, so that its tables are passed through.
    pub fn is_sorted(&self) -> bool {
        matches!(self.order, Order::AsItCame)
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes that the temporary files hold now; 0 when there are none.
    pub fn spilled_bytes(&self) -> u64 {
        match &self.order {
            Order::InFiles { runs, .. } => runs.iter().map(Run::bytes).sum(),
            Order::AsItCame | Order::InMemory { .. } => 0,
        }
    }

    /// The tables of a source in order, each looked at again.
    fn pass_through(&self) -> Result<Chunks<'_>, SourceError> {
        let mut watch = Some(Watch::default());
        Ok(Box::new(self.source.chunks()?.map_while(move |chunk| {
            let mut now = watch.take()?;
            let chunk = chunk.and_then(|table| match now.observe(&table) {
                Ok(None) => Ok(table),
                Ok(Some(row)) => Err(SourceError::new(FeatureError::SourceChanged { row })),
                Err(error) => Err(SourceError::new(error)),
            });
            if chunk.is_ok() {
                watch = Some(now);
            }
            Some(chunk)
        })))
    }
}

impl TableSource for TimeSorted<'_> {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        match &self.order {
            Order::AsItCame => self.pass_through(),
            Order::InMemory { table, order } => {
                Ok(Box::new(order.chunks(self.chunk_rows).map(|places| {
                    let places: Vec<usize> = places.iter().map(|&(_, place)| place).collect();
                    Ok(Cow::Owned(table.select(&places)))
                })))
            }
            Order::InFiles { layout, runs } => {
                let tables = MergedTables::open(layout, runs, self.chunk_rows);
                let tables = tables.map_err(SourceError::new)?;
                Ok(Box::new(tables.map(|table| {
                    table.map(Cow::Owned).map_err(SourceError::new)
                })))
            }
        }
    }

    fn rows_hint(&self) -> Option<u64> {
        self.source.rows_hint().or(Some(self.rows))
    }
}

/// Looks at tables as they come: are the columns the same, and the times in order?
#[derive(Debug, Default)]
struct Watch {
    layout: Option<Layout>,
    last: Option<Timestamp>,
    rows: u64,
}

impl Watch {
    /// The number of the first row out of order, if one is. After that nothing more may be observed.
    fn observe(&mut self, table: &Table) -> Result<Option<u64>, FeatureError> {
        let layout = Layout::known_or_of(&mut self.layout, table)?;
        for (time, &row) in layout.times(table)?.iter().zip(table.row_numbers()) {
            let time = time.ok_or(FeatureError::MissingTime { row })?;
            if self.last.is_some_and(|last| time < last) {
                return Ok(Some(row));
            }
            self.last = Some(time);
            self.rows += 1;
        }
        Ok(None)
    }
}
