//! From a sum of path lengths to a score.

use crate::node::PATH_ONE;

/// 2^-(sum / trees) for a sum of fixed-point path lengths in units of c(rows a tree).
///
/// Strictly between 0 and 1, strictly falling in `sum`: two sums differ by at least 2^-15 / `trees`, far more
/// than the rounding here. Only additions, multiplications and one division, in a fixed order: the bits do not
/// depend on the mathematical library of the platform.
pub(crate) fn score_of_sum(sum: u64, trees: usize) -> f64 {
    exp2_of_negative(-(sum as f64 / (trees as f64 * f64::from(PATH_ONE))))
}

/// ln(2)^k / k! for k = 0..=13.
const COEFFICIENTS: [f64; 14] = [
    1.0,
    std::f64::consts::LN_2,
    0.240_226_506_959_100_7,
    0.055_504_108_664_821_58,
    0.009_618_129_107_628_477,
    0.001_333_355_814_642_844_4,
    0.000_154_035_303_933_816_1,
    1.525_273_380_405_984e-5,
    1.321_548_679_014_431e-6,
    1.017_808_600_923_97e-7,
    7.054_911_620_801_123e-9,
    4.445_538_271_870_812e-10,
    2.567_843_599_348_82e-11,
    1.369_148_885_390_413e-12,
];

/// 2^x for x at most 0, to within two units in the last place; never below the smallest normal number.
///
/// x is split into a whole number and a rest in [-1/2, 1/2], for which the Taylor series with 14 terms is
/// exact to 4e-18.
pub(crate) fn exp2_of_negative(x: f64) -> f64 {
    let x = x.max(-1022.0);
    let whole = x.round();
    let rest = x - whole;
    let series = COEFFICIENTS
        .iter()
        .rev()
        .fold(0.0, |sum, &coefficient| sum * rest + coefficient);
    (series * power_of_two(whole)).max(f64::MIN_POSITIVE)
}

/// 2^whole for a whole number from -1022 to 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole is in -1022..=0, so the exponent is in 1..=1023"
)]
fn power_of_two(whole: f64) -> f64 {
    f64::from_bits(((whole + 1023.0) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::{COEFFICIENTS, exp2_of_negative, score_of_sum};

    #[test]
    fn coefficients_are_powers_of_ln_2_over_factorials() {
        let mut expected = 1.0_f64;
        for (k, &coefficient) in COEFFICIENTS.iter().enumerate() {
            if k > 0 {
                expected *= std::f64::consts::LN_2 / k as f64;
            }
            assert!((coefficient / expected - 1.0).abs() < 1e-14, "k = {k}");
        }
    }

    #[test]
    fn powers_of_two_agree_with_the_standard_library() {
        let mut x = 0.0_f64;
        while x > -1021.0 {
            let relative = exp2_of_negative(x) / x.exp2() - 1.0;
            assert!(relative.abs() < 5e-16, "x = {x}: {relative}");
            x -= 0.000_731 + x.abs() * 1e-3;
        }
    }

    #[test]
    fn scores_fall_strictly_and_stay_inside_the_open_interval() {
        let mut last = score_of_sum(0, 100_000);
        for sum in 1..200_000 {
            let score = score_of_sum(sum * 7, 100_000);
            assert!(score < last && score > 0.0);
            last = score;
        }
        assert!(score_of_sum(u64::MAX, 1) > 0.0);
        assert!((score_of_sum(300 << 15, 300) - 0.5).abs() < f64::EPSILON / 4.0);
    }
}
