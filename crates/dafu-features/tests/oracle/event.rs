//! What an event says of itself.

use super::measure::Answer;
use dafu_core::{Currency, EntityId, Timestamp, Transaction, Value};
use dafu_features::measure::{
    Calendar, DeviceType, FIXED_PER_MAJOR, IpClass, UserAgent, cents_part, ip_class, ip_prefix,
    is_round, just_below, log_amount, trailing_zeros,
};
use dafu_features::{Derived, EventFeature, Field, Filter, Quantity, haversine_km};
use std::f64::consts::TAU;

/// The text of a field.
pub fn text(tx: &Transaction, field: &Field) -> Option<String> {
    let id = |id: &Option<EntityId>| id.as_ref().map(ToString::to_string);
    match field {
        Field::User => Some(tx.user_id.to_string()),
        Field::Merchant => Some(tx.merchant_id.to_string()),
        Field::Card => id(&tx.card),
        Field::Device => id(&tx.device),
        Field::Ip => tx.ip.map(|ip| ip.to_canonical().to_string()),
        Field::IpPrefix => tx.ip.map(|ip| ip_prefix(ip).to_string()),
        Field::Email => id(&tx.email),
        Field::EmailDomain => {
            let email = id(&tx.email)?;
            let domain = email.rsplit_once('@')?.1;
            (!domain.is_empty()).then(|| domain.to_owned())
        }
        Field::Category => id(&tx.category),
        Field::Country => id(&tx.country),
        Field::Currency => {
            let currency = tx.amount.currency();
            (currency != Currency::NONE).then(|| currency.to_string())
        }
        Field::Tenant => id(&tx.tenant),
        Field::UserAgent => tx.user_agent.as_deref().map(str::to_owned),
        Field::Extra(name) => match tx.extras.get(name.as_str())? {
            Value::Text(text) => Some(text.to_string()),
            _ => None,
        },
        _ => None,
    }
}

/// A quantity in ten-thousandths.
pub fn fixed(tx: &Transaction, quantity: &Quantity) -> Option<i64> {
    match quantity {
        Quantity::Amount => {
            let per_minor = FIXED_PER_MAJOR / tx.amount.currency().minor_per_major();
            Some(tx.amount.minor() * per_minor)
        }
        Quantity::Extra(name) => match tx.extras.get(name.as_str())? {
            #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
            Value::Number(number) => Some((number * FIXED_PER_MAJOR as f64).round() as i64),
            _ => None,
        },
        _ => None,
    }
}

pub fn major(fixed: i64) -> f64 {
    fixed as f64 / FIXED_PER_MAJOR as f64
}

/// Whether an event meets a filter.
pub fn passes(tx: &Transaction, filter: Option<&Filter>, calendar: &Calendar) -> bool {
    let Some(filter) = filter else {
        return true;
    };
    let holds = |part: &Filter| passes(tx, Some(part), calendar);
    match filter {
        Filter::AmountAtLeast(limit) => tx.amount.major() >= *limit,
        Filter::AmountBelow(limit) => tx.amount.major() < *limit,
        Filter::Is { field, value } => text(tx, field).as_ref() == Some(value),
        Filter::Known(field) => text(tx, field).is_some(),
        Filter::Status(status) => tx.status == Some(*status),
        Filter::Night => calendar.is_night(tx.timestamp),
        Filter::Weekend => calendar.is_weekend(tx.timestamp),
        Filter::All(parts) => parts.iter().all(holds),
        Filter::Any(parts) => parts.iter().any(holds),
        Filter::Not(part) => !holds(part),
        other => panic!("no oracle for {other:?}"),
    }
}

/// A fact of the event itself.
pub fn fact(fact: &EventFeature, tx: &Transaction, calendar: &Calendar) -> Answer {
    let at: Timestamp = tx.timestamp;
    let amount = fixed(tx, &Quantity::Amount).unwrap();
    // Part of the local day that has passed.
    let turn = || {
        let local = at.as_micros() + i64::from(calendar.offset_minutes) * 60_000_000;
        local.rem_euclid(86_400_000_000) as f64 / 86_400e6
    };
    let agent = || tx.user_agent.as_deref().map(UserAgent::parse);
    match fact {
        EventFeature::Value(quantity) => Answer::maybe(fixed(tx, quantity).map(major)),
        EventFeature::LogAmount => Answer::near(log_amount(amount)),
        EventFeature::Cents => Answer::near(cents_part(amount)),
        EventFeature::RoundAmount { step } => Answer::flag(is_round(amount, i64::from(*step))),
        EventFeature::TrailingZeros => Answer::exact(f64::from(trailing_zeros(amount))),
        EventFeature::JustBelow { limits, share } => {
            #[expect(clippy::cast_possible_truncation, reason = "at most 1e15")]
            let fixed = |limit: &f64| (limit * FIXED_PER_MAJOR as f64).round() as i64;
            let limits: Vec<i64> = limits.iter().map(fixed).collect();
            Answer::near(just_below(amount, &limits, *share).unwrap_or(0.0))
        }
        EventFeature::Hour => Answer::within(24.0 * turn(), 1e-12),
        EventFeature::HourSin => Answer::within((turn() * TAU).sin(), 1e-12),
        EventFeature::HourCos => Answer::within((turn() * TAU).cos(), 1e-12),
        EventFeature::Weekday => Answer::exact(f64::from(calendar.weekday(at))),
        EventFeature::Weekend => Answer::flag(calendar.is_weekend(at)),
        EventFeature::Night => Answer::flag(calendar.is_night(at)),
        EventFeature::Holiday => Answer::flag(calendar.is_holiday(at)),
        EventFeature::DaysToHoliday => {
            Answer::maybe(calendar.days_to_holiday(at).map(|days| days as f64))
        }
        EventFeature::DayOfMonth => Answer::exact(f64::from(calendar.day_of_month(at))),
        EventFeature::HomeDistance => match (tx.user_location, tx.merchant_location) {
            (Some(home), Some(place)) => Answer::within(haversine_km(home, place), 1e-6),
            _ => Answer::MISSING,
        },
        EventFeature::IpNotPublic => match tx.ip {
            Some(ip) => Answer::flag(ip_class(ip) != IpClass::Public),
            None => Answer::MISSING,
        },
        EventFeature::Bot => agent().map_or(Answer::MISSING, |agent| Answer::flag(agent.bot)),
        EventFeature::Mobile => agent().map_or(Answer::MISSING, |agent| {
            Answer::flag(matches!(
                agent.device,
                DeviceType::Mobile | DeviceType::Tablet
            ))
        }),
        EventFeature::Known(field) => Answer::flag(text(tx, field).is_some()),
        other => panic!("no oracle for {other:?}"),
    }
}

/// A combination of other features, as near as these are known.
pub fn derived(derived: &Derived, feature: impl Fn(&str) -> Answer) -> Answer {
    match derived {
        Derived::Ratio { of, over } => {
            let (of, over) = (feature(of), feature(over));
            let ratio = of.value / over.value;
            if over.value.abs() > over.tolerance {
                let error = (of.tolerance + ratio.abs() * over.tolerance) / over.value.abs();
                // The error of the divisor as a share of it counts twice where it is large.
                Answer::within(ratio, 2.0 * error + Answer::near(ratio).tolerance)
            } else if over.tolerance > 0.0 {
                Answer::ANY
            } else {
                Answer::MISSING
            }
        }
        Derived::Difference { of, less } => {
            let (of, less) = (feature(of), feature(less));
            let scale = of.value.abs().max(less.value.abs());
            let rounding = Answer::scaled(0.0, scale).tolerance;
            Answer::within(
                of.value - less.value,
                of.tolerance + less.tolerance + rounding,
            )
        }
        Derived::Distance { of } => {
            let known = of.iter().map(|name| feature(name));
            let known: Vec<Answer> = known.filter(|answer| !answer.value.is_nan()).collect();
            if known.is_empty() {
                return Answer::MISSING;
            }
            let square: f64 = known.iter().map(|one| one.value.max(0.0).powi(2)).sum();
            // A root of squares moves by no more than the sum of what the numbers do.
            let error: f64 = known.iter().map(|one| one.tolerance).sum();
            let distance = square.sqrt();
            Answer::within(distance, error + Answer::near(distance).tolerance)
        }
        other => panic!("no oracle for {other:?}"),
    }
}
