//! One amount of money, and the digits of many.

/// Units of a fixed-point amount in one major unit: amounts are whole ten-thousandths, `57.16` is `571_600`.
pub const FIXED_PER_MAJOR: i64 = 10_000;

/// `sign(a) * ln(1 + |a|)` of the amount `a` in major units: -34.5 to 34.5, 0 for nothing, never NaN.
///
/// Never falling, and rising with each ten-thousandth up to 7e9 major units. The logarithm is that of the platform and
/// may differ in the last bit from one to another.
///
/// ```
/// use dafu_features::measure::log_amount;
///
/// assert!((log_amount(990_000) - 100.0_f64.ln()).abs() < 1e-15); // 99.00
/// assert_eq!(log_amount(-990_000), -log_amount(990_000));
/// ```
pub fn log_amount(fixed: i64) -> f64 {
    let major = fixed as f64 / FIXED_PER_MAJOR as f64;
    major.abs().ln_1p().copysign(major)
}

/// The fraction of a major unit in the amount, 0 to below 1, without the sign: 0.99 for 3.99 and for -3.99.
///
/// ```
/// assert_eq!(dafu_features::measure::cents_part(39_900), 0.99);
/// ```
pub fn cents_part(fixed: i64) -> f64 {
    (fixed % FIXED_PER_MAJOR).unsigned_abs() as f64 / FIXED_PER_MAJOR as f64
}

/// Whether the amount is a whole multiple of `step_major` major units, such as 10 or 100. Nothing is not round, and
/// no amount is round for a step below 1. Negative amounts count as their positive ones.
///
/// ```
/// use dafu_features::measure::is_round;
///
/// assert!(is_round(2_500_000, 50)); // 250.00 in fifties
/// assert!(!is_round(2_500_100, 50)); // 250.01
/// assert!(!is_round(0, 50));
/// ```
pub fn is_round(fixed: i64, step_major: i64) -> bool {
    // A step past the range of amounts has no multiple but 0 in it.
    step_major
        .checked_mul(FIXED_PER_MAJOR)
        .is_some_and(|step| fixed != 0 && step > 0 && fixed % step == 0)
}

/// Decimal zeros at the end of the amount in major units, 0 to 14: 2 for 300.00, 0 for 300.50 and for nothing.
///
/// Complexity: at most 14 divisions.
///
/// ```
/// assert_eq!(dafu_features::measure::trailing_zeros(3_000_000), 2);
/// ```
pub fn trailing_zeros(fixed: i64) -> u32 {
    let mut rest = fixed / FIXED_PER_MAJOR;
    if rest == 0 || fixed % FIXED_PER_MAJOR != 0 {
        return 0;
    }
    let mut zeros = 0;
    while rest % 10 == 0 {
        rest /= 10;
        zeros += 1;
    }
    zeros
}

/// How closely a positive amount stays below a limit: amounts chosen to escape a report or a check (structuring).
///
/// `None` unless the amount lies in `[limit * (1 - share), limit)` of some limit; then `1 - gap / (share * limit)`,
/// from 0 at the lower edge to nearly 1 just below the limit, the largest over all limits. Limits are fixed-point
/// amounts in any order; those that are not positive are passed over. `share` is cut to 1; `None` where it is NaN or
/// not positive.
///
/// Complexity: O(limits).
///
/// ```
/// use dafu_features::measure::just_below;
///
/// let limits = [10_000 * 10_000]; // 10,000.00
/// let close = just_below(9_900 * 10_000, &limits, 0.05); // 100 of at most 500 below
/// assert!((close.unwrap_or(0.0) - 0.8).abs() < 1e-12);
/// assert_eq!(just_below(10_000 * 10_000, &limits, 0.05), None);
/// ```
pub fn just_below(fixed: i64, limits: &[i64], share: f64) -> Option<f64> {
    if fixed <= 0 || share.is_nan() || share <= 0.0 {
        return None;
    }
    let share = share.min(1.0);
    limits
        .iter()
        .filter(|&&limit| limit > fixed)
        .filter_map(|&limit| {
            let (gap, width) = ((limit - fixed) as f64, share * limit as f64);
            (gap <= width).then_some(1.0 - gap / width)
        })
        .max_by(f64::total_cmp)
}

/// The first digit of the amount that is not 0, 1 to 9, whatever the sign; `None` for nothing.
///
/// Complexity: at most 18 divisions.
///
/// ```
/// assert_eq!(dafu_features::measure::first_digit(500), Some(5)); // 0.05
/// ```
pub fn first_digit(fixed: i64) -> Option<u8> {
    let mut rest = fixed.unsigned_abs();
    while rest >= 10 {
        rest /= 10;
    }
    u8::try_from(rest).ok().filter(|&digit| digit > 0)
}

/// Benford's share of numbers that begin with a digit, `log10(1 + 1 / digit)`; NaN for anything but 1 to 9.
///
/// Source: Benford, "The Law of Anomalous Numbers" (1938), Proceedings of the American Philosophical Society 78(4),
/// equation 1.
pub fn benford_expected(digit: u8) -> f64 {
    if (1..=9).contains(&digit) {
        (1.0 / f64::from(digit)).ln_1p() * std::f64::consts::LOG10_E
    } else {
        f64::NAN
    }
}

/// Pearson's chi-square of first digits against Benford's law, with 8 degrees of freedom: 0 or more, NaN without a
/// number.
///
/// `counts[0]` is how many numbers begin with 1, `counts[8]` with 9. Numbers that follow the law pass 15.51 in 5 % and
/// 20.09 in 1 % of samples; with fewer than about 110 numbers some expected counts are below 5 and these are rough. The
/// value grows with the number of numbers for any fixed departure: compare like with like.
///
/// Source: Pearson, "On the criterion that a given system of deviations ..." (1900), Philosophical Magazine 50, page
/// 157 on; Benford (1938) as in [`benford_expected`].
///
/// ```
/// use dafu_features::measure::benford_chi_square;
///
/// let lawful = [301, 176, 125, 97, 79, 67, 58, 51, 46];
/// assert!(benford_chi_square(&lawful) < 0.01);
/// assert!(benford_chi_square(&[0, 0, 0, 0, 40, 0, 0, 0, 60]) > 20.09);
/// assert!(benford_chi_square(&[0; 9]).is_nan());
/// ```
pub fn benford_chi_square(counts: &[u32; 9]) -> f64 {
    let total: u64 = counts.iter().map(|&count| u64::from(count)).sum();
    if total == 0 {
        return f64::NAN;
    }
    (1..=9_u8)
        .zip(counts)
        .map(|(digit, &count)| {
            let expected = total as f64 * benford_expected(digit);
            let gap = f64::from(count) - expected;
            gap * gap / expected
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Amounts of every size around powers of ten and two, both signs, and the ends.
    fn amounts() -> Vec<i64> {
        let mut all = vec![0, i64::MIN, i64::MIN + 1, i64::MAX, i64::MAX - 1];
        let tens = (0..19).map(|power| 10_i64.pow(power));
        for base in tens.chain((0..63).map(|power| 1_i64 << power)) {
            for near in base.saturating_sub(3)..=base.saturating_add(3) {
                all.extend([near, -near]);
            }
        }
        all
    }

    #[test]
    fn the_logarithm_is_odd_and_grows_with_the_amount() {
        let mut sorted: Vec<i64> = amounts();
        sorted.retain(|amount| amount.unsigned_abs() < 1 << 46);
        sorted.sort_unstable();
        sorted.dedup();
        for pair in sorted.windows(2) {
            assert!(log_amount(pair[0]) < log_amount(pair[1]), "{pair:?}");
        }
        for amount in sorted {
            assert!((log_amount(amount) + log_amount(-amount)).abs() < f64::MIN_POSITIVE);
        }
        let largest = 63.0 * std::f64::consts::LN_2 - 4.0 * std::f64::consts::LN_10;
        assert!((log_amount(i64::MIN) + largest).abs() < 1e-13);
    }

    #[test]
    fn text_of_the_amount_is_the_oracle_for_cents_zeros_and_first_digit() {
        for amount in amounts() {
            let size = amount.unsigned_abs();
            let (major, fraction) = ((size / 10_000).to_string(), format!("{:04}", size % 10_000));
            let read: f64 = format!("0.{fraction}").parse().unwrap();
            assert!((cents_part(amount) - read).abs() < 1e-16, "{amount}");
            let whole = size != 0 && fraction == "0000";
            let zeros = major.len() - major.trim_end_matches('0').len();
            let expected = if whole { zeros } else { 0 };
            assert_eq!(trailing_zeros(amount) as usize, expected, "{amount}");
            let digits = format!("{major}{fraction}");
            let first = digits.bytes().find(|&byte| byte != b'0');
            assert_eq!(first_digit(amount), first.map(|byte| byte - b'0'));
        }
    }

    #[test]
    fn round_amounts_are_whole_multiples_of_the_step_and_not_zero() {
        for amount in amounts() {
            for step in [1, 5, 10, 100, 1000, 922_337_203_685_477] {
                let parts = i128::from(step) * 10_000;
                let expected = amount != 0 && i128::from(amount) % parts == 0;
                assert_eq!(is_round(amount, step), expected, "{amount} in {step}");
            }
            for step in [0, -1, -10, i64::MIN, i64::MAX, 922_337_203_685_478] {
                assert!(!is_round(amount, step), "{amount} in {step}");
            }
        }
        assert!(is_round(-3_000_000, 100));
    }

    #[test]
    fn just_below_holds_from_the_lower_edge_to_before_the_limit() {
        let limits = [30_000_000, 100_000_000];
        let near = |amount| just_below(amount, &limits, 0.1);
        assert_eq!(near(26_999_999), None);
        assert!(near(27_000_000).unwrap().abs() < 1e-12);
        assert!((near(28_500_000).unwrap() - 0.5).abs() < 1e-12);
        assert!(near(29_999_999).unwrap() > 0.999_999);
        assert_eq!(near(30_000_000), None);
        assert!((near(95_000_000).unwrap() - 0.5).abs() < 1e-12);
        assert_eq!(near(100_000_000), None);
        assert_eq!(near(-29_999_999), None);
        assert_eq!(near(0), None);
    }

    #[test]
    fn just_below_takes_the_closest_limit_in_any_order() {
        let near = |limits: &[i64]| just_below(900, limits, 0.5).unwrap();
        assert!((near(&[1000, 1100]) - 0.8).abs() < 1e-12);
        assert!((near(&[1100, 1000, 5000]) - 0.8).abs() < 1e-12);
    }

    #[test]
    fn just_below_survives_useless_settings() {
        for share in [f64::NAN, 0.0, -1.0, f64::NEG_INFINITY] {
            assert_eq!(just_below(5, &[6], share), None);
        }
        assert!(just_below(5, &[6], f64::INFINITY).is_some());
        assert_eq!(
            just_below(i64::MAX, &[i64::MAX, i64::MIN, 0, -4], 1.0),
            None
        );
        assert!(just_below(i64::MAX - 1, &[i64::MAX], 1.0).is_some());
        assert!(just_below(1, &[i64::MAX], 1.0).is_some());
        assert_eq!(just_below(1, &[], 1.0), None);
    }

    #[test]
    fn benford_shares_are_the_published_ones_and_sum_to_one() {
        // Benford (1938), table III, to three decimals.
        let table = [
            0.301, 0.176, 0.125, 0.097, 0.079, 0.067, 0.058, 0.051, 0.046,
        ];
        let shares: Vec<f64> = (1..=9).map(benford_expected).collect();
        for (share, printed) in shares.iter().zip(table) {
            assert!((share - printed).abs() < 5.1e-4);
        }
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-15);
        assert!(benford_expected(0).is_nan() && benford_expected(10).is_nan());
    }

    #[test]
    fn chi_square_of_one_repeated_digit_is_its_closed_form() {
        // All n numbers begin with d: n * (1 / p_d - 1).
        for digit in 1..=9_u8 {
            let mut counts = [0; 9];
            counts[usize::from(digit - 1)] = 50;
            let expected = 50.0 * (1.0 / benford_expected(digit) - 1.0);
            let got = benford_chi_square(&counts);
            assert!((got / expected - 1.0).abs() < 1e-13, "{digit}: {got}");
        }
    }

    #[test]
    #[expect(clippy::cast_possible_truncation, reason = "below 1e10")]
    fn powers_of_two_follow_the_law_and_uniform_digits_do_not() {
        let mut powers = [0_u32; 9];
        let mut mantissa = 1.0_f64;
        for _ in 0..1000 {
            let digit = first_digit((mantissa * 1e9) as i64).unwrap();
            powers[usize::from(digit) - 1] += 1;
            mantissa *= 2.0;
            if mantissa >= 10.0 {
                mantissa /= 10.0;
            }
        }
        assert!(benford_chi_square(&powers) < 1.0);
        assert!(benford_chi_square(&[111; 9]) > 200.0);
        assert!(benford_chi_square(&[u32::MAX; 9]).is_finite());
    }
}
