//! Scoring rows.

use crate::input::{Accepted, Found, Value};
use crate::masks::{self, Masks};
use crate::part_rows::{self, Parter};
use crate::value::score_of_mean;
use crate::walk::{self, Walker, sum_of_any_row};
use crate::way::WayRule;
use crate::{IsolationForest, IsolationForestError, MissingValues};
use dafu_core::Score;
use ndarray::{ArrayView1, ArrayView2, Axis, Slice};

#[cfg(feature = "parallel")]
use crate::Parallelism;
#[cfg(feature = "parallel")]
use rayon::prelude::*;

/// Block number `block` of rows.
pub(crate) fn block_of<T>(rows: ArrayView2<'_, T>, block: usize, size: usize) -> ArrayView2<'_, T> {
    let start = block * size;
    let end = (start + size).min(rows.nrows());
    rows.slice_axis_move(Axis(0), Slice::from(start..end))
}

/// Blocks that one task takes in a row at least: buffers are made for each task.
#[cfg(feature = "parallel")]
fn blocks_a_task(blocks: usize) -> usize {
    (blocks / (8 * rayon::current_num_threads())).clamp(1, 64)
}

pub(crate) fn check_output(expected: usize, got: usize) -> Result<(), IsolationForestError> {
    if got == expected {
        Ok(())
    } else {
        Err(IsolationForestError::WrongOutputLength { expected, got })
    }
}

/// The row that an error names, so that of several errors the first row's can be reported.
#[cfg(feature = "parallel")]
pub(crate) fn row_of(error: &IsolationForestError) -> usize {
    match error {
        IsolationForestError::NotFinite { row, .. }
        | IsolationForestError::NoCategory { row, .. } => *row,
        _ => usize::MAX,
    }
}

/// Buffers of one thread.
#[derive(Debug, Default)]
struct Room {
    walker: Walker,
    parter: Parter,
    sets: Option<masks::Room>,
}

impl IsolationForest {
    /// The score of one row, between 0 and 1; higher is more anomalous.
    ///
    /// # Errors
    ///
    /// [`WrongWidth`](IsolationForestError::WrongWidth), and [`NotFinite`](IsolationForestError::NotFinite) for
    /// infinite values and for NaN where missing values are refused.
    ///
    /// # Complexity
    ///
    /// O(t log psi + d) for trees with the default height limit, no allocation (but where a row goes both ways at
    /// a node, see [`MissingValues::Divide`](crate::MissingValues::Divide)). A forest prepares itself for single rows when
    /// it first scores one, in about a millisecond, and keeps what it prepared (about 120 KiB for 100 trees of 256 rows
    /// with the default height limit).
    pub fn score_row<T: Value>(&self, row: &[T]) -> Result<Score, IsolationForestError> {
        Ok(self.score_of_sum(self.sum_of_row(row)?))
    }

    /// Writes the score of every row, with the same bits as [`score_row`](Self::score_row).
    ///
    /// Shapes: `rows` is rows x columns of `f64` or `f32`, in any memory layout; `out` has one number for each row.
    ///
    /// # Errors
    ///
    /// [`WrongWidth`](IsolationForestError::WrongWidth),
    /// [`WrongOutputLength`](IsolationForestError::WrongOutputLength), and
    /// [`NotFinite`](IsolationForestError::NotFinite) for the first row with such a value; `out` is then written
    /// in part.
    ///
    /// # Complexity
    ///
    /// O(n (t log psi + d)). Memory: one block of rows and what is known of it for each thread, at most 0.7 MiB, or
    /// 16 rows of wide data. A forest prepares itself for batches when it first scores one, in some milliseconds,
    /// and keeps what it prepared (about 250 KiB for 100 trees of 256 rows with the default height limit).
    ///
    /// ```
    /// use dafu_iforest::IsolationForestParams;
    /// use ndarray::Array2;
    /// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
    /// let rows = Array2::from_shape_fn((500, 3), |(i, j)| ((i * 7 + j * 3) % 11) as f64);
    /// let forest = IsolationForestParams::default().fit(rows.view())?;
    /// let mut scores = vec![0.0; rows.nrows()];
    /// forest.score_rows(rows.view(), &mut scores)?;
    /// assert!(scores.iter().all(|&score| score > 0.0 && score < 1.0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn score_rows<T: Value>(
        &self,
        rows: ArrayView2<'_, T>,
        out: &mut [f64],
    ) -> Result<(), IsolationForestError> {
        self.map_sums(rows, out, |sum| self.score_of_sum(sum).get())
    }

    /// The mean path length of a row over the trees, in edges; c(rows of the leaf) included.
    ///
    /// Where a row goes both ways at a node, the mean of both by their training rows.
    ///
    /// # Errors
    ///
    /// As [`score_row`](Self::score_row).
    pub fn mean_path_length<T: Value>(&self, row: &[T]) -> Result<f64, IsolationForestError> {
        self.check_row(row)?;
        let (table, rule) = (self.path_table(), self.way_rule());
        let paths = self
            .trees
            .iter()
            .map(|tree| tree.path_length(&table, &rule, |column| row[column].into()));
        Ok(paths.sum::<f64>() / self.trees.len() as f64)
    }

    /// Whether a row is an anomaly at a contamination level that was listed before the fit.
    ///
    /// # Errors
    ///
    /// [`UnknownContamination`](IsolationForestError::UnknownContamination), and as
    /// [`score_row`](Self::score_row).
    pub fn predict_row<T: Value>(
        &self,
        row: &[T],
        contamination: f64,
    ) -> Result<bool, IsolationForestError> {
        let threshold = self.threshold(contamination)?;
        Ok(threshold.is_anomaly(self.score_row(row)?))
    }

    /// Writes for every row whether it is an anomaly at a contamination level that was listed before the fit.
    ///
    /// For several levels, score once and ask [`ContaminationThreshold::is_anomaly`](crate::ContaminationThreshold::is_anomaly).
    ///
    /// # Errors
    ///
    /// [`UnknownContamination`](IsolationForestError::UnknownContamination), and as
    /// [`score_rows`](Self::score_rows).
    pub fn predict_rows<T: Value>(
        &self,
        rows: ArrayView2<'_, T>,
        contamination: f64,
        out: &mut [bool],
    ) -> Result<(), IsolationForestError> {
        let threshold = *self.threshold(contamination)?;
        self.map_sums(rows, out, |sum| {
            threshold.is_anomaly(self.score_of_sum(sum))
        })
    }

    /// By how much the score of a row lies below the threshold of a contamination level: below 0 for anomalies.
    ///
    /// # Errors
    ///
    /// [`UnknownContamination`](IsolationForestError::UnknownContamination), and as
    /// [`score_row`](Self::score_row).
    pub fn decision_row<T: Value>(
        &self,
        row: &[T],
        contamination: f64,
    ) -> Result<f64, IsolationForestError> {
        let threshold = self.threshold(contamination)?.threshold();
        Ok(threshold.get() - self.score_row(row)?.get())
    }

    /// Writes [`decision_row`](Self::decision_row) for every row.
    ///
    /// # Errors
    ///
    /// [`UnknownContamination`](IsolationForestError::UnknownContamination), and as
    /// [`score_rows`](Self::score_rows).
    pub fn decision_rows<T: Value>(
        &self,
        rows: ArrayView2<'_, T>,
        contamination: f64,
        out: &mut [f64],
    ) -> Result<(), IsolationForestError> {
        let threshold = self.threshold(contamination)?.threshold().get();
        self.map_sums(rows, out, |sum| threshold - self.score_of_sum(sum).get())
    }

    /// The score of a sum of values over all trees.
    pub(crate) fn score_of_sum(&self, sum: u64) -> Score {
        let mean = self.scale.mean(sum, self.trees.len());
        score_of_mean(mean, self.scoring)
    }

    pub(crate) fn way_rule(&self) -> WayRule {
        WayRule {
            width: self.width(),
            missing: self.missing,
            unseen: self.unseen,
        }
    }

    pub(crate) fn accepted(&self) -> Accepted<'_> {
        Accepted {
            missing: self.missing,
            categorical: &self.categorical,
        }
    }

    pub(crate) fn check_row<T: Value>(&self, row: &[T]) -> Result<Found, IsolationForestError> {
        self.check_width(row.len())?;
        self.accepted().check(ArrayView1::from(row), 0)
    }

    pub(crate) fn check_width(&self, got: usize) -> Result<(), IsolationForestError> {
        let expected = self.width();
        if got == expected {
            Ok(())
        } else {
            Err(IsolationForestError::WrongWidth { expected, got })
        }
    }

    fn sum_of_row<T: Value>(&self, row: &[T]) -> Result<u64, IsolationForestError> {
        let found = self.check_row(row)?;
        let one_row = match found {
            Found::Numbers => self.prepared.one_row(&self.trees, self.width()),
            Found::Missing => None,
        };
        Ok(match one_row {
            Some(one_row) => one_row.sum(&self.trees, |column| row[column].into()),
            None => sum_of_any_row(&self.trees, &self.way_rule(), row),
        })
    }

    /// Writes what `map` makes of each row's sum of values.
    pub(crate) fn map_sums<T: Value, U: Send>(
        &self,
        rows: ArrayView2<'_, T>,
        out: &mut [U],
        map: impl Fn(u64) -> U + Sync,
    ) -> Result<(), IsolationForestError> {
        self.check_width(rows.ncols())?;
        check_output(rows.nrows(), out.len())?;
        let masks = self.masks(out.len());
        let size = match masks {
            Some(_) => masks::ROWS,
            None => part_rows::block_rows(self.width()),
        };
        let run = |room: &mut Room, block: usize, out: &mut [U]| {
            let rows = block_of(rows, block, size);
            self.map_block((room, masks), (rows, block * size), out, &map)
        };
        #[cfg(feature = "parallel")]
        if self.parallelism == Parallelism::Pool && out.len() > size {
            let blocks = out.len().div_ceil(size);
            return out
                .par_chunks_mut(size)
                .enumerate()
                .with_min_len(blocks_a_task(blocks))
                .map_init(Room::default, |room, (block, out)| run(room, block, out))
                .filter_map(Result::err)
                .min_by_key(row_of)
                .map_or(Ok(()), Err);
        }
        let mut room = Room::default();
        out.chunks_mut(size)
            .enumerate()
            .try_for_each(|(block, out)| run(&mut room, block, out))
    }

    /// The forest as it scores batches of so many rows fastest, where that is by sets of rows.
    fn masks(&self, rows: usize) -> Option<&Masks> {
        // Where rows may go both ways, sets of rows do not do.
        let suits = self.missing != MissingValues::Divide && !self.trees.is_special();
        let prepared = suits.then_some(&self.prepared);
        prepared.and_then(|prepared| prepared.masks(&self.trees, self.width(), rows))
    }

    /// As [`map_sums`](Self::map_sums) for one block, whose first row has a number for messages.
    fn map_block<T: Value, U>(
        &self,
        (room, masks): (&mut Room, Option<&Masks>),
        (rows, first_row): (ArrayView2<'_, T>, usize),
        out: &mut [U],
        map: &impl Fn(u64) -> U,
    ) -> Result<(), IsolationForestError> {
        let accepted = self.accepted();
        let write = |out: &mut [U], sums: &mut dyn Iterator<Item = u64>| {
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = map(sum);
            }
        };
        if let Some(masks) = masks.filter(|_| out.len() >= masks::FEWEST_ROWS) {
            let room = room.sets.get_or_insert_default();
            write(out, &mut room.sums(masks, (rows, first_row), &accepted)?);
            return Ok(());
        }
        let found = accepted.check_rows(rows, first_row)?;
        if self.trees.is_plain() && found == Found::Numbers {
            if let Some(one_row) = self.prepared.small(&self.trees, self.width()) {
                let sum =
                    |row: ArrayView1<'_, T>| one_row.sum(&self.trees, |column| row[column].into());
                write(out, &mut rows.rows().into_iter().map(sum));
                return Ok(());
            }
            let size = walk::block_rows(self.width());
            for (block, out) in out.chunks_mut(size).enumerate() {
                let rows = block_of(rows, block, size);
                write(out, &mut room.walker.sums(&self.trees, rows));
            }
            return Ok(());
        }
        let special = found == Found::Missing || self.trees.is_special();
        let size = part_rows::block_rows(self.width());
        for (block, out) in out.chunks_mut(size).enumerate() {
            let rows = block_of(rows, block, size);
            let parter = &mut room.parter;
            parter.start(rows.nrows(), rows.ncols());
            for (at, row) in rows.axis_iter(Axis(0)).enumerate() {
                parter.set(at, row.iter().map(|&value| value.into()));
            }
            write(
                out,
                &mut parter.sums(&self.trees, &self.way_rule(), special),
            );
        }
        Ok(())
    }
}
