//! The zone of times that carry none.

use super::{Civil, Timestamp};
use crate::CoreError;
use chrono::{FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, Offset, TimeZone};
use std::fmt;
use std::str::FromStr;

/// The zone in which naive times (no `Z`, no offset) are meant. UTC unless declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Zone {
    /// Coordinated universal time.
    #[default]
    Utc,
    /// A fixed offset from UTC.
    Fixed(FixedOffset),
    /// A zone of the IANA database, with its daylight saving rules.
    Named(chrono_tz::Tz),
}

/// What a naive time means in a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolved {
    /// Exactly one instant.
    One(Timestamp),
    /// Two instants: clocks went back, and this hour came twice.
    Twice {
        /// The first of the two.
        earlier: Timestamp,
        /// The second.
        later: Timestamp,
    },
    /// No instant: clocks went forward over this time. `shifted` is the time read with the offset that was valid
    /// before the gap, as most libraries would take it.
    Gap {
        /// The time with the offset from before the gap.
        shifted: Timestamp,
    },
}

impl Zone {
    /// The instant or instants that a naive time names here.
    ///
    /// # Errors
    ///
    /// [`CoreError::Time`] when a calendar field is out of range, [`CoreError::TimeRange`] outside the years 1 to
    /// 9999.
    pub fn resolve(&self, civil: Civil) -> Result<Resolved, CoreError> {
        let as_utc = Timestamp::from_civil(civil)?;
        let naive = naive(civil)?;
        match self {
            Self::Utc => Ok(Resolved::One(as_utc)),
            Self::Fixed(offset) => shift(as_utc, offset.local_minus_utc()).map(Resolved::One),
            Self::Named(zone) => match zone.offset_from_local_datetime(&naive) {
                MappedLocalTime::Single(offset) => {
                    shift(as_utc, offset.fix().local_minus_utc()).map(Resolved::One)
                }
                MappedLocalTime::Ambiguous(first, second) => Ok(Resolved::Twice {
                    earlier: shift(as_utc, first.fix().local_minus_utc())?,
                    later: shift(as_utc, second.fix().local_minus_utc())?,
                }),
                MappedLocalTime::None => {
                    // No gap is longer than a day; the offset a day earlier is the one before the gap.
                    let day_before = naive - chrono::TimeDelta::days(1);
                    let before = zone.offset_from_utc_datetime(&day_before).fix();
                    shift(as_utc, before.local_minus_utc()).map(|shifted| Resolved::Gap { shifted })
                }
            },
        }
    }
}

fn naive(civil: Civil) -> Result<NaiveDateTime, CoreError> {
    NaiveDate::from_ymd_opt(civil.year, u32::from(civil.month), u32::from(civil.day))
        .and_then(|date| {
            date.and_hms_micro_opt(
                u32::from(civil.hour),
                u32::from(civil.minute),
                u32::from(civil.second),
                civil.micro,
            )
        })
        .ok_or_else(|| CoreError::Time {
            got: format!("{civil:?}"),
        })
}

fn shift(as_utc: Timestamp, local_minus_utc_seconds: i32) -> Result<Timestamp, CoreError> {
    Timestamp::from_micros(as_utc.as_micros() - i64::from(local_minus_utc_seconds) * 1_000_000)
}

impl FromStr for Zone {
    type Err = CoreError;

    /// Reads `UTC`, `Z`, an offset such as `+02:00`, or an IANA name such as `Europe/Berlin`.
    fn from_str(text: &str) -> Result<Self, CoreError> {
        if text.eq_ignore_ascii_case("utc") || text.eq_ignore_ascii_case("z") {
            return Ok(Self::Utc);
        }
        if let Ok(offset) = text.parse::<FixedOffset>() {
            return Ok(Self::Fixed(offset));
        }
        text.parse::<chrono_tz::Tz>()
            .map(Self::Named)
            .map_err(|_| CoreError::Zone {
                got: text.chars().take(64).collect(),
            })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utc => f.write_str("UTC"),
            Self::Fixed(offset) => fmt::Display::fmt(offset, f),
            Self::Named(zone) => f.write_str(zone.name()),
        }
    }
}
