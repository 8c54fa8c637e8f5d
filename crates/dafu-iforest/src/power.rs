//! Powers and logarithms of 2 with the same bits on every platform.

/// The logarithm to base 2 of a positive normal number, to within a few units in the last place.
///
/// With additions, multiplications and divisions alone, so that the bits do not depend on the mathematical library
/// of the platform: x = 2^e m with m in [2^-1/2, 2^1/2), ln m = 2 artanh((m - 1) / (m + 1)) by its series.
pub(crate) fn log2(x: f64) -> f64 {
    const EXPONENT_BITS: u64 = 0x7ff << 52;
    const ONE: u64 = 1023 << 52;
    let bits = x.to_bits();
    let mut exponent = ((bits & EXPONENT_BITS) >> 52) as f64 - 1023.0;
    let mut mantissa = f64::from_bits(bits & !EXPONENT_BITS | ONE);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1.0;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    // |s| < 0.172: the term left out is below 1e-18.
    let series = (0..12_u32)
        .rev()
        .fold(0.0, |sum, k| sum * square + 1.0 / f64::from(2 * k + 1));
    exponent + 2.0 * s * series / std::f64::consts::LN_2
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
/// Only additions and multiplications, in a fixed order: the bits do not depend on the mathematical library of the
/// platform. Strictly rising in x for steps far above the rounding.
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
    use super::{COEFFICIENTS, exp2_of_negative, log2};

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
    fn logarithms_agree_with_the_standard_library() {
        let mut x = 1.0_f64;
        while x < 1e12 {
            let expected = x.log2();
            assert!(
                (log2(x) - expected).abs() <= 4e-16 * expected.max(1.0),
                "log2({x}) = {} instead of {expected}",
                log2(x)
            );
            let below = log2(1.0 / x) + expected;
            assert!(below.abs() <= 6e-16 * expected.max(1.0), "log2(1 / {x})");
            x *= 1.000_37;
        }
        for power in -40..40 {
            let exact = f64::from(power);
            assert!((log2(exact.exp2()) - exact).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn powers_rise_strictly_and_stay_inside_the_open_interval() {
        let mut last = 0.0;
        for step in (0..200_000).rev() {
            let power = exp2_of_negative(-f64::from(step) * 1e-10);
            assert!(power > last && power <= 1.0);
            last = power;
        }
        assert!(exp2_of_negative(-1e9) > 0.0);
        assert_eq!(exp2_of_negative(-1.0).to_bits(), 0.5_f64.to_bits());
    }
}
