//! What day and what time an instant is where the payer lives.

use crate::FeatureError;
use dafu_core::time::Civil;
use dafu_core::{CoreError, Timestamp};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

const MICROS_PER_MINUTE: i64 = 60_000_000;
const MICROS_PER_DAY: i64 = 1440 * MICROS_PER_MINUTE;
/// The Gregorian calendar, weekdays included, repeats after 400 years.
const DAYS_PER_CYCLE: i64 = 146_097;

/// A day of the proleptic Gregorian calendar, in the years 1 to 9999.
///
/// Read and written as `2026-12-25`, by serde as well.
///
/// ```
/// # fn main() -> Result<(), dafu_core::CoreError> {
/// use dafu_features::measure::Date;
///
/// let date: Date = "2026-12-25".parse()?;
/// assert_eq!(date, Date::from_ymd(2026, 12, 25)?);
/// assert_eq!(date.day(), 20_812); // days since 1970-01-01
/// assert_eq!(date.to_string(), "2026-12-25");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct Date(i64);

impl Date {
    /// A date from days since 1970-01-01, negative before.
    ///
    /// # Errors
    ///
    /// [`CoreError::TimeRange`] outside the years 1 to 9999.
    pub fn new(day: i64) -> Result<Self, CoreError> {
        Timestamp::from_micros(day.saturating_mul(MICROS_PER_DAY))
            .map(|midnight| Self(midnight.day()))
    }

    /// A date from year, month and day of the month.
    ///
    /// # Errors
    ///
    /// [`CoreError::Time`] where there is no such day.
    pub fn from_ymd(year: i32, month: u8, day: u8) -> Result<Self, CoreError> {
        Timestamp::from_civil(Civil::date(year, month, day)).map(|midnight| Self(midnight.day()))
    }

    /// Days since 1970-01-01, negative before.
    pub const fn day(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = cycle_civil(self.0);
        // The day in the cycle of 1970 to 2369 has another year; the cycles between are put back.
        let cycles = self.0.div_euclid(DAYS_PER_CYCLE);
        let year = i64::from(civil.year) + 400 * cycles;
        write!(f, "{year:04}-{:02}-{:02}", civil.month, civil.day)
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Date {
    type Err = CoreError;

    /// Reads `2026-12-25` and nothing else.
    fn from_str(text: &str) -> Result<Self, CoreError> {
        match Civil::parse_prefix(text) {
            Some((civil, "")) if text.len() == 10 => {
                Self::from_ymd(civil.year, civil.month, civil.day)
            }
            _ => Err(CoreError::Time {
                got: text.chars().take(64).collect(),
            }),
        }
    }
}

impl TryFrom<String> for Date {
    type Error = CoreError;
    fn try_from(text: String) -> Result<Self, CoreError> {
        text.parse()
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

/// How instants are read: a fixed offset from UTC, the hours that are night, and the days that are holidays.
///
/// Every method takes local time, which is UTC plus `offset_minutes`, and works for all instants of the years 1 to 9999
/// with every offset. There is no daylight saving time: it moves hours by one for a part of the year.
///
/// The default is UTC, no holidays, and the night of the Fraud Detection Handbook: hours 0 to 6, thus 00:00 to before
/// 07:00.
///
/// Source of the default: Le Borgne, Siblini, Lebichot, Bontempi, "Reproducible Machine Learning for Credit Card Fraud
/// Detection - Practical Handbook" (2022), section 3.5, function `is_night`. Its code says `tx_hour<=6`, its comment
/// "less than 6"; the code made the published features.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use dafu_features::measure::Calendar;
///
/// let calendar = Calendar::default().offset_minutes(120).holiday("2026-12-25".parse()?);
/// calendar.check()?;
/// let at = "2026-12-24T22:30:00Z".parse()?; // 00:30 on Friday, Christmas Day
/// assert_eq!((calendar.hour(at), calendar.weekday(at)), (0, 4));
/// assert!(calendar.is_night(at) && calendar.is_holiday(at) && !calendar.is_weekend(at));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Calendar {
    /// Minutes to add to UTC, -1,080 to 1,080.
    pub offset_minutes: i32,
    /// First hour of the night, 0 to 23.
    pub night_from: u8,
    /// First hour after the night, 0 to 23. Smaller than `night_from`, the night passes midnight; equal to it, there is
    /// no night.
    pub night_until: u8,
    /// Holidays, in local time.
    pub holidays: BTreeSet<Date>,
}

impl Default for Calendar {
    fn default() -> Self {
        Self {
            offset_minutes: 0,
            night_from: 0,
            night_until: 7,
            holidays: BTreeSet::new(),
        }
    }
}

impl Calendar {
    /// Sets the minutes to add to UTC.
    #[must_use]
    pub fn offset_minutes(mut self, minutes: i32) -> Self {
        self.offset_minutes = minutes;
        self
    }

    /// Sets first hour of the night and first hour after it.
    #[must_use]
    pub fn night(mut self, from: u8, until: u8) -> Self {
        (self.night_from, self.night_until) = (from, until);
        self
    }

    /// Adds a holiday.
    #[must_use]
    pub fn holiday(mut self, date: Date) -> Self {
        self.holidays.insert(date);
        self
    }

    /// Whether every setting is in its range.
    ///
    /// # Errors
    ///
    /// [`FeatureError::OutOfRange`] with the name of the first setting that is not.
    pub fn check(&self) -> Result<(), FeatureError> {
        let whole = |parameter, got, min, max| {
            if (min..=max).contains(&got) {
                Ok(())
            } else {
                Err(FeatureError::OutOfRange {
                    parameter,
                    min,
                    max,
                    got,
                })
            }
        };
        whole(
            "offset_minutes",
            i64::from(self.offset_minutes),
            -1080,
            1080,
        )?;
        whole("night_from", i64::from(self.night_from), 0, 23)?;
        whole("night_until", i64::from(self.night_until), 0, 23)
    }

    /// Microseconds since 1970-01-01T00:00 on the local clock. Far from overflow: an instant is below 2.6e17 and the
    /// largest offset below 1.3e17.
    fn local(&self, at: Timestamp) -> i64 {
        at.as_micros() + i64::from(self.offset_minutes) * MICROS_PER_MINUTE
    }

    /// Days since 1970-01-01 on the local calendar, negative before. It may lie a day outside the years 1 to 9999.
    pub fn day(&self, at: Timestamp) -> i64 {
        self.local(at).div_euclid(MICROS_PER_DAY)
    }

    /// Seconds since local midnight, 0 to 86,399.
    #[expect(clippy::cast_possible_truncation, reason = "0 to 86,399")]
    pub fn second_of_day(&self, at: Timestamp) -> u32 {
        (self.local(at).rem_euclid(MICROS_PER_DAY) / 1_000_000) as u32
    }

    /// Hour of the local day, 0 to 23.
    #[expect(clippy::cast_possible_truncation, reason = "0 to 23")]
    pub fn hour(&self, at: Timestamp) -> u8 {
        (self.second_of_day(at) / 3600) as u8
    }

    /// Day of the local week, 0 for Monday to 6 for Sunday (ISO 8601 order).
    #[expect(clippy::cast_possible_truncation, reason = "0 to 6")]
    pub fn weekday(&self, at: Timestamp) -> u8 {
        // 1970-01-01 was a Thursday.
        (self.day(at) + 3).rem_euclid(7) as u8
    }

    /// Whether it is Saturday or Sunday.
    pub fn is_weekend(&self, at: Timestamp) -> bool {
        self.weekday(at) >= 5
    }

    /// Whether the local hour is one of the night.
    pub fn is_night(&self, at: Timestamp) -> bool {
        let hour = self.hour(at);
        if self.night_from <= self.night_until {
            (self.night_from..self.night_until).contains(&hour)
        } else {
            hour >= self.night_from || hour < self.night_until
        }
    }

    /// Whether the local day is a holiday. O(log holidays).
    pub fn is_holiday(&self, at: Timestamp) -> bool {
        self.holidays.contains(&Date(self.day(at)))
    }

    /// Days to the nearest holiday: 0 on one, positive before it, negative after it; of two equally near, the coming
    /// one. `None` without holidays. O(log holidays).
    pub fn days_to_holiday(&self, at: Timestamp) -> Option<i64> {
        let today = self.day(at);
        let next = self.holidays.range(Date(today)..).next();
        let last = self.holidays.range(..Date(today)).next_back();
        match (
            next.map(|date| date.0 - today),
            last.map(|date| date.0 - today),
        ) {
            (Some(ahead), Some(ago)) if -ago < ahead => Some(ago),
            (None, ago) => ago,
            (ahead, _) => ahead,
        }
    }

    /// Day of the local month, 1 to 31.
    pub fn day_of_month(&self, at: Timestamp) -> u8 {
        cycle_civil(self.day(at)).day
    }

    /// Days left in the local month, 30 on the first of a long month to 0 on the last day. Salaries come at its end.
    pub fn days_to_month_end(&self, at: Timestamp) -> u8 {
        let today = cycle_civil(self.day(at));
        let (year, month) = if today.month < 12 {
            (today.year, today.month + 1)
        } else {
            (today.year + 1, 1)
        };
        // The cycle ends with 2369, so that the next month is always a date.
        let next = Timestamp::from_civil(Civil::date(year, month, 1)).unwrap_or(Timestamp::EPOCH);
        let left = next.day() - self.day(at).rem_euclid(DAYS_PER_CYCLE) - 1;
        u8::try_from(left).unwrap_or(0)
    }
}

/// The calendar fields of a day, with the year moved into 1970 to 2369 by whole cycles of 400 years. Month, day and
/// length of the month are those of the day itself, also outside the years 1 to 9999.
fn cycle_civil(day: i64) -> Civil {
    let micros = day.rem_euclid(DAYS_PER_CYCLE) * MICROS_PER_DAY;
    Timestamp::from_micros(micros)
        .unwrap_or(Timestamp::EPOCH)
        .civil()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    /// One instant in each of many days over the whole range, at changing times of day, and the ends.
    fn instants() -> impl Iterator<Item = Timestamp> {
        let (first, last) = (Timestamp::MIN.as_micros(), Timestamp::MAX.as_micros());
        let step = 37 * MICROS_PER_DAY + 12_345_678_901;
        (first..=last)
            .step_by(usize::try_from(step).unwrap())
            .chain([last, last - MICROS_PER_DAY, first + MICROS_PER_DAY, -1, 0])
            .map(|micros| Timestamp::from_micros(micros).unwrap())
    }

    #[test]
    fn in_utc_it_agrees_with_the_core_calendar_over_all_years() {
        let calendar = Calendar::default();
        for at in instants() {
            let civil = at.civil();
            assert_eq!(calendar.hour(at), civil.hour);
            assert_eq!(calendar.weekday(at), at.weekday());
            assert_eq!(i64::from(calendar.second_of_day(at)), at.second_of_day());
            assert_eq!(calendar.day_of_month(at), civil.day, "{at}");
            assert_eq!(calendar.is_weekend(at), at.weekday() > 4);
            assert_eq!(calendar.is_night(at), civil.hour <= 6);
        }
    }

    #[test]
    fn an_offset_moves_the_clock_and_nothing_else() {
        for minutes in [-1080, -90, -1, 1, 330, 1080] {
            let moved = Calendar::default().offset_minutes(minutes);
            let utc = Calendar::default();
            for at in instants() {
                let shifted = at.as_micros() + i64::from(minutes) * MICROS_PER_MINUTE;
                let Ok(same) = Timestamp::from_micros(shifted) else {
                    continue;
                };
                assert_eq!(moved.second_of_day(at), utc.second_of_day(same));
                assert_eq!(moved.day(at), utc.day(same));
                assert_eq!(moved.weekday(at), utc.weekday(same));
                assert_eq!(moved.day_of_month(at), utc.day_of_month(same));
                assert_eq!(moved.days_to_month_end(at), utc.days_to_month_end(same));
            }
        }
    }

    #[test]
    fn the_ends_of_time_with_any_offset_stay_in_range() {
        for offset in [i32::MIN, -1080, 0, 1080, i32::MAX] {
            let calendar = Calendar::default()
                .offset_minutes(offset)
                .holiday(date("2026-01-01"));
            for at in [Timestamp::MIN, Timestamp::EPOCH, Timestamp::MAX] {
                assert!(calendar.hour(at) < 24 && calendar.weekday(at) < 7);
                assert!((1..=31).contains(&calendar.day_of_month(at)));
                assert!(calendar.days_to_month_end(at) < 31);
                assert!(!calendar.is_holiday(at) && calendar.days_to_holiday(at).is_some());
            }
        }
        // The day before 0001-01-01 and the day after 9999-12-31.
        let west = Calendar::default().offset_minutes(-1);
        assert_eq!(west.day_of_month(Timestamp::MIN), 31);
        assert_eq!(west.days_to_month_end(Timestamp::MIN), 0);
        let east = Calendar::default().offset_minutes(1);
        assert_eq!(east.day_of_month(Timestamp::MAX), 1);
        assert_eq!(east.days_to_month_end(Timestamp::MAX), 30);
    }

    #[test]
    fn months_end_when_the_next_day_is_a_first() {
        let calendar = Calendar::default();
        let mut left = 0;
        // Backwards through 1896 to 2104: two centuries that are no leap years and one that is.
        for day in (-27_028..=49_307).rev() {
            let at = Timestamp::from_micros(day * MICROS_PER_DAY).unwrap();
            assert_eq!(calendar.days_to_month_end(at), left, "{at}");
            left = if calendar.day_of_month(at) == 1 {
                0
            } else {
                left + 1
            };
        }
        assert_eq!(calendar.days_to_month_end(at("2000-02-01T12:00:00Z")), 28);
        assert_eq!(calendar.days_to_month_end(at("1900-02-01T12:00:00Z")), 27);
    }

    #[test]
    fn nights_may_pass_midnight_be_within_a_day_or_not_be() {
        let hours = |calendar: &Calendar| -> Vec<u8> {
            (0..24)
                .filter(|&hour| calendar.is_night(at(&format!("2026-03-04T{hour:02}:59:59Z"))))
                .collect()
        };
        let night = |from, until| hours(&Calendar::default().night(from, until));
        assert_eq!(hours(&Calendar::default()), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(night(22, 2), [0, 1, 22, 23]);
        assert_eq!(night(3, 5), [3, 4]);
        assert_eq!(night(22, 0), [22, 23]);
        assert_eq!(night(5, 5), Vec::<u8>::new());
    }

    #[test]
    fn the_nearest_holiday_is_signed_and_ties_look_ahead() {
        let calendar = Calendar::default()
            .holiday(date("2026-12-25"))
            .holiday(date("2027-01-01"));
        let days = |text| calendar.days_to_holiday(at(text));
        assert_eq!(days("2026-12-20T23:59:59Z"), Some(5));
        assert_eq!(days("2026-12-25T00:00:00Z"), Some(0));
        assert_eq!(days("2026-12-26T00:00:00Z"), Some(-1));
        assert_eq!(days("2026-12-28T00:00:00Z"), Some(-3));
        assert_eq!(days("2026-12-29T00:00:00Z"), Some(3));
        assert_eq!(days("2027-02-01T00:00:00Z"), Some(-31));
        assert!(calendar.is_holiday(at("2027-01-01T23:59:59.999999Z")));
        assert!(!calendar.is_holiday(at("2027-01-02T00:00:00Z")));
        assert_eq!(
            Calendar::default().days_to_holiday(at("2026-12-25T00:00:00Z")),
            None
        );
    }

    #[test]
    fn brute_force_finds_the_same_nearest_holiday() {
        let holidays = [-40, -7, 3, 4, 20, 90];
        let mut calendar = Calendar::default();
        for day in holidays {
            calendar = calendar.holiday(Date::new(day).unwrap());
        }
        for today in -60..120 {
            let at = Timestamp::from_micros(today * MICROS_PER_DAY).unwrap();
            let nearest = holidays
                .iter()
                .map(|day| day - today)
                .min_by_key(|days| (days.abs(), *days < 0));
            assert_eq!(calendar.days_to_holiday(at), nearest, "{today}");
        }
    }

    #[test]
    fn dates_round_trip_through_text_over_all_years() {
        for at in instants() {
            let date = Date::new(at.day()).unwrap();
            assert_eq!(date.to_string(), at.date());
            assert_eq!(at.date().parse::<Date>().unwrap(), date);
        }
    }

    #[test]
    fn refuses_what_is_not_a_date() {
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "2026-1-01",
            "2026-01-01T00:00:00Z",
            "2026-01-01 ",
            "0000-01-01",
            "26-01-01",
            "+026-01-01",
            "2026-01-00",
            "2026-01-01T",
            "x",
        ] {
            assert!(text.parse::<Date>().is_err(), "{text:?}");
        }
        let last = Date::from_ymd(9999, 12, 31).unwrap().day();
        assert!(Date::new(last).is_ok() && Date::new(last + 1).is_err());
        let first = Date::from_ymd(1, 1, 1).unwrap().day();
        assert!(Date::new(first).is_ok() && Date::new(first - 1).is_err());
        assert!(Date::new(i64::MIN).is_err() && Date::new(i64::MAX).is_err());
    }

    #[test]
    fn check_names_the_setting_that_is_wrong() {
        let error = |calendar: Calendar| calendar.check().unwrap_err().to_string();
        assert!(Calendar::default().check().is_ok());
        assert!(
            Calendar::default()
                .offset_minutes(-1080)
                .night(23, 23)
                .check()
                .is_ok()
        );
        assert_eq!(
            error(Calendar::default().offset_minutes(1081)),
            "`offset_minutes` must be between -1080 and 1080, got 1081"
        );
        assert!(error(Calendar::default().night(24, 0)).starts_with("`night_from`"));
        assert!(error(Calendar::default().night(0, 24)).starts_with("`night_until`"));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn serde_writes_dates_for_people_and_fills_in_defaults() {
        let calendar = Calendar::default().holiday(date("2026-12-25"));
        let text = serde_json::to_string(&calendar).unwrap();
        assert!(text.contains(r#""holidays":["2026-12-25"]"#), "{text}");
        assert_eq!(serde_json::from_str::<Calendar>(&text).unwrap(), calendar);
        let read: Calendar = serde_json::from_str("{}").unwrap();
        assert_eq!(read, Calendar::default());
        assert!(serde_json::from_str::<Calendar>(r#"{"holidays":["2026-02-30"]}"#).is_err());
        assert!(serde_json::from_str::<Calendar>(r#"{"nights":1}"#).is_err());
    }
}
