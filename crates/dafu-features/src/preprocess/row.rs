//! What one row alone gives: fields of its time, the logarithm of its amount, hashes and folds.

use super::params::{Folds, TimeFeature};
use dafu_core::{StableHasher, Timestamp};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
const DAYS_PER_WEEK: i64 = 7;
/// 1970-01-01 was a Thursday, and the week begins on Monday.
const FIRST_WEEKDAY: i64 = 3;

/// How times are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Clock {
    pub(crate) offset_minutes: i32,
    pub(crate) night_from: u8,
    pub(crate) night_until: u8,
}

impl Clock {
    /// Seconds since Monday 00:00 in the declared offset, 0 to 604,799.
    pub(crate) fn second_of_week(self, time: Timestamp) -> i64 {
        let seconds = time.as_micros().div_euclid(MICROS_PER_SECOND);
        let local = seconds + i64::from(self.offset_minutes) * 60;
        (local + FIRST_WEEKDAY * SECONDS_PER_DAY).rem_euclid(DAYS_PER_WEEK * SECONDS_PER_DAY)
    }

    /// The value of a feature; the second one of the cycles when `second` is set.
    pub(crate) fn value(self, feature: TimeFeature, second_of_week: i64) -> (f64, f64) {
        let weekday = second_of_week / SECONDS_PER_DAY;
        let second = second_of_week % SECONDS_PER_DAY;
        let hour = second / 3600;
        let flag = |on: bool| (f64::from(u8::from(on)), 0.0);
        let turn = |part: f64| (part * std::f64::consts::TAU).sin_cos();
        match feature {
            TimeFeature::Hour => (hour as f64, 0.0),
            TimeFeature::Weekday => (weekday as f64, 0.0),
            TimeFeature::Weekend => flag(weekday >= 5),
            TimeFeature::Night => {
                let (from, until) = (i64::from(self.night_from), i64::from(self.night_until));
                flag(if from <= until {
                    (from..until).contains(&hour)
                } else {
                    hour >= from || hour < until
                })
            }
            TimeFeature::HourCycle => turn(second as f64 / SECONDS_PER_DAY as f64),
            TimeFeature::WeekdayCycle => turn(weekday as f64 / DAYS_PER_WEEK as f64),
        }
    }
}

/// `sign(x) * ln(1 + |x|)`.
pub(crate) fn signed_log(value: f64) -> f64 {
    value.abs().ln_1p().copysign(value)
}

/// `MurmurHash3_x86_32` with seed 0.
///
/// Source: Appleby, `MurmurHash3.cpp` (2011, public domain).
pub(crate) fn murmur3(bytes: &[u8]) -> u32 {
    const C1: u32 = 0xcc9e_2d51;
    const C2: u32 = 0x1b87_3593;
    let mix = |word: u32| word.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2);
    let (blocks, tail) = bytes.as_chunks::<4>();
    let mut hash = blocks.iter().fold(0_u32, |hash, block| {
        (hash ^ mix(u32::from_le_bytes(*block)))
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64)
    });
    let mut last = [0_u8; 4];
    last[..tail.len()].copy_from_slice(tail);
    if !tail.is_empty() {
        hash ^= mix(u32::from_le_bytes(last));
    }
    // The length is taken modulo 2^32, as the original does.
    hash ^= u32::try_from(bytes.len() & 0xffff_ffff).unwrap_or_default();
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

/// Bucket and sign of a text, as scikit-learn's `FeatureHasher`.
pub(crate) fn bucket(text: &str, buckets: u16) -> (usize, f64) {
    let hash = murmur3(text.as_bytes()).cast_signed();
    let place = hash.unsigned_abs() % u32::from(buckets.max(1));
    let sign = if hash >= 0 { 1.0 } else { -1.0 };
    (usize::try_from(place).unwrap_or_default(), sign)
}

/// A user as a group number: FNV-1a folded to 32 bits.
pub(crate) fn group(user: Option<&str>) -> u32 {
    let hash = user.map_or(0, |user| StableHasher::hash_bytes(user.as_bytes()));
    let folded = (hash ^ (hash >> 32)) & 0xffff_ffff;
    u32::try_from(folded).unwrap_or_default()
}

/// What the fold of a row depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowKey<'a> {
    pub(crate) transaction: Option<&'a str>,
    pub(crate) record: u64,
    pub(crate) user: Option<&'a str>,
    pub(crate) time: Option<Timestamp>,
}

impl Folds {
    pub(crate) fn of(self, row: RowKey<'_>) -> u16 {
        let folds = u64::from(self.count().max(1));
        let by_text = |text: &str| StableHasher::hash_bytes(text.as_bytes());
        let by_row = || {
            row.transaction.map_or_else(
                || StableHasher::hash_bytes(&row.record.to_le_bytes()),
                by_text,
            )
        };
        let number = match self {
            Self::Row { .. } => spread(by_row()),
            Self::User { .. } => spread(row.user.map_or_else(by_row, by_text)),
            Self::Time { days, .. } => row.time.map_or_else(
                || spread(by_row()),
                |time| {
                    let block = time.day().div_euclid(i64::from(days.max(1)));
                    block
                        .rem_euclid(i64::from(self.count().max(1)))
                        .unsigned_abs()
                },
            ),
        };
        u16::try_from(number % folds).unwrap_or_default()
    }
}

/// The low bits of FNV-1a follow the last byte closely; the upper half does not.
const fn spread(hash: u64) -> u64 {
    hash >> 32
}
