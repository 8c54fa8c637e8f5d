//! Variables against each other: an amount is large beside what the user usually pays.

use super::params::{Direction, MineParams};
use super::sample::{Counts, Feature, Kind};
use dafu_core::Unit;
use std::sync::Arc;

/// Events of either class that pairs are compared on.
const LOOKED_AT: usize = 4000;

/// The pairs of numbers of one unit that tell frauds best, as features: `x > k * y`. O(pairs x n log n) for n events that are
/// looked at, and O(events) for each pair that is kept.
///
/// Only pairs of which no value is below zero: `x > k * y` and `x / y > k` say the same of them. Only pairs that tell more than
/// `x` being large or `y` being small.
pub(super) fn features(params: &MineParams, features: &[Feature], fraud: &[bool]) -> Vec<Feature> {
    let numbers: Vec<Operand<'_>> = features.iter().filter_map(Operand::new).collect();
    let screen = Screen::new(params, fraud);
    let alone: Vec<(f64, f64)> = numbers
        .iter()
        .map(|number| {
            let value = |row: usize| number.values[row];
            (screen.gain(value), screen.gain(|row| -value(row)))
        })
        .collect();
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for (over, x) in numbers.iter().enumerate() {
        for (under, y) in numbers.iter().enumerate() {
            let asked = over != under
                && x.unit == y.unit
                && x.feature.direction != Some(Direction::AtMost)
                && y.feature.direction != Some(Direction::Above);
            if !asked {
                continue;
            }
            let gain = screen.gain(|row| x.values[row] / y.values[row]);
            if gain > alone[over].0.max(alone[under].1) {
                pairs.push((gain, over, under));
            }
        }
    }
    pairs.sort_by(|one, two| {
        two.0
            .total_cmp(&one.0)
            .then((one.1, one.2).cmp(&(two.1, two.2)))
    });
    pairs.truncate(params.max_ratios);
    let made = |(_, over, under): (f64, usize, usize)| {
        let (x, y) = (&numbers[over], &numbers[under]);
        let ratios = x.values.iter().zip(y.values).map(|(x, y)| x / y);
        Feature::number(
            Arc::clone(&x.feature.name),
            (ratios.collect(), Unit::One),
            (fraud, params.thresholds),
        )
        .over(Arc::clone(&y.feature.name))
    };
    pairs.into_iter().map(made).collect()
}

/// A variable that may stand on a side of a ratio.
struct Operand<'a> {
    feature: &'a Feature,
    values: &'a [f64],
    unit: Unit,
}

impl<'a> Operand<'a> {
    fn new(feature: &'a Feature) -> Option<Self> {
        let Kind::Number { values, unit, .. } = &feature.kind else {
            return None;
        };
        // Pure numbers need not be of one kind, and ratios of shares and of degrees say little.
        let comparable = !matches!(unit, Unit::One | Unit::Share | Unit::Degree);
        (comparable && values.iter().all(|value| value.is_nan() || *value >= 0.0)).then_some(Self {
            feature,
            values,
            unit: *unit,
        })
    }
}

/// Some events, evenly chosen, that stand for all.
struct Screen {
    /// Rows, and whether they are frauds.
    rows: Vec<(usize, bool)>,
    /// Events that one stands for: honest ones, frauds.
    weights: (f64, f64),
    base: f64,
}

impl Screen {
    fn new(params: &MineParams, fraud: &[bool]) -> Self {
        let frauds = fraud.iter().filter(|fraud| **fraud).count();
        let share = frauds as f64 / fraud.len().max(1) as f64;
        let of = |wanted: bool, all: usize| {
            let every = all.div_ceil(LOOKED_AT).max(1);
            let rows = fraud.iter().enumerate().filter(move |row| *row.1 == wanted);
            (rows.map(|(row, fraud)| (row, *fraud)).step_by(every), every)
        };
        let (honest, honest_weight) = of(false, fraud.len() - frauds);
        let (frauds, fraud_weight) = of(true, frauds);
        Self {
            rows: honest.chain(frauds).collect(),
            weights: (honest_weight as f64, fraud_weight as f64),
            base: (share * params.min_precision).sqrt(),
        }
    }

    /// The gain of the best threshold above which a value is suspicious, as the beam weighs it.
    fn gain(&self, value: impl Fn(usize) -> f64) -> f64 {
        let known = self.rows.iter().map(|(row, fraud)| (value(*row), *fraud));
        let mut known: Vec<(f64, bool)> = known.filter(|(value, _)| !value.is_nan()).collect();
        known.sort_unstable_by(|one, two| two.0.total_cmp(&one.0));
        let (mut counts, mut best) = (Counts::default(), 0.0_f64);
        for (at, (value, fraud)) in known.iter().enumerate() {
            counts.frauds += usize::from(*fraud);
            counts.honest += usize::from(!fraud);
            if known.get(at + 1).is_none_or(|(next, _)| next < value) {
                let (honest, frauds) = self.weights;
                let gain = (1.0 - self.base) * frauds * counts.frauds as f64
                    - self.base * honest * counts.honest as f64;
                best = best.max(gain);
            }
        }
        best
    }
}
