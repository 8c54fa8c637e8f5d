//! What happened while reading.

use crate::{BadRecordClass, Policy};
use std::collections::BTreeMap;
use std::fmt;

/// Row numbers kept for each class.
const FIRST_ROWS: usize = 10;
/// Conflicts kept with both rows.
const MAX_CONFLICTS: usize = 1_000;

/// What was found of one class of bad records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ClassReport {
    /// How often it was found.
    pub count: u64,
    /// In how many of these cases the record was left out.
    pub quarantined: u64,
    /// In how many of these cases the record stayed in, with the value changed or kept as the class says.
    pub coerced: u64,
    /// The first rows, at most ten, counted from 1 after the header.
    pub first_rows: Vec<u64>,
    /// The column of the first case, empty when the whole row is meant.
    pub column: String,
    /// The value of the first case, cut, card numbers taken out.
    pub example: String,
}

/// A record that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct QuarantinedRecord {
    /// The row, counted from 1 after the header.
    pub row: u64,
    /// What is wrong.
    pub class: BadRecordClass,
    /// The column, empty when the whole row is meant.
    pub column: String,
    /// The record, cut to 1,000 bytes, card numbers taken out, bytes that are not UTF-8 replaced.
    pub record: String,
}

/// Two records with one transaction id and different content.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Conflict {
    /// The id, cut.
    pub id: String,
    /// The row that has the id first.
    pub first_row: u64,
    /// The row that has it again.
    pub row: u64,
}

/// What happened in one pass over a file: every row is either kept or quarantined, none is dropped in silence.
///
/// Blank lines of a CSV file are no rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct IngestReport {
    /// Rows read, without the header.
    pub rows_read: u64,
    /// Rows given on.
    pub rows_kept: u64,
    /// Rows left out.
    pub rows_quarantined: u64,
    /// Bytes read, after decompression.
    pub bytes_read: u64,
    /// What was found, by class.
    pub classes: BTreeMap<BadRecordClass, ClassReport>,
    /// The first records that were left out.
    pub quarantine: Vec<QuarantinedRecord>,
    /// The first thousand conflicts.
    pub conflicts: Vec<Conflict>,
    /// Rows that have the same values as an earlier one in all columns that are used. Counted where no column is a
    /// transaction id; they are kept, since equal rows of a table without ids may be right.
    pub repeated_rows: Option<u64>,
    /// Transaction ids (or rows without one) that were remembered to find duplicates.
    pub ids_remembered: u64,
    /// The row from which on new ids were no longer remembered, since the limit was reached: duplicates of ids
    /// that came up first after it are not found.
    pub ids_full_from: Option<u64>,
}

impl IngestReport {
    /// How often a class was found.
    pub fn count(&self, class: BadRecordClass) -> u64 {
        self.classes.get(&class).map_or(0, |report| report.count)
    }

    /// Share of rows that were left out, 0 when there are no rows.
    pub fn quarantined_share(&self) -> f64 {
        if self.rows_read == 0 {
            0.0
        } else {
            self.rows_quarantined as f64 / self.rows_read as f64
        }
    }

    pub(crate) fn add(&mut self, finding: Finding<'_>, policy: Policy) {
        let report = self.classes.entry(finding.class).or_default();
        if report.count == 0 {
            finding.column.clone_into(&mut report.column);
            report.example = crate::card_token::shown(finding.value);
        }
        report.count += 1;
        match policy {
            Policy::Coerce => report.coerced += 1,
            Policy::Quarantine => report.quarantined += 1,
            Policy::Reject => {}
        }
        if report.first_rows.len() < FIRST_ROWS {
            report.first_rows.push(finding.row);
        }
    }

    pub(crate) fn add_conflict(&mut self, id: &str, first_row: u64, row: u64) {
        if self.conflicts.len() < MAX_CONFLICTS {
            self.conflicts.push(Conflict {
                id: crate::card_token::shown(id.as_bytes()),
                first_row,
                row,
            });
        }
    }
}

/// One thing that is wrong with one row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finding<'a> {
    pub(crate) class: BadRecordClass,
    pub(crate) row: u64,
    pub(crate) column: &'a str,
    pub(crate) value: &'a [u8],
}

impl fmt::Display for IngestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} rows read, {} kept, {} quarantined",
            self.rows_read, self.rows_kept, self.rows_quarantined
        )?;
        for (class, report) in &self.classes {
            let rows: Vec<String> = report.first_rows.iter().map(u64::to_string).collect();
            let more = if report.count > report.first_rows.len() as u64 {
                ", ..."
            } else {
                ""
            };
            write!(
                f,
                "  {class:<30} {:>10}  ({} left out, {} kept)  rows {}{more}",
                report.count,
                report.quarantined,
                report.coerced,
                rows.join(", "),
            )?;
            if !report.column.is_empty() {
                write!(f, "  e.g. {} = {:?}", report.column, report.example)?;
            }
            writeln!(f)?;
        }
        for conflict in self.conflicts.iter().take(FIRST_ROWS) {
            writeln!(
                f,
                "  transaction {:?} of row {} has other content in row {}",
                conflict.id, conflict.first_row, conflict.row
            )?;
        }
        if let Some(row) = self.ids_full_from {
            writeln!(
                f,
                "  ids were remembered up to the limit of {}; duplicates of ids new from row {row} on are not found",
                self.ids_remembered
            )?;
        }
        Ok(())
    }
}
