//! From the state of a log to numbers.

use super::count_map::CountMap;
use super::event::{EventView, FIXED, MISSING};
use super::log::{Cursor, Log, pair_at, second_of_day, short, wide};
use super::log_plan::{LogPlan, Op, Read, WindowPlan};
use super::plan::Rules;
use super::table::Out;
use crate::geo::haversine_km;
use crate::measure::HourProfile;
use crate::measure::benford_chi_square;
use crate::measure::{from_micro_degrees, impossible_travel, robust_centre, speed_kmh};

const MICROS_PER_HOUR: f64 = 3_600_000_000.0;
pub(super) const MICROS_PER_DAY: f64 = 24.0 * MICROS_PER_HOUR;
/// A way that took less than a second counts as one that took a second, so that no speed is infinite.
const LEAST_TIME: i64 = 1_000_000;
/// Uncertainty of places taken together, in kilometres; shortest time that a way is judged on, in seconds; and the
/// fastest way that can be made, in km/h: a jet with a tail wind.
const TRAVEL: (f64, u32, f64) = (25.0, 60, 1000.0);

/// A quotient, missing where the divisor is 0.
pub(crate) fn over(dividend: f64, divisor: f64) -> f64 {
    if divisor.abs() > 0.0 {
        dividend / divisor
    } else {
        f64::NAN
    }
}

/// A sum as a number; most fit 64 bits, for which there is an instruction.
#[inline]
pub(super) fn number_of(sum: i128) -> f64 {
    i64::try_from(sum).map_or_else(|_| sum as f64, |sum| sum as f64)
}

/// [`crate::measure::smoothed_rate`] of whole numbers and a prior that was checked.
#[inline]
pub(super) fn rate_of(
    (frauds, events): (u32, u32),
    (prior_frauds, prior_events): (f64, f64),
) -> f64 {
    let all = f64::from(events) + prior_events;
    if all > 0.0 {
        (f64::from(frauds) + prior_frauds) / all
    } else {
        0.0
    }
}

/// Variance (divided by n) from exact sums in fixed point.
pub(crate) fn variance(n: u64, sum: i128, squares: i128, root: bool) -> f64 {
    if n == 0 {
        return f64::NAN;
    }
    // n * squares - sum^2 is exact where it fits; it hardly ever does not.
    let exact = squares
        .checked_mul(i128::from(n))
        .and_then(|left| sum.checked_mul(sum).map(|right| left - right));
    let n = n as f64;
    let spread = exact.map_or_else(
        || squares as f64 * n - sum as f64 * sum as f64,
        |exact| exact as f64,
    );
    let variance = (spread / (n * n)).max(0.0);
    if root {
        variance.sqrt() / FIXED
    } else {
        variance / (FIXED * FIXED)
    }
}

/// Mean of a window from its sum in fixed point; missing without events.
#[inline]
pub(super) fn mean(sum: f64, count: f64) -> f64 {
    over(sum, count * FIXED)
}

/// How many times the mean of a window a number is.
#[inline]
pub(super) fn ratio(own: i64, (sum, count): (f64, f64)) -> f64 {
    over(own as f64 * count, sum)
}

/// How many standard deviations a number is from the mean of a window of at least two events.
pub(super) fn z_score(own: i64, count: u32, (sum, squares): (i128, i128)) -> f64 {
    if count < 2 {
        return f64::NAN;
    }
    let deviation = variance(u64::from(count), sum, squares, true) * FIXED;
    over(own as f64 - sum as f64 / f64::from(count), deviation)
}

/// Events an hour of a short window against those of a long one.
#[inline]
pub(super) fn burst(short: f64, long: f64, factor: f64) -> f64 {
    over(short * factor, long)
}

/// Mean hours between neighbours of a window of at least two events.
#[inline]
pub(super) fn gap_mean(stretch: i64, count: u32) -> f64 {
    stretch as f64 / (f64::from(count) - 1.0) / MICROS_PER_HOUR
}

/// How fraud rates change: the logarithm of the quotient of a short and a long window.
#[inline]
pub(super) fn trend(short: f64, long: f64) -> f64 {
    (short / long).ln()
}

impl Log {
    /// Reads numbers at the time of an event, windows standing there.
    pub(crate) fn read(
        &mut self,
        plan: &LogPlan,
        (reads, event): (&[Read], &EventView<'_>),
        rules: &Rules,
        out: &mut Out<'_>,
    ) {
        for read in reads {
            let value = self.value(plan, &read.op, event, rules);
            out.set(read.target, value);
        }
    }

    fn window_sum(&self, plan: &LogPlan, window: usize, word: usize) -> (f64, f64) {
        let count = f64::from(self.count(plan, &plan.windows[window]));
        (number_of(wide(self.words(plan), word)), count)
    }

    #[inline]
    fn value(&mut self, plan: &LogPlan, op: &Op, event: &EventView<'_>, rules: &Rules) -> f64 {
        let count = |log: &Self, window: usize| f64::from(log.count(plan, &plan.windows[window]));
        let now = event.head.time;
        match *op {
            Op::Count { window } => count(self, window),
            Op::Rate { window, hours } => count(self, window) / hours,
            Op::Sum { word, .. } => number_of(wide(self.words(plan), word)) / FIXED,
            Op::Mean { window, word } => {
                let (sum, count) = self.window_sum(plan, window, word);
                mean(sum, count)
            }
            Op::Variance {
                window,
                sum,
                squares,
                root,
            } => {
                let n = self.count(plan, &plan.windows[window]);
                let words = self.words(plan);
                variance(u64::from(n), wide(words, sum), wide(words, squares), root)
            }
            Op::Least { deque, number } | Op::Most { deque, number } => {
                let best = self.deques()[deque].front();
                best.map_or(f64::NAN, |&at| {
                    self.ring.number(plan.shape, at, number) as f64 / FIXED
                })
            }
            Op::Quantile { list, permille } => self.buckets()[list].quantile(permille),
            Op::Distinct { map } => f64::from(self.maps()[map].distinct()),
            Op::Entropy { map } => self.maps()[map].entropy(),
            Op::ModeShare { map } => self.map_mut(map).map_or(f64::NAN, CountMap::mode_share),
            Op::TopShare { map, k } => self.maps()[map].top_share(usize::from(k), &mut Vec::new()),
            Op::Surprise { map, own } => match event.codes[own] {
                0 => f64::NAN,
                code => {
                    let map = &self.maps()[map];
                    let seen = f64::from(map.count(short(code)));
                    let all = f64::from(map.total()) + f64::from(map.distinct());
                    -((seen + 1.0) / (all + 1.0)).log2()
                }
            },
            Op::Growth { short, long } => over(
                f64::from(self.maps()[short].distinct()),
                f64::from(self.maps()[long].distinct()),
            ),
            Op::Burst {
                short,
                long,
                factor,
            } => burst(count(self, short), count(self, long), factor),
            Op::Decayed { decay } => {
                let decay = &plan.decays[decay];
                let scale = decay.number.map_or(1.0, |_| FIXED);
                self.decayed(plan, decay, now) / scale
            }
            Op::Benford { map } => {
                let mut counts = [0; 9];
                for (digit, count) in self.maps()[map].iter() {
                    if let Some(slot) = counts.get_mut((digit as usize).wrapping_sub(1)) {
                        *slot = count;
                    }
                }
                benford_chi_square(&counts)
            }
            Op::Tiled { tiled, measure } => {
                self.tiles()[tiled].read(&plan.tiled[tiled], measure, now)
            }
            Op::Last { .. } | Op::SinceLast | Op::GapMean { .. } | Op::GapVariation { .. } => {
                self.order_value(plan, op, now)
            }
            Op::Ratio { .. } | Op::ZScore { .. } | Op::Rank { .. } | Op::Same { .. } => {
                self.comparison(plan, op, event)
            }
            Op::HourMean { window, word } => self.profile(plan, window, word).mean_hour(),
            Op::HourConcentration { window, word } => {
                self.profile(plan, window, word).concentration()
            }
            Op::HourSurprise { window, word } => self
                .profile(plan, window, word)
                .surprise(second_of_day(now, rules)),
            Op::Home { .. } | Op::FromLast { .. } | Op::Speed { .. } | Op::Impossible { .. } => {
                self.place_value(plan, op, event)
            }
            Op::FraudCount { .. }
            | Op::FraudRate { .. }
            | Op::FraudQuantile { .. }
            | Op::FraudTrend { .. }
            | Op::SinceFraud
            | Op::LastLabel { .. } => self.label_value(plan, op, now),
        }
    }

    fn profile(&self, plan: &LogPlan, window: usize, word: usize) -> HourProfile {
        let (cos, sin) = pair_at(self.words(plan), word);
        HourProfile {
            events: u64::from(self.count(plan, &plan.windows[window])),
            cos,
            sin,
        }
    }

    /// Measures of the order of events.
    fn order_value(&self, plan: &LogPlan, op: &Op, now: i64) -> f64 {
        match *op {
            Op::Last { k, number } => {
                if self.ring.len() < u32::from(k) {
                    return f64::NAN;
                }
                let at = self.ring.end().wrapping_sub(u32::from(k));
                self.ring.number(plan.shape, at, number) as f64 / FIXED
            }
            Op::GapMean { window } => {
                let window = &plan.windows[window];
                let count = self.count(plan, window);
                if count < 2 {
                    return f64::NAN;
                }
                gap_mean(self.stretch(plan, window), count)
            }
            Op::GapVariation { window, word } => {
                let window = &plan.windows[window];
                let gaps = self.count(plan, window).saturating_sub(1);
                if gaps < 2 {
                    return f64::NAN;
                }
                let (gaps, sum) = (i128::from(gaps), i128::from(self.stretch(plan, window)));
                // (n * squares - sum^2) / sum^2 is the squared coefficient of variation.
                let squares = wide(self.words(plan), word);
                let spread = squares.checked_mul(gaps).map_or_else(
                    || squares as f64 * gaps as f64 - sum as f64 * sum as f64,
                    |left| (left - sum * sum) as f64,
                );
                over(spread.max(0.0).sqrt(), sum as f64)
            }
            _ => match self.ring.newest(plan.shape) {
                Some(newest) => (now - newest) as f64 / MICROS_PER_HOUR,
                None => f64::NAN,
            },
        }
    }

    /// Time from the first to the last event of a window that is not empty.
    fn stretch(&self, plan: &LogPlan, window: &WindowPlan) -> i64 {
        let Cursor { left, entered, .. } = self.cursor(plan, window);
        let last = self.ring.time(plan.shape, entered.wrapping_sub(1));
        last - self.ring.time(plan.shape, left)
    }

    /// The event's own number against those of the others.
    fn comparison(&self, plan: &LogPlan, op: &Op, event: &EventView<'_>) -> f64 {
        let (Op::Ratio { own, .. }
        | Op::ZScore { own, .. }
        | Op::Rank { own, .. }
        | Op::Same { own, .. }) = *op
        else {
            return f64::NAN;
        };
        let own = event.numbers[own];
        if own == MISSING {
            return f64::NAN;
        }
        let numbers = |window: usize, number: usize| {
            let Cursor { left, entered, .. } = self.cursor(plan, &plan.windows[window]);
            let places = 0..entered.wrapping_sub(left);
            places.map(move |place| {
                self.ring
                    .number(plan.shape, left.wrapping_add(place), number)
            })
        };
        match *op {
            Op::Ratio { window, sum, .. } => {
                let (sum, count) = self.window_sum(plan, window, sum);
                ratio(own, (sum, count))
            }
            Op::ZScore {
                window,
                sum,
                squares,
                ..
            } => {
                let n = self.count(plan, &plan.windows[window]);
                let words = self.words(plan);
                z_score(own, n, (wide(words, sum), wide(words, squares)))
            }
            Op::Rank { window, number, .. } => {
                let at_most = numbers(window, number)
                    .filter(|other| *other <= own)
                    .count();
                let all = f64::from(self.count(plan, &plan.windows[window]));
                over(at_most as f64, all)
            }
            Op::Same { window, number, .. } => numbers(window, number)
                .filter(|other| *other == own)
                .count() as f64,
            _ => f64::NAN,
        }
    }

    fn place_value(&self, plan: &LogPlan, op: &Op, event: &EventView<'_>) -> f64 {
        let Some(place) = event.facts.place else {
            return f64::NAN;
        };
        let at = |ordinal: u32, latitude: usize, longitude: usize| {
            let degrees = |column| self.ring.code(plan.shape, ordinal, column).cast_signed();
            (degrees(latitude), degrees(longitude))
        };
        let (latitude, longitude) = match *op {
            Op::Home {
                window,
                latitude,
                longitude,
            } => {
                let Cursor { left, entered, .. } = self.cursor(plan, &plan.windows[window]);
                let places = (0..entered.wrapping_sub(left))
                    .map(|place| at(left.wrapping_add(place), latitude, longitude));
                let centre = robust_centre(places, &mut Vec::new());
                return centre.map_or(f64::NAN, |centre| haversine_km(centre, place));
            }
            Op::FromLast {
                latitude,
                longitude,
            }
            | Op::Speed {
                latitude,
                longitude,
            }
            | Op::Impossible {
                latitude,
                longitude,
            } => (latitude, longitude),
            _ => return f64::NAN,
        };
        let Some(newest) = self.ring.newest(plan.shape) else {
            return f64::NAN;
        };
        let last = at(self.ring.end().wrapping_sub(1), latitude, longitude);
        let Some(last) = from_micro_degrees(last) else {
            return f64::NAN;
        };
        let (way, time) = (haversine_km(last, place), event.head.time - newest);
        match op {
            Op::Speed { .. } => speed_kmh(way, time.max(LEAST_TIME)),
            Op::Impossible { .. } => {
                let (uncertainty, seconds, fastest) = TRAVEL;
                f64::from(u8::from(impossible_travel(
                    way,
                    time,
                    uncertainty,
                    f64::from(seconds),
                    fastest,
                )))
            }
            _ => way,
        }
    }

    fn label_value(&self, plan: &LogPlan, op: &Op, now: i64) -> f64 {
        let rate = |window: usize, frauds: f64, events: f64| {
            let window = &plan.windows[window];
            let count = self.count(plan, window);
            let known = self.frauds(window, now).min(count);
            rate_of((known, count), (frauds, events))
        };
        match *op {
            Op::FraudCount { window } => f64::from(self.frauds(&plan.windows[window], now)),
            Op::FraudRate {
                window,
                frauds,
                events,
            } => rate(window, frauds, events),
            Op::FraudQuantile { window, table } => {
                let window = &plan.windows[window];
                let count = self.count(plan, window);
                plan.rates[table].at(self.frauds(window, now).min(count), count)
            }
            Op::FraudTrend {
                short,
                long,
                frauds,
                events,
            } => trend(rate(short, frauds, events), rate(long, frauds, events)),
            Op::SinceFraud => {
                let last = self.last_fraud(now);
                last.map_or(f64::NAN, |time| (now - time) as f64 / MICROS_PER_DAY)
            }
            Op::LastLabel { window, k, id } => {
                let entered = self.cursor(plan, &plan.windows[window]).entered;
                if entered.wrapping_sub(self.ring.first()) < u32::from(k) {
                    return f64::NAN;
                }
                let at = entered.wrapping_sub(u32::from(k));
                let (time, id) = (
                    self.ring.time(plan.shape, at),
                    self.ring.code(plan.shape, at, id),
                );
                f64::from(u8::from(self.is_fraud((time, id), now)))
            }
            _ => f64::NAN,
        }
    }
}
