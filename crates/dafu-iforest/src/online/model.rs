//! Learning, forgetting and scoring.

use super::depth::ExpectedDepth;
use super::params::{Rules, check_width};
use super::tree::{Scratch, Shape, Tree};
use crate::power::exp2_of_negative;
use crate::score::check_output;
use crate::{
    CheckedOnlineIsolationForestParams, IsolationForestError, OnlineIsolationForestParams, Renewal,
};
use dafu_core::Score;
use dafu_core::traits::{Explain, ScoreRow, ScoreRows};
use ndarray::ArrayView2;
use std::fmt;

/// An isolation forest over the last rows of a stream.
///
/// Each tree is a histogram of boxes. A row adds one to the counts of the nodes on its way; a leaf of depth k that
/// holds `eta 2^k` points splits at random; a row that leaves the window of omega rows takes its one back, and a
/// split with fewer points than it asked for becomes a leaf again. Rare rows end in boxes that were never worth
/// splitting.
///
/// The score of a row is 2^(-E\[D\] / c): D is the depth of its leaf plus c(points of the leaf), E the mean over
/// the trees, c the mean of c(points of the tree), and c(h) = log(h / eta) / log(2 b), 0 for h < eta. Rows as deep
/// as an evenly split tree get 0.5, rows near 1 are isolated early; all scores are strictly between 0 and 1. As long
/// as no tree holds more than eta rows the score of every row is 0.5.
///
/// Scores of one forest at different times compare as far as the stream is stationary: what counts as deep changes
/// with the window. While the first window fills, scores are coarse.
///
/// Memory: omega d numbers for the window, at most twice as many while the largest split is drawn, and a bounded
/// number of nodes ([`CheckedOnlineIsolationForestParams::max_nodes_per_tree`]), whatever the length of the stream.
/// An update allocates only while window, trees or buffers are larger than ever before.
///
/// Determinism: parameters, width and rows decide every bit, on every platform. Each split of each tree has its own
/// xoshiro256++ stream, seeded by a hash of seed, tree and number of the split. Multiplying a column by a power of
/// two changes no bit of a score (short of overflow); reordering columns changes which are drawn.
///
/// Source: Leveni, Weigert Cassales, Pfahringer, Bifet, Boracchi, "Online Isolation Forest", ICML 2024 (arXiv
/// 2505.09593), algorithms 1 to 4, as the authors' reference implementation has them
/// (github.com/ineveLoppiliF/Online-Isolation-Forest). Differences from that:
///
/// * Once a window each tree forgets all and learns the rows of the window anew, unless [`Renewal::Never`] is chosen.
///   Without it the first splits of a tree stay for ever, and a stream that moves away ends in a single leaf.
/// * A split feature is drawn among those that vary in the leaf's box; a leaf whose points are all equal waits. An
///   online forest that could not split is a known fault elsewhere
///   (open-telemetry/opentelemetry-collector-contrib#47115); parameters with which no tree could ever split are
///   refused. When the first different point comes to such a leaf, its points are known and none are drawn.
/// * No count is negative: a split counts points that were drawn, not seen, so a point may be forgotten from a side
///   that counts none; it then leaves from the fullest side. Counts of children always add up to the parent's.
/// * With `subsample` below 1 a tree forgets exactly the rows that it learned. The reference implementation draws
///   anew when it forgets.
/// * A full window forgets before it learns, so that never more than omega rows count; splits compare with `<=`.
/// * A tree that has split counts for at least one level in c. In the reference implementation c is next to 0, and
///   with it all scores, when the first leaf splits; from `2 b eta` rows on there is no difference.
/// * Boxes are kept for leaves only; those of inner nodes are never asked for.
///
/// ```
/// use dafu_iforest::{IsolationForestError, OnlineIsolationForestParams};
/// # fn main() -> Result<(), IsolationForestError> {
/// let mut forest = OnlineIsolationForestParams::default().window(512).seed(7).build(2)?;
/// for i in 0_u32..2000 {
///     let row = [f64::from(i * 31 % 97), f64::from(i * 37 % 89)];
///     let _score = forest.score_then_update(&row)?;
/// }
/// assert_eq!((forest.seen(), forest.window_len()), (2000, 512));
/// assert!(forest.score_row(&[400.0, -300.0])? > forest.score_row(&[48.0, 44.0])?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct OnlineIsolationForest {
    params: CheckedOnlineIsolationForestParams,
    pub(super) shape: Shape,
    expected: ExpectedDepth,
    pub(super) trees: Vec<Tree>,
    /// Row number p lies at place p mod omega.
    pub(super) window: Vec<f64>,
    pub(super) seen: u64,
    /// The sum of c(rows) over the trees.
    levels: f64,
    scratch: Scratch,
}

impl fmt::Debug for OnlineIsolationForest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnlineIsolationForest")
            .field("params", self.params())
            .field("width", &self.width())
            .field("seen", &self.seen)
            .field("nodes", &self.node_count())
            .finish_non_exhaustive()
    }
}

impl OnlineIsolationForestParams {
    /// Checks the parameters and makes a forest; see [`CheckedOnlineIsolationForestParams::build`].
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check) and [`CheckedOnlineIsolationForestParams::build`].
    pub fn build(&self, width: usize) -> Result<OnlineIsolationForest, IsolationForestError> {
        self.check()?.build(width)
    }
}

impl CheckedOnlineIsolationForestParams {
    /// Makes a forest for rows of `width` columns that has learned nothing.
    ///
    /// # Errors
    ///
    /// [`NoColumns`](IsolationForestError::NoColumns), [`TooManyColumns`](IsolationForestError::TooManyColumns).
    ///
    /// # Complexity
    ///
    /// O(trees x width).
    pub fn build(&self, width: usize) -> Result<OnlineIsolationForest, IsolationForestError> {
        check_width(width)?;
        let params = self.params();
        let rules = Rules::new(params);
        let shape = Shape { rules, width };
        let mut forest = OnlineIsolationForest::without_trees(self.clone(), shape);
        forest.trees = (0..params.trees)
            .map(|number| Tree::new(params.seed, number, &shape))
            .collect();
        Ok(forest)
    }
}

impl OnlineIsolationForest {
    /// Learns a row, and forgets the one that leaves the window.
    ///
    /// Shapes: `row` has one number for each column.
    ///
    /// # Errors
    ///
    /// [`WrongWidth`](IsolationForestError::WrongWidth), and [`NotFinite`](IsolationForestError::NotFinite) for NaN
    /// and infinite values, with the number of the row in the stream. The forest is then as before.
    ///
    /// # Complexity
    ///
    /// O(t (l + d)) for t trees of l levels, l at most log(omega / eta) / log(2 b) + 1, and d columns; O(h d) more
    /// for each leaf of h points that splits. A renewal costs O(omega (l + d)) and comes t times a window, so
    /// O(t (l + d)) a row.
    pub fn update(&mut self, row: &[f64]) -> Result<(), IsolationForestError> {
        self.check_row(row, usize::try_from(self.seen).unwrap_or(usize::MAX))?;
        let params = self.params.params();
        let (subsample, renewal) = (params.subsample, params.renewal);
        let size = params.window as u64;
        let width = self.shape.width;
        let start = self.oldest();
        let leaving = self
            .window
            .get(start..start + width)
            .map(|old| (old, self.seen.wrapping_sub(size)));
        for tree in &mut self.trees {
            if let Some((old, number)) = leaving
                && tree.takes(subsample, number)
            {
                tree.forget(&self.shape, old, &mut self.scratch);
            }
            if tree.takes(subsample, self.seen) {
                tree.learn(&self.shape, row, &mut self.scratch);
            }
        }
        self.keep(start, row);
        self.seen += 1;
        if renewal == Renewal::EveryWindow {
            self.renew();
        }
        self.count_levels();
        Ok(())
    }

    /// A forest that its trees are still to be given to.
    pub(super) fn without_trees(params: CheckedOnlineIsolationForestParams, shape: Shape) -> Self {
        Self {
            params,
            shape,
            expected: ExpectedDepth::new(&shape.rules),
            trees: Vec::new(),
            window: Vec::new(),
            seen: 0,
            levels: 0.0,
            scratch: Scratch::default(),
        }
    }

    /// Where in the window its oldest row begins once it is full, and where the next row goes.
    pub(super) fn oldest(&self) -> usize {
        let row = self.seen % u64::from(self.shape.rules.window);
        usize::try_from(row).unwrap_or(0) * self.shape.width
    }

    /// Writes a row into the window.
    fn keep(&mut self, start: usize, row: &[f64]) {
        if let Some(place) = self.window.get_mut(start..start + row.len()) {
            place.copy_from_slice(row);
            return;
        }
        // Doubles like a vector, but never beyond the window.
        let len = self.window.len();
        if self.window.capacity() - len < row.len() {
            let all = self.params.params().window.saturating_mul(row.len());
            self.window
                .reserve_exact((all - len).min(len.max(64 * row.len())));
        }
        self.window.extend_from_slice(row);
    }

    /// Grows those trees anew whose turn it is: tree i when `seen` mod omega is floor(i omega / t).
    fn renew(&mut self) {
        let params = self.params.params();
        let (size, trees) = (params.window as u64, params.trees as u64);
        let turn = self.seen % size;
        let first = (turn * trees).div_ceil(size);
        let last = ((turn + 1) * trees).div_ceil(size);
        let oldest = self.seen - self.window_len() as u64;
        let width = self.shape.width;
        for number in first..last {
            let Some(tree) = usize::try_from(number)
                .ok()
                .and_then(|number| self.trees.get_mut(number))
            else {
                continue;
            };
            tree.prune(&self.shape);
            for row in oldest..self.seen {
                if !tree.takes(params.subsample, row) {
                    continue;
                }
                let start = usize::try_from(row % size).unwrap_or(0) * width;
                tree.learn(
                    &self.shape,
                    &self.window[start..start + width],
                    &mut self.scratch,
                );
            }
        }
    }

    /// O(trees).
    pub(super) fn count_levels(&mut self) {
        self.levels = self
            .trees
            .iter()
            .map(|tree| {
                let levels = self.expected.get(tree.rows());
                if tree.is_split() && levels < 1.0 {
                    1.0
                } else {
                    levels
                }
            })
            .sum();
    }

    /// The score of a row, strictly between 0 and 1; higher is more anomalous. Learns nothing.
    ///
    /// # Errors
    ///
    /// [`WrongWidth`](IsolationForestError::WrongWidth), and [`NotFinite`](IsolationForestError::NotFinite) for NaN
    /// and infinite values.
    ///
    /// # Complexity
    ///
    /// O(t l + d) for t trees of l levels and d columns, no allocation.
    pub fn score_row(&self, row: &[f64]) -> Result<Score, IsolationForestError> {
        self.check_row(row, 0)?;
        Ok(self.score(row))
    }

    fn score(&self, row: &[f64]) -> Score {
        let branching = self.shape.rules.branching as usize;
        let exponent = if self.levels > 0.0 {
            let depth: f64 = self
                .trees
                .iter()
                .map(|tree| {
                    let (depth, count) = tree.leaf_of(row, branching);
                    f64::from(depth) + self.expected.get(count)
                })
                .sum();
            -depth / self.levels
        } else {
            -1.0
        };
        // Never fails: the number is between 0 and 1.
        Score::new(exp2_of_negative(exponent)).unwrap_or(Score::ZERO)
    }

    /// The score of a row before it is learned, then learns it: the order of a prequential evaluation, in which no
    /// row has a part in its own score.
    ///
    /// The authors' experiments learn rows first and then score them; for that, call [`update`](Self::update), then
    /// [`score_row`](Self::score_row).
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    ///
    /// # Complexity
    ///
    /// As both calls.
    pub fn score_then_update(&mut self, row: &[f64]) -> Result<Score, IsolationForestError> {
        self.check_row(row, usize::try_from(self.seen).unwrap_or(usize::MAX))?;
        let score = self.score(row);
        self.update(row)?;
        Ok(score)
    }

    /// Writes the score of every row, with the same bits as [`score_row`](Self::score_row). Learns nothing.
    ///
    /// Shapes: `rows` is rows x columns; `out` has one number for each row.
    ///
    /// # Errors
    ///
    /// [`WrongWidth`](IsolationForestError::WrongWidth),
    /// [`WrongOutputLength`](IsolationForestError::WrongOutputLength), and
    /// [`NotFinite`](IsolationForestError::NotFinite) for the first row with such a value; `out` is then written in
    /// part.
    ///
    /// # Complexity
    ///
    /// O(n (t l + d)); no allocation that grows with the rows.
    pub fn score_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), IsolationForestError> {
        check_output(rows.nrows(), out.len())?;
        let mut copy = Vec::new();
        for (number, (row, out)) in rows.rows().into_iter().zip(out).enumerate() {
            let row = if let Some(row) = row.to_slice() {
                row
            } else {
                copy.clear();
                copy.extend(row.iter());
                &copy
            };
            self.check_row(row, number)?;
            *out = self.score(row).get();
        }
        Ok(())
    }

    /// Writes how much each feature moved the score of a row and returns the baseline.
    ///
    /// What is explained is log2(score): baseline plus all contributions is that, up to rounding, so that
    /// 2^(baseline + sum) is the score. Positive contributions make the row more anomalous: the splits on this
    /// feature led to a leaf less deep than the mean over the points counted at the split. The baseline is the mean
    /// over the points that the trees count; -1 as long as every score is 0.5.
    ///
    /// Shapes: `row` and `out` have one number for each column.
    ///
    /// # Errors
    ///
    /// As [`score_row`](Self::score_row), and [`WrongOutputLength`](IsolationForestError::WrongOutputLength).
    ///
    /// # Complexity
    ///
    /// O(t m l + d) for t trees of m nodes and l levels, no allocation.
    ///
    /// Source: the path attribution of Saabas, "Interpreting random forests" (2014), applied to depths.
    ///
    /// ```
    /// use dafu_iforest::{IsolationForestError, OnlineIsolationForestParams};
    /// # fn main() -> Result<(), IsolationForestError> {
    /// let mut forest = OnlineIsolationForestParams::default().window(512).build(2)?;
    /// for i in 0_u32..1000 {
    ///     forest.update(&[f64::from(i * 31 % 97), f64::from(i * 37 % 89)])?;
    /// }
    /// forest.update(&[50.0, 700.0])?;
    /// for i in 0_u32..300 {
    ///     forest.update(&[f64::from(i * 31 % 97), f64::from(i * 37 % 89)])?;
    /// }
    /// let mut contributions = [0.0; 2];
    /// let baseline = forest.explain_row(&[50.0, 700.0], &mut contributions)?;
    /// assert!(contributions[1] > contributions[0]);
    /// let score = (baseline + contributions.iter().sum::<f64>()).exp2();
    /// assert!((score - forest.score_row(&[50.0, 700.0])?.get()).abs() < 1e-12);
    /// # Ok(())
    /// # }
    /// ```
    pub fn explain_row(&self, row: &[f64], out: &mut [f64]) -> Result<f64, IsolationForestError> {
        self.check_row(row, 0)?;
        check_output(row.len(), out.len())?;
        out.fill(0.0);
        if self.levels <= 0.0 {
            return Ok(-1.0);
        }
        let branching = self.shape.rules.branching as usize;
        let mut baseline = 0.0;
        for tree in &self.trees {
            let mut place = (0, 0);
            let mut mean = tree.mean_depth(place, branching, &self.expected);
            baseline -= mean;
            while let Some((feature, child)) = tree.step(place.0, row, branching) {
                place = (child, place.1 + 1);
                let below = tree.mean_depth(place, branching, &self.expected);
                out[feature] += mean - below;
                mean = below;
            }
        }
        for contribution in &mut *out {
            *contribution /= self.levels;
        }
        Ok(baseline / self.levels)
    }

    /// Forgets everything: the forest is as it was built.
    pub fn clear(&mut self) {
        for tree in &mut self.trees {
            tree.clear(&self.shape);
        }
        self.window.clear();
        self.seen = 0;
        self.levels = 0.0;
    }

    /// The parameters.
    pub fn params(&self) -> &OnlineIsolationForestParams {
        self.params.params()
    }

    /// Columns that a row must have.
    pub fn width(&self) -> usize {
        self.shape.width
    }

    /// Rows learned since the forest was built or cleared.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Rows in the window, at most `window` of the parameters.
    pub fn window_len(&self) -> usize {
        self.window.len() / self.shape.width
    }

    /// Nodes of all trees together, leaves included; at most the number of trees times
    /// [`max_nodes_per_tree`](CheckedOnlineIsolationForestParams::max_nodes_per_tree).
    ///
    /// # Complexity
    ///
    /// O(trees).
    pub fn node_count(&self) -> usize {
        self.trees
            .iter()
            .map(|tree| tree.node_count(&self.shape))
            .sum()
    }

    /// Bytes that the forest holds, what is reserved included; what the allocator adds is not known here.
    ///
    /// # Complexity
    ///
    /// O(trees).
    pub fn memory_bytes(&self) -> usize {
        let trees: usize = self.trees.iter().map(Tree::bytes).sum();
        size_of::<Self>()
            + self.trees.capacity() * size_of::<Tree>()
            + trees
            + self.window.capacity() * size_of::<f64>()
            + self.expected.bytes()
            + self.scratch.bytes()
    }

    fn check_row(&self, row: &[f64], number: usize) -> Result<(), IsolationForestError> {
        let (expected, got) = (self.shape.width, row.len());
        if expected != got {
            return Err(IsolationForestError::WrongWidth { expected, got });
        }
        match row.iter().position(|value| !value.is_finite()) {
            None => Ok(()),
            Some(column) => Err(IsolationForestError::NotFinite {
                row: number,
                column,
                value: row[column],
            }),
        }
    }
}

impl ScoreRow for OnlineIsolationForest {
    type Error = IsolationForestError;

    fn score_row(&self, row: &[f64]) -> Result<Score, IsolationForestError> {
        Self::score_row(self, row)
    }
}

impl ScoreRows for OnlineIsolationForest {
    type Error = IsolationForestError;

    fn score_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), IsolationForestError> {
        Self::score_rows(self, rows, out)
    }
}

impl Explain for OnlineIsolationForest {
    type Error = IsolationForestError;

    fn explain_row(&self, row: &[f64], out: &mut [f64]) -> Result<f64, IsolationForestError> {
        Self::explain_row(self, row, out)
    }
}
