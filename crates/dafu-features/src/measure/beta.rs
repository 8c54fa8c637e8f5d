//! Rates of fraud from few events: shrunken towards a prior, and with how much they may be off.

use std::f64::consts::PI;

/// Most steps of the search for a quantile. Five are usual; halving alone would need 60.
const MAX_STEPS: usize = 100;
/// The search ends with a step in the logarithm that is not longer: errors are squared by every step.
const LAST_STEP: f64 = 1e-10;
/// Most events that make a quantile narrower.
const MAX_EVENTS: f64 = 1e9;
/// Fewer frauds or honest events are none: the whole distribution is then at one end.
const NONE: f64 = 1e-100;
/// Most terms of the continued fraction. A quarter of the square root of the larger parameter is usual.
const MAX_TERMS: u32 = 10_000;
/// Below this, a gamma function is moved up before Stirling's series.
const STIRLING_FROM: f64 = 10.0;

/// Parameters of the posterior distribution: frauds and honest events, each with those of the prior.
///
/// `None` where a number is NaN.
fn posterior(frauds: f64, events: f64, prior_frauds: f64, prior_events: f64) -> Option<(f64, f64)> {
    if [frauds, events, prior_frauds, prior_events]
        .iter()
        .any(|number| number.is_nan())
    {
        return None;
    }
    let split = |part: f64, whole: f64| {
        let whole = whole.clamp(0.0, f64::MAX / 4.0);
        let part = part.clamp(0.0, whole);
        (part, whole - part)
    };
    let (seen, prior) = (split(frauds, events), split(prior_frauds, prior_events));
    Some((seen.0 + prior.0, seen.1 + prior.1))
}

/// The rate of fraud, pulled towards that of a prior: `(frauds + prior_frauds) / (events + prior_events)`, 0 to 1.
///
/// The prior is worth `prior_events` events of which `prior_frauds` are fraud: 0.01 of 20 pulls towards 0.05 %. It is
/// the mean of the beta distribution of which [`rate_quantile`] gives quantiles. With neither events nor a prior the
/// rate is 0.
///
/// Numbers may have fractions, so that events can be weighted by age. Events below 0 count as 0, and frauds outside of
/// 0 to the events as the nearer end, as well for the prior. NaN gives NaN.
///
/// Source: Gelman, Carlin, Stern, Dunson, Vehtari, Rubin, "Bayesian Data Analysis" (3rd edition, 2013), section 2.4.
///
/// ```
/// use dafu_features::measure::smoothed_rate;
///
/// assert_eq!(smoothed_rate(1.0, 1.0, 0.0, 0.0), 1.0); // one event, and it was fraud
/// assert_eq!(smoothed_rate(1.0, 1.0, 0.5, 99.0), 0.015); // after a prior of 0.5 in 99
/// ```
pub fn smoothed_rate(frauds: f64, events: f64, prior_frauds: f64, prior_events: f64) -> f64 {
    match posterior(frauds, events, prior_frauds, prior_events) {
        None => f64::NAN,
        Some((alpha, beta)) if alpha + beta > 0.0 => alpha / (alpha + beta),
        Some(_) => 0.0,
    }
}

/// The rate that the true rate of fraud is below with probability `q`: the `q` quantile of the beta distribution with
/// parameters `frauds + prior_frauds` and the same for honest events. 0 to 1.
///
/// `q` of 0.05 and 0.95 make an interval of 90 %; `q` of 0.05 alone is a cautious rate for a merchant with few events.
/// Counts are read as by [`smoothed_rate`]. Without fraud in events and prior the quantile is 0, without honest events
/// 1. NaN where a number is NaN, `q` is outside 0 to 1, or there are neither events nor a prior.
///
/// Within 1e-11 of itself of the exact quantile for parameters from 0.001 to 1e7, where it is above 1e-290; below
/// 1e-308 it is 0. More than 1e9 events and prior together count as 1e9 with the same rate.
///
/// Complexity: about five evaluations of a continued fraction of O(sqrt(events + `prior_events`)) terms: about a
/// microsecond for thousands of events.
///
/// Source: Didonato and Morris, "Algorithm 708: Significant Digit Computation of the Incomplete Beta Function Ratios"
/// (1992), ACM TOMS 18(3), for the continued fraction (procedure BFRAC) and the power terms without loss of digits. It
/// is used for all parameters, with the exchange of both tails at `(alpha + 1) / (alpha + beta + 2)` of Press,
/// Teukolsky, Vetterling, Flannery, "Numerical Recipes" (3rd edition, 2007), section 6.4. The search is Newton's method
/// on the logarithms of probability and rate, between bounds.
///
/// ```
/// use dafu_features::measure::rate_quantile;
///
/// // Uniform prior (1 of 2), nothing seen: quantiles of a uniform rate.
/// assert!((rate_quantile(0.0, 0.0, 1.0, 2.0, 0.05) - 0.05).abs() < 1e-12);
/// // 1 fraud of 10, cautiously.
/// assert!((rate_quantile(1.0, 10.0, 1.0, 2.0, 0.05) - 0.033_3).abs() < 1e-3);
/// ```
pub fn rate_quantile(
    frauds: f64,
    events: f64,
    prior_frauds: f64,
    prior_events: f64,
    q: f64,
) -> f64 {
    let Some((alpha, beta)) = posterior(frauds, events, prior_frauds, prior_events) else {
        return f64::NAN;
    };
    if !(0.0..=1.0).contains(&q) || alpha + beta <= 0.0 {
        return f64::NAN;
    }
    let scale = (MAX_EVENTS / (alpha + beta)).min(1.0);
    let (alpha, beta) = (alpha * scale, beta * scale);
    if alpha < NONE || q <= 0.0 {
        return 0.0;
    }
    if beta < NONE || q >= 1.0 {
        return 1.0;
    }
    let shape = Shape::new(alpha, beta);
    let half = shape.tails(0.5, 0.5);
    let small = if q <= 0.5 {
        half.0 >= q
    } else {
        half.1 <= 1.0 - q
    };
    if small {
        shape.search(q, 1.0 - q)
    } else {
        1.0 - shape.swapped().search(1.0 - q, q)
    }
}

/// A beta distribution with what does not depend on the place in it.
#[derive(Debug, Clone, Copy)]
struct Shape {
    alpha: f64,
    beta: f64,
    /// Mean and one minus it.
    mean: (f64, f64),
    /// Logarithm of `mean^alpha (1 - mean)^beta / B(alpha, beta)`.
    ln_peak: f64,
}

impl Shape {
    fn new(alpha: f64, beta: f64) -> Self {
        let sum = alpha + beta;
        Self {
            alpha,
            beta,
            mean: (alpha / sum, beta / sum),
            ln_peak: ln_peak(alpha, beta),
        }
    }

    fn swapped(self) -> Self {
        Self {
            alpha: self.beta,
            beta: self.alpha,
            mean: (self.mean.1, self.mean.0),
            ..self
        }
    }

    /// `x` less the mean, for `y = 1 - x`. The smaller of `x` and `y` has all its digits.
    fn gap(self, x: f64, y: f64) -> f64 {
        if x <= y {
            x - self.mean.0
        } else {
            self.mean.1 - y
        }
    }

    /// Logarithm of `x^alpha y^beta / B(alpha, beta)` for `y = 1 - x`. Written as a distance from the value at the
    /// mean, where the two terms cancel but for a small rest, so that large parameters lose no digits.
    fn ln_power(self, x: f64, y: f64) -> f64 {
        let gap = self.gap(x, y);
        self.ln_peak
            + self.alpha * ln_ratio(x, self.mean.0, gap)
            + self.beta * ln_ratio(y, self.mean.1, -gap)
    }

    /// Probabilities below and above `x`, for `y = 1 - x`; the smaller one has all its digits.
    fn tails(self, x: f64, y: f64) -> (f64, f64) {
        let power = self.ln_power(x, y).exp();
        // alpha - (alpha + beta) x
        let ahead = -(self.alpha + self.beta) * self.gap(x, y);
        if x < (self.alpha + 1.0) / (self.alpha + self.beta + 2.0) {
            let below = power * fraction((self.alpha, self.beta), (x, y), ahead);
            (below.min(1.0), (1.0 - below).max(0.0))
        } else {
            let above = power * fraction((self.beta, self.alpha), (y, x), -ahead);
            ((1.0 - above).max(0.0), above.min(1.0))
        }
    }

    /// The logarithm of a quantile to two digits or so, for parameters from 1 on.
    ///
    /// Source: Abramowitz and Stegun (1964), 26.5.22 with 26.2.22 for the normal quantile.
    fn normal_start(self, below: f64, above: f64) -> f64 {
        let root = (-2.0 * below.min(above).ln()).sqrt();
        let size =
            root - (2.307_53 + 0.270_61 * root) / (1.0 + root * (0.992_29 + 0.044_81 * root));
        let normal = if below < above { size } else { -size };
        let (a, b) = (
            1.0 / (2.0 * self.alpha - 1.0),
            1.0 / (2.0 * self.beta - 1.0),
        );
        let (lambda, h) = ((normal * normal - 3.0) / 6.0, 2.0 / (a + b));
        let w = normal * (h + lambda).max(0.0).sqrt() / h
            - (b - a) * (lambda + 5.0 / 6.0 - 2.0 / (3.0 * h));
        // alpha / (alpha + beta exp(2 w))
        -(self.beta / self.alpha * (2.0 * w).exp()).ln_1p()
    }

    /// The quantile, at most one half, with probability `below` under it and `above` over it.
    ///
    /// Newton's method for the logarithm of the smaller tail as a function of `t = ln x`: nearly a line at small `x`,
    /// and bent to one side in between, so that steps do not run away. Bounds are kept, and a step that leaves them, or
    /// does not halve the miss, is replaced by the middle of the bounds.
    fn search(self, below: f64, above: f64) -> f64 {
        let (mut low, mut high) = (f64::MIN_POSITIVE.ln(), 0.5_f64.ln());
        let lower_tail = below <= above;
        let target = if lower_tail { below.ln() } else { above.ln() };
        // The probability below x is x^alpha / (alpha B) for small x, and beyond on one side of it.
        let ln_beta = self.alpha * self.mean.0.ln() + self.beta * self.mean.1.ln() - self.ln_peak;
        let by_power = (below.ln() + self.alpha.ln() + ln_beta) / self.alpha;
        let slack = 1e-6 * by_power.abs().max(1.0) + 1e-12 / self.alpha;
        if self.beta < 1.0 {
            high = high.min(by_power + slack).max(low);
        } else {
            low = low.max(by_power - slack).min(high);
        }
        let mut t = if self.alpha >= 1.0 && self.beta >= 1.0 {
            self.normal_start(below, above)
        } else {
            by_power
        };
        if t <= f64::MIN_POSITIVE.ln() && self.alpha < 1.0 {
            // Not even the smallest rate that has all its digits is small enough.
            return 0.0;
        }
        t = t.max(low).min(high);
        let mut last_miss = f64::INFINITY;
        for _ in 0..MAX_STEPS {
            let (rate, rest) = (t.exp(), -t.exp_m1());
            let tails = self.tails(rate, rest);
            let tail = if lower_tail { tails.0 } else { tails.1 };
            // Negative while the rate is too small.
            let miss = if lower_tail {
                tail.ln() - target
            } else {
                target - tail.ln()
            };
            if miss < 0.0 {
                low = t;
            } else {
                high = t;
            }
            let slope = (self.ln_power(rate, rest) - rest.ln()).exp() / tail;
            let newton = t - miss / slope;
            if (newton - t).abs() <= LAST_STEP {
                t = newton.max(low).min(high);
                break;
            }
            t = if miss.abs() <= 0.5 * last_miss && newton > low && newton < high {
                newton
            } else {
                0.5 * (low + high)
            };
            last_miss = miss.abs();
        }
        t.exp()
    }
}

/// `ln(a / b)` for `gap = a - b`, with all digits where they are close.
fn ln_ratio(a: f64, b: f64, gap: f64) -> f64 {
    let relative = gap / b;
    if relative.abs() < 0.5 {
        relative.ln_1p()
    } else {
        a.ln() - b.ln()
    }
}

/// The continued fraction of the incomplete beta function over `x^alpha y^beta / B(alpha, beta)`, for `y = 1 - x` and
/// `ahead = alpha - (alpha + beta) x > -1`. Every second convergent of the usual fraction; what cancels there for large
/// parameters is in `ahead`.
///
/// Source: Didonato and Morris (1992), procedure BFRAC.
fn fraction((alpha, beta): (f64, f64), (x, y): (f64, f64), ahead: f64) -> f64 {
    let base = ahead + 1.0;
    let mut value = (alpha + 1.0) / (alpha * base);
    // Numerator and denominator of two convergents, divided by the denominator of the later one.
    let (mut last, mut now) = ((0.0, value), (value, 1.0));
    for term in 1..=MAX_TERMS {
        let n = f64::from(term);
        let width = alpha + 2.0 * n - 1.0;
        let w = n * (beta - n) * x;
        let numerator = (alpha + n - 1.0) * (alpha + beta + n - 1.0) * (w * x) / (width * width);
        let denominator = n + w / width + (alpha + n) / (width + 2.0) * (base + n * (1.0 + y));
        let next = (
            numerator * last.0 + denominator * now.0,
            numerator * last.1 + denominator * now.1,
        );
        last = (now.0 / next.1, now.1 / next.1);
        let convergent = next.0 / next.1;
        now = (convergent, 1.0);
        let done = (convergent - value).abs() <= 1e-15 * convergent;
        value = convergent;
        if done {
            break;
        }
    }
    value
}

/// What Stirling's formula leaves of `ln gamma(z)`, for 10 and more: the first term left out is below 1e-16.
///
/// Source: Abramowitz and Stegun (1964), 6.1.41.
fn stirling_rest(z: f64) -> f64 {
    let square = 1.0 / (z * z);
    let mut rest = 1.0 / 156.0;
    for factor in [
        -691.0 / 360_360.0,
        1.0 / 1188.0,
        -1.0 / 1680.0,
        1.0 / 1260.0,
        -1.0 / 360.0,
        1.0 / 12.0,
    ] {
        rest = rest * square + factor;
    }
    rest / z
}

/// `ln gamma(z) - ((z - 1/2) ln z - z + ln(2 pi) / 2)` for every positive z.
fn gamma_rest(z: f64) -> f64 {
    if z >= STIRLING_FROM {
        return stirling_rest(z);
    }
    // Up to 10 by gamma(z + 1) = z gamma(z).
    let (mut up, mut product) = (z, 1.0);
    while up < STIRLING_FROM {
        product *= up;
        up += 1.0;
    }
    let ln_gamma = (up - 0.5) * up.ln() - up + stirling_rest(up) - f64::ln(product);
    ln_gamma - ((z - 0.5) * z.ln() - z)
}

/// Logarithm of `m^alpha (1 - m)^beta / B(alpha, beta)` at the mean `m`. With Stirling's formula in each gamma function
/// all large terms cancel: `sqrt(alpha beta / (2 pi (alpha + beta)))` and the rests are left.
fn ln_peak(alpha: f64, beta: f64) -> f64 {
    let sum = alpha + beta;
    let (small, large) = if alpha < beta {
        (alpha, beta)
    } else {
        (beta, alpha)
    };
    // The order of operations keeps the product in range.
    let root = 0.5 * (small * (large / sum) / (2.0 * PI)).ln();
    root + gamma_rest(sum) - gamma_rest(alpha) - gamma_rest(beta)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantile(alpha: f64, beta: f64, q: f64) -> f64 {
        rate_quantile(0.0, beta, alpha, alpha, q)
    }

    fn close(got: f64, expected: f64) -> bool {
        (got - expected).abs() <= 1e-12 * expected.abs().max(1e-3)
    }

    #[test]
    fn rates_are_the_formula() {
        assert!(close(smoothed_rate(3.0, 10.0, 0.0, 0.0), 0.3));
        assert!(close(smoothed_rate(3.0, 10.0, 1.0, 90.0), 0.04));
        assert!(close(smoothed_rate(0.0, 0.0, 1.0, 90.0), 1.0 / 90.0));
        assert!(smoothed_rate(0.0, 0.0, 0.0, 0.0).abs() < 1e-300);
    }

    #[test]
    fn counts_out_of_range_are_cut() {
        assert!(close(smoothed_rate(12.0, 10.0, 0.0, 0.0), 1.0));
        assert!(close(smoothed_rate(-1.0, 10.0, 5.0, 10.0), 0.25));
        assert!(close(smoothed_rate(5.0, -10.0, 1.0, 4.0), 0.25));
        assert!(smoothed_rate(f64::NAN, 1.0, 1.0, 1.0).is_nan());
        assert!(smoothed_rate(1.0, 1.0, 1.0, f64::NAN).is_nan());
        let infinite = f64::INFINITY;
        assert!((0.0..=1.0).contains(&smoothed_rate(infinite, infinite, infinite, infinite)));
    }

    #[test]
    fn edges_of_the_quantile_are_as_stated() {
        assert!(quantile(2.0, 3.0, 0.0).abs() < 1e-300);
        assert!(close(quantile(2.0, 3.0, 1.0), 1.0));
        assert!(rate_quantile(0.0, 5.0, 0.0, 0.0, 0.9).abs() < 1e-300);
        assert!(close(rate_quantile(5.0, 5.0, 0.0, 0.0, 0.1), 1.0));
        assert!(rate_quantile(0.0, 0.0, 0.0, 0.0, 0.5).is_nan());
        for q in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(quantile(2.0, 3.0, q).is_nan());
        }
        assert!(rate_quantile(1.0, f64::NAN, 1.0, 2.0, 0.5).is_nan());
    }

    #[test]
    fn one_parameter_of_one_has_a_closed_form() {
        for exponent in [0.001, 0.02, 0.5, 1.0, 2.5, 40.0, 3e3, 1e7] {
            for q in [1e-9, 0.001, 0.05, 0.3, 0.5, 0.8, 0.95, 0.999] {
                // Beta(a, 1) has the distribution function x^a, Beta(1, b) has 1 - (1 - x)^b.
                let (got, expected) = (quantile(exponent, 1.0, q), q.powf(1.0 / exponent));
                assert!(close(got, expected), "{exponent} {q}: {got} {expected}");
                let (got, expected) = (
                    quantile(1.0, exponent, q),
                    -(f64::ln_1p(-q) / exponent).exp_m1(),
                );
                assert!(close(got, expected), "{exponent} {q}: {got} {expected}");
            }
        }
    }

    #[test]
    fn the_arcsine_distribution_has_a_closed_form() {
        for thousandth in 1..1000 {
            let q = f64::from(thousandth) / 1000.0;
            let expected = (PI * q / 2.0).sin().powi(2);
            assert!(close(quantile(0.5, 0.5, q), expected), "{q}");
        }
    }

    #[test]
    fn whole_parameters_have_binomial_sums() {
        // I_x(a, b) is the probability of a or more successes in a + b - 1 trials.
        let binomial = |a: u32, b: u32, x: f64| -> f64 {
            let trials = a + b - 1;
            (a..=trials)
                .map(|k| {
                    let choose: f64 = (1..=k)
                        .map(|i| f64::from(trials - k + i) / f64::from(i))
                        .product();
                    choose * x.powf(f64::from(k)) * (1.0 - x).powf(f64::from(trials - k))
                })
                .sum()
        };
        for (a, b) in [(1, 1), (2, 3), (1, 30), (5, 20), (12, 12), (40, 3)] {
            for q in [0.001, 0.05, 0.4, 0.5, 0.77, 0.95, 0.999] {
                let x = quantile(f64::from(a), f64::from(b), q);
                assert!((binomial(a, b, x) - q).abs() < 1e-13, "{a} {b} {q}");
            }
        }
    }

    #[test]
    fn the_other_tail_is_the_same_distribution_mirrored() {
        for (alpha, beta) in [
            (0.001, 0.001),
            (0.3, 7.0),
            (2.0, 2.0),
            (1e3, 10.0),
            (1e7, 1e7),
            (1e-3, 1e7),
        ] {
            for q in [0.01, 0.25, 0.5, 0.9] {
                let (one, other) = (quantile(alpha, beta, q), quantile(beta, alpha, 1.0 - q));
                assert!((one + other - 1.0).abs() < 1e-13, "{alpha} {beta} {q}");
            }
        }
    }

    #[test]
    fn quantiles_rise_with_probability_and_with_frauds() {
        for (alpha, beta) in [
            (0.001, 0.01),
            (0.5, 20.0),
            (3.0, 3.0),
            (500.0, 1e5),
            (1e7, 1e3),
        ] {
            let mut last = 0.0;
            for thousandth in 0..=1000 {
                let got = quantile(alpha, beta, f64::from(thousandth) / 1000.0);
                assert!(got >= last && got <= 1.0);
                last = got;
            }
        }
        let mut last = 0.0;
        for frauds in 0..=200 {
            let got = rate_quantile(f64::from(frauds), 200.0, 0.5, 50.0, 0.05);
            assert!(got > last);
            last = got;
        }
    }

    #[test]
    fn any_numbers_end_in_a_rate_or_nan() {
        let odd = [
            0.0,
            f64::MIN_POSITIVE,
            1e-300,
            1e-9,
            0.7,
            1.0,
            1e5,
            1e12,
            1e300,
            f64::MAX,
            f64::INFINITY,
            -3.0,
            f64::NAN,
        ];
        for a in odd {
            for b in odd {
                for q in [0.0, f64::MIN_POSITIVE, 1e-12, 0.5, 1.0 - 1e-16, 1.0] {
                    let got = quantile(a, b, q);
                    assert!(
                        got.is_nan() || (0.0..=1.0).contains(&got),
                        "{a} {b} {q}: {got}"
                    );
                }
            }
        }
    }
}
