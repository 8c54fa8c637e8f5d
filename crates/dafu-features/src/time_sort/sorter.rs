//! Rows cut into runs, each sorted.

use super::layout::Layout;
use super::spill::{RunWriter, Runs};
use super::{Order, TimeSortParams};
use crate::FeatureError;
use dafu_core::{Table, TableSource, Timestamp};

/// Times with the places of their rows. Sorted as pairs, so that rows of one instant keep their order.
pub(super) type RowOrder = Vec<(Timestamp, usize)>;

/// A source that has been sorted.
#[derive(Debug)]
pub(super) struct Sorted {
    pub(super) rows: u64,
    pub(super) order: Order,
}

/// Takes rows as they come.
#[derive(Debug)]
pub(super) struct Sorter {
    run_rows: usize,
    layout: Option<Layout>,
    /// The rows of the run that grows.
    buffer: Table,
    order: RowOrder,
    runs: Runs,
    rows: u64,
}

impl Sorter {
    pub(super) fn new(params: &TimeSortParams) -> Self {
        let temp_dir = params.temp_dir.clone().unwrap_or_else(std::env::temp_dir);
        Self {
            run_rows: params.run_rows,
            layout: None,
            buffer: Table::default(),
            order: Vec::new(),
            runs: Runs::new(temp_dir),
            rows: 0,
        }
    }

    /// Sorts all rows of a source.
    pub(super) fn sort(mut self, source: &dyn TableSource) -> Result<Sorted, FeatureError> {
        for table in source.chunks()? {
            self.observe(&*table?)?;
        }
        match self.layout.take() {
            Some(layout) if !self.runs.is_empty() => {
                self.spill(&layout)?;
                let runs = self.runs.finish()?;
                Ok(Sorted {
                    rows: self.rows,
                    order: Order::InFiles { layout, runs },
                })
            }
            _ => {
                self.order.sort_unstable();
                let (table, order) = (self.buffer, self.order);
                Ok(Sorted {
                    rows: self.rows,
                    order: Order::InMemory { table, order },
                })
            }
        }
    }

    fn observe(&mut self, table: &Table) -> Result<(), FeatureError> {
        let layout = if let Some(layout) = self.layout.take() {
            layout
        } else {
            let layout = Layout::of(table)?;
            self.buffer = layout.empty().clone();
            layout
        };
        let times = layout.times(table)?.iter().zip(table.row_numbers());
        for (place, (time, &row)) in times.enumerate() {
            let time = time.ok_or(FeatureError::MissingTime { row })?;
            if self.order.len() == self.run_rows {
                self.spill(&layout)?;
            }
            self.order.push((time, self.order.len()));
            self.buffer.push_row_from(table, place);
            self.rows += 1;
        }
        self.layout = Some(layout);
        Ok(())
    }

    /// Writes the rows that are there to a file.
    fn spill(&mut self, layout: &Layout) -> Result<(), FeatureError> {
        self.order.sort_unstable();
        let mut writer = RunWriter::create(self.runs.temp_dir())?;
        let mut row = Vec::new();
        for &(time, place) in &self.order {
            row.clear();
            layout.encode(&self.buffer, place, time, &mut row);
            writer.push(&row)?;
        }
        let run = writer.finish()?;
        self.order.clear();
        self.buffer = layout.empty().clone();
        self.runs.push(run)
    }
}
