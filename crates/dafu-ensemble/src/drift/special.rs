//! Distribution functions of the tests.

/// Terms of a series or continued fraction at most; each converges in far fewer for the arguments of a test.
const TERMS: usize = 100_000;

/// Logarithm of the gamma function for `x > 0`; relative error below 1e-13.
///
/// Source: Lanczos, "A Precision Approximation of the Gamma Function" (1964), with the coefficients of Godfrey (2001) for g = 7.
fn ln_gamma(x: f64) -> f64 {
    const G: f64 = 7.0;
    const FIRST: f64 = 0.999_999_999_999_809_9;
    const SERIES: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let mut sum = FIRST;
    let mut shifted = x - 1.0;
    let t = shifted + G + 0.5;
    for coefficient in SERIES {
        shifted += 1.0;
        sum += coefficient / shifted;
    }
    (2.0 * std::f64::consts::PI).ln() / 2.0 + (x - 0.5) * t.ln() - t + sum.ln()
}

/// Regularised upper incomplete gamma function Q(a, x) for `a > 0`, `x >= 0`.
///
/// Source: Abramowitz and Stegun, "Handbook of Mathematical Functions" (1964), 6.5.29 (series) and 6.5.31 (continued fraction,
/// by the algorithm of Lentz 1976).
pub(super) fn upper_gamma(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if x == f64::INFINITY {
        return 0.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        (1.0 - front * lower_series(a, x)).clamp(0.0, 1.0)
    } else {
        (front * upper_fraction(a, x)).clamp(0.0, 1.0)
    }
}

fn lower_series(a: f64, x: f64) -> f64 {
    let (mut term, mut sum, mut below) = (1.0 / a, 1.0 / a, a);
    for _ in 0..TERMS {
        below += 1.0;
        term *= x / below;
        sum += term;
        if term < sum * f64::EPSILON {
            break;
        }
    }
    sum
}

fn upper_fraction(a: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let held = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut constant = x + 1.0 - a;
    let mut ahead = 1.0 / TINY;
    let mut behind = 1.0 / constant;
    let mut fraction = behind;
    for term in 1..TERMS {
        let term = term as f64;
        let numerator = -term * (term - a);
        constant += 2.0;
        behind = 1.0 / held(numerator * behind + constant);
        ahead = held(constant + numerator / ahead);
        let step = behind * ahead;
        fraction *= step;
        if (step - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    fraction
}

/// Chance that a chi-square variable exceeds `x`.
pub(super) fn chi_square_above(x: f64, degrees: f64) -> f64 {
    upper_gamma(degrees / 2.0, x / 2.0)
}

/// Chance that a standard normal variable is further from 0 than `z`.
pub(super) fn normal_two_sided(z: f64) -> f64 {
    upper_gamma(0.5, z * z / 2.0)
}

/// The number that a standard normal variable is within, on both sides of 0, with chance `level` in (0, 1).
pub(super) fn normal_within(level: f64) -> f64 {
    // By halves: the chance falls with z, and the interval below holds every level that a double can express.
    let (mut low, mut high) = (0.0_f64, 40.0_f64);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if 1.0 - normal_two_sided(middle) < level {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// Chance that the Kolmogorov distribution exceeds `x`.
///
/// Source: Kolmogorov (1933), in both forms that Marsaglia, Tsang and Wang, "Evaluating Kolmogorov's Distribution" (2003),
/// section 1, give: each converges in a few terms on its side of 1.
pub(super) fn kolmogorov_above(x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let odd = [1.0, 3.0, 5.0, 7.0, 9.0_f64];
    if x < 1.0 {
        let exponent = -std::f64::consts::PI.powi(2) / (8.0 * x * x);
        let sum: f64 = odd.iter().map(|k| (k * k * exponent).exp()).sum();
        return (1.0 - (2.0 * std::f64::consts::PI).sqrt() / x * sum).clamp(0.0, 1.0);
    }
    let term = |k: f64| (-2.0 * k * k * x * x).exp();
    let sum: f64 = odd.iter().map(|k| term(*k) - term(k + 1.0)).sum();
    (2.0 * sum).clamp(0.0, 1.0)
}

#[cfg(test)]
#[allow(clippy::unreadable_literal, reason = "as scipy prints them")]
mod tests {
    use super::{chi_square_above, kolmogorov_above, normal_two_sided, normal_within};

    fn assert_near(got: f64, expected: f64) {
        let gap = (got - expected).abs();
        assert!(gap <= 2e-12 * expected.max(1e-4), "{got} for {expected}");
    }

    #[test]
    fn equals_scipy() {
        // scipy 1.17: stats.chi2.sf, 2 * stats.norm.sf, stats.norm.ppf, special.kolmogorov.
        for (x, degrees, expected) in [
            (0.5, 1.0, 0.47950012218695337),
            (3.84, 1.0, 0.05004352124870519),
            (10.0, 4.0, 0.04042768199451279),
            (2.0, 9.0, 0.9914676066288135),
            (16.9, 9.0, 0.0503051901243108),
            (150.0, 99.0, 0.0007204453957169282),
            (40.0, 99.0, 0.9999999801305904),
            (1020.5, 1000.0, 0.31911283732550666),
            (80.0, 9.0, 1.61613141565346e-13),
        ] {
            assert_near(chi_square_above(x, degrees), expected);
        }
        for (z, expected) in [
            (0.1, 0.920344325445942),
            (1.0, 0.31731050786291415),
            (1.96, 0.04999579029644087),
            (-2.5, 0.012419330651552265),
            (6.0, 1.973175290075389e-09),
        ] {
            assert_near(normal_two_sided(z), expected);
        }
        for (level, expected) in [
            (0.5, 0.6744897501960817),
            (0.9, 1.6448536269514722),
            (0.95, 1.959963984540054),
            (0.999, 3.2905267314919255),
        ] {
            assert_near(normal_within(level), expected);
        }
        for (x, expected) in [
            (0.2, 0.999999999999495),
            (0.4, 0.9971923267772983),
            (0.7, 0.7112351950296893),
            (0.99, 0.2808738392255489),
            (1.0, 0.26999967167735456),
            (1.36, 0.049485876755377876),
            (2.0, 0.0006709252557796953),
            (3.0, 3.045995948942526e-08),
        ] {
            assert_near(kolmogorov_above(x), expected);
        }
    }

    #[test]
    fn the_two_forms_of_kolmogorov_meet() {
        let below = kolmogorov_above(1.0 - 1e-13);
        let above = kolmogorov_above(1.0);
        assert!((below - above).abs() < 1e-12);
    }

    #[test]
    fn ends_are_certain() {
        for certain in [
            chi_square_above(0.0, 3.0),
            normal_two_sided(0.0),
            kolmogorov_above(0.0),
            kolmogorov_above(0.01),
        ] {
            assert!((certain - 1.0).abs() < 1e-15);
        }
        for never in [
            chi_square_above(f64::INFINITY, 3.0),
            normal_two_sided(60.0),
            kolmogorov_above(40.0),
        ] {
            assert!(never < 1e-300);
        }
    }
}
