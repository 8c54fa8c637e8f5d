//! Instants in UTC microseconds, calendar fields, and zones for times that carry none.

use crate::CoreError;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

#[cfg(feature = "chrono")]
mod zone;
#[cfg(feature = "chrono")]
pub use zone::{Resolved, Zone};

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// An instant: microseconds since 1970-01-01T00:00:00Z, in the years 1 to 9999. Leap seconds are not counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "i64", into = "i64"))]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_135_596_800 * MICROS_PER_SECOND);
    /// 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_800 * MICROS_PER_SECOND - 1);
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// An instant from microseconds since 1970.
    ///
    /// # Errors
    ///
    /// [`CoreError::TimeRange`] outside the years 1 to 9999.
    pub fn from_micros(micros: i64) -> Result<Self, CoreError> {
        if (Self::MIN.0..=Self::MAX.0).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(CoreError::TimeRange { micros })
        }
    }

    /// An instant from whole seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`CoreError::TimeRange`] outside the years 1 to 9999.
    pub fn from_seconds(seconds: i64) -> Result<Self, CoreError> {
        Self::from_micros(seconds.saturating_mul(MICROS_PER_SECOND))
    }

    /// An instant from calendar fields in UTC.
    ///
    /// # Errors
    ///
    /// [`CoreError::Time`] when a field is outside its range (13th month, 30th of February, 24 hours).
    pub fn from_civil(civil: Civil) -> Result<Self, CoreError> {
        civil.check()?;
        let days = days_from_civil(civil.year, civil.month, civil.day);
        let seconds =
            i64::from(civil.hour) * 3600 + i64::from(civil.minute) * 60 + i64::from(civil.second);
        Ok(Self(
            days * MICROS_PER_DAY + seconds * MICROS_PER_SECOND + i64::from(civil.micro),
        ))
    }

    /// Microseconds since 1970.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Seconds since 1970 with a fraction.
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / MICROS_PER_SECOND as f64
    }

    /// Calendar fields in UTC.
    pub fn civil(self) -> Civil {
        let (year, month, day) = civil_from_days(self.day());
        let second_of_day = self.second_of_day();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "fields of one day"
        )]
        Civil {
            year,
            month,
            day,
            hour: (second_of_day / 3600) as u8,
            minute: (second_of_day / 60 % 60) as u8,
            second: (second_of_day % 60) as u8,
            micro: self.0.rem_euclid(MICROS_PER_SECOND) as u32,
        }
    }

    /// Whole days since 1970-01-01 in UTC, negative before.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(MICROS_PER_DAY)
    }

    /// Seconds since midnight UTC, 0 to 86,399.
    pub const fn second_of_day(self) -> i64 {
        self.0.rem_euclid(MICROS_PER_DAY) / MICROS_PER_SECOND
    }

    /// Hour of the day in UTC, 0 to 23.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 23"
    )]
    pub const fn hour(self) -> u8 {
        (self.second_of_day() / 3600) as u8
    }

    /// Day of the week in UTC, 0 for Monday to 6 for Sunday (ISO 8601 order).
    #[expect(clippy::cast_possible_truncation, reason = "0 to 6")]
    pub const fn weekday(self) -> u8 {
        (self.day() + 3).rem_euclid(7) as u8
    }

    /// Microseconds from `earlier` to `self`, negative when `self` comes first.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// The instant later by a duration.
    ///
    /// # Errors
    ///
    /// [`CoreError::TimeRange`] past the year 9999.
    pub fn checked_add(self, duration: Duration) -> Result<Self, CoreError> {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// The instant earlier by a duration.
    ///
    /// # Errors
    ///
    /// [`CoreError::TimeRange`] before the year 1.
    pub fn checked_sub(self, duration: Duration) -> Result<Self, CoreError> {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_sub(micros))
    }

    /// The date in UTC as `2018-04-01`.
    pub fn date(self) -> String {
        let civil = self.civil();
        format!("{:04}-{:02}-{:02}", civil.year, civil.month, civil.day)
    }
}

impl TryFrom<i64> for Timestamp {
    type Error = CoreError;
    fn try_from(micros: i64) -> Result<Self, CoreError> {
        Self::from_micros(micros)
    }
}

impl From<Timestamp> for i64 {
    fn from(timestamp: Timestamp) -> i64 {
        timestamp.0
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC; the fraction is left out when it is zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.civil();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            c.year, c.month, c.day, c.hour, c.minute, c.second
        )?;
        if c.micro > 0 {
            write!(f, ".{:06}", c.micro)?;
        }
        f.write_str("Z")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = CoreError;

    /// Reads RFC 3339: `2018-04-01T00:00:31Z`, a space for the `T`, a fraction of up to nine digits (cut to
    /// microseconds), an offset such as `+02:00`. A time without `Z` or offset is an error: its zone is unknown.
    fn from_str(text: &str) -> Result<Self, CoreError> {
        parse_rfc3339(text).ok_or_else(|| CoreError::Time {
            got: text.chars().take(64).collect(),
        })
    }
}

fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let (civil, rest) = Civil::parse_prefix(text)?;
    let utc = Timestamp::from_civil(civil).ok()?;
    let offset_minutes = match rest.as_bytes() {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), h1, h0, b':', m1, m0] => {
            let two = |a: &u8, b: &u8| {
                (a.is_ascii_digit() && b.is_ascii_digit())
                    .then(|| i64::from(a - b'0') * 10 + i64::from(b - b'0'))
            };
            let (hours, minutes) = (two(h1, h0)?, two(m1, m0)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 60 + minutes) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    Timestamp::from_micros(utc.0 - offset_minutes * 60 * MICROS_PER_SECOND).ok()
}

/// Calendar fields of the proleptic Gregorian calendar, in whatever zone the context says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Civil {
    /// Year, 1 to 9999.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 59.
    pub second: u8,
    /// Microsecond, 0 to 999,999.
    pub micro: u32,
}

impl Civil {
    /// Midnight of a date.
    pub const fn date(year: i32, month: u8, day: u8) -> Self {
        Self {
            year,
            month,
            day,
            hour: 0,
            minute: 0,
            second: 0,
            micro: 0,
        }
    }

    /// Whether every field is in its range and the day exists.
    ///
    /// # Errors
    ///
    /// [`CoreError::Time`] with the fields as text.
    pub fn check(&self) -> Result<(), CoreError> {
        let ok = (1..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=days_in_month(self.year, self.month)).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
            && self.micro < 1_000_000;
        if ok {
            Ok(())
        } else {
            Err(CoreError::Time {
                got: format!(
                    "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}",
                    self.year,
                    self.month,
                    self.day,
                    self.hour,
                    self.minute,
                    self.second,
                    self.micro
                ),
            })
        }
    }

    /// Reads `YYYY-MM-DD`, then optionally `T` or a space and `HH:MM[:SS[.fraction]]`; returns the fields and what
    /// follows them. Fields are not range-checked.
    pub fn parse_prefix(text: &str) -> Option<(Self, &str)> {
        let bytes = text.as_bytes();
        let number = |from: usize, places: usize| -> Option<u32> {
            bytes
                .get(from..from + places)?
                .iter()
                .try_fold(0_u32, |n, b| {
                    b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0'))
                })
        };
        let small = |from: usize| number(from, 2).and_then(|n| u8::try_from(n).ok());
        let is = |at: usize, byte: u8| bytes.get(at) == Some(&byte);
        if !(is(4, b'-') && is(7, b'-')) {
            return None;
        }
        let mut civil = Self::date(i32::try_from(number(0, 4)?).ok()?, small(5)?, small(8)?);
        let mut end = 10;
        if (is(10, b'T') || is(10, b't') || is(10, b' ')) && is(13, b':') {
            civil.hour = small(11)?;
            civil.minute = small(14)?;
            end = 16;
            if is(16, b':') {
                civil.second = small(17)?;
                end = 19;
                if is(19, b'.') || is(19, b',') {
                    let digits = bytes[20..]
                        .iter()
                        .take_while(|b| b.is_ascii_digit())
                        .take(10)
                        .count();
                    if digits == 0 || digits > 9 {
                        return None;
                    }
                    let kept = digits.min(6);
                    civil.micro = number(20, kept)? * 10_u32.pow(6 - u32::try_from(kept).ok()?);
                    end = 20 + digits;
                }
            }
        }
        Some((civil, text.get(end..)?))
    }
}

/// Days of a month, 0 for a month that does not exist.
fn days_in_month(year: i32, month: u8) -> u8 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 0,
    }
}

/// Days since 1970-01-01. Source: Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2013), `days_from_civil`.
fn days_from_civil(year: i32, month: u8, day: u8) -> i64 {
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = i64::from(month);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month, day of a day number. Source: Hinnant (2013), `civil_from_days`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the years 1 to 9999"
)]
fn civil_from_days(days: i64) -> (i32, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted + 2) / 5 + 1) as u8;
    let month = (if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    }) as u8;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as i32, month, day)
}

#[cfg(feature = "chrono")]
impl From<Timestamp> for chrono::DateTime<chrono::Utc> {
    fn from(timestamp: Timestamp) -> Self {
        Self::from_timestamp_micros(timestamp.0).unwrap_or(Self::UNIX_EPOCH)
    }
}

#[cfg(feature = "chrono")]
impl<Tz: chrono::TimeZone> TryFrom<chrono::DateTime<Tz>> for Timestamp {
    type Error = CoreError;
    fn try_from(time: chrono::DateTime<Tz>) -> Result<Self, CoreError> {
        Self::from_micros(time.timestamp_micros())
    }
}

#[cfg(test)]
mod tests;
