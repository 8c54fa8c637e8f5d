//! Lengths of time as people write them: `90s`, `15m`, `1h`, `7d`.

use crate::FeatureError;
use std::fmt;
use std::str::FromStr;

const UNITS: [(&str, i64); 6] = [
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];
/// 200 years.
const LONGEST: i64 = 73_050 * 86_400_000_000;

/// A length of time in whole microseconds, from 0 to 200 years.
///
/// ```
/// use dafu_features::Span;
///
/// # fn main() -> Result<(), dafu_features::FeatureError> {
/// assert_eq!("7d".parse::<Span>()?, Span::days(7));
/// assert_eq!(Span::hours(36).to_string(), "36h");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct Span(i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// Whole seconds, at most 200 years.
    pub const fn seconds(seconds: u32) -> Self {
        Self::capped(seconds as i64 * 1_000_000)
    }

    /// Whole minutes, at most 200 years.
    pub const fn minutes(minutes: u32) -> Self {
        Self::capped(minutes as i64 * 60_000_000)
    }

    /// Whole hours.
    pub const fn hours(hours: u16) -> Self {
        Self(hours as i64 * 3_600_000_000)
    }

    /// Whole days.
    pub const fn days(days: u16) -> Self {
        Self(days as i64 * 86_400_000_000)
    }

    const fn capped(micros: i64) -> Self {
        Self(if micros < LONGEST { micros } else { LONGEST })
    }

    /// A span from microseconds.
    ///
    /// # Errors
    ///
    /// [`FeatureError::OutOfRange`] below 0 and above 200 years.
    pub fn from_micros(micros: i64) -> Result<Self, FeatureError> {
        if (0..=LONGEST).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(FeatureError::OutOfRange {
                parameter: "span",
                min: 0,
                max: LONGEST,
                got: micros,
            })
        }
    }

    /// Microseconds.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Hours with a fraction.
    pub fn as_hours(self) -> f64 {
        self.0 as f64 / 3_600_000_000.0
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.pad("0s");
        }
        let unit = UNITS.iter().find(|(_, micros)| self.0 % micros == 0);
        let &(name, micros) = unit.unwrap_or(&("us", 1));
        f.pad(&format!("{}{name}", self.0 / micros))
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Span {
    type Err = FeatureError;

    /// Reads a whole number and a unit: `us`, `ms`, `s`, `m` (minutes), `h` or `d`.
    fn from_str(text: &str) -> Result<Self, FeatureError> {
        let wrong = || FeatureError::Span {
            got: text.chars().take(64).collect(),
        };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: i64 = number.parse().map_err(|_| wrong())?;
        let found = UNITS.iter().find(|(name, _)| *name == unit);
        let &(_, micros) = found.ok_or_else(wrong)?;
        Self::from_micros(number.checked_mul(micros).ok_or_else(wrong)?)
    }
}

impl TryFrom<String> for Span {
    type Error = FeatureError;
    fn try_from(text: String) -> Result<Self, FeatureError> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl TryFrom<std::time::Duration> for Span {
    type Error = FeatureError;
    fn try_from(duration: std::time::Duration) -> Result<Self, FeatureError> {
        Self::from_micros(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn prints_and_reads_back() {
        for (text, span) in [
            ("7d", Span::days(7)),
            ("1h", Span::hours(1)),
            ("90m", Span::minutes(90)),
            ("45s", Span::seconds(45)),
            ("0s", Span::ZERO),
        ] {
            assert_eq!(span.to_string(), text);
            assert_eq!(text.parse::<Span>().unwrap(), span);
        }
        assert_eq!("250ms".parse::<Span>().unwrap().as_micros(), 250_000);
        assert_eq!("24h".parse::<Span>().unwrap(), Span::days(1));
        assert_eq!(
            Span::seconds(u32::MAX).to_string().parse::<Span>().unwrap(),
            Span::seconds(u32::MAX)
        );
    }

    #[test]
    fn refuses_what_is_no_span() {
        for text in [
            "",
            "7",
            "d",
            "-1d",
            "1.5h",
            "1 d",
            "1w",
            "99999999d",
            "9999999999999999999d",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text:?}");
        }
    }
}
