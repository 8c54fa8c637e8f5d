//! Where events come from.

use dafu_core::{
    BehaviorEvent, Currency, DailySummary, EntityId, Label, Timestamp, Transaction,
    TransactionStatus, Value,
};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One event before it is encoded, by place instead of by name: for data that are no records.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RawEvent<'a> {
    /// When it happened.
    pub time: Timestamp,
    /// Its numbers, in the order of [`EncoderParams::number_fields`](super::EncoderParams::number_fields); NaN is missing.
    pub numbers: &'a [f64],
    /// Its texts, in the order of [`EncoderParams::text_fields`](super::EncoderParams::text_fields).
    pub texts: &'a [Option<&'a str>],
    /// Whether it was fraud, where that is known.
    pub label: Option<bool>,
    /// Whether it carries loss and is scored; otherwise it moves the state only.
    pub scorable: bool,
}

/// A record of one entity, whose fields are read by name.
///
/// Implemented for the three kinds of records. A slice of `&dyn Record` mixes them: the logins of a user between their
/// payments. The fields of each kind, beside its extras; a field wins over an extra of the same name:
///
/// | record | numbers | texts |
/// |---|---|---|
/// | [`Transaction`] | `amount` in major units, `home_merchant_distance` in km | `merchant_id`, `category`, `card`, `device_id` or `device`, `ip`, `user_agent`, `country`, `currency`, `email`, `status`, `tenant` |
/// | [`BehaviorEvent`] | `amount` | `action_type`, `device_id` or `device`, `location`, `currency` |
/// | [`DailySummary`] | `transaction_count`, `daily_amount`, `risk_score` | `currency` |
/// | each | | `record_kind`: `transaction`, `behavior_event`, `daily_summary` |
///
/// Extras that are numbers or flags (0 or 1) are numbers; all extras are texts: `5411` for a number, `true` for a flag.
/// `status` is how a transaction ended: it is not known yet when the transaction is judged.
pub trait Record {
    /// Whose event it is.
    fn entity(&self) -> &str;

    /// When it happened.
    fn time(&self) -> Timestamp;

    /// Whether it was fraud, where that is known. For records without a label of their own, the extra `is_fraud`: a flag,
    /// or a number of 0 or 1.
    fn label(&self) -> Option<bool>;

    /// Whether it carries loss and is scored; otherwise it moves the state only. Default: it is.
    fn scorable(&self) -> bool {
        true
    }

    /// A number; `None` or NaN where the record has none of this name.
    fn number(&self, field: &str) -> Option<f64>;

    /// A text; `None` where the record has none of this name. Borrowed wherever possible: it is read for each event.
    fn text(&self, field: &str) -> Option<Cow<'_, str>>;
}

impl<R: Record + ?Sized> Record for &R {
    fn entity(&self) -> &str {
        (**self).entity()
    }

    fn time(&self) -> Timestamp {
        (**self).time()
    }

    fn label(&self) -> Option<bool> {
        (**self).label()
    }

    fn scorable(&self) -> bool {
        (**self).scorable()
    }

    fn number(&self, field: &str) -> Option<f64> {
        (**self).number(field)
    }

    fn text(&self, field: &str) -> Option<Cow<'_, str>> {
        (**self).text(field)
    }
}

/// What events are encoded from, by place or by name.
pub(super) trait Fields {
    fn time(&self) -> Timestamp;
    /// NaN is missing.
    fn number(&self, place: usize, name: &str) -> f64;
    fn text(&self, place: usize, name: &str) -> Option<Cow<'_, str>>;
}

/// A raw event whose width was checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByPlace<'a>(pub(super) &'a RawEvent<'a>);

impl Fields for ByPlace<'_> {
    fn time(&self) -> Timestamp {
        self.0.time
    }

    fn number(&self, place: usize, _: &str) -> f64 {
        self.0.numbers[place]
    }

    fn text(&self, place: usize, _: &str) -> Option<Cow<'_, str>> {
        self.0.texts[place].map(Cow::Borrowed)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ByName<'a, R: ?Sized>(pub(super) &'a R);

impl<R: Record + ?Sized> Fields for ByName<'_, R> {
    fn time(&self) -> Timestamp {
        self.0.time()
    }

    fn number(&self, _: usize, name: &str) -> f64 {
        self.0.number(name).unwrap_or(f64::NAN)
    }

    fn text(&self, _: usize, name: &str) -> Option<Cow<'_, str>> {
        self.0.text(name)
    }
}

type Extras = BTreeMap<Arc<str>, Value>;

fn extra_number(extras: &Extras, name: &str) -> Option<f64> {
    match extras.get(name)? {
        Value::Number(number) => Some(*number),
        Value::Flag(flag) => Some(f64::from(u8::from(*flag))),
        _ => None,
    }
}

fn extra_text<'a>(extras: &'a Extras, name: &str) -> Option<Cow<'a, str>> {
    match extras.get(name)? {
        Value::Text(text) => Some(Cow::Borrowed(text.as_str())),
        Value::Flag(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        Value::Number(number) => Some(Cow::Owned((number + 0.0).to_string())),
        _ => None,
    }
}

#[expect(clippy::float_cmp, reason = "labels are exactly 0 or 1")]
fn extra_label(extras: &Extras) -> Option<bool> {
    match extras.get("is_fraud")? {
        Value::Flag(flag) => Some(*flag),
        Value::Number(number) if *number == 0.0 => Some(false),
        Value::Number(number) if *number == 1.0 => Some(true),
        _ => None,
    }
}

fn id(id: Option<&EntityId>) -> Option<Cow<'_, str>> {
    id.map(|id| Cow::Borrowed(id.as_str()))
}

fn currency_text(currency: Currency) -> Option<Cow<'static, str>> {
    (currency != Currency::NONE).then(|| Cow::Owned(currency.code().to_owned()))
}

impl Record for Transaction {
    fn entity(&self) -> &str {
        self.user_id.as_str()
    }

    fn time(&self) -> Timestamp {
        self.timestamp
    }

    fn label(&self) -> Option<bool> {
        Label::known(self.is_fraud)
    }

    fn number(&self, field: &str) -> Option<f64> {
        match field {
            "amount" => Some(self.amount.major()),
            "home_merchant_distance" => {
                let places = self.user_location.zip(self.merchant_location);
                places.map(|(home, merchant)| home.distance_km(merchant))
            }
            _ => extra_number(&self.extras, field),
        }
    }

    fn text(&self, field: &str) -> Option<Cow<'_, str>> {
        match field {
            "merchant_id" => Some(Cow::Borrowed(self.merchant_id.as_str())),
            "category" => id(self.category.as_ref()),
            "card" => id(self.card.as_ref()),
            "device" | "device_id" => id(self.device.as_ref()),
            "ip" => self.ip.map(|ip| Cow::Owned(ip.to_string())),
            "user_agent" => self.user_agent.as_deref().map(Cow::Borrowed),
            "country" => id(self.country.as_ref()),
            "currency" => currency_text(self.amount.currency()),
            "email" => id(self.email.as_ref()),
            "status" => self.status.map(TransactionStatus::name).map(Cow::Borrowed),
            "tenant" => id(self.tenant.as_ref()),
            "record_kind" => Some(Cow::Borrowed("transaction")),
            _ => extra_text(&self.extras, field),
        }
    }
}

impl Record for BehaviorEvent {
    fn entity(&self) -> &str {
        self.user_id.as_str()
    }

    fn time(&self) -> Timestamp {
        self.timestamp
    }

    fn label(&self) -> Option<bool> {
        extra_label(&self.extras)
    }

    fn number(&self, field: &str) -> Option<f64> {
        match field {
            "amount" => self.amount.map(dafu_core::Money::major),
            _ => extra_number(&self.extras, field),
        }
    }

    fn text(&self, field: &str) -> Option<Cow<'_, str>> {
        match field {
            "action_type" => Some(Cow::Borrowed(self.action_type.as_str())),
            "device" | "device_id" => id(self.device_id.as_ref()),
            "location" => id(self.location.as_ref()),
            "currency" => self
                .amount
                .and_then(|amount| currency_text(amount.currency())),
            "record_kind" => Some(Cow::Borrowed("behavior_event")),
            _ => extra_text(&self.extras, field),
        }
    }
}

impl Record for DailySummary {
    fn entity(&self) -> &str {
        self.user_id.as_str()
    }

    fn time(&self) -> Timestamp {
        self.timestamp
    }

    fn label(&self) -> Option<bool> {
        extra_label(&self.extras)
    }

    fn number(&self, field: &str) -> Option<f64> {
        match field {
            "transaction_count" => Some(f64::from(self.transaction_count)),
            "daily_amount" => Some(self.daily_amount.major()),
            "risk_score" => self.risk_score.map(dafu_core::Score::get),
            _ => extra_number(&self.extras, field),
        }
    }

    fn text(&self, field: &str) -> Option<Cow<'_, str>> {
        match field {
            "currency" => currency_text(self.daily_amount.currency()),
            "record_kind" => Some(Cow::Borrowed("daily_summary")),
            _ => extra_text(&self.extras, field),
        }
    }
}
