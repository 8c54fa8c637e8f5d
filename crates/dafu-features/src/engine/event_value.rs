//! Numbers from the event alone, and from other features.

use super::event::{EventView, FIXED, MISSING};
use super::plan::{DerivedPlan, EventPlan};
use super::read::over;
use crate::geo::haversine_km;
use crate::measure as amount;
use crate::measure::Calendar;
use crate::measure::DeviceType;
use crate::measure::{IpClass, ip_class};
use crate::set::EventFeature;
use dafu_core::Timestamp;
use std::f64::consts::TAU;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_HOUR: f64 = 3.6e9;

fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

impl EventPlan {
    pub(crate) fn value(&self, event: &EventView<'_>, calendar: &Calendar) -> f64 {
        let number = || match event.numbers.get(self.place) {
            Some(&number) if number != MISSING => Some(number),
            _ => None,
        };
        let amount = |value: &dyn Fn(i64) -> f64| number().map_or(f64::NAN, value);
        let at = Timestamp::from_micros(event.head.time).unwrap_or(Timestamp::EPOCH);
        // To the microsecond, as all times are.
        let hour = || {
            let micro = at.as_micros().rem_euclid(MICROS_PER_SECOND);
            f64::from(calendar.second_of_day(at)) / 3600.0 + micro as f64 / MICROS_PER_HOUR
        };
        match &self.feature {
            EventFeature::Value(_) => amount(&|number| number as f64 / FIXED),
            EventFeature::LogAmount => amount(&amount::log_amount),
            EventFeature::Cents => amount(&amount::cents_part),
            EventFeature::RoundAmount { step } => {
                amount(&|number| flag(amount::is_round(number, i64::from(*step))))
            }
            EventFeature::TrailingZeros => {
                amount(&|number| f64::from(amount::trailing_zeros(number)))
            }
            EventFeature::JustBelow { share, .. } => {
                amount(&|number| amount::just_below(number, &self.limits, *share).unwrap_or(0.0))
            }
            EventFeature::Hour => hour(),
            EventFeature::HourSin => (hour() / 24.0 * TAU).sin(),
            EventFeature::HourCos => (hour() / 24.0 * TAU).cos(),
            EventFeature::Weekday => f64::from(calendar.weekday(at)),
            EventFeature::Weekend => flag(calendar.is_weekend(at)),
            EventFeature::Night => flag(calendar.is_night(at)),
            EventFeature::Holiday => flag(calendar.is_holiday(at)),
            EventFeature::DaysToHoliday => {
                let days = calendar.days_to_holiday(at);
                days.map_or(f64::NAN, |days| days as f64)
            }
            EventFeature::DayOfMonth => f64::from(calendar.day_of_month(at)),
            EventFeature::HomeDistance => {
                let both = event.facts.home.zip(event.facts.place);
                both.map_or(f64::NAN, |(home, place)| haversine_km(home, place))
            }
            EventFeature::IpNotPublic => {
                let ip = event.facts.ip;
                ip.map_or(f64::NAN, |ip| flag(ip_class(ip) != IpClass::Public))
            }
            EventFeature::Bot => {
                let agent = event.facts.agent;
                agent.map_or(f64::NAN, |agent| flag(agent.bot))
            }
            EventFeature::Mobile => event.facts.agent.map_or(f64::NAN, |agent| {
                flag(matches!(
                    agent.device,
                    DeviceType::Mobile | DeviceType::Tablet
                ))
            }),
            EventFeature::Known(_) => flag(event.codes[self.place] != 0),
        }
    }
}

impl DerivedPlan {
    pub(crate) fn value(&self, row: &[f64]) -> f64 {
        match self {
            Self::Ratio(of, by) => over(row[*of], row[*by]),
            Self::Difference(of, less) => row[*of] - row[*less],
            Self::Distance(of) => {
                let known = || of.iter().map(|at| row[*at]).filter(|value| !value.is_nan());
                if known().next().is_none() {
                    return f64::NAN;
                }
                known()
                    .map(|value| value.max(0.0).powi(2))
                    .sum::<f64>()
                    .sqrt()
            }
        }
    }
}
