//! What tables say.

use super::{DecisionTable, TableRow, TableValue};
use std::fmt;

/// Rows that count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rows {
    One(Option<usize>),
    Many(Vec<usize>),
}

/// What a table says of an event.
#[derive(Clone)]
pub struct TableAnswer<'a> {
    pub(super) table: &'a DecisionTable,
    pub(super) rows: Rows,
    /// One bit for each input.
    pub(super) missing: u64,
}

impl fmt::Debug for TableAnswer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing: Vec<&str> = self.missing().collect();
        f.debug_struct("TableAnswer")
            .field("rows", &self.rows())
            .field("missing", &missing)
            .finish_non_exhaustive()
    }
}

impl<'a> TableAnswer<'a> {
    /// Places of the rows that count, from 0, in the order of the table: several only where all are collected.
    pub fn rows(&self) -> &[usize] {
        match &self.rows {
            Rows::One(row) => row.as_slice(),
            Rows::Many(rows) => rows,
        }
    }

    /// The place of the first row that counts.
    pub fn row(&self) -> Option<usize> {
        self.rows().first().copied()
    }

    /// The first row that counts, as it stands in the table.
    pub fn table_row(&self) -> Option<&'a TableRow> {
        self.table.rows.get(self.row()?)
    }

    /// What the first row that counts says, in the order of the outputs.
    pub fn outputs(&self) -> Option<&'a [TableValue]> {
        self.table_row().map(|row| row.outputs.as_slice())
    }

    /// What the first row that counts says in one output column. O(outputs).
    pub fn output(&self, name: &str) -> Option<&'a TableValue> {
        self.all(name).next()
    }

    /// What all rows that count say in one output column. O(outputs).
    pub fn all(&self, name: &str) -> impl Iterator<Item = &'a TableValue> {
        let table = self.table;
        let place = table.outputs.iter().position(|output| output == name);
        let rows = self.rows().iter();
        rows.filter_map(move |row| table.rows.get(*row)?.outputs.get(place?))
    }

    /// Inputs that were missing although cells test them: rows with such cells did not match.
    pub fn missing(&self) -> impl Iterator<Item = &'a str> {
        let missing = self.missing;
        let inputs = self.table.inputs.iter().enumerate();
        inputs.filter_map(move |(at, input)| (missing >> at & 1 == 1).then_some(input.as_str()))
    }
}
