//! A part of a source by time: what came until an instant, and what came after it.

use dafu_core::table::Chunks;
use dafu_core::{Role, SourceError, Table, TableSource, Timestamp};
use std::borrow::Cow;

use crate::PipelineError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Until,
    After,
}

/// The rows of a source on one side of an instant.
///
/// Every row is on exactly one side: rows without a time are scored, not learned from, so they come after.
pub struct TimeSlice<'a> {
    source: &'a dyn TableSource,
    cut: Timestamp,
    side: Side,
}

impl std::fmt::Debug for TimeSlice<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimeSlice")
            .field("cut", &self.cut)
            .field("side", &self.side)
            .finish_non_exhaustive()
    }
}

impl<'a> TimeSlice<'a> {
    /// Rows at or before an instant.
    pub fn until(source: &'a dyn TableSource, cut: Timestamp) -> Self {
        Self {
            source,
            cut,
            side: Side::Until,
        }
    }

    /// Rows after an instant, and rows without a time.
    pub fn after(source: &'a dyn TableSource, cut: Timestamp) -> Self {
        Self {
            source,
            cut,
            side: Side::After,
        }
    }

    fn slice<'t>(&self, table: Cow<'t, Table>) -> Result<Cow<'t, Table>, SourceError> {
        let times = table.by_role(Role::Time).and_then(|column| column.times());
        let times = times.ok_or_else(|| SourceError::new(PipelineError::NoTime))?;
        let belongs = |time: &Option<Timestamp>| {
            let until = time.is_some_and(|time| time <= self.cut);
            until == (self.side == Side::Until)
        };
        if times.iter().all(belongs) {
            return Ok(table);
        }
        let rows: Vec<usize> = times
            .iter()
            .enumerate()
            .filter(|(_, time)| belongs(time))
            .map(|(row, _)| row)
            .collect();
        Ok(Cow::Owned(table.select(&rows)))
    }
}

impl TableSource for TimeSlice<'_> {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        let chunks = self.source.chunks()?;
        let sliced = chunks.map(|chunk| chunk.and_then(|table| self.slice(table)));
        Ok(Box::new(sliced.filter(|chunk| {
            chunk.as_ref().map_or(true, |table| table.rows() > 0)
        })))
    }

    fn rows_hint(&self) -> Option<u64> {
        self.source.rows_hint()
    }
}
