//! Intervals of ratios, and chances.

use dafu_core::metrics::share_interval;
use dafu_core::portable::{exp, ln};

/// Of the normal distribution: 95 of 100 intervals hold the value.
const Z: f64 = 1.959_963_984_540_054;

/// A ratio with the interval that has this standard error of its logarithm.
fn around(ratio: f64, error: f64) -> (f64, (f64, f64)) {
    let factor = exp(Z * error);
    (ratio, (ratio / factor, ratio * factor))
}

/// The least share of one of two times: ratios stay finite.
const LEAST: f64 = 1e-12;

/// The ratio of two Poisson rates, from counts and times, and its interval: see
/// [`FactorKind::VelocityChange`](super::FactorKind::VelocityChange).
pub(super) fn rate_ratio(recent: (u64, f64), earlier: (u64, f64)) -> (f64, (f64, f64)) {
    let times = recent.1 + earlier.1;
    let all = (recent.0 + earlier.0 + 1) as f64;
    let share = (recent.0 as f64 + recent.1 / times) / all;
    let (low, high) = share_interval(share, all);
    let ratio = |share: f64| {
        let share = share.clamp(LEAST, 1.0 - LEAST);
        share / (1.0 - share) * (earlier.1 / recent.1)
    };
    (ratio(share), (ratio(low), ratio(high)))
}

/// A mean, and its squared standard error by its square.
pub(super) struct Mean {
    pub(super) mean: f64,
    pub(super) relative_variance: f64,
}

/// The ratio of two positive means and its interval: see [`FactorKind::AmountChange`](super::FactorKind::AmountChange).
pub(super) fn mean_ratio(recent: &Mean, earlier: &Mean) -> (f64, (f64, f64)) {
    let error = (recent.relative_variance + earlier.relative_variance).sqrt();
    around(recent.mean / earlier.mean, error)
}

/// The chance of so many events or more, where so many are expected of a Poisson distribution. O(events).
pub(super) fn poisson_tail(events: u64, expected: f64) -> f64 {
    if events == 0 {
        return 1.0;
    }
    let mut logarithm = events as f64 * ln(expected) - expected;
    for number in 2..=events {
        logarithm -= ln(number as f64);
    }
    // Each term is expected / number times the one before: they fall at last, and what is left is soon too small to count.
    let (mut term, mut sum) = (exp(logarithm), 0.0);
    let mut number = events as f64;
    while term > 1e-18 * sum && sum < 1.0 {
        sum += term;
        number += 1.0;
        term *= expected / number;
    }
    sum.min(1.0)
}

/// The shares of the first digits 1 to 9.
///
/// Source: Benford, "The Law of Anomalous Numbers" (1938).
pub(super) fn benford(digit: usize) -> f64 {
    ln(1.0 + 1.0 / digit as f64) / std::f64::consts::LN_10
}

#[cfg(test)]
mod tests {
    use super::{Mean, benford, mean_ratio, poisson_tail, rate_ratio};

    fn near(got: f64, expected: f64) {
        assert!((got / expected - 1.0).abs() < 1e-6, "{got} {expected}");
    }

    #[test]
    fn ratios_of_rates_are_those_of_the_formula() {
        let (ratio, (low, high)) = rate_ratio((19, 30.0), (5, 40.5));
        // One payment more, in parts of 30 / 70.5 and 40.5 / 70.5.
        near(
            ratio,
            (19.0 + 30.0 / 70.5) / (5.0 + 40.5 / 70.5) * 40.5 / 30.0,
        );
        // R: statpsych::ci.ratio.poisson2(.05, 19, 5, 30, 40.5), Agresti and Coull instead of Wilson, gives 1.94 to 13.7.
        assert!(
            (1.8..2.0).contains(&low) && (11.0..13.8).contains(&high),
            "{low} {high}"
        );
        // With many payments one more does not matter, and all intervals agree: that of the logarithm.
        let (ratio, (low, high)) = rate_ratio((200_000, 10.0), (100_000, 10.0));
        let error = 1.959_964 * (1.0 / 200_000.0_f64 + 1.0 / 100_000.0).sqrt();
        assert!((ratio - 2.0).abs() < 1e-4);
        assert!((low - 2.0 * (-error).exp()).abs() < 1e-4);
        assert!((high - 2.0 * error.exp()).abs() < 1e-4);
    }

    #[test]
    fn nothing_to_tell_by_leaves_the_ratio_at_one() {
        for times in [(30.0, 1.0), (30.0, 30.0), (30.0, 1e6)] {
            let (ratio, (low, high)) = rate_ratio((0, times.0), (0, times.1));
            near(ratio, 1.0);
            assert!(low < 0.3 && high > 3.0);
        }
        // Nothing recent never looks busier, however long ago the rest was.
        let (ratio, (low, _)) = rate_ratio((0, 30.0), (1, 3e6));
        assert!(ratio < 1.0 && low < 0.1, "{ratio} {low}");
        let (ratio, (low, high)) = rate_ratio((1_000_000_000, 365.0), (0, 1e-6));
        assert!(low <= ratio && ratio <= high && high.is_finite());
    }

    #[test]
    fn ratios_of_means_that_do_not_vary_are_certain() {
        let mean = |mean, relative_variance| Mean {
            mean,
            relative_variance,
        };
        assert_eq!(
            mean_ratio(&mean(6.0, 0.0), &mean(3.0, 0.0)),
            (2.0, (2.0, 2.0))
        );
        let (_, (low, high)) = mean_ratio(&mean(6.0, 0.01), &mean(3.0, 0.0));
        near(low, 2.0 * (-0.195_996_398_5_f64).exp());
        near(high, 2.0 * 0.195_996_398_5_f64.exp());
    }

    #[test]
    fn tails_are_those_of_the_poisson_distribution() {
        near(poisson_tail(0, 2.0), 1.0);
        near(poisson_tail(1, 2.0), 1.0 - (-2.0_f64).exp());
        near(poisson_tail(3, 2.0), 1.0 - 5.0 * (-2.0_f64).exp());
        // Of 1,000 or more where 1,000 are expected: 1/2 and a third of the chance of exactly 1,000.
        assert!((poisson_tail(1_000, 1_000.0) - 0.504_205).abs() < 1e-5);
        assert!(poisson_tail(2, 1e-3) < 1e-6 && poisson_tail(1, 1e6) > 0.999);
        assert!(poisson_tail(100_000, 1e-3) < 1e-300);
    }

    #[test]
    fn first_digits_are_those_of_benford() {
        for (digit, share) in [
            (1, std::f64::consts::LOG10_2),
            (2, 0.176_091_26),
            (9, 0.045_757_49),
        ] {
            near(benford(digit), share);
        }
        let sum: f64 = (1..=9).map(benford).sum();
        assert!((sum - 1.0).abs() < 1e-12);
    }
}
