//! Times as files write them.

use dafu_core::Timestamp;
use dafu_core::time::{Civil, Resolved, Zone};
use std::fmt;

/// How a column writes its times. Times without an offset are in the declared zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum TimeFormat {
    /// Year, month, day, with `-`, `/` or `.` between; then optionally a time, a fraction, `AM` or `PM`, and `Z` or
    /// an offset: `2018-04-01T00:00:31Z`, `2018-04-01 00:00:31`, `2018/4/1 7:05 PM`.
    #[default]
    YearFirst,
    /// Day, month, year: `1.4.2018 00:00`.
    DayFirst,
    /// Month, day, year: `4/1/2018 12:00 AM`.
    MonthFirst,
    /// Seconds since 1970, a fraction allowed, below 10^11 (the year 5138).
    EpochSeconds,
    /// Milliseconds since 1970, 10^11 (the year 1973) to 10^14.
    EpochMillis,
    /// Microseconds since 1970, 10^14 to 10^17.
    EpochMicros,
    /// Nanoseconds since 1970, from 10^17.
    EpochNanos,
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::YearFirst => "year-month-day",
            Self::DayFirst => "day-month-year",
            Self::MonthFirst => "month-day-year",
            Self::EpochSeconds => "seconds since 1970",
            Self::EpochMillis => "milliseconds since 1970",
            Self::EpochMicros => "microseconds since 1970",
            Self::EpochNanos => "nanoseconds since 1970",
        })
    }
}

impl TimeFormat {
    /// The unit of an epoch time by its magnitude. The ranges of the units do not overlap, so a value in another
    /// unit than its column is found out.
    pub(crate) fn of_epoch(value: f64) -> Option<Self> {
        match value.abs() {
            v if v < 1e11 => Some(Self::EpochSeconds),
            v if v < 1e14 => Some(Self::EpochMillis),
            v if v < 1e17 => Some(Self::EpochMicros),
            v if v < 9.2e18 => Some(Self::EpochNanos),
            _ => None,
        }
    }
}

/// Why a text is no instant, or none without a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeProblem {
    /// No time at all.
    Bad,
    /// Clocks were put forward over it; the time with the offset from before.
    Gap(Timestamp),
    /// Clocks were put back over it; the earlier instant.
    Twice(Timestamp),
}

/// Reads a trimmed time.
pub(crate) fn parse(text: &str, format: TimeFormat, zone: Zone) -> Result<Timestamp, TimeProblem> {
    let (civil, rest) = match format {
        TimeFormat::YearFirst => Civil::parse_prefix(text)
            .filter(|(_, rest)| !rest.starts_with(|c: char| c == ' ' || c.is_ascii_digit()))
            .or_else(|| civil_prefix(text, format))
            .ok_or(TimeProblem::Bad)?,
        TimeFormat::DayFirst | TimeFormat::MonthFirst => {
            civil_prefix(text, format).ok_or(TimeProblem::Bad)?
        }
        _ => return parse_epoch(text, format).ok_or(TimeProblem::Bad),
    };
    if rest.is_empty() {
        return resolve(civil, zone);
    }
    let offset = offset_seconds(rest.trim_start()).ok_or(TimeProblem::Bad)?;
    Timestamp::from_civil(civil)
        .and_then(|utc| Timestamp::from_micros(utc.as_micros() - offset * 1_000_000))
        .map_err(|_| TimeProblem::Bad)
}

pub(crate) fn resolve(civil: Civil, zone: Zone) -> Result<Timestamp, TimeProblem> {
    if zone == Zone::Utc {
        return Timestamp::from_civil(civil).map_err(|_| TimeProblem::Bad);
    }
    match zone.resolve(civil) {
        Ok(Resolved::One(at)) => Ok(at),
        Ok(Resolved::Gap { shifted }) => Err(TimeProblem::Gap(shifted)),
        Ok(Resolved::Twice { earlier, .. }) => Err(TimeProblem::Twice(earlier)),
        Err(_) => Err(TimeProblem::Bad),
    }
}

fn parse_epoch(text: &str, format: TimeFormat) -> Option<Timestamp> {
    let micros = if let Ok(whole) = text.parse::<i64>() {
        if TimeFormat::of_epoch(whole as f64) != Some(format) {
            return None;
        }
        match format {
            TimeFormat::EpochSeconds => whole.checked_mul(1_000_000)?,
            TimeFormat::EpochMillis => whole.checked_mul(1_000)?,
            TimeFormat::EpochMicros => whole,
            _ => whole.div_euclid(1_000),
        }
    } else {
        let value: f64 = text.parse().ok()?;
        if TimeFormat::of_epoch(value) != Some(format) {
            return None;
        }
        let scaled = match format {
            TimeFormat::EpochSeconds => value * 1e6,
            TimeFormat::EpochMillis => value * 1e3,
            TimeFormat::EpochMicros => value,
            _ => value / 1e3,
        };
        #[expect(clippy::cast_possible_truncation, reason = "below 10^17")]
        let micros = scaled.round() as i64;
        micros
    };
    Timestamp::from_micros(micros).ok()
}

/// `Z`, `UTC`, `GMT`, `+02:00`, `+0200`, `+02`.
fn offset_seconds(text: &str) -> Option<i64> {
    if ["z", "utc", "gmt"]
        .iter()
        .any(|name| text.eq_ignore_ascii_case(name))
    {
        return Some(0);
    }
    let (sign, digits) = match text.as_bytes() {
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let two = |a: u8, b: u8| {
        (a.is_ascii_digit() && b.is_ascii_digit())
            .then(|| i64::from(a - b'0') * 10 + i64::from(b - b'0'))
    };
    let (hours, minutes) = match *digits {
        [h1, h0] => (two(h1, h0)?, 0),
        [h1, h0, m1, m0] | [h1, h0, b':', m1, m0] => (two(h1, h0)?, two(m1, m0)?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// A cursor over ASCII digits and separators.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// A number of `least` to `most` digits; the number and how many digits it has.
    fn number(&mut self, least: usize, most: usize) -> Option<(u32, usize)> {
        let start = self.at;
        let mut number = 0;
        while self.at - start < most
            && let Some(byte @ b'0'..=b'9') = self.peek()
        {
            number = number * 10 + u32::from(byte - b'0');
            self.at += 1;
        }
        let digits = self.at - start;
        let more = self.peek().is_some_and(|byte| byte.is_ascii_digit());
        (digits >= least && !more).then_some((number, digits))
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

/// A date in the order of the format and an optional time; what follows is returned too. Fields are not
/// range-checked.
fn civil_prefix(text: &str, format: TimeFormat) -> Option<(Civil, &str)> {
    let mut scan = Scan { text, at: 0 };
    let year_first = format == TimeFormat::YearFirst;
    let first = if year_first {
        scan.number(4, 4)?
    } else {
        scan.number(1, 2)?
    };
    let separator = scan
        .peek()
        .filter(|byte| matches!(byte, b'-' | b'/' | b'.'))?;
    scan.at += 1;
    let second = scan.number(1, 2)?;
    if !scan.take(separator) {
        return None;
    }
    let third = if year_first {
        scan.number(1, 2)?
    } else {
        scan.number(2, 4)?
    };
    let (year, month, day) = match format {
        TimeFormat::YearFirst => (first, second, third),
        TimeFormat::DayFirst => (third, second, first),
        _ => (third, first, second),
    };
    let year = match year {
        (number, 4) => number,
        (number, 2) if number < 70 => 2000 + number,
        (number, 2) => 1900 + number,
        _ => return None,
    };
    let small = |number: u32| u8::try_from(number).ok();
    let mut civil = Civil::date(i32::try_from(year).ok()?, small(month.0)?, small(day.0)?);
    let date_end = scan.at;
    let spaced = scan.take(b'T') || {
        while scan.take(b' ') || scan.take(b',') {}
        scan.at > date_end
    };
    if spaced && scan.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        time_of_day(&mut scan, &mut civil)?;
    } else {
        scan.at = date_end;
    }
    let rest = scan.at;
    text.get(rest..).map(|rest| (civil, rest))
}

fn time_of_day(scan: &mut Scan<'_>, civil: &mut Civil) -> Option<()> {
    let small = |(number, _): (u32, usize)| u8::try_from(number).ok();
    civil.hour = small(scan.number(1, 2)?)?;
    if !scan.take(b':') {
        return None;
    }
    civil.minute = small(scan.number(2, 2)?)?;
    if scan.take(b':') {
        civil.second = small(scan.number(2, 2)?)?;
        if scan.take(b'.') || scan.take(b',') {
            let (number, digits) = scan.number(1, 9)?;
            let digits = u32::try_from(digits).ok()?;
            civil.micro = if digits <= 6 {
                number * 10_u32.pow(6 - digits)
            } else {
                number / 10_u32.pow(digits - 6)
            };
        }
    }
    let rest = scan.rest();
    let word = rest.trim_start();
    for (name, afternoon) in [("am", false), ("pm", true)] {
        if word
            .get(..2)
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
        {
            if !(1..=12).contains(&civil.hour) {
                return None;
            }
            civil.hour = civil.hour % 12 + if afternoon { 12 } else { 0 };
            scan.at += rest.len() - word.len() + 2;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::{TimeFormat, TimeProblem, parse};
    use dafu_core::time::Zone;
    use proptest::prelude::*;

    const FORMATS: [TimeFormat; 7] = [
        TimeFormat::YearFirst,
        TimeFormat::DayFirst,
        TimeFormat::MonthFirst,
        TimeFormat::EpochSeconds,
        TimeFormat::EpochMillis,
        TimeFormat::EpochMicros,
        TimeFormat::EpochNanos,
    ];

    #[test]
    fn reads_what_files_write() {
        use TimeFormat::{
            DayFirst, EpochMicros, EpochMillis, EpochNanos, EpochSeconds, MonthFirst, YearFirst,
        };
        for (text, format, expected) in [
            ("2018-04-01T00:00:31Z", YearFirst, "2018-04-01T00:00:31Z"),
            ("2018-04-01 00:00:31", YearFirst, "2018-04-01T00:00:31Z"),
            (
                "2018-04-01 00:00:31.25",
                YearFirst,
                "2018-04-01T00:00:31.250000Z",
            ),
            (
                "2018-04-01 00:00:31.123456789",
                YearFirst,
                "2018-04-01T00:00:31.123456Z",
            ),
            ("2018-04-01", YearFirst, "2018-04-01T00:00:00Z"),
            ("2018/4/1 7:05", YearFirst, "2018-04-01T07:05:00Z"),
            ("2018.04.01", YearFirst, "2018-04-01T00:00:00Z"),
            (
                "2018-04-01 02:00:31+02:00",
                YearFirst,
                "2018-04-01T00:00:31Z",
            ),
            (
                "2018-04-01T02:00:31+0200",
                YearFirst,
                "2018-04-01T00:00:31Z",
            ),
            (
                "2018-03-31T19:00:31.5-05",
                YearFirst,
                "2018-04-01T00:00:31.500000Z",
            ),
            ("2018-04-01 00:00:31 UTC", YearFirst, "2018-04-01T00:00:31Z"),
            ("01/04/2018", DayFirst, "2018-04-01T00:00:00Z"),
            ("1.4.2018 23:59", DayFirst, "2018-04-01T23:59:00Z"),
            ("31-12-99 23:59:59", DayFirst, "1999-12-31T23:59:59Z"),
            ("4/1/2018 12:00 AM", MonthFirst, "2018-04-01T00:00:00Z"),
            ("4/1/18, 12:30:15pm", MonthFirst, "2018-04-01T12:30:15Z"),
            ("4/1/2018 11:05 PM", MonthFirst, "2018-04-01T23:05:00Z"),
            ("1522540831", EpochSeconds, "2018-04-01T00:00:31Z"),
            ("1522540831.5", EpochSeconds, "2018-04-01T00:00:31.500000Z"),
            ("1522540831250", EpochMillis, "2018-04-01T00:00:31.250000Z"),
            (
                "1522540831250001",
                EpochMicros,
                "2018-04-01T00:00:31.250001Z",
            ),
            (
                "1522540831250001999",
                EpochNanos,
                "2018-04-01T00:00:31.250001Z",
            ),
        ] {
            let got = parse(text, format, Zone::Utc).map(|at| at.to_string());
            assert_eq!(got.as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_time() {
        use TimeFormat::{DayFirst, EpochMillis, EpochSeconds, MonthFirst, YearFirst};
        for (text, format) in [
            ("", YearFirst),
            ("yesterday", YearFirst),
            ("2018-02-30", YearFirst),
            ("2018-04-01 25:00", YearFirst),
            ("2018-04-01 00:00:31 CEST", YearFirst),
            ("2018-04-01 13:00 PM", YearFirst),
            ("01/13/2018", DayFirst),
            ("13/01/2018", MonthFirst),
            ("1/2-2018", DayFirst),
            ("1522540831250", EpochSeconds),
            ("1522540831", EpochMillis),
            ("99999999999999999999", EpochSeconds),
            ("inf", EpochSeconds),
        ] {
            assert_eq!(
                parse(text, format, Zone::Utc),
                Err(TimeProblem::Bad),
                "{text}"
            );
        }
    }

    #[test]
    fn knows_the_hours_that_clocks_skip_and_repeat() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        let gap = parse("2018-03-25 02:30:00", TimeFormat::YearFirst, berlin);
        let Err(TimeProblem::Gap(shifted)) = gap else {
            panic!("{gap:?}")
        };
        assert_eq!(shifted.to_string(), "2018-03-25T01:30:00Z");
        let twice = parse("28.10.2018 02:30", TimeFormat::DayFirst, berlin);
        let Err(TimeProblem::Twice(earlier)) = twice else {
            panic!("{twice:?}")
        };
        assert_eq!(earlier.to_string(), "2018-10-28T00:30:00Z");
        // An offset leaves no doubt.
        assert!(parse("2018-03-25 02:30:00+01:00", TimeFormat::YearFirst, berlin).is_ok());
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,30}|[0-9/.: TZ+-]{0,30}") {
            for format in FORMATS {
                let _ = parse(&text, format, Zone::Utc);
            }
        }
    }
}
