//! The records behind the rows of a table, for stages that need more than features.

use crate::PipelineError;
use dafu_core::{Table, Transaction};

/// The transactions of a table, one a row.
///
/// # Errors
///
/// When a column or a value is missing that a transaction needs.
#[cfg(feature = "records")]
pub(crate) fn records(table: &Table) -> Result<Vec<Transaction>, PipelineError> {
    use dafu_core::SourceError;
    let reader = dafu_ingest::TransactionReader::new(table).map_err(SourceError::new)?;
    let read = |row| reader.at(table, row).map_err(SourceError::new);
    Ok((0..table.rows()).map(read).collect::<Result<_, _>>()?)
}

/// Without the feature `records` there are none.
#[cfg(not(feature = "records"))]
pub(crate) fn records(_table: &Table) -> Result<Vec<Transaction>, PipelineError> {
    Err(PipelineError::NoRecords)
}
