//! The form of a table: counts, names, sizes.

use super::column::Column;
use super::index::{BLOCK_BYTES, blocks_of};
use super::{DecisionTable, TableRow, TableValue};
use crate::{RuleError, RuleSchema};
use std::collections::{BTreeSet, HashMap};

/// Rows of a table.
const MOST_ROWS: usize = 10_000;

/// Input columns of a table, and output columns.
pub(super) const MOST_COLUMNS: usize = 64;

/// Bytes of an index.
const MOST_BYTES: usize = 256 << 20;

fn wrong(table: &DecisionTable, why: impl Into<String>) -> RuleError {
    RuleError::Table {
        table: table.name.clone(),
        why: why.into(),
    }
}

fn too_large(table: &DecisionTable, what: &'static str, most: usize, got: usize) -> RuleError {
    RuleError::TableTooLarge {
        table: table.name.clone(),
        what,
        most,
        got,
    }
}

/// Counts, names and outputs.
pub(super) fn check_form(table: &DecisionTable) -> Result<(), RuleError> {
    if table.version != 1 {
        let why = format!("the version must be 1, got {}", table.version);
        return Err(wrong(table, why));
    }
    let counts = [
        ("rows", MOST_ROWS, table.rows.len()),
        ("inputs", MOST_COLUMNS, table.inputs.len()),
        ("outputs", MOST_COLUMNS, table.outputs.len()),
    ];
    for (what, most, got) in counts {
        if got == 0 {
            return Err(wrong(table, format!("it has no {what}")));
        }
        if got > most {
            return Err(too_large(table, what, most, got));
        }
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = table.outputs.iter().find(|name| !names.insert(*name)) {
        return Err(wrong(table, format!("the output {twice:?} stands twice")));
    }
    let mut ids = BTreeSet::new();
    for (row, number) in table.rows.iter().zip(1..) {
        check_row(table, row, number)?;
        if let Some(id) = row.id.as_deref()
            && !ids.insert(id)
        {
            let why = format!("row {number} has the id {id:?} of a row before it");
            return Err(wrong(table, why));
        }
    }
    Ok(())
}

fn check_row(table: &DecisionTable, row: &TableRow, number: usize) -> Result<(), RuleError> {
    let counts = [
        ("cells", table.inputs.len(), row.cells.len()),
        ("outputs", table.outputs.len(), row.outputs.len()),
    ];
    if let Some((what, expected, got)) = counts.iter().find(|(_, expected, got)| expected != got) {
        let why = format!("row {number} must have {expected} {what}, got {got}");
        return Err(wrong(table, why));
    }
    let finite = |value: &TableValue| value.as_number().is_none_or(f64::is_finite);
    if !row.outputs.iter().all(finite) {
        let why = format!("row {number} has an output that is not finite");
        return Err(wrong(table, why));
    }
    Ok(())
}

/// The bytes of the index, before equal sets are merged.
pub(super) fn check_size(table: &DecisionTable, columns: &[Column]) -> Result<(), RuleError> {
    let segments: usize = columns.iter().map(Column::segments).sum();
    let set = blocks_of(table.rows.len()) * BLOCK_BYTES;
    let bytes = segments.saturating_mul(set);
    if bytes > MOST_BYTES {
        return Err(too_large(table, "bytes of index", MOST_BYTES, bytes));
    }
    Ok(())
}

/// The input columns, which do not depend on each other.
pub(super) fn columns(
    table: &DecisionTable,
    schema: &RuleSchema,
) -> Result<Vec<Column>, RuleError> {
    let mut columns: Vec<Column> = Vec::with_capacity(table.inputs.len());
    for input in &table.inputs {
        let column = Column::new(&table.name, input, schema)?;
        if let Some(other) = columns.iter().find(|other| !column.goes_with(other)) {
            let other = &other.name;
            let why = format!("the inputs {other:?} and {input:?} depend on each other: keep one");
            return Err(wrong(table, why));
        }
        columns.push(column);
    }
    Ok(columns)
}

/// Rows of equal outputs get equal numbers.
pub(super) fn output_numbers(rows: &[TableRow]) -> Vec<usize> {
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let number = |row: &TableRow| {
        let next = numbers.len();
        // Printed, numbers keep all their digits, and flags, numbers and texts stay apart.
        *numbers.entry(format!("{:?}", row.outputs)).or_insert(next)
    };
    rows.iter().map(number).collect()
}
