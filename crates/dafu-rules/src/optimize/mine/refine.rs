//! Thresholds where they separate best, and in few digits.

use super::beam::Found;
use super::params::MineParams;
use super::sample::{Counts, Kind, Sample, Term, Test, middle};

/// Rounds over all terms.
const ROUNDS: usize = 4;
/// Share of its gain that a rule may lose with a term that it then does without.
const WORTH: f64 = 0.01;

/// Thresholds of a conjunction, moved among some events of a sample.
#[derive(Debug)]
pub(super) struct Refine<'a> {
    pub(super) sample: &'a Sample,
    pub(super) params: &'a MineParams,
    pub(super) rows: &'a [u32],
}

impl Refine<'_> {
    /// The conjunction with each threshold where the gain is largest, as long as that changes something, and without terms
    /// that hardly matter. O(rounds x terms x n log n) for the n events for which the other terms hold.
    pub(super) fn moved(&self, found: &Found) -> Found {
        let mut best = found.clone();
        for _ in 0..ROUNDS {
            let before = best.clone();
            for place in 0..best.terms.len() {
                self.move_term(&mut best, place);
            }
            self.drop_terms(&mut best);
            if best == before {
                break;
            }
        }
        best
    }

    fn gain(&self, counts: Counts) -> f64 {
        counts.gain(self.params.min_precision)
    }

    /// The values of the variable of a term where the other terms hold, rising, with what became of each event.
    fn others(&self, terms: &[Term], place: usize) -> Option<Vec<(f64, bool)>> {
        let mut others = terms.to_vec();
        let term = others.remove(place);
        let Kind::Number { values, .. } = &self.sample.features[term.feature].kind else {
            return None;
        };
        let rows = self.sample.filter(self.rows, &others);
        let known = rows
            .iter()
            .map(|row| (values[*row as usize], self.sample.fraud[*row as usize]))
            .filter(|(value, _)| !value.is_nan());
        let mut known: Vec<(f64, bool)> = known.collect();
        known.sort_unstable_by(|one, two| one.0.total_cmp(&two.0));
        Some(known)
    }

    /// Moves the threshold of one term to where the gain is largest, if it gets larger.
    fn move_term(&self, found: &mut Found, place: usize) {
        let term = found.terms[place];
        let above = match term.test {
            Test::Above(_) => true,
            Test::AtMost(_) => false,
            _ => return,
        };
        let Some(mut known) = self.others(&found.terms, place) else {
            return;
        };
        // From the end that always belongs to it.
        if above {
            known.reverse();
        }
        let mut counts = Counts::default();
        let mut best: Option<(f64, Counts, f64)> = None;
        for (at, (value, fraud)) in known.iter().enumerate() {
            counts.frauds += usize::from(*fraud);
            counts.honest += usize::from(!fraud);
            let Some((next, _)) = known.get(at + 1) else {
                break;
            };
            let (low, high) = if above {
                (*next, *value)
            } else {
                (*value, *next)
            };
            let threshold = middle(low, high);
            if low >= high || !threshold.is_finite() || counts.frauds < self.params.min_support {
                continue;
            }
            let gain = self.gain(counts);
            if best.is_none_or(|(most, ..)| gain > most) {
                best = Some((gain, counts, threshold));
            }
        }
        if let Some((gain, counts, threshold)) = best
            && gain > self.gain(found.counts)
        {
            found.counts = counts;
            found.terms[place].test = with(term.test, threshold);
        }
    }

    /// Drops terms without which the gain is as large, or nearly so.
    fn drop_terms(&self, found: &mut Found) {
        let mut place = 0;
        while found.terms.len() > 1 && place < found.terms.len() {
            let mut others = found.terms.clone();
            others.remove(place);
            let counts = self.sample.count(&self.sample.filter(self.rows, &others));
            if self.gain(counts) >= self.gain(found.counts) * (1.0 - WORTH) {
                *found = Found {
                    terms: others,
                    counts,
                };
            } else {
                place += 1;
            }
        }
    }

    /// The conjunction with thresholds of as few digits as change hardly any alert.
    pub(super) fn rounded(&self, found: &Found) -> Found {
        let mut rounded = found.clone();
        let mut left = tolerated(self.params.rounding, found.counts);
        for place in 0..rounded.terms.len() {
            let term = rounded.terms[place];
            let (Test::Above(number) | Test::AtMost(number)) = term.test else {
                continue;
            };
            let Some(known) = self.others(&rounded.terms, place) else {
                continue;
            };
            let value = |place: usize| known.get(place).map(|(value, _)| *value);
            // The first value above the threshold: any number from the value before it to below it says the same.
            let at = known.partition_point(|(value, _)| *value <= number);
            let low = at.checked_sub(1 + left).and_then(value);
            // A ratio to zero is as far as an end.
            let high = value(at + left).filter(|high| high.is_finite());
            let short = match (low, high) {
                (Some(low), Some(high)) => shortest((low, high), number),
                // At an end there is as much room as the threshold is off the outermost value.
                (Some(low), None) => shortest((low, number + (number - low).abs()), number),
                (None, Some(high)) => shortest((number - (high - number).abs(), high), number),
                (None, None) => None,
            };
            let Some(short) = short else {
                continue;
            };
            let moved = known.partition_point(|(value, _)| *value <= short);
            left = left.saturating_sub(moved.abs_diff(at));
            rounded.terms[place].test = with(term.test, short);
        }
        rounded.counts = self
            .sample
            .count(&self.sample.filter(self.rows, &rounded.terms));
        rounded
    }
}

/// Alerts that may change.
fn tolerated(share: f64, counts: Counts) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count"
    )]
    let count = (share * (counts.frauds + counts.honest) as f64) as usize;
    count
}

const fn with(test: Test, threshold: f64) -> Test {
    match test {
        Test::Above(_) => Test::Above(threshold),
        Test::AtMost(_) => Test::AtMost(threshold),
        other => other,
    }
}

/// The number from `low` to below `high` with the fewest digits that are not zeros at the end; of those the one nearest to
/// `near`.
pub(super) fn shortest((low, high): (f64, f64), near: f64) -> Option<f64> {
    if low >= high || !low.is_finite() || !high.is_finite() {
        return None;
    }
    if low <= 0.0 && 0.0 < high {
        return Some(0.0);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "powers of ten lie between -324 and 308"
    )]
    let largest = low.abs().max(high.abs()).log10().floor() as i32;
    for power in (largest - 17..=largest).rev() {
        let step = 10_f64.powi(power);
        let mut best: Option<f64> = None;
        let around = [low, near, high].map(|number| (number / step).round());
        for whole in around
            .into_iter()
            .flat_map(|whole| [whole - 1.0, whole, whole + 1.0])
        {
            // Through its digits, so that 3 x 0.1 is 0.3.
            let Ok(number) = format!("{whole:.0}e{power}").parse::<f64>() else {
                continue;
            };
            let inside = low <= number && number < high;
            if inside && best.is_none_or(|best| (number - near).abs() < (best - near).abs()) {
                best = Some(number);
            }
        }
        if best.is_some() {
            return best;
        }
    }
    None
}
