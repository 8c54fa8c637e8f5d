//! Sources to sort, and the order they are expected in.
#![allow(
    dead_code,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests; not every test file uses everything"
)]

use crate::common::{column, numbers};
use dafu_core::table::{Chunks, ColumnData, SourceError, Storage};
use dafu_core::{Label, Role, Table, TableSource, Timestamp};
use dafu_features::{FeatureError, TimeSortParams};
use std::borrow::Cow;
use std::cell::Cell;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A directory that is removed with this value.
pub struct Dir(pub PathBuf);

impl Dir {
    pub fn new() -> Self {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("time-sort-{}-{count}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn params(&self, run_rows: usize) -> TimeSortParams {
        let params = TimeSortParams::default().run_rows(run_rows);
        params.temp_dir(self.0.clone())
    }

    pub fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A table given in pieces of these sizes, again and again; a hole in the sizes gives a table without rows.
pub struct Cut {
    table: Table,
    sizes: Vec<usize>,
    pub passes: Cell<usize>,
}

impl Cut {
    pub fn new(table: &Table, sizes: &[usize]) -> Self {
        let (table, sizes) = (table.clone(), sizes.to_vec());
        let passes = Cell::new(0);
        Self {
            table,
            sizes,
            passes,
        }
    }
}

impl TableSource for Cut {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        self.passes.set(self.passes.get() + 1);
        let mut from = 0;
        let mut sizes = self.sizes.iter().cycle();
        let mut first = true;
        Ok(Box::new(std::iter::from_fn(move || {
            let size = *sizes.next()?;
            if from == self.table.rows() && !first {
                return None;
            }
            first = false;
            let rows: Vec<usize> = (from..(from + size).min(self.table.rows())).collect();
            from += rows.len();
            Some(Ok(Cow::Owned(self.table.select(&rows))))
        })))
    }
}

/// A source of other tables each time.
pub struct Passes(Vec<Vec<Table>>, Cell<usize>);

impl Passes {
    pub fn new(passes: Vec<Vec<Table>>) -> Self {
        Self(passes, Cell::new(0))
    }
}

impl TableSource for Passes {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        let pass = self.1.get();
        self.1.set(pass + 1);
        Ok(Box::new(
            self.0[pass].iter().map(|table| Ok(Cow::Borrowed(table))),
        ))
    }

    fn rows_hint(&self) -> Option<u64> {
        Some(77)
    }
}

/// A value, by its bits.
#[derive(Debug, PartialEq)]
pub enum Value {
    Row(u64),
    Number(u64),
    Text(Option<String>),
    Time(Option<Timestamp>),
    Label(Label),
}

fn row_values(table: &Table, row: usize) -> Vec<Value> {
    let mut values = vec![Value::Row(table.row_numbers()[row])];
    values.extend(table.columns().iter().map(|column| match &column.data {
        ColumnData::Number(values) => Value::Number(values[row].to_bits()),
        ColumnData::Text(values) => Value::Text(values.at(row).map(str::to_owned)),
        ColumnData::Time(values) => Value::Time(values[row]),
        ColumnData::Label(values) => Value::Label(values[row]),
    }));
    values
}

pub fn header(table: &Table) -> Vec<(String, Role, Storage)> {
    let columns = table.columns().iter();
    columns
        .map(|column| (column.name.to_string(), column.role, column.data.storage()))
        .collect()
}

pub fn times(table: &Table) -> Vec<Option<Timestamp>> {
    let column = table.by_role(Role::Time);
    column.map_or_else(Vec::new, |column| column.times().unwrap().to_vec())
}

/// The oracle: all rows, sorted with the stable sort of the standard library.
pub fn in_order(table: &Table) -> Vec<Vec<Value>> {
    let times = times(table);
    let mut rows: Vec<usize> = (0..table.rows()).collect();
    rows.sort_by_key(|&row| times[row]);
    rows.into_iter().map(|row| row_values(table, row)).collect()
}

/// All rows of a source; every table must have the columns of `like`.
pub fn all_rows(source: &dyn TableSource, like: &Table) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for table in source.chunks().unwrap() {
        let table = table.unwrap();
        assert_eq!(header(&table), header(like));
        rows.extend((0..table.rows()).map(|row| row_values(&table, row)));
    }
    rows
}

/// Rows at these seconds, with their numbers from 1 as a column as well.
pub fn at_seconds(seconds: impl IntoIterator<Item = i64>) -> Table {
    let times: Vec<_> = seconds
        .into_iter()
        .map(|second| Some(Timestamp::from_seconds(second).unwrap()))
        .collect();
    let rows = times.len();
    let columns = vec![
        numbers("number", Role::Numeric, (0..rows).map(|row| row as f64)),
        column("at", Role::Time, ColumnData::Time(times)),
    ];
    Table::new(columns, (1..=rows as u64).collect()).unwrap()
}

/// Seconds in disorder with many ties, as by a small generator.
pub fn shuffled(rows: u32) -> Table {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let states = std::iter::successors(Some(7_u32), next);
    at_seconds(
        states
            .take(rows as usize)
            .map(|state| i64::from(state >> 8) % i64::from(rows / 2)),
    )
}

/// The error under that of a source.
pub fn feature_error(error: &SourceError) -> &FeatureError {
    error.source().unwrap().downcast_ref().unwrap()
}
