//! Every measure, from the list of events that an event can see.

use super::Event;
use super::event::{fixed, major, text};
use dafu_core::GeoPoint;
use dafu_features::measure::{
    Calendar, HourProfile, benford_chi_square, first_digit, impossible_travel, rate_quantile,
    robust_centre, smoothed_rate, speed_kmh, to_micro_degrees,
};
use dafu_features::{Field, Measure, Quantity, Window, haversine_km};
use std::collections::{BTreeMap, BTreeSet};

const HOUR: f64 = 3.6e9;
const DAY: f64 = 86.4e9;
/// Relative error allowed where sums are of fractions: the engine adds, decays and takes away in another order, which
/// loses some digits of 16; a wrong event in a window of a few moves an answer by far more.
const RELATIVE: f64 = 1e-9;
/// Bits that the engine's entropy may be off: it adds up rounded logarithms.
const ENTROPY: f64 = 1e-7;

/// A number that the engine should give, and by how much it may differ.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    pub value: f64,
    pub tolerance: f64,
    /// Whether it may be missing instead.
    pub may_be_missing: bool,
}

impl Answer {
    pub const MISSING: Self = Self::exact(f64::NAN);
    /// Any number: where the documentation promises none.
    pub const ANY: Self = Self::within(0.0, f64::INFINITY).or_missing();

    pub const fn exact(value: f64) -> Self {
        Self::within(value, 0.0)
    }

    pub const fn within(value: f64, tolerance: f64) -> Self {
        Self {
            value,
            tolerance,
            may_be_missing: false,
        }
    }

    pub const fn or_missing(mut self) -> Self {
        self.may_be_missing = true;
        self
    }

    pub fn flag(holds: bool) -> Self {
        Self::exact(f64::from(u8::from(holds)))
    }

    pub fn maybe(value: Option<f64>) -> Self {
        Self::exact(value.unwrap_or(f64::NAN))
    }

    /// As near as [`RELATIVE`].
    pub fn near(value: f64) -> Self {
        Self::scaled(value, value.abs())
    }

    /// As near as [`RELATIVE`] to numbers of this size, from which the answer was made.
    pub fn scaled(value: f64, scale: f64) -> Self {
        Self::within(value, RELATIVE * scale)
    }

    pub fn loose(self) -> Self {
        Self::near(self.value)
    }

    /// Whether the engine gave it; missing equals missing, infinite equals infinite.
    pub fn is(self, got: f64) -> bool {
        let same = got.total_cmp(&self.value).is_eq() || (got.is_nan() && self.value.is_nan());
        // Zero has two signs.
        same || (got - self.value).abs() <= self.tolerance || (got.is_nan() && self.may_be_missing)
    }
}

/// What one feature of one event is made from.
#[derive(Debug)]
pub struct Reading<'a> {
    pub window: &'a Window,
    pub calendar: &'a Calendar,
    pub event: &'a Event,
    /// Events of the entity that pass the filter and come before the event, in order of time and arrival.
    pub before: &'a [&'a Event],
    /// Whether the event itself passes the filter.
    pub passes: bool,
    /// How many events may count.
    pub most: usize,
}

impl<'a> Reading<'a> {
    fn now(&self) -> i64 {
        self.event.time
    }

    /// Events before this one in the last part of the window that is this long.
    fn others_within(&self, micros: i64) -> Vec<&'a Event> {
        let end = self.now() - self.window.delay.as_micros();
        let inside = |event: &&&Event| end - micros < event.time && event.time <= end;
        self.before.iter().filter(inside).copied().collect()
    }

    /// The same, and the event itself where it counts.
    fn all_within(&self, micros: i64) -> Vec<&'a Event> {
        let mut events = self.others_within(micros);
        let compares = self.window.measure.compares();
        let included = self.window.include_self.unwrap_or(!compares) && !compares;
        if included && self.passes && self.window.delay.as_micros() == 0 {
            events.push(self.event);
            // Of the events that count, the event itself is the newest.
            events.drain(..events.len().saturating_sub(self.most));
        }
        events
    }

    fn within(&self) -> i64 {
        self.window.within.unwrap().as_micros()
    }

    fn others(&self) -> Vec<&'a Event> {
        self.others_within(self.within())
    }

    fn all(&self) -> Vec<&'a Event> {
        self.all_within(self.within())
    }

    /// Quantities of events that have it.
    fn numbers(&self, events: &[&Event]) -> Vec<i64> {
        let of = |event: &&Event| fixed(&event.tx, &self.window.of);
        events.iter().filter_map(of).collect()
    }

    fn own_number(&self) -> Option<i64> {
        fixed(&self.event.tx, &self.window.of)
    }

    /// Whether the event lacks what the measure compares with others.
    fn lacks(&self) -> bool {
        match &self.window.measure {
            Measure::Ratio | Measure::ZScore | Measure::Rank | Measure::SameQuantity => {
                self.own_number().is_none()
            }
            Measure::DistanceFromHome
            | Measure::DistanceFromLast
            | Measure::Speed
            | Measure::ImpossibleTravel => place(self.event).is_none(),
            Measure::Surprise { of } | Measure::IsNew { of } | Measure::Age { of } => {
                text(&self.event.tx, of).is_none()
            }
            _ => false,
        }
    }

    pub fn answer(&self) -> Answer {
        if self.lacks() {
            return Answer::MISSING;
        }
        match &self.window.measure {
            Measure::Count
            | Measure::Rate
            | Measure::GapMean
            | Measure::GapVariation
            | Measure::Burst { .. }
            | Measure::SinceFirst
            | Measure::SinceLast
            | Measure::IsNew { .. }
            | Measure::Age { .. }
            | Measure::DecayedCount { .. } => self.of_events(),
            Measure::Sum
            | Measure::Mean
            | Measure::Variance
            | Measure::StdDev
            | Measure::Min
            | Measure::Max
            | Measure::Quantile { .. }
            | Measure::Last { .. }
            | Measure::DecayedSum { .. }
            | Measure::Benford => self.of_quantities(),
            Measure::Ratio | Measure::ZScore | Measure::Rank | Measure::SameQuantity => {
                self.of_comparisons()
            }
            Measure::HourMean | Measure::HourConcentration | Measure::HourSurprise => {
                self.of_hours()
            }
            Measure::DistanceFromHome
            | Measure::DistanceFromLast
            | Measure::Speed
            | Measure::ImpossibleTravel => self.of_places(),
            Measure::FraudCount
            | Measure::FraudRate { .. }
            | Measure::FraudRateQuantile { .. }
            | Measure::FraudTrend { .. }
            | Measure::SinceFraud
            | Measure::LastLabel { .. } => self.of_labels(),
            _ => self.of_values(),
        }
    }

    fn of_events(&self) -> Answer {
        let since = |event: &Event| (self.now() - event.time) as f64;
        match &self.window.measure {
            Measure::Count => Answer::exact(self.all().len() as f64),
            Measure::Rate => {
                let hours = self.within() as f64 / HOUR;
                Answer::near(self.all().len() as f64 / hours)
            }
            Measure::GapMean => Answer::maybe(mean(&gaps(&self.all())).map(|m| m / HOUR)).loose(),
            Measure::GapVariation => {
                let gaps = gaps(&self.all());
                let mean = mean(&gaps).filter(|&mean| gaps.len() >= 2 && mean > 0.0);
                let variation = mean.and_then(|mean| Some(variance(&gaps)?.sqrt() / mean));
                Answer::maybe(variation).loose()
            }
            Measure::Burst { short } => {
                let (all, last) = (self.all(), self.all_within(short.as_micros()));
                let rate = last.len() as f64 / short.as_hours();
                let over = all.len() as f64 / (self.within() as f64 / HOUR);
                Answer::maybe((!all.is_empty()).then(|| rate / over)).loose()
            }
            Measure::SinceFirst | Measure::Age { .. } => {
                Answer::maybe(self.before.first().map(|first| since(first) / DAY)).loose()
            }
            Measure::SinceLast => {
                Answer::maybe(self.before.last().map(|last| since(last) / HOUR)).loose()
            }
            Measure::IsNew { .. } => Answer::flag(self.before.is_empty()),
            Measure::DecayedCount { half_life } => {
                let share = |event: &&Event| (-since(event) / half_life.as_micros() as f64).exp2();
                let sum: f64 = self.before.iter().map(share).sum();
                Answer::scaled(sum, sum.max(1.0))
            }
            other => panic!("no oracle for {other:?}"),
        }
    }

    fn of_quantities(&self) -> Answer {
        let numbers = || self.numbers(&self.all());
        let exact = |fixed: Option<&i64>| Answer::maybe(fixed.map(|&fixed| major(fixed)));
        match &self.window.measure {
            Measure::Sum => {
                let sum: i128 = numbers().iter().copied().map(i128::from).sum();
                Answer::exact(sum as f64 / 10_000.0)
            }
            Measure::Mean => Answer::maybe(mean_of(&numbers())).loose(),
            Measure::Variance => Answer::maybe(variance_of(&numbers())).loose(),
            Measure::StdDev => Answer::maybe(variance_of(&numbers()).map(f64::sqrt)).loose(),
            Measure::Min => exact(numbers().iter().min()),
            Measure::Max => exact(numbers().iter().max()),
            Measure::Quantile { permille } => {
                let mut sorted = numbers();
                sorted.sort_unstable();
                let rank = usize::from(*permille) * sorted.len().saturating_sub(1) / 1000;
                let value = sorted.get(rank).map_or(f64::NAN, |&fixed| major(fixed));
                // The promise of the sketch, and the rounding of this sum.
                Answer::within(value, 0.01 * value.abs() + 1e-12)
            }
            Measure::Last { k } => exact(
                self.numbers(self.before)
                    .iter()
                    .rev()
                    .nth(usize::from(*k) - 1),
            ),
            Measure::DecayedSum { half_life } => {
                let (mut sum, mut size) = (0.0, 0.0);
                for event in self.before {
                    let Some(number) = fixed(&event.tx, &self.window.of) else {
                        continue;
                    };
                    let age = (self.now() - event.time) as f64;
                    let part = major(number) * (-age / half_life.as_micros() as f64).exp2();
                    sum += part;
                    size += f64::abs(part);
                }
                Answer::scaled(sum, f64::max(size, 1.0))
            }
            Measure::Benford => {
                let mut counts = [0_u32; 9];
                for digit in numbers().into_iter().filter_map(first_digit) {
                    counts[usize::from(digit) - 1] += 1;
                }
                Answer::near(benford_chi_square(&counts))
            }
            other => panic!("no oracle for {other:?}"),
        }
    }

    fn of_comparisons(&self) -> Answer {
        let others = self.numbers(&self.others());
        let own = self.own_number().unwrap();
        let count = |keep: &dyn Fn(i64) -> bool| others.iter().filter(|&&n| keep(n)).count() as f64;
        match &self.window.measure {
            Measure::Ratio => {
                let sum: i64 = others.iter().sum();
                let mean = mean_of(&others).filter(|_| sum != 0);
                Answer::maybe(mean.map(|mean| major(own) / mean)).loose()
            }
            Measure::ZScore => {
                let differ = others.iter().any(|number| *number != others[0]);
                if others.len() < 2 || !differ {
                    return Answer::MISSING;
                }
                let (mean, variance) = (mean_of(&others).unwrap(), variance_of(&others).unwrap());
                let scale = f64::max(major(own).abs(), mean.abs()) / variance.sqrt();
                Answer::scaled((major(own) - mean) / variance.sqrt(), scale)
            }
            Measure::Rank if others.is_empty() => Answer::MISSING,
            Measure::Rank => Answer::exact(count(&|number| number <= own) / others.len() as f64),
            Measure::SameQuantity => Answer::exact(count(&|number| number == own)),
            other => panic!("no oracle for {other:?}"),
        }
    }

    fn of_values(&self) -> Answer {
        let field = self.window.measure.field().unwrap();
        let counts = |events: &[&Event]| {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for value in events.iter().filter_map(|event| text(&event.tx, field)) {
                *counts.entry(value).or_default() += 1;
            }
            counts
        };
        let distinct = |events: &[&Event]| counts(events).len() as f64;
        let all = counts(&self.all());
        let total: usize = all.values().sum();
        let share = |count: usize| count as f64 / total as f64;
        let known = |value: f64| Answer::maybe((total > 0).then_some(value));
        match &self.window.measure {
            Measure::Distinct { .. } => Answer::exact(all.len() as f64),
            Measure::Entropy { .. } => {
                let bits: f64 = all.values().map(|&n| -share(n) * share(n).log2()).sum();
                Answer::within(bits, ENTROPY)
            }
            Measure::ModeShare { .. } => known(share(all.values().copied().max().unwrap_or(0))),
            Measure::TopShare { k, .. } => {
                let mut sorted: Vec<usize> = all.into_values().collect();
                sorted.sort_unstable_by(|a, b| b.cmp(a));
                known(share(sorted.iter().take(usize::from(*k)).sum()))
            }
            Measure::Surprise { .. } => {
                let others = counts(&self.others());
                let own = text(&self.event.tx, field).unwrap();
                let c = others.get(&own).copied().unwrap_or(0) as f64;
                let n = others.values().sum::<usize>() as f64;
                let bits = -((c + 1.0) / (n + others.len() as f64 + 1.0)).log2();
                Answer::scaled(bits, bits.abs().max(1.0))
            }
            Measure::DistinctGrowth { short, .. } => {
                let last = distinct(&self.all_within(short.as_micros()));
                known(last / all.len() as f64)
            }
            other => panic!("no oracle for {other:?}"),
        }
    }

    fn of_hours(&self) -> Answer {
        let second = |event: &Event| self.calendar.second_of_day(event.tx.timestamp);
        let mut profile = HourProfile::default();
        let surprise = self.window.measure == Measure::HourSurprise;
        let events = if surprise { self.others() } else { self.all() };
        for event in events {
            profile.add(second(event));
        }
        match &self.window.measure {
            Measure::HourMean => Answer::near(profile.mean_hour()),
            Measure::HourConcentration => Answer::near(profile.concentration()),
            Measure::HourSurprise => {
                let bits = profile.surprise(second(self.event));
                Answer::scaled(bits, bits.abs().max(1.0))
            }
            other => panic!("no oracle for {other:?}"),
        }
    }

    fn of_places(&self) -> Answer {
        let own = place(self.event).unwrap();
        if self.window.measure == Measure::DistanceFromHome {
            let others = self.others();
            let places = others.iter().copied().filter_map(place);
            let centre = robust_centre(places.map(to_micro_degrees), &mut Vec::new());
            return centre.map_or(Answer::MISSING, |centre| {
                Answer::within(haversine_km(centre, own), 1e-6)
            });
        }
        let Some((last, from)) = self
            .before
            .last()
            .and_then(|last| Some((last, place(last)?)))
        else {
            return Answer::MISSING;
        };
        let (way, time) = (haversine_km(from, own), self.now() - last.time);
        match &self.window.measure {
            Measure::DistanceFromLast => Answer::within(way, 1e-6),
            // No way takes less than a second, and none is judged on less than a minute.
            Measure::Speed => Answer::near(speed_kmh(way, time.max(1_000_000))),
            Measure::ImpossibleTravel => {
                Answer::flag(impossible_travel(way, time, 25.0, 60.0, 1000.0))
            }
            other => panic!("no oracle for {other:?}"),
        }
    }

    fn of_labels(&self) -> Answer {
        // No event sees its own label, even where it is known at once.
        let own = self.event.arrival;
        let fraud = |event: &&&Event| event.arrival != own && event.is_fraud_at(self.now());
        let count = |events: &[&Event]| {
            let frauds = events.iter().filter(fraud).count();
            (frauds as f64, events.len() as f64)
        };
        match self.window.measure {
            Measure::FraudCount => Answer::exact(count(&self.all()).0),
            Measure::FraudRate {
                prior_frauds,
                prior_events,
            } => {
                let (frauds, events) = count(&self.all());
                Answer::near(smoothed_rate(frauds, events, prior_frauds, prior_events))
            }
            Measure::FraudRateQuantile {
                prior_frauds,
                prior_events,
                permille,
            } => {
                let (frauds, events) = count(&self.all());
                let q = f64::from(permille) / 1000.0;
                Answer::near(rate_quantile(frauds, events, prior_frauds, prior_events, q))
            }
            Measure::FraudTrend {
                short,
                prior_frauds,
                prior_events,
            } => {
                let rate =
                    |(frauds, events)| smoothed_rate(frauds, events, prior_frauds, prior_events);
                let last = rate(count(&self.all_within(short.as_micros())));
                let whole = rate(count(&self.all()));
                Answer::scaled((last / whole).ln(), 1.0)
            }
            Measure::SinceFraud => {
                let last = self.before.iter().rev().find(fraud);
                let days = last.map(|last| (self.now() - last.time) as f64 / DAY);
                Answer::maybe(days).loose()
            }
            Measure::LastLabel { k } => {
                let end = self.now() - self.window.delay.as_micros();
                let old = self.before.iter().rev().filter(|event| event.time <= end);
                let mut old = old.skip(usize::from(k) - 1);
                old.next()
                    .map_or(Answer::MISSING, |event| Answer::flag(fraud(&event)))
            }
            ref other => panic!("no oracle for {other:?}"),
        }
    }
}

/// Whether an event has what a measure looks back to.
pub fn is_about(window: &Window, event: &Event) -> bool {
    match &window.measure {
        Measure::Sum
        | Measure::Mean
        | Measure::Variance
        | Measure::StdDev
        | Measure::Min
        | Measure::Max
        | Measure::Quantile { .. }
        | Measure::Last { .. }
        | Measure::DecayedSum { .. }
        | Measure::Benford
        | Measure::Ratio
        | Measure::ZScore
        | Measure::Rank
        | Measure::SameQuantity => fixed(&event.tx, &window.of).is_some(),
        Measure::DistanceFromHome
        | Measure::DistanceFromLast
        | Measure::Speed
        | Measure::ImpossibleTravel => place(event).is_some(),
        _ => true,
    }
}

fn place(event: &Event) -> Option<GeoPoint> {
    event.tx.merchant_location
}

/// Microseconds between events in order.
fn gaps(events: &[&Event]) -> Vec<i64> {
    events
        .windows(2)
        .map(|pair| pair[1].time - pair[0].time)
        .collect()
}

/// Mean of whole numbers.
fn mean(numbers: &[i64]) -> Option<f64> {
    let sum: i128 = numbers.iter().copied().map(i128::from).sum();
    (!numbers.is_empty()).then(|| sum as f64 / numbers.len() as f64)
}

/// Variance of whole numbers, divided by n: `(n * sum of squares - square of sum) / n^2`, rounded only at the end.
fn variance(numbers: &[i64]) -> Option<f64> {
    let n = numbers.len() as i128;
    let sum: i128 = numbers.iter().copied().map(i128::from).sum();
    let squares: i128 = numbers
        .iter()
        .map(|&number| i128::from(number).pow(2))
        .sum();
    (n > 0).then(|| (n * squares - sum * sum) as f64 / (n * n) as f64)
}

/// Mean in major units.
fn mean_of(fixed: &[i64]) -> Option<f64> {
    mean(fixed).map(|mean| mean / 1e4)
}

/// Variance in major units, divided by n.
fn variance_of(fixed: &[i64]) -> Option<f64> {
    variance(fixed).map(|variance| variance / 1e8)
}

/// Different values of a field, for tests that bound an answer.
pub fn distinct(events: &[&Event], field: &Field) -> usize {
    let values = events.iter().filter_map(|event| text(&event.tx, field));
    values.collect::<BTreeSet<_>>().len()
}

/// Sum of a quantity in ten-thousandths.
pub fn sum(events: &[&Event], of: &Quantity) -> i64 {
    events.iter().filter_map(|event| fixed(&event.tx, of)).sum()
}
