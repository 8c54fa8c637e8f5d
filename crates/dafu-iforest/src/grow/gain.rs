//! Where a guided split cuts.

use crate::Gain;

/// Room for the standard deviations of the upper sides.
#[derive(Debug, Default)]
pub(super) struct Deviations(Vec<f64>);

/// Sums of squares around the mean, value by value.
///
/// Source: Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products", Technometrics 4(3), 1962.
#[derive(Debug, Default)]
struct Running {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Running {
    /// The standard deviation with one value more.
    fn with(&mut self, value: f64) -> f64 {
        self.count += 1.0;
        let off = value - self.mean;
        self.mean += off / self.count;
        self.squares += off * (value - self.mean);
        (self.squares / self.count).sqrt()
    }
}

/// The cut of highest gain: how many of the ascending `values` lie below it, and the gain; none when all are equal.
///
/// Of equal gains the first. O(values).
pub(super) fn best_cut(
    values: &[f64],
    gain: Gain,
    Deviations(upper): &mut Deviations,
) -> Option<(usize, f64)> {
    let (low, high) = (*values.first()?, *values.last()?);
    let half = high / 2.0 - low / 2.0;
    if half <= 0.0 {
        return None;
    }
    // To [0, 1], so that squares neither overflow nor vanish.
    let scaled = |value: f64| (value / 2.0 - low / 2.0) / half;
    upper.clear();
    let mut running = Running::default();
    upper.extend(
        values
            .iter()
            .rev()
            .map(|&value| running.with(scaled(value))),
    );
    let all = *upper.last()?;
    let total = values.len() as f64;
    let mut running = Running::default();
    let mut best = None;
    for (at, pair) in values.windows(2).enumerate() {
        let lower = running.with(scaled(pair[0]));
        if pair[0] >= pair[1] {
            continue;
        }
        let below = (at + 1) as f64;
        let upper = upper[values.len() - 2 - at];
        let left = match gain {
            Gain::Pooled => (below * lower + (total - below) * upper) / total,
            Gain::Averaged => f64::midpoint(lower, upper),
        };
        let gained = (all - left) / all;
        if best.is_none_or(|(_, best)| gained > best) {
            best = Some((at + 1, gained));
        }
    }
    best
}
