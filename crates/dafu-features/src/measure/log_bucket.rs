//! Buckets of amounts for quantile sketches, each 2 % wide.

/// Numerator and denominator of gamma = (1 + a) / (1 - a) for the relative accuracy a = 1 %.
const GAMMA: (u128, u128) = (101, 99);
/// Upper ends in the table: the last is the first to reach 2^63, the size of the smallest amount.
const ENDS: usize = 2185;
/// The bucket of the largest amounts; buckets run from its negative to it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "2,185"
)]
pub const MAX_BUCKET: i32 = ENDS as i32;

/// `floor(gamma^i)` for i from 0 on, exactly.
///
/// Made when the program is compiled, from integers: the power is kept with 120 significant bits, an error below
/// 2^-107 after all steps. `gamma^i` is a fraction in lowest terms, never a whole number for i > 0, and a test checks
/// each entry with whole numbers of any length.
static UPPER: [u64; ENDS] = {
    let mut ends = [u64::MAX; ENDS];
    // The power is mantissa * 2^-shift.
    let (mut mantissa, mut shift) = (1_u128 << 119, 119_u32);
    let mut i = 0;
    while i < ENDS {
        let whole = mantissa >> shift;
        // The last power is past 2^63 and below 2^64.
        ends[i] = low_half(whole);
        mantissa = mantissa * GAMMA.0 / GAMMA.1;
        while mantissa >= 1 << 120 {
            mantissa >>= 1;
            shift -= 1;
        }
        i += 1;
    }
    ends
};

#[expect(clippy::cast_possible_truncation, reason = "below 2^64")]
const fn low_half(number: u128) -> u64 {
    number as u64
}

/// The bucket of a fixed-point amount in a sketch with 1 % relative accuracy, -2,185 to 2,185.
///
/// Positive amounts of `v` ten-thousandths are in bucket `1 + ceil(log(v) / log(gamma))` with gamma = 101/99, negative
/// ones in the negative of the bucket of their size, and nothing is in bucket 0. The order of amounts is that of their
/// buckets, and [`bucket_value`] is within 1 % of every amount of its bucket. All in integers: the same on every
/// platform.
///
/// Quantiles come from counts of buckets, which can be added, removed and merged in any order; the value of the bucket
/// in which a rank falls is within 1 % of the amount with this rank.
///
/// Complexity: 12 comparisons.
///
/// Source: Masson, Rim, Lee, "`DDSketch`: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error Guarantees"
/// (2019), PVLDB 12(12), section 2.1; negative values as in section 2.2. Positions are moved by one, so that there is
/// room for 0.
///
/// ```
/// use dafu_features::measure::{bucket_value, log_bucket};
///
/// let bucket = log_bucket(571_600); // 57.16
/// assert!((bucket_value(bucket) / 57.16 - 1.0).abs() <= 0.01);
/// assert_eq!(log_bucket(-571_600), -bucket);
/// ```
pub fn log_bucket(value_fixed: i64) -> i32 {
    let size = value_fixed.unsigned_abs();
    if size == 0 {
        return 0;
    }
    let position = UPPER.partition_point(|&end| end < size);
    let bucket = i32::try_from(position + 1).map_or(MAX_BUCKET, |bucket| bucket.min(MAX_BUCKET));
    if value_fixed < 0 { -bucket } else { bucket }
}

/// The amount in major units that stands for a bucket: within 1 % of every amount of the bucket, and the amount itself
/// where there is only one. 0 for bucket 0; buckets past the ends count as the last ones. Never falling with the
/// bucket; the same bits on every platform.
///
/// Source: Masson, Rim, Lee (2019), lemma 2. They take the middle `2 gamma^i / (gamma + 1)` of the bucket; this takes
/// the harmonic mean of the smallest and the largest whole number in it, which is never worse.
pub fn bucket_value(bucket: i32) -> f64 {
    let Some(position) = bucket.unsigned_abs().checked_sub(1) else {
        return 0.0;
    };
    let position = (position as usize).min(ENDS - 1);
    let high = UPPER[position];
    let low = if position == 0 {
        high
    } else {
        UPPER[position - 1] + 1
    };
    // No amount is in a bucket between two whole numbers; it stands for the one below.
    let (low, high) = (low.min(high) as f64, high as f64);
    let middle = low * high / (low + high) * 2.0;
    let major = middle / super::FIXED_PER_MAJOR as f64;
    if bucket < 0 { -major } else { major }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `number * factor` for a whole number of any length in limbs of 32 bits, lowest first.
    fn times(number: &[u32], factor: u64) -> Vec<u32> {
        let (low, high) = (factor & 0xffff_ffff, factor >> 32);
        let mut product = vec![0_u32; number.len() + 3];
        for (shift, part) in [(0, low), (1, high)] {
            let mut carry = 0_u64;
            for (at, place) in product[shift..].iter_mut().enumerate() {
                let limb = number.get(at).copied().map_or(0, u64::from);
                let sum = limb * part + u64::from(*place) + carry;
                *place = (sum & 0xffff_ffff) as u32;
                carry = sum >> 32;
            }
            assert_eq!(carry, 0);
        }
        while product.last() == Some(&0) {
            product.pop();
        }
        product
    }

    fn compare(a: &[u32], b: &[u32]) -> std::cmp::Ordering {
        a.len()
            .cmp(&b.len())
            .then_with(|| a.iter().rev().cmp(b.iter().rev()))
    }

    #[test]
    fn every_end_is_the_whole_part_of_its_power() {
        use std::cmp::Ordering::{Greater, Less};
        let (mut above, mut below) = (vec![1_u32], vec![1_u32]);
        for (i, &end) in UPPER.iter().enumerate() {
            // end * 99^i <= 101^i < (end + 1) * 99^i
            assert_ne!(compare(&times(&below, end), &above), Greater, "{i}");
            assert_eq!(compare(&above, &times(&below, end + 1)), Less, "{i}");
            (above, below) = (times(&above, 101), times(&below, 99));
        }
        assert!(UPPER[ENDS - 1] >= 1 << 63 && UPPER[ENDS - 2] < 1 << 63);
    }

    /// Sizes around every power of two and ten and every end of a bucket, and all up to 100,000.
    fn sizes() -> Vec<i64> {
        let mut sizes: Vec<i64> = (1..100_000).collect();
        let tens = (0..19).map(|power| 10_i64.pow(power));
        let ends = UPPER
            .iter()
            .map(|&end| i64::try_from(end).unwrap_or(i64::MAX));
        for base in tens.chain((0..63).map(|power| 1 << power)).chain(ends) {
            sizes.extend(base.saturating_sub(5).max(1)..=base.saturating_add(5));
        }
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }

    #[test]
    fn buckets_rise_with_the_amount_over_the_whole_range() {
        let sizes = sizes();
        let mut all = vec![i64::MIN, i64::MIN + 1];
        all.extend(sizes.iter().rev().map(|size| -size));
        all.push(0);
        all.extend(&sizes);
        all.push(i64::MAX);
        for pair in all.windows(2) {
            assert!(log_bucket(pair[0]) <= log_bucket(pair[1]), "{pair:?}");
        }
        assert_eq!(log_bucket(0), 0);
        assert_eq!((log_bucket(1), log_bucket(-1)), (1, -1));
        assert_eq!(
            (log_bucket(i64::MIN), log_bucket(i64::MAX)),
            (-MAX_BUCKET, MAX_BUCKET)
        );
    }

    #[test]
    fn the_value_is_within_one_percent_of_all_amounts_of_its_bucket() {
        for size in sizes() {
            for amount in [size, -size] {
                let (value, major) = (bucket_value(log_bucket(amount)), amount as f64 / 10_000.0);
                // The last part is the rounding of the test itself.
                assert!(
                    (value / major - 1.0).abs() <= 0.01 + 1e-15,
                    "{amount}: {value}"
                );
            }
        }
    }

    #[test]
    fn every_end_closes_its_bucket() {
        for (i, pair) in UPPER[..ENDS - 1].windows(2).enumerate() {
            let bucket = i32::try_from(i + 2).unwrap();
            let end = i64::try_from(pair[1]).unwrap();
            if pair[0] < pair[1] {
                assert_eq!(log_bucket(end), bucket);
            }
            assert!(log_bucket(end + 1) > bucket);
        }
    }

    #[test]
    fn small_amounts_and_buckets_with_one_amount_are_exact() {
        for amount in 1..=50 {
            let value = bucket_value(log_bucket(amount));
            assert!(
                (value * 10_000.0 - amount as f64).abs() < 1e-9,
                "{amount}: {value}"
            );
        }
    }

    #[test]
    fn values_never_fall_and_buckets_past_the_ends_are_the_last() {
        for bucket in -MAX_BUCKET - 3..MAX_BUCKET + 3 {
            assert!(bucket_value(bucket) <= bucket_value(bucket + 1), "{bucket}");
            assert!((bucket_value(bucket) + bucket_value(-bucket)).abs() < 1e-300);
        }
        assert!((bucket_value(i32::MAX) - bucket_value(MAX_BUCKET)).abs() < 1e-300);
        assert!((bucket_value(i32::MIN) - bucket_value(-MAX_BUCKET)).abs() < 1e-300);
    }

    #[test]
    fn a_quantile_from_bucket_counts_is_within_one_percent() {
        use std::collections::BTreeMap;
        let amounts: Vec<i64> = (1..5000_i64)
            .map(|n| (n * n * 7919) % 9_999_991 - 300_000)
            .collect();
        let mut counts = BTreeMap::<i32, usize>::new();
        for &amount in &amounts {
            *counts.entry(log_bucket(amount)).or_default() += 1;
        }
        let mut sorted = amounts;
        sorted.sort_unstable();
        for rank in (0..sorted.len()).step_by(97) {
            let mut seen = 0;
            let bucket = counts.iter().find(|&(_, &count)| {
                seen += count;
                seen > rank
            });
            let (got, exact) = (
                bucket_value(*bucket.unwrap().0),
                sorted[rank] as f64 / 10_000.0,
            );
            assert!((got - exact).abs() <= 0.01 * exact.abs() + 1e-12, "{rank}");
        }
    }
}
