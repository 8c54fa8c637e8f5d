//! Finding the split of one node.

use super::columns::Columns;
use super::gain::{Deviations, best_cut};
use super::{Sample, to_u32};
use crate::form::{Code, Term, code_of, value_of};
use crate::{CategorySplit, Coefficients, Cut, SplitRule};
use dafu_core::random::Stream;

/// One way to split a node.
#[derive(Debug, Default)]
pub(super) struct Split {
    /// The feature that is compared, where there are no terms.
    pub(super) feature: usize,
    pub(super) terms: Vec<Term>,
    pub(super) codes: Vec<Code>,
    /// For each row of the node the value that is compared; NaN where it is missing.
    pub(super) values: Vec<f64>,
    pub(super) threshold: f64,
    /// Smallest and largest value.
    pub(super) range: [f64; 2],
    /// The sum at a point of the box of the rows.
    point: f64,
    /// The share of the range up to the threshold, or of the categories on the left.
    pub(super) left_share: f64,
    gain: f64,
}

/// The best split so far, and room to look for another.
#[derive(Debug, Default)]
pub(super) struct Candidate {
    pub(super) best: Split,
    current: Split,
    sorted: Vec<f64>,
    deviations: Deviations,
    /// Categories of a column among the rows of the node, ascending, each once.
    categories: Vec<u32>,
}

/// What was drawn.
enum Drawn {
    /// Something to compare.
    Numbers,
    /// Categories, which are split at random.
    Categories,
    /// The rows have no two values.
    Constant,
    /// No column varies.
    Nothing,
}

/// How often a point of the box is drawn, until its cut leaves rows on both sides.
const BOX_TRIES: usize = 100;

/// Finds a split of the rows of a node into `candidate.best`; false when there is none.
pub(super) fn find(
    candidate: &mut Candidate,
    (rule, sample, rows): (&SplitRule, &Sample, &[u32]),
    (columns, constant): (&mut Columns, &mut usize),
    stream: &mut Stream,
) -> bool {
    let guided = rule.guided >= 1.0 || rule.guided > 0.0 && stream.unit() < rule.guided;
    let tries = match (guided, rule.cut) {
        (true, _) => rule.tries,
        (false, Cut::Range) => 1,
        (false, Cut::Box) => BOX_TRIES,
    };
    let mut found = false;
    for tried in 0..tries {
        let drawn = if rule.columns == 1 {
            candidate.draw_column((rule, sample, rows), (columns, constant, tried), stream)
        } else {
            candidate.draw_sum((rule, sample, rows), (columns, constant), stream)
        };
        match drawn {
            Drawn::Nothing => break,
            Drawn::Constant => {}
            // A gain of categories cannot be compared with that of numbers: they are taken when drawn first.
            Drawn::Categories if found => {}
            Drawn::Categories => {
                std::mem::swap(&mut candidate.best, &mut candidate.current);
                return true;
            }
            Drawn::Numbers => {
                if candidate.cut(rule, guided, stream)
                    && (!found || candidate.current.gain > candidate.best.gain)
                {
                    std::mem::swap(&mut candidate.best, &mut candidate.current);
                    found = true;
                }
                if found && !guided {
                    break;
                }
            }
        }
    }
    if found {
        return !guided || candidate.best.gain > rule.min_gain;
    }
    // Sums may be equal, or too large for a number, where single columns are not.
    let drawn = candidate.draw_column((rule, sample, rows), (columns, constant, 0), stream);
    std::mem::swap(&mut candidate.best, &mut candidate.current);
    match drawn {
        Drawn::Categories => true,
        Drawn::Numbers => {
            std::mem::swap(&mut candidate.best, &mut candidate.current);
            let cut = candidate.cut(rule, false, stream);
            std::mem::swap(&mut candidate.best, &mut candidate.current);
            cut
        }
        Drawn::Constant | Drawn::Nothing => false,
    }
}

impl Candidate {
    /// Draws one column that varies, beside those already tried.
    fn draw_column(
        &mut self,
        (rule, sample, rows): (&SplitRule, &Sample, &[u32]),
        (columns, constant, tried): (&mut Columns, &mut usize, usize),
        stream: &mut Stream,
    ) -> Drawn {
        let range = |feature: usize| range_of(rows, sample.column(feature));
        let Some((feature, range)) = columns.draw_another((constant, tried), stream, range) else {
            return Drawn::Nothing;
        };
        self.take_column((rule, sample, rows), (feature, range), stream)
    }

    fn take_column(
        &mut self,
        (rule, sample, rows): (&SplitRule, &Sample, &[u32]),
        (feature, range): (usize, [f64; 2]),
        stream: &mut Stream,
    ) -> Drawn {
        let split = &mut self.current;
        split.terms.clear();
        split.codes.clear();
        split.values.clear();
        split.feature = feature;
        split.range = range;
        let column = sample.column(feature);
        split
            .values
            .extend(rows.iter().map(|&row| column[row as usize]));
        if !sample.categorical[feature] {
            return Drawn::Numbers;
        }
        list_categories(&split.values, &mut self.categories);
        let left = split_categories(rule.categories, &self.categories, &mut split.codes, stream);
        split.terms.push(Term {
            column: to_u32(sample.columns[feature]),
            first_code: 0,
            code_count: to_u32(split.codes.len()),
            coefficient: 0.0,
            absent: 0.0,
        });
        for value in &mut split.values {
            *value = value_of(&split.terms, &split.codes, |_| *value).unwrap_or(f64::NAN);
        }
        split.threshold = 0.5;
        split.range = [0.0, 1.0];
        split.left_share = left as f64 / self.categories.len() as f64;
        Drawn::Categories
    }

    /// Draws a sum over several columns that vary.
    fn draw_sum(
        &mut self,
        (rule, sample, rows): (&SplitRule, &Sample, &[u32]),
        (columns, constant): (&mut Columns, &mut usize),
        stream: &mut Stream,
    ) -> Drawn {
        let range = |feature: usize| range_of(rows, sample.column(feature));
        let mut first = None;
        let mut taken = 0;
        while taken < rule.columns {
            let drawn = columns.draw_another((constant, taken), stream, range);
            let Some((feature, range)) = drawn else {
                break;
            };
            if taken == 0 {
                first = Some((feature, range));
                let split = &mut self.current;
                split.terms.clear();
                split.codes.clear();
                split.values.clear();
                split.values.resize(rows.len(), 0.0);
                split.point = 0.0;
            }
            self.add_term((rule, sample, rows), (feature, range), stream);
            taken += 1;
        }
        match first {
            None => Drawn::Nothing,
            // Only one column varies.
            Some(first) if taken == 1 => self.take_column((rule, sample, rows), first, stream),
            Some(_) => {
                let [min, max] = range_of_values(&self.current.values);
                self.current.range = [min, max];
                let finite = self.current.values.iter().all(|value| value.is_finite());
                if finite && min < max {
                    Drawn::Numbers
                } else {
                    Drawn::Constant
                }
            }
        }
    }

    /// Adds a column to the current sum.
    fn add_term(
        &mut self,
        (rule, sample, rows): (&SplitRule, &Sample, &[u32]),
        (feature, [min, max]): (usize, [f64; 2]),
        stream: &mut Stream,
    ) {
        let split = &mut self.current;
        let column = sample.column(feature);
        let present = || {
            let values = rows.iter().map(|&row| column[row as usize]);
            values.filter(|value| !value.is_nan())
        };
        let mut term = Term {
            column: to_u32(sample.columns[feature]),
            first_code: to_u32(split.codes.len()),
            code_count: 0,
            coefficient: 0.0,
            absent: 0.0,
        };
        if sample.categorical[feature] {
            self.sorted.clear();
            self.sorted.extend(present());
            list_categories(&self.sorted, &mut self.categories);
            term.code_count = to_u32(self.categories.len());
            let codes = self.categories.iter().map(|&code| Code {
                code,
                value: stream.normal(),
            });
            split.codes.extend(codes);
            if rule.cut == Cut::Box {
                let drawn = stream.index_below(self.categories.len());
                split.point += split.codes[term.codes()][drawn].value;
            }
        } else {
            let normal = stream.normal();
            let half = max / 2.0 - min / 2.0;
            let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
            for value in present() {
                let scaled = (value / 2.0 - min / 2.0) / half;
                count += 1.0;
                let off = scaled - mean;
                mean += off / count;
                squares += off * (scaled - mean);
            }
            let deviation = (squares / count).sqrt();
            term.coefficient = match rule.coefficients {
                Coefficients::Standardized => normal / deviation / half / 2.0,
                Coefficients::Raw => normal,
            };
            if !term.coefficient.is_finite() {
                // A range so small that its inverse is no number.
                term.coefficient = normal;
            }
            term.absent = term.coefficient * (min + 2.0 * (mean * half));
            if !term.absent.is_finite() {
                term.absent = 0.0;
            }
            if rule.cut == Cut::Box {
                split.point += term.coefficient * split_value(min, max, stream.unit());
            }
        }
        // Term by term in the order in which forms are summed up: the same bits as in scoring.
        for (value, &row) in split.values.iter_mut().zip(rows) {
            let cell = column[row as usize];
            let added = crate::form::contribution(&term, &split.codes, cell);
            *value += added.unwrap_or(term.absent);
        }
        split.terms.push(term);
    }

    /// Chooses the threshold of the current split; false when there is no gain to be had.
    fn cut(&mut self, rule: &SplitRule, guided: bool, stream: &mut Stream) -> bool {
        let split = &mut self.current;
        let [min, max] = split.range;
        if guided {
            self.sorted.clear();
            let present = split.values.iter().copied().filter(|value| !value.is_nan());
            self.sorted.extend(present);
            self.sorted.sort_unstable_by(f64::total_cmp);
            let Some((below, gain)) = best_cut(&self.sorted, rule.gain, &mut self.deviations)
            else {
                return false;
            };
            split.gain = gain;
            split.threshold = split_value(self.sorted[below - 1], self.sorted[below], 0.5);
        } else if rule.cut == Cut::Box && split.terms.len() > 1 {
            split.gain = 0.0;
            split.threshold = split.point;
            if !(min..max).contains(&split.point) {
                return false;
            }
        } else {
            split.gain = 0.0;
            split.threshold = split_value(min, max, stream.unit());
        }
        let half = max / 2.0 - min / 2.0;
        // Half of the smallest number there is is none.
        split.left_share = if half > 0.0 {
            ((split.threshold / 2.0 - min / 2.0) / half).clamp(0.0, 1.0)
        } else {
            0.5
        };
        true
    }
}

/// The categories among some values, ascending, each once.
fn list_categories(values: &[f64], out: &mut Vec<u32>) {
    out.clear();
    out.extend(values.iter().filter_map(|&value| code_of(value)));
    out.sort_unstable();
    out.dedup();
}

/// Gives each of two or more categories a side, 0 or 1, and says how many are on side 0; both have one.
fn split_categories(
    split: CategorySplit,
    categories: &[u32],
    out: &mut Vec<Code>,
    stream: &mut Stream,
) -> usize {
    let single = match split {
        CategorySplit::Single => Some(stream.index_below(categories.len())),
        CategorySplit::Subset => None,
    };
    loop {
        out.clear();
        let mut left = 0;
        for (at, &code) in categories.iter().enumerate() {
            let right = single.map_or_else(|| stream.index_below(2) == 1, |single| single != at);
            left += usize::from(!right);
            let value = f64::from(u8::from(right));
            out.push(Code { code, value });
        }
        // Once in two times with two categories, and ever rarer with more, all are on one side.
        if left > 0 && left < categories.len() || categories.len() < 2 {
            return left;
        }
    }
}

/// Smallest and largest value of a column over some rows; missing values are left aside.
pub(super) fn range_of(rows: &[u32], column: &[f64]) -> [f64; 2] {
    let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
    for &row in rows {
        let value = column[row as usize];
        min = if value < min { value } else { min };
        max = if value > max { value } else { max };
    }
    [min, max]
}

fn range_of_values(values: &[f64]) -> [f64; 2] {
    values
        .iter()
        .fold([f64::INFINITY, f64::NEG_INFINITY], |[min, max], &value| {
            [min.min(value), max.max(value)]
        })
}

/// `min + unit (max - min)`, kept in [min, max) whatever the rounding, so that both sides get a row.
pub(crate) fn split_value(min: f64, max: f64, unit: f64) -> f64 {
    let range = max - min;
    let value = if range.is_finite() {
        min + unit * range
    } else {
        // The range overflows: the halves do not.
        2.0 * (min / 2.0 + unit * (max / 2.0 - min / 2.0))
    };
    if value >= min && value < max {
        value
    } else {
        min
    }
}
