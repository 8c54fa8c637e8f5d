//! Values that would make a row ordinary.

use crate::form::value_of;
use crate::node::Tree;
use crate::way::{Way, WayRule};
use crate::{IsolationForest, IsolationForestError};
use dafu_core::Score;
use std::fmt;

/// What one column alone would have to be for a row to score at a threshold or below.
///
/// Says so when printed: `column 3 would need to be at most 12.5, is 90`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct OrdinaryValue {
    /// The column, from 0.
    pub column: usize,
    /// Its value in the row.
    pub from: f64,
    /// The nearest value with which the row scores at the threshold or below.
    pub to: f64,
    /// All values around `to` with which it does.
    pub range: OrdinaryRange,
    /// The score with `to`.
    pub score: Score,
    /// |`to` - `from`| over the distance between the quartiles of the thresholds that the row can meet in this column;
    /// none for categories, and where the quartiles are the same.
    pub spreads: Option<f64>,
}

/// Values that make a row ordinary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OrdinaryRange {
    /// Smaller than in the row: above the first (or minus infinity), and at most the second.
    Smaller {
        /// Values are above this.
        above: f64,
        /// Values are at most this.
        at_most: f64,
    },
    /// Larger than in the row: above the first, and at most the second (or infinity).
    Larger {
        /// Values are above this.
        above: f64,
        /// Values are at most this.
        at_most: f64,
    },
    /// This category, of all the one with the lowest score.
    Category,
}

impl OrdinaryValue {
    /// The same with a name for the column: `amount would need to be at most 12.5, is 90`.
    ///
    /// ```
    /// # use dafu_iforest::IsolationForestParams;
    /// # use dafu_core::Score;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let rows = ndarray::Array2::from_shape_fn((300, 2), |(i, j)| ((i * (7 + j)) % 13) as f64);
    /// # let forest = IsolationForestParams::default().fit(rows.view())?;
    /// let nearest = forest.ordinary_values(&[5.0, 400.0], Score::new(0.5)?)?;
    /// assert!(nearest[0].named("amount").to_string().starts_with("amount would need to be at most "));
    /// # Ok(())
    /// # }
    /// ```
    pub fn named<'a>(&'a self, name: &'a str) -> impl fmt::Display + 'a {
        Named(self, name)
    }
}

impl fmt::Display for OrdinaryValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, &format_args!("column {}", self.column))
    }
}

struct Named<'a>(&'a OrdinaryValue, &'a str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, &self.1)
    }
}

impl OrdinaryValue {
    fn write(&self, f: &mut fmt::Formatter<'_>, name: &dyn fmt::Display) -> fmt::Result {
        write!(f, "{name} would need to be ")?;
        match self.range {
            OrdinaryRange::Smaller { above, at_most } => {
                write!(f, "at most {at_most}")?;
                if above.is_finite() {
                    write!(f, " and above {above}")?;
                }
            }
            OrdinaryRange::Larger { above, at_most } => {
                write!(f, "above {above}")?;
                if at_most.is_finite() {
                    write!(f, " and at most {at_most}")?;
                }
            }
            OrdinaryRange::Category => write!(f, "category {}", self.to)?,
        }
        write!(f, ", is {}", self.from)
    }
}

/// Where the sum of all trees' values changes along a column.
#[derive(Debug, Clone, Copy)]
struct Change {
    column: usize,
    /// The change holds for values above this.
    above: f64,
    by: f64,
}

/// Part of the values of a column: above `low`, at most `high`.
#[derive(Debug, Clone, Copy)]
struct Part {
    low: f64,
    high: f64,
}

impl IsolationForest {
    /// For each column the smallest change of its value, all others as they are, that brings the score of a row to a
    /// threshold or below; the smallest change first.
    ///
    /// Columns that cannot do so alone are left out, and so are those whose value is missing. Nothing comes back for a row
    /// that scores at the threshold or below as it is. For a threshold of a contamination level,
    /// [`ContaminationThreshold::threshold`](crate::ContaminationThreshold::threshold), rows at it are ordinary.
    ///
    /// Along a column the score is a step function that changes only at thresholds of splits; all its steps are found, so
    /// that no nearer value does it. Of values that the forest tells apart, the nearest may lie between others that
    /// are anomalous: `range` says how far it goes. Changes are compared in spreads of the column
    /// ([`OrdinaryValue::spreads`]); those that cannot be measured, such as of categories, come last. For a category the
    /// one with the lowest score is given, of all that the forest knows.
    ///
    /// A lever to look at, not advice: whether a row with another value would be honest is not what a forest knows.
    ///
    /// Shapes: `row` has one number for each column.
    ///
    /// # Errors
    ///
    /// As [`explain_row`](Self::explain_row).
    ///
    /// # Complexity
    ///
    /// O(t s log(t s)), where s is the number of nodes of a tree that the row can come to by changing one of the columns
    /// on its way: for splits of one column about (log psi)^2, for splits over all columns up to d psi. For each
    /// category that the forest knows, a score.
    ///
    /// Source: the question is that of Wachter, Mittelstadt, Russell, "Counterfactual Explanations without Opening the
    /// Black Box", 2017, for one column at a time, where trees allow an exact answer.
    ///
    /// ```
    /// use dafu_core::Score;
    /// use dafu_iforest::IsolationForestParams;
    /// use ndarray::Array2;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let rows = Array2::from_shape_fn((300, 2), |(i, j)| ((i * (7 + j)) % 13) as f64);
    /// let forest = IsolationForestParams::default().fit(rows.view())?;
    /// let threshold = Score::new(0.5)?;
    /// let nearest = forest.ordinary_values(&[5.0, 400.0], threshold)?;
    /// assert_eq!(nearest.len(), 1);
    /// assert_eq!(nearest[0].column, 1);
    /// assert!(nearest[0].to < 13.0);
    /// assert!(forest.score_row(&[5.0, nearest[0].to])? <= threshold);
    /// # Ok(())
    /// # }
    /// ```
    pub fn ordinary_values(
        &self,
        row: &[f64],
        threshold: Score,
    ) -> Result<Vec<OrdinaryValue>, IsolationForestError> {
        let mut found = Vec::new();
        if self.score_row(row)? <= threshold {
            return Ok(found);
        }
        let (sum, mut changes) = self.changes(row);
        changes.sort_unstable_by(|a, b| {
            let values = a.above.total_cmp(&b.above).then(a.by.total_cmp(&b.by));
            a.column.cmp(&b.column).then(values)
        });
        for changes in changes.chunk_by(|a, b| a.column == b.column) {
            found.extend(self.nearest(row, threshold, sum, changes)?);
        }
        for (column, _) in self.categorical.iter().enumerate().filter(|(_, is)| **is) {
            found.extend(self.best_category(row, threshold, column)?);
        }
        found.sort_by(|a, b| {
            let far = |value: &OrdinaryValue| value.spreads.unwrap_or(f64::INFINITY);
            far(a).total_cmp(&far(b)).then(a.column.cmp(&b.column))
        });
        Ok(found)
    }

    /// The sum of a row over all trees, and what changes it along each numeric column.
    fn changes(&self, row: &[f64]) -> (f64, Vec<Change>) {
        let rule = self.way_rule();
        let mut sum = 0.0;
        let mut changes = Vec::new();
        let mut columns = Vec::new();
        for tree in self.trees.iter() {
            let own = tree.value(&rule, |column| row[column]) as f64;
            sum += own;
            columns.clear();
            self.columns_on_the_way(&tree, row, &mut columns);
            columns.sort_unstable();
            columns.dedup();
            for &column in &columns {
                // Instead of what the tree says now, what it says of each value.
                changes.push(Change {
                    column,
                    above: f64::NEG_INFINITY,
                    by: -own,
                });
                tree.add_changes(&rule, row, column, &mut changes);
            }
        }
        (sum, changes)
    }

    /// Lists the numeric columns, with a value, of the splits on a row's way.
    fn columns_on_the_way(&self, tree: &Tree<'_>, row: &[f64], columns: &mut Vec<usize>) {
        let rule = self.way_rule();
        let mut waiting = vec![0];
        while let Some(at) = waiting.pop() {
            let node = &tree.nodes[at];
            if node.is_leaf(at) {
                continue;
            }
            match tree.terms_of(at, rule.width) {
                None => columns.push(node.test()),
                Some(terms) => {
                    let numeric = terms.iter().filter(|term| term.code_count == 0);
                    columns.extend(numeric.map(|term| term.column as usize));
                }
            }
            let left = node.left as usize;
            match tree.step(at, &rule, |column| row[column]).way {
                Way::Left => waiting.push(left),
                Way::Right => waiting.push(left + 1),
                Way::Both => waiting.extend([left, left + 1]),
            }
        }
        columns.retain(|&column| !row[column].is_nan());
    }

    /// The nearest ordinary value of a column, from all changes along it in their order.
    fn nearest(
        &self,
        row: &[f64],
        threshold: Score,
        sum: f64,
        changes: &[Change],
    ) -> Result<Option<OrdinaryValue>, IsolationForestError> {
        let column = changes[0].column;
        let from = row[column];
        // Part number i ends at `ends[i]`; the last has no end.
        let (mut ends, mut sums) = (Vec::new(), Vec::new());
        let mut now = sum;
        for same in changes.chunk_by(|a, b| a.above.total_cmp(&b.above).is_eq()) {
            let above = same[0].above;
            if above.is_finite() {
                ends.push(above);
                sums.push(now);
            }
            now += same.iter().map(|change| change.by).sum::<f64>();
        }
        sums.push(now);
        let is_ordinary = |part: &usize| self.score_of_sum(to_sum(sums[*part])) <= threshold;
        let here = ends.partition_point(|&end| end < from);
        let rescore = |to: f64| {
            let mut changed = row.to_vec();
            changed[column] = to;
            self.score_row(&changed)
        };
        let thresholds: Vec<f64> = changes
            .iter()
            .map(|change| change.above)
            .filter(|above| above.is_finite())
            .collect();
        let quartile = |part: usize| thresholds[part * (thresholds.len() - 1) / 4];
        let mut best: Option<OrdinaryValue> = None;
        let mut offer = |to: f64, range: OrdinaryRange| {
            let score = rescore(to)?;
            // The sums of rows that go both ways are rounded once more in scores: believe those.
            let ordinary = score <= threshold;
            let change = (to - from).abs();
            if ordinary && best.is_none_or(|best| change < (best.to - from).abs()) {
                let spread = quartile(3) - quartile(1);
                best = Some(OrdinaryValue {
                    column,
                    from,
                    to,
                    range,
                    score,
                    spreads: (spread > 0.0).then(|| change / spread),
                });
            }
            Ok::<bool, IsolationForestError>(ordinary)
        };
        let end = |part: usize| ends.get(part).copied().unwrap_or(f64::INFINITY);
        let start = |part: usize| part.checked_sub(1).map_or(f64::NEG_INFINITY, end);
        for part in (0..here).rev().filter(is_ordinary) {
            let last = (0..part).rev().take_while(is_ordinary).last();
            let range = OrdinaryRange::Smaller {
                above: start(last.unwrap_or(part)),
                at_most: end(part),
            };
            if offer(end(part), range)? {
                break;
            }
        }
        for part in (here + 1..sums.len()).filter(is_ordinary) {
            let last = (part + 1..sums.len()).take_while(is_ordinary).last();
            let range = OrdinaryRange::Larger {
                above: start(part),
                at_most: end(last.unwrap_or(part)),
            };
            let to = start(part).next_up();
            if to.is_finite() && offer(to, range)? {
                break;
            }
        }
        Ok(best)
    }

    /// The category of a column with which a row scores lowest, where that is ordinary.
    fn best_category(
        &self,
        row: &[f64],
        threshold: Score,
        column: usize,
    ) -> Result<Option<OrdinaryValue>, IsolationForestError> {
        let from = row[column];
        let mut known = Vec::new();
        for tree in self.trees.iter() {
            let terms = tree.terms.iter();
            for term in terms.filter(|term| term.column as usize == column) {
                known.extend(tree.codes[term.codes()].iter().map(|code| code.code));
            }
        }
        known.sort_unstable();
        known.dedup();
        let mut changed = row.to_vec();
        let mut best: Option<(f64, Score)> = None;
        if !from.is_nan() {
            for code in known {
                changed[column] = f64::from(code);
                let score = self.score_row(&changed)?;
                if score <= threshold && best.is_none_or(|best| score < best.1) {
                    best = Some((f64::from(code), score));
                }
            }
        }
        Ok(best.map(|(to, score)| OrdinaryValue {
            column,
            from,
            to,
            range: OrdinaryRange::Category,
            score,
            spreads: None,
        }))
    }
}

/// Sums are whole numbers but where rows go both ways.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates"
)]
fn to_sum(sum: f64) -> u64 {
    sum.round() as u64
}

impl Tree<'_> {
    /// Appends what a tree says of each value of a numeric column.
    fn add_changes(&self, rule: &WayRule, row: &[f64], column: usize, changes: &mut Vec<Change>) {
        let mut add = |part: Part, change: f64| {
            if part.low < part.high {
                for (above, change) in [(part.low, change), (part.high, -change)] {
                    if above < f64::INFINITY {
                        changes.push(Change {
                            column,
                            // Minus zero is zero.
                            above: above + 0.0,
                            by: change,
                        });
                    }
                }
            }
        };
        let level = f64::from(self.level);
        let all = Part {
            low: f64::NEG_INFINITY,
            high: f64::INFINITY,
        };
        let mut waiting = vec![(0, all, 1.0)];
        while let Some((at, part, share)) = waiting.pop() {
            let node = &self.nodes[at];
            if node.is_leaf(at) {
                add(part, share * f64::from(self.values[at]));
                continue;
            }
            let left = node.left as usize;
            let Some(slope) = self.slope(at, rule.width, column) else {
                let step = self.step(at, rule, |column| row[column]);
                if step.penalized {
                    add(part, -share * level);
                }
                match step.way {
                    Way::Left => waiting.push((left, part, share)),
                    Way::Right => waiting.push((left + 1, part, share)),
                    Way::Both => {
                        let of_left = f64::from(self.counts[left]) / f64::from(self.counts[at]);
                        waiting.push((left + 1, part, share * (1.0 - of_left)));
                        waiting.push((left, part, share * of_left));
                    }
                }
                continue;
            };
            let compared = |value: f64| {
                let cell = |other: usize| if other == column { value } else { row[other] };
                match self.terms_of(at, rule.width) {
                    None => value,
                    Some(terms) => value_of(terms, self.codes, cell).unwrap_or(f64::NAN),
                }
            };
            let rest = compared(0.0);
            let cut = |limit: f64, holds: &dyn Fn(f64) -> bool| {
                part.last_where(&|value| holds(compared(value)), (limit - rest) / slope)
            };
            let threshold = node.threshold;
            let rising = slope > 0.0;
            let middle = cut(threshold, &|sum| (sum > threshold) != rising);
            let (lower, upper) = part.split(middle);
            let (of_lower, of_upper) = if rising {
                (left, left + 1)
            } else {
                (left + 1, left)
            };
            for (child, part) in [(of_upper, upper), (of_lower, lower)] {
                if part.low < part.high {
                    waiting.push((child, part, share));
                }
            }
            if let Some(&[low, high]) = self.ranges.get(at) {
                let cuts = if rising {
                    [cut(low, &|sum| sum < low), cut(high, &|sum| sum <= high)]
                } else {
                    [cut(high, &|sum| sum > high), cut(low, &|sum| sum >= low)]
                };
                add(part.split(cuts[0]).0, -share * level);
                add(part.split(cuts[1]).1, -share * level);
            }
        }
    }

    /// How much what a node compares rises with a numeric column; none where it does not change.
    fn slope(&self, at: usize, width: usize, column: usize) -> Option<f64> {
        match self.terms_of(at, width) {
            None => (self.nodes[at].test() == column).then_some(1.0),
            Some(terms) => {
                let own = terms.iter().find(|term| term.column as usize == column)?;
                let changes = own.code_count == 0 && own.coefficient.abs() > 0.0;
                changes.then_some(own.coefficient)
            }
        }
    }
}

impl Part {
    const fn split(self, middle: f64) -> (Self, Self) {
        let (low, high) = (self.low, self.high);
        let lower = Self { low, high: middle };
        (lower, Self { low: middle, high })
    }

    /// The last value for which something holds that does for all before it: one end of this part, or between.
    ///
    /// Sums of products are rounded, and what decides is the rounded sum: so the value is sought among all numbers, from a
    /// guess on, which is most often next to it.
    fn last_where(self, holds: &dyn Fn(f64) -> bool, guess: f64) -> f64 {
        let first = self.low.next_up().max(f64::MIN);
        let last = self.high.min(f64::MAX);
        if !holds(first) {
            return self.low;
        }
        if holds(last) {
            return self.high;
        }
        let (mut yes, mut no) = (place(first), place(last));
        let mut next = place(guess).clamp(yes, no);
        let mut step = 1_i64;
        // Twice as far each time, until the border lies between.
        while no.saturating_sub(yes) > 1 && (yes..=no).contains(&next) {
            let was = holds(number(next));
            if was {
                yes = yes.max(next);
                next = next.saturating_add(step);
            } else {
                no = no.min(next);
                next = next.saturating_sub(step);
            }
            step = step.saturating_mul(2);
        }
        while no.saturating_sub(yes) > 1 {
            let middle = yes.midpoint(no);
            if holds(number(middle)) {
                yes = middle;
            } else {
                no = middle;
            }
        }
        number(yes)
    }
}

/// The place of a finite number among all, in their order.
const fn place(number: f64) -> i64 {
    let bits = number.to_bits().cast_signed();
    if bits < 0 {
        i64::MIN.wrapping_sub(bits)
    } else {
        bits
    }
}

const fn number(place: i64) -> f64 {
    let bits = if place < 0 {
        i64::MIN.wrapping_sub(place)
    } else {
        place
    };
    f64::from_bits(bits.cast_unsigned())
}
