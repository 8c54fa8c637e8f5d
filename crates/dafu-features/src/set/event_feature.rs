//! A fact of the event itself.

use super::feature::{field_group, quantity_unit};
use super::field::{Field, Quantity, RecordKind};
use crate::FeatureError;
use dafu_core::{FeatureGroup, FeatureType, Unit};

/// A fact of the event itself.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum EventFeature {
    /// A quantity as it is.
    Value(Quantity),
    /// Natural logarithm of 1 + the amount, with its sign.
    LogAmount,
    /// The part of the amount behind the decimal point, 0 to 1.
    Cents,
    /// 1 where the amount is a whole multiple of this many major units.
    RoundAmount {
        /// Major units, at least 1.
        step: u32,
    },
    /// Zeros at the end of the amount in major units.
    TrailingZeros,
    /// How close the amount is below the nearest of some limits: 1 just below it, 0 from `share` of the limit below it
    /// on.
    JustBelow {
        /// The limits in major units.
        limits: Vec<f64>,
        /// Share of the limit, above 0 and at most 1.
        share: f64,
    },
    /// Time of day in hours with a fraction.
    Hour,
    /// Sine of the time of day on a circle.
    HourSin,
    /// Cosine of the time of day on a circle.
    HourCos,
    /// Day of the week, 0 for Monday.
    Weekday,
    /// 1 on Saturday and Sunday.
    Weekend,
    /// 1 in the night.
    Night,
    /// 1 on a holiday.
    Holiday,
    /// Days to the nearest holiday, negative after it; missing without holidays.
    DaysToHoliday,
    /// Day of the month, 1 to 31.
    DayOfMonth,
    /// Kilometres between the home of the user and the place of the payment.
    HomeDistance,
    /// 1 where the internet address is not a public one.
    IpNotPublic,
    /// 1 where the user agent is that of a program.
    Bot,
    /// 1 where the user agent is that of a phone or tablet.
    Mobile,
    /// 1 where a field has a value.
    Known(Field),
}

impl EventFeature {
    pub(super) fn name(&self) -> String {
        let name = match self {
            Self::Value(quantity) => return quantity.to_string().replace("extra:", ""),
            Self::RoundAmount { step } => return format!("round_{step}"),
            Self::Known(field) => return format!("{field}_known").replace("extra:", ""),
            Self::LogAmount => "log_amount",
            Self::Cents => "cents",
            Self::TrailingZeros => "trailing_zeros",
            Self::JustBelow { .. } => "just_below_limit",
            Self::Hour => "hour",
            Self::HourSin => "hour_sin",
            Self::HourCos => "hour_cos",
            Self::Weekday => "weekday",
            Self::Weekend => "weekend",
            Self::Night => "night",
            Self::Holiday => "holiday",
            Self::DaysToHoliday => "days_to_holiday",
            Self::DayOfMonth => "day_of_month",
            Self::HomeDistance => "home_distance",
            Self::IpNotPublic => "ip_not_public",
            Self::Bot => "bot",
            Self::Mobile => "mobile",
        };
        name.to_owned()
    }

    pub(super) const fn describe(&self) -> &'static str {
        match self {
            Self::Value(_) => "the quantity as it is",
            Self::LogAmount => "natural logarithm of 1 + amount",
            Self::Cents => "part of the amount behind the point",
            Self::RoundAmount { .. } => "1 where the amount is a whole multiple",
            Self::TrailingZeros => "zeros at the end of the amount",
            Self::JustBelow { .. } => "how close the amount is below a limit",
            Self::Hour => "time of day",
            Self::HourSin => "sine of the time of day",
            Self::HourCos => "cosine of the time of day",
            Self::Weekday => "day of the week, 0 for Monday",
            Self::Weekend => "1 on Saturday and Sunday",
            Self::Night => "1 in the night",
            Self::Holiday => "1 on a holiday",
            Self::DaysToHoliday => "days to the nearest holiday, negative after it",
            Self::DayOfMonth => "day of the month",
            Self::HomeDistance => "distance of the payment from the home of the user",
            Self::IpNotPublic => "1 where the internet address is not a public one",
            Self::Bot => "1 where the user agent is that of a program",
            Self::Mobile => "1 where the user agent is that of a phone or tablet",
            Self::Known(_) => "1 where the field has a value",
        }
    }

    pub(super) const fn feature_type(&self) -> FeatureType {
        match self {
            Self::RoundAmount { .. }
            | Self::Weekend
            | Self::Night
            | Self::Holiday
            | Self::IpNotPublic
            | Self::Bot
            | Self::Mobile
            | Self::Known(_) => FeatureType::Flag,
            Self::TrailingZeros | Self::Weekday | Self::DaysToHoliday | Self::DayOfMonth => {
                FeatureType::Integer
            }
            _ => FeatureType::Real,
        }
    }

    pub(super) const fn unit(&self) -> Unit {
        match self {
            Self::Value(quantity) => quantity_unit(quantity),
            Self::TrailingZeros => Unit::Count,
            Self::JustBelow { .. } => Unit::Share,
            Self::Hour => Unit::Hour,
            Self::DaysToHoliday => Unit::Day,
            Self::HomeDistance => Unit::Kilometre,
            _ => Unit::One,
        }
    }

    pub(super) const fn group(&self) -> FeatureGroup {
        match self {
            Self::Value(Quantity::Amount)
            | Self::LogAmount
            | Self::Cents
            | Self::RoundAmount { .. }
            | Self::TrailingZeros
            | Self::JustBelow { .. } => FeatureGroup::Amount,
            Self::Value(_) => FeatureGroup::Other,
            Self::HomeDistance => FeatureGroup::Location,
            Self::IpNotPublic => FeatureGroup::Network,
            Self::Bot | Self::Mobile => FeatureGroup::Device,
            Self::Known(field) => field_group(field),
            _ => FeatureGroup::Temporal,
        }
    }

    pub(super) fn check(&self, name: &str, record: RecordKind) -> Result<(), FeatureError> {
        let wrong = |why| FeatureError::Feature {
            feature: name.to_owned(),
            why,
        };
        let field = match self {
            Self::Value(quantity) if !quantity.exists_in(record) => Some(quantity.to_string()),
            Self::Known(field) if !field.exists_in(record) => Some(field.to_string()),
            Self::HomeDistance | Self::IpNotPublic | Self::Bot | Self::Mobile
                if record != RecordKind::Transaction =>
            {
                Some("place, ip or user agent".to_owned())
            }
            _ => None,
        };
        if let Some(field) = field {
            return Err(FeatureError::NoSuchField {
                feature: name.to_owned(),
                field,
                record,
            });
        }
        match self {
            Self::RoundAmount { step: 0 } => Err(wrong("`step` must be at least 1")),
            Self::JustBelow { limits, share } => {
                let limits_sound = limits.iter().all(|limit| *limit > 0.0 && *limit <= 1e11);
                if limits.is_empty() || limits.len() > 64 || !limits_sound {
                    return Err(wrong("it needs 1 to 64 limits above zero, at most 1e11"));
                }
                if !(*share > 0.0 && *share <= 1.0) {
                    return Err(wrong("`share` must be above 0 and at most 1"));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
