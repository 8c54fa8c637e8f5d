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

/// What a count is expected to be, where its variance is `spread` times that: 1 for a Poisson distribution, 1 less the chance of
/// being counted for one of a known number. As Wilson's interval it asks which of them the count does not contradict.
pub(super) fn count_interval(count: f64, spread: f64) -> (f64, f64) {
    let centre = count + Z * Z * spread / 2.0;
    let half = Z * (spread * count + Z * Z * spread * spread / 4.0).sqrt();
    ((centre - half).max(0.0), centre + half)
}

/// The chance that two payments are of one customer, and its interval: see
/// [`FactorKind::CustomerConcentration`](super::FactorKind::CustomerConcentration). From two payments on, and the payments of
/// each customer, who stands for `each` of them.
pub(super) fn concentration(
    payments: f64,
    customers: impl Iterator<Item = f64>,
    each: f64,
) -> (f64, (f64, f64)) {
    let (mut pairs, mut triples, mut squares) = (0.0, 0.0, 0.0);
    for count in customers {
        let own = count * (count - 1.0);
        pairs += own;
        triples += own * (count - 2.0);
        squares += own * own;
    }
    let all = payments * (payments - 1.0);
    let chance = (pairs * each / all).min(1.0);
    // The chance that three are of one customer, beyond what follows from that of two.
    let beyond = if payments > 2.0 {
        (triples * each / (all * (payments - 2.0)) - chance * chance).max(0.0)
    } else {
        0.0
    };
    let within = (4.0 * (payments - 2.0) * beyond + 2.0 * chance * (1.0 - chance)) / all;
    let of_sample = each * (each - 1.0) * squares / (all * all);
    let draws = if chance <= 0.0 {
        all / 2.0 / each
    } else if chance >= 1.0 {
        // Where the formula tends to.
        payments / 2.0
    } else {
        chance * (1.0 - chance) / (within + of_sample)
    };
    (chance, share_interval(chance, draws))
}

/// Chi square with 8 degrees of freedom is above this by chance in one of 20.
const CHI_SQUARE_8: f64 = 15.507_313_055_865_453;

/// The mean absolute deviation of first digits and its interval: see
/// [`FactorKind::BenfordDeviation`](super::FactorKind::BenfordDeviation).
pub(super) fn deviation_interval(deviation: f64, amounts: f64) -> (f64, f64) {
    let off = (CHI_SQUARE_8 / amounts).sqrt() / 9.0;
    ((deviation - off).max(0.0), (deviation + off).min(1.0))
}

/// The interval of the chi square of first digits: see [`FactorKind::BenfordChiSquare`](super::FactorKind::BenfordChiSquare).
/// `most` is how many times as often as Benford has it the most frequent of the digits by that measure came.
pub(super) fn chi_square_interval(chi_square: f64, most: f64) -> (f64, f64) {
    let (root, off) = (chi_square.sqrt(), (CHI_SQUARE_8 * most).sqrt());
    let low = (root - off).max(0.0);
    (low * low, (root + off) * (root + off))
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
    use super::{
        Mean, benford, chi_square_interval, concentration, count_interval, deviation_interval,
        mean_ratio, poisson_tail, rate_ratio,
    };

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

    /// Numbers from 0 to below 1 that look like chance.
    fn chance(state: &mut u64) -> f64 {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*state >> 11) as f64 / 2_f64.powi(53)
    }

    /// In how many of a thousand draws an interval holds what is true.
    fn held(mut interval: impl FnMut(&mut u64) -> (f64, f64), truth: f64) -> usize {
        let mut state = 42;
        let holds = |(low, high): (f64, f64)| low <= truth && truth <= high;
        (0..1000).filter(|_| holds(interval(&mut state))).count()
    }

    /// How often each of some shares is drawn.
    fn drawn(shares: &[f64], draws: usize, state: &mut u64) -> Vec<f64> {
        let mut counts = vec![0.0; shares.len()];
        for _ in 0..draws {
            let mut left = chance(state);
            let place = shares.iter().position(|share| {
                left -= share;
                left < 0.0
            });
            counts[place.unwrap_or(shares.len() - 1)] += 1.0;
        }
        counts
    }

    #[test]
    fn intervals_of_counts_hold_what_is_true() {
        // At both ends the count is as many standard errors off as 95 of 100 are at most.
        for (count, spread) in [(0.0, 1.0), (10.0, 1.0), (10.0, 0.75), (4000.0, 0.5)] {
            let (low, high) = count_interval(count, spread);
            for end in [low, high] {
                let errors = 1.959_964 * (spread * end).sqrt();
                assert!(((count - end).abs() - errors).abs() < 1e-4, "{count} {end}");
            }
        }
        assert_eq!(count_interval(7.0, 0.0), (7.0, 7.0));
        // Of 3,000 names one of four is held.
        let one_of_four = |state: &mut u64| {
            let count = (0..3000).filter(|_| chance(state) < 0.25).count();
            count_interval(count as f64, 0.75)
        };
        let held = held(one_of_four, 750.0);
        assert!((930..=970).contains(&held), "{held}");
    }

    #[test]
    fn intervals_of_concentration_hold_what_is_true() {
        let cases: [(&[f64], usize); 5] = [
            (&[0.6, 0.2, 0.1, 0.1], 60),
            (&[0.25; 4], 60),
            (&[0.9, 0.1], 40),
            (&[0.01; 100], 50),
            (&[0.3, 0.02, 0.02, 0.02, 0.02, 0.02, 0.6], 200),
        ];
        for (shares, draws) in cases {
            let truth: f64 = shares.iter().map(|share| share * share).sum();
            let interval = |state: &mut u64| {
                let counts = drawn(shares, draws, state);
                concentration(draws as f64, counts.into_iter(), 1.0).1
            };
            let held = held(interval, truth);
            assert!(held >= 920, "{shares:?} {held}");
        }
        // Of a thousand customers with one to ten payments one of four is known.
        let customers: Vec<f64> = (0..1000).map(|number| f64::from(1 + number % 10)).collect();
        let payments: f64 = customers.iter().sum();
        let (truth, _) = concentration(payments, customers.iter().copied(), 1.0);
        let interval = |state: &mut u64| {
            let known: Vec<f64> = customers
                .iter()
                .copied()
                .filter(|_| chance(state) < 0.25)
                .collect();
            concentration(payments, known.into_iter(), 4.0).1
        };
        let held = held(interval, truth);
        assert!(held >= 940, "{held}");
        // One customer is not surely all there is, and as many as payments may still be fewer.
        let (all, (low, _)) = concentration(20.0, [20.0].into_iter(), 1.0);
        near(all, 1.0);
        assert!((0.6..0.8).contains(&low), "{low}");
        let (_, (low, high)) = concentration(20.0, [1.0; 20].into_iter(), 1.0);
        assert!(low == 0.0 && (0.01..0.05).contains(&high), "{high}");
    }

    #[test]
    fn intervals_of_first_digits_hold_what_is_true() {
        let uniform = vec![1.0 / 9.0; 9];
        let as_benford: Vec<f64> = (1..=9).map(benford).collect();
        for shares in [uniform, as_benford] {
            let of = |shares: &[f64]| {
                let pairs = || shares.iter().zip((1..).map(benford));
                let off = pairs().map(|(share, expected)| (share - expected).abs());
                let square = pairs().map(|(share, expected)| (share - expected).powi(2) / expected);
                let most = pairs().map(|(share, expected)| share / expected);
                (
                    off.sum::<f64>() / 9.0,
                    square.sum::<f64>(),
                    most.fold(0.0, f64::max),
                )
            };
            let (deviation, square, _) = of(&shares);
            let seen = |state: &mut u64| {
                let counts = drawn(&shares, 200, state);
                of(&counts.iter().map(|count| count / 200.0).collect::<Vec<_>>())
            };
            let first = held(|state| deviation_interval(seen(state).0, 200.0), deviation);
            let interval = |state: &mut u64| {
                let (_, square, most) = seen(state);
                chi_square_interval(200.0 * square, most)
            };
            let second = held(interval, 200.0 * square);
            assert!(first >= 950 && second >= 950, "{first} {second}");
        }
    }
}
