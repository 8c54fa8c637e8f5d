//! Logarithm and exponential from the four basic operations alone, so that every platform gives the same bits.
//!
//! The standard library calls the platform's libm, whose last bits differ between systems and versions. IEEE 754
//! fixes the results of `+ - * /` and `sqrt`, and Rust never contracts them into fused operations.

/// The high part of ln 2: its last 32 bits are zero, so that small multiples are exact.
const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
/// ln 2 less [`LN_2_HIGH`].
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// 1.5 x 2^52: added and taken away, it leaves the nearest whole number.
const TO_WHOLE: f64 = 6_755_399_441_055_744.0;
const MANTISSA: u64 = (1 << 52) - 1;

/// Natural logarithm of a positive normal number, to about 2 units in the last place.
///
/// x = m 2^e with m in [0.75, 1.5), and ln m = 2 artanh((m - 1) / (m + 1)) by its power series to the 25th power,
/// whose next term is below 1e-20.
#[must_use]
pub fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = f64::from(u16::try_from(bits >> 52 & 0x7ff).unwrap_or(0)) - 1023.0;
    let mut mantissa = f64::from_bits(bits & MANTISSA | 1023 << 52);
    if mantissa >= 1.5 {
        mantissa *= 0.5;
        exponent += 1.0;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let mut series = 0.0;
    for power in [
        25.0, 23.0, 21.0, 19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0,
    ] {
        series = (series + 1.0 / power) * square;
    }
    exponent * LN_2_HIGH + (exponent * LN_2_LOW + 2.0 * s * series + 2.0 * s)
}

/// Exponential of x cut to -700 to 700, to about 2 units in the last place.
///
/// x = k ln 2 + r with |r| <= 0.35, and e^r by its Taylor series to the 14th power, whose next term is below 1e-19.
#[must_use]
pub fn exp(x: f64) -> f64 {
    let x = x.clamp(-700.0, 700.0);
    let multiple = (x * std::f64::consts::LOG2_E + TO_WHOLE) - TO_WHOLE;
    let r = (x - multiple * LN_2_HIGH) - multiple * LN_2_LOW;
    let mut series = 1.0;
    for divisor in [
        14.0, 13.0, 12.0, 11.0, 10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0,
    ] {
        series = 1.0 + series * r * (1.0 / divisor);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an exponent of -1010 to 1010, with 1023 added"
    )]
    let power = (multiple as i64 + 1023) as u64;
    series * f64::from_bits(power << 52)
}

#[cfg(test)]
mod tests {
    use super::{exp, ln};

    #[test]
    fn agrees_with_the_platform_to_a_few_units_in_the_last_place() {
        let mut x = 1e-300_f64;
        while x < 1e300 {
            let (got, expected) = (ln(x), x.ln());
            assert!(
                (got - expected).abs() <= 1e-15 * expected.abs().max(1.0),
                "ln {x}"
            );
            x *= 1.000_37;
        }
        let mut x = -699.0_f64;
        while x < 699.0 {
            let (got, expected) = (exp(x), x.exp());
            assert!(
                (got - expected).abs() <= 1e-15 * expected.max(f64::MIN_POSITIVE) * 2.0,
                "exp {x}"
            );
            x += 0.003_7;
        }
    }

    #[test]
    fn keeps_its_bits() {
        // Bits written down once; a change of any of them changes every simulated file.
        assert_eq!(ln(2.0).to_bits(), std::f64::consts::LN_2.to_bits());
        assert_eq!(ln(1.0).to_bits(), 0);
        assert_eq!(exp(0.0).to_bits(), 1.0_f64.to_bits());
        assert_eq!(exp(1.0).to_bits(), std::f64::consts::E.to_bits() + 1);
    }
}
