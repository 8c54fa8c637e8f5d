//! Why a row scores as it does.

#[cfg(test)]
mod by_depth_tests;
mod diffi;
mod ordinary;
#[cfg(test)]
mod ordinary_tests;
mod path;
mod plan;
mod quadrature;
mod shapley;
#[cfg(test)]
mod tests;

pub use ordinary::{OrdinaryRange, OrdinaryValue};

use crate::form::{Code, Term, contribution};
use crate::input::Value;
use crate::node::Tree;
use crate::score::{block_of, check_output};
use crate::way::{Way, WayRule};
use crate::{IsolationForest, IsolationForestError};
use ndarray::{ArrayView1, ArrayView2, Axis};

#[cfg(feature = "parallel")]
use crate::{Parallelism, score::row_of};
#[cfg(feature = "parallel")]
use rayon::prelude::*;

/// Rows that are explained together.
const BLOCK: usize = 64;

/// How the score of a row is shared out among its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Attribution {
    /// By the splits on the row's way: [`IsolationForest::explain_row`]. Costs a few scores.
    #[default]
    Path,
    /// Shapley values: [`IsolationForest::shapley_row`]. Fair also to columns that only matter together, at ten times
    /// the cost and more.
    Shapley,
}

impl IsolationForest {
    /// For each column the mean absolute contribution over rows: how much it matters to the scores of these rows.
    ///
    /// In the unit of [`explain_row`](Self::explain_row): 1 doubles or halves a score of
    /// [`Scoring::Depth`](crate::Scoring::Depth). Give the rows that matter, such as those above a threshold: what
    /// isolates anomalies is seldom what tells ordinary rows apart.
    ///
    /// Shapes: `rows` is rows x columns of `f64` or `f32`; one number for each column comes back, 0 for zero rows.
    ///
    /// # Errors
    ///
    /// As [`score_rows`](Self::score_rows).
    ///
    /// # Complexity
    ///
    /// That of [`explain_rows`](Self::explain_rows) or [`shapley_rows`](Self::shapley_rows); memory n d.
    ///
    /// # Determinism
    ///
    /// Rows are summed in their order: the same bits for every number of threads.
    ///
    /// ```
    /// use dafu_iforest::{Attribution, IsolationForestParams};
    /// use ndarray::{Array2, s};
    /// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
    /// let mut rows = Array2::from_shape_fn((300, 3), |(i, j)| ((i * (7 + j)) % 13) as f64);
    /// rows.slice_mut(s![..5, 2]).fill(60.0);
    /// let forest = IsolationForestParams::default().fit(rows.view())?;
    /// let importance = forest.mean_absolute_contributions(rows.slice(s![..5, ..]), Attribution::Path)?;
    /// assert!(importance[2] > importance[0] && importance[2] > importance[1]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn mean_absolute_contributions<T: Value>(
        &self,
        rows: ArrayView2<'_, T>,
        attribution: Attribution,
    ) -> Result<Vec<f64>, IsolationForestError> {
        self.check_width(rows.ncols())?;
        let mut all = vec![0.0; rows.len()];
        match attribution {
            Attribution::Path => self.explain_rows(rows, &mut all)?,
            Attribution::Shapley => self.shapley_rows(rows, &mut all)?,
        };
        let mut means = vec![0.0; self.width()];
        for row in all.chunks_exact(self.width()) {
            for (mean, contribution) in means.iter_mut().zip(row) {
                *mean += contribution.abs();
            }
        }
        let count = rows.nrows().max(1) as f64;
        for mean in &mut means {
            *mean /= count;
        }
        Ok(means)
    }

    /// Checks a row that is to be explained, and clears what is written to.
    fn check_explained(&self, row: &[f64], out: &mut [f64]) -> Result<(), IsolationForestError> {
        self.check_row(row)?;
        check_output(row.len(), out.len())?;
        out.fill(0.0);
        Ok(())
    }

    /// Has every block of rows explained: `run` gets buffers, the rows one after the other, and zeros to write to.
    fn explain_blocks<T: Value, R>(
        &self,
        rows: ArrayView2<'_, T>,
        out: &mut [f64],
        room: impl Fn() -> R + Sync + Send,
        run: impl Fn(&mut R, &[f64], &mut [f64]) + Sync,
    ) -> Result<(), IsolationForestError> {
        self.check_width(rows.ncols())?;
        check_output(rows.len(), out.len())?;
        let accepted = self.accepted();
        let of_block = |(room, cells): &mut (R, Vec<f64>), block: usize, out: &mut [f64]| {
            cells.clear();
            let rows = block_of(rows, block, BLOCK);
            for (at, row) in rows.axis_iter(Axis(0)).enumerate() {
                accepted.check(ArrayView1::from(&row), block * BLOCK + at)?;
                cells.extend(row.iter().map(|&value| value.into()));
            }
            out.fill(0.0);
            run(room, cells, out);
            Ok(())
        };
        let size = BLOCK * self.width();
        #[cfg(feature = "parallel")]
        if self.parallelism == Parallelism::Pool && out.len() > size {
            return out
                .par_chunks_mut(size)
                .enumerate()
                .map_init(
                    || (room(), Vec::new()),
                    |room, (block, out)| of_block(room, block, out),
                )
                .filter_map(Result::err)
                .min_by_key(row_of)
                .map_or(Ok(()), Err);
        }
        let mut room = (room(), Vec::new());
        out.chunks_mut(size)
            .enumerate()
            .try_for_each(|(block, out)| of_block(&mut room, block, out))
    }

    /// Fractions of [`explain_row`](Self::explain_row)'s unit that make 1.
    fn explained_units(&self) -> f64 {
        self.trees.len() as f64 * self.scale.one()
    }
}

/// How the credit of a sum of terms is shared among them for a row; the shares add up to 1.
///
/// In proportion to how far each term is from that of the mean of the node's training rows (what stands in for a missing
/// value), so that what is usual or missing gets nothing; equally where no term is any distance away.
fn shares<'a>(
    terms: &'a [Term],
    codes: &'a [Code],
    cell: impl Fn(usize) -> f64 + Copy + 'a,
) -> impl Iterator<Item = f64> + 'a {
    let distance = move |term: &Term| {
        let added = contribution(term, codes, cell(term.column as usize)).unwrap_or(term.absent);
        // Sums of large terms may be infinite.
        (added - term.absent).abs().min(f64::MAX)
    };
    let largest = terms.iter().map(distance).fold(0.0, f64::max);
    let sum: f64 = terms.iter().map(|term| distance(term) / largest).sum();
    terms.iter().map(move |term| {
        if largest > 0.0 {
            distance(term) / largest / sum
        } else {
            1.0 / terms.len() as f64
        }
    })
}

/// Buffers for the ways of a row through a tree.
#[derive(Debug, Default)]
struct Ways {
    waiting: Vec<Stop>,
    path: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Stop {
    node: usize,
    share: f64,
    depth: u32,
    /// Splits of the path above it.
    splits: usize,
}

/// A leaf that a row comes to.
#[derive(Debug)]
struct Arrival<'a> {
    leaf: usize,
    /// The part of the row that comes there.
    share: f64,
    depth: u32,
    /// The splits that the row followed on its way there.
    path: &'a [usize],
}

impl Ways {
    /// Calls `arrive` with every leaf that a row comes to.
    fn follow(
        &mut self,
        tree: &Tree<'_>,
        rule: &WayRule,
        row: &[f64],
        mut arrive: impl FnMut(&Arrival<'_>),
    ) {
        self.path.clear();
        let mut next = Some(Stop {
            node: 0,
            share: 1.0,
            depth: 0,
            splits: 0,
        });
        while let Some(stop) = next.or_else(|| self.waiting.pop()) {
            next = None;
            self.path.truncate(stop.splits);
            let at = stop.node;
            let node = &tree.nodes[at];
            if node.is_leaf(at) {
                arrive(&Arrival {
                    leaf: at,
                    share: stop.share,
                    depth: stop.depth,
                    path: &self.path,
                });
                continue;
            }
            let left = node.left as usize;
            let below = |node: usize, share: f64, splits: usize| Stop {
                node,
                share,
                depth: stop.depth + 1,
                splits,
            };
            let right = match tree.step(at, rule, |column| row[column]).way {
                Way::Left => 0,
                Way::Right => 1,
                Way::Both => {
                    let share = f64::from(tree.counts[left]) / f64::from(tree.counts[at]);
                    let right = stop.share * (1.0 - share);
                    self.waiting.push(below(left + 1, right, stop.splits));
                    next = Some(below(left, stop.share * share, stop.splits));
                    continue;
                }
            };
            self.path.push(at);
            next = Some(below(left + right, stop.share, stop.splits + 1));
        }
    }
}

impl Tree<'_> {
    /// The terms of a node's form; none where it compares one column as it is.
    fn terms_of(&self, at: usize, width: usize) -> Option<&[Term]> {
        let form = self.nodes[at].test().checked_sub(width)?;
        Some(&self.terms[self.forms[form].terms()])
    }
}
