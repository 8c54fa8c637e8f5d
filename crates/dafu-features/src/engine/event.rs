//! Records as the engine sees them: a time, numbers in fixed point, and ids as hashes.

use super::hash::{IdHasher, mix, pair};
use crate::FeatureError;
use crate::measure::UserAgent;
use crate::measure::ip_prefix;
use crate::set::{Field, Quantity, RecordKind};
use dafu_core::{
    BehaviorEvent, Currency, DailySummary, EntityId, GeoPoint, Label, Money, Timestamp,
    Transaction, TransactionStatus, Value,
};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Numbers are whole multiples of a ten-thousandth.
pub(crate) const FIXED: f64 = 10_000.0;
/// Largest number in fixed point: 2^53, so that it is exact as `f64` and its square fits 128 bits a million times.
pub(crate) const LARGEST: i64 = 1 << 53;
/// A number that is not there.
pub(crate) const MISSING: i64 = i64::MIN;

/// Which texts and numbers of a record are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layout {
    pub(crate) fields: Vec<Field>,
    pub(crate) quantities: Vec<Quantity>,
    /// Whether places, addresses and user agents are.
    pub(crate) facts: bool,
}

impl Layout {
    pub(crate) fn field(&mut self, field: &Field) -> usize {
        place_of(&mut self.fields, field)
    }

    pub(crate) fn quantity(&mut self, quantity: &Quantity) -> usize {
        place_of(&mut self.quantities, quantity)
    }
}

pub(crate) fn place_of<T: PartialEq + Clone>(list: &mut Vec<T>, wanted: &T) -> usize {
    let found = list.iter().position(|item| item == wanted);
    found.unwrap_or_else(|| {
        list.push(wanted.clone());
        list.len() - 1
    })
}

/// What some features of the event itself need.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Facts {
    /// Where the payment was made.
    pub(crate) place: Option<GeoPoint>,
    /// Where the user is at home.
    pub(crate) home: Option<GeoPoint>,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) agent: Option<UserAgent>,
}

impl Facts {
    /// Mixed into the content of an event, where there are any.
    fn content(&self, mut mixed: u64) -> u64 {
        for point in [self.place, self.home].into_iter().flatten() {
            mixed = mix(mixed, point.latitude().to_bits());
            mixed = mix(mixed, point.longitude().to_bits());
        }
        match self.ip.map(|ip| ip.to_canonical()) {
            Some(IpAddr::V4(ip)) => mixed = mix(mixed, u64::from(ip.to_bits())),
            Some(IpAddr::V6(ip)) => {
                let (high, low) = (ip.to_bits() >> 64, ip.to_bits() & u128::from(u64::MAX));
                for half in [high, low] {
                    mixed = mix(mixed, u64::try_from(half).unwrap_or_default());
                }
            }
            None => {}
        }
        if let Some(agent) = self.agent {
            let device = u64::from(agent.device.code()) << 1 | u64::from(agent.bot);
            mixed = mix(mixed, device + 1);
        }
        mixed
    }
}

/// The parts of an event that have one size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    /// Microseconds.
    pub(crate) time: i64,
    /// Hash of the transaction id, 0 where records have none.
    pub(crate) id: u64,
    pub(crate) label: Label,
    pub(crate) status: Option<TransactionStatus>,
}

/// One event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventView<'a> {
    pub(crate) head: Head,
    /// In fixed point, by the layout's quantities; [`MISSING`] where not there.
    pub(crate) numbers: &'a [i64],
    /// Hashes of ids, by the layout's fields; 0 where not there.
    pub(crate) codes: &'a [u64],
    pub(crate) facts: &'a Facts,
}

impl EventView<'_> {
    /// What tells two events of one id apart.
    pub(crate) fn content(&self) -> u64 {
        let mut mixed = self.head.time.cast_unsigned();
        for number in self.numbers {
            mixed = mix(mixed, number.cast_unsigned());
        }
        for code in self.codes {
            mixed = mix(mixed, *code);
        }
        if let Some(status) = self.head.status {
            mixed = mix(mixed, status as u64 + 1);
        }
        pair(self.facts.content(mixed), self.head.id)
    }
}

/// One event that owns its parts.
#[derive(Debug, Clone)]
pub(crate) struct EventRow {
    pub(crate) head: Head,
    pub(crate) numbers: Vec<i64>,
    pub(crate) codes: Vec<u64>,
    pub(crate) facts: Facts,
}

impl Default for EventRow {
    fn default() -> Self {
        Self {
            head: Head {
                time: 0,
                id: 0,
                label: Label::Unknown,
                status: None,
            },
            numbers: Vec::new(),
            codes: Vec::new(),
            facts: Facts::default(),
        }
    }
}

impl EventRow {
    pub(crate) fn of(event: &EventView<'_>) -> Self {
        Self {
            head: event.head,
            numbers: event.numbers.to_vec(),
            codes: event.codes.to_vec(),
            facts: *event.facts,
        }
    }

    pub(crate) fn view(&self) -> EventView<'_> {
        EventView {
            head: self.head,
            numbers: &self.numbers,
            codes: &self.codes,
            facts: &self.facts,
        }
    }

    /// Takes a record over.
    pub(crate) fn read<R: Record>(
        &mut self,
        record: &R,
        layout: &Layout,
        hasher: IdHasher,
    ) -> Result<(), FeatureError> {
        self.head = Head::of(record, hasher);
        self.codes.clear();
        for field in &layout.fields {
            self.codes.push(record.code(field, hasher));
        }
        self.numbers.clear();
        for quantity in &layout.quantities {
            self.numbers.push(record.number(quantity)?);
        }
        if layout.facts {
            self.facts = record.facts();
        }
        Ok(())
    }
}

/// A record that the engine can observe: transactions, behaviour events and daily summaries.
pub trait Record: private::Sealed {
    /// The kind of record.
    const KIND: RecordKind;

    /// When it happened, in event time.
    fn time(&self) -> Timestamp;
}

pub(crate) mod private {
    use super::{Facts, Field, IdHasher, Label, Quantity, TransactionStatus};
    use crate::FeatureError;

    #[expect(
        unnameable_types,
        reason = "only the records of dafu-core are observed: the parts are the engine's own"
    )]
    pub trait Sealed {
        fn id(&self) -> Option<&str> {
            None
        }
        fn label(&self) -> Label {
            Label::Unknown
        }
        fn status(&self) -> Option<TransactionStatus> {
            None
        }
        #[expect(private_interfaces, reason = "sealed")]
        fn facts(&self) -> Facts {
            Facts::default()
        }
        #[expect(private_interfaces, reason = "sealed")]
        fn code(&self, field: &Field, hasher: IdHasher) -> u64;
        fn number(&self, quantity: &Quantity) -> Result<i64, FeatureError>;
    }
}

fn id_code(id: Option<&EntityId>, hasher: IdHasher) -> u64 {
    id.map_or(0, |id| hasher.id(id.as_str().as_bytes()))
}

pub(crate) fn ip_code(ip: IpAddr, hasher: IdHasher) -> u64 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => hasher.id(&ip.octets()),
        IpAddr::V6(ip) => hasher.id(&ip.octets()),
    }
}

pub(crate) fn currency_code(currency: Currency, hasher: IdHasher) -> u64 {
    if currency == Currency::NONE {
        0
    } else {
        hasher.id(currency.code().as_bytes())
    }
}

pub(crate) fn domain_code(email: &str, hasher: IdHasher) -> u64 {
    let domain = email.rsplit_once('@').map(|(_, domain)| domain);
    domain
        .filter(|domain| !domain.is_empty())
        .map_or(0, |domain| {
            hasher.id(domain.to_ascii_lowercase().as_bytes())
        })
}

/// Hash of the browser or system that a user agent names.
pub(crate) fn agent_code(field: &Field, agent: &str, hasher: IdHasher) -> u64 {
    let agent = UserAgent::parse(agent);
    let name = if *field == Field::Browser {
        agent.browser.name()
    } else {
        agent.system.name()
    };
    hasher.id(name.as_bytes())
}

/// The hash that an event has whose field has this text; 0 for a text that is none, such as an address that cannot be
/// read.
pub(crate) fn text_code(field: &Field, text: &str, hasher: IdHasher) -> u64 {
    let ip = || text.parse::<IpAddr>().ok();
    match field {
        Field::Ip => ip().map_or(0, |ip| ip_code(ip, hasher)),
        Field::IpPrefix => ip().map_or(0, |ip| ip_code(ip_prefix(ip), hasher)),
        Field::EmailDomain if text.contains('@') => domain_code(text, hasher),
        Field::EmailDomain => hasher.id(text.to_ascii_lowercase().as_bytes()),
        Field::Currency if text == Currency::NONE.code() => 0,
        Field::Extra(_) => extra_text(text, hasher),
        _ => hasher.id(text.as_bytes()),
    }
}

/// Hash of a text of a further column. A flag is `true` as a text and 1 as a number of a table: one and the same.
pub(crate) fn extra_text(text: &str, hasher: IdHasher) -> u64 {
    match text {
        "true" => hasher.id(b"1"),
        "false" => hasher.id(b"0"),
        text => hasher.id(text.as_bytes()),
    }
}

fn extra_code(extras: &BTreeMap<Arc<str>, Value>, name: &str, hasher: IdHasher) -> u64 {
    match extras.get(name) {
        Some(Value::Text(text)) => extra_text(text.as_str(), hasher),
        Some(Value::Flag(flag)) => hasher.id(if *flag { b"1" } else { b"0" }),
        Some(Value::Number(number)) => hasher.id(number.to_string().as_bytes()),
        _ => 0,
    }
}

/// An amount in fixed point.
pub(crate) fn fixed_money(amount: Money) -> Result<i64, FeatureError> {
    let scale = match amount.currency().decimals() {
        2 => 100,
        0 => 10_000,
        3 => 10,
        _ => 1,
    };
    let fixed = amount.minor().checked_mul(scale);
    fixed
        .filter(|fixed| (-LARGEST..=LARGEST).contains(fixed))
        .ok_or_else(|| FeatureError::NumberTooLarge {
            quantity: Quantity::Amount.to_string(),
            got: amount.major(),
            limit: LARGEST as f64 / FIXED,
        })
}

/// A number in fixed point; NaN is missing.
pub(crate) fn fixed_number(number: f64, quantity: &Quantity) -> Result<i64, FeatureError> {
    if number.is_nan() {
        return Ok(MISSING);
    }
    let fixed = (number * FIXED).round();
    if fixed.abs() > LARGEST as f64 {
        return Err(FeatureError::NumberTooLarge {
            quantity: quantity.to_string(),
            got: number,
            limit: LARGEST as f64 / FIXED,
        });
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most 2^53")]
    let fixed = fixed as i64;
    Ok(fixed)
}

fn extra_number(
    extras: &BTreeMap<Arc<str>, Value>,
    quantity: &Quantity,
) -> Result<i64, FeatureError> {
    let Quantity::Extra(name) = quantity else {
        return Ok(MISSING);
    };
    match extras.get(name.as_str()) {
        Some(Value::Number(number)) => fixed_number(*number, quantity),
        Some(Value::Flag(flag)) => fixed_number(f64::from(u8::from(*flag)), quantity),
        _ => Ok(MISSING),
    }
}

impl Record for Transaction {
    const KIND: RecordKind = RecordKind::Transaction;

    fn time(&self) -> Timestamp {
        self.timestamp
    }
}

impl private::Sealed for Transaction {
    fn id(&self) -> Option<&str> {
        Some(self.transaction_id.as_str())
    }

    fn label(&self) -> Label {
        self.is_fraud
    }

    fn status(&self) -> Option<TransactionStatus> {
        self.status
    }

    #[expect(private_interfaces, reason = "sealed")]
    fn facts(&self) -> Facts {
        Facts {
            place: self.merchant_location,
            home: self.user_location,
            ip: self.ip,
            agent: self.user_agent.as_deref().map(UserAgent::parse),
        }
    }

    #[expect(private_interfaces, reason = "sealed")]
    fn code(&self, field: &Field, hasher: IdHasher) -> u64 {
        match field {
            Field::User => hasher.id(self.user_id.as_str().as_bytes()),
            Field::Merchant => hasher.id(self.merchant_id.as_str().as_bytes()),
            Field::Card => id_code(self.card.as_ref(), hasher),
            Field::Device => id_code(self.device.as_ref(), hasher),
            Field::Ip => self.ip.map_or(0, |ip| ip_code(ip, hasher)),
            Field::IpPrefix => self.ip.map_or(0, |ip| ip_code(ip_prefix(ip), hasher)),
            Field::Email => id_code(self.email.as_ref(), hasher),
            Field::EmailDomain => {
                let email = self.email.as_ref();
                email.map_or(0, |email| domain_code(email.as_str(), hasher))
            }
            Field::Category => id_code(self.category.as_ref(), hasher),
            Field::Country => id_code(self.country.as_ref(), hasher),
            Field::Currency => currency_code(self.amount.currency(), hasher),
            Field::Tenant => id_code(self.tenant.as_ref(), hasher),
            Field::UserAgent => {
                let agent = self.user_agent.as_deref();
                agent.map_or(0, |agent| hasher.id(agent.as_bytes()))
            }
            Field::Browser | Field::System => {
                let agent = self.user_agent.as_deref();
                agent.map_or(0, |agent| agent_code(field, agent, hasher))
            }
            Field::Action | Field::Location => 0,
            Field::Extra(name) => extra_code(&self.extras, name, hasher),
        }
    }

    fn number(&self, quantity: &Quantity) -> Result<i64, FeatureError> {
        match quantity {
            Quantity::Amount => fixed_money(self.amount),
            other => extra_number(&self.extras, other),
        }
    }
}

impl Record for BehaviorEvent {
    const KIND: RecordKind = RecordKind::BehaviorEvent;

    fn time(&self) -> Timestamp {
        self.timestamp
    }
}

impl private::Sealed for BehaviorEvent {
    #[expect(private_interfaces, reason = "sealed")]
    fn code(&self, field: &Field, hasher: IdHasher) -> u64 {
        match field {
            Field::User => hasher.id(self.user_id.as_str().as_bytes()),
            Field::Action => hasher.id(self.action_type.as_str().as_bytes()),
            Field::Device => id_code(self.device_id.as_ref(), hasher),
            Field::Location => id_code(self.location.as_ref(), hasher),
            Field::Currency => self
                .amount
                .map_or(0, |amount| currency_code(amount.currency(), hasher)),
            Field::Extra(name) => extra_code(&self.extras, name, hasher),
            _ => 0,
        }
    }

    fn number(&self, quantity: &Quantity) -> Result<i64, FeatureError> {
        match quantity {
            Quantity::Amount => self.amount.map_or(Ok(MISSING), fixed_money),
            other => extra_number(&self.extras, other),
        }
    }
}

impl Record for DailySummary {
    const KIND: RecordKind = RecordKind::DailySummary;

    fn time(&self) -> Timestamp {
        self.timestamp
    }
}

impl private::Sealed for DailySummary {
    #[expect(private_interfaces, reason = "sealed")]
    fn code(&self, field: &Field, hasher: IdHasher) -> u64 {
        match field {
            Field::User => hasher.id(self.user_id.as_str().as_bytes()),
            Field::Currency => currency_code(self.daily_amount.currency(), hasher),
            Field::Extra(name) => extra_code(&self.extras, name, hasher),
            _ => 0,
        }
    }

    fn number(&self, quantity: &Quantity) -> Result<i64, FeatureError> {
        match quantity {
            Quantity::Amount => fixed_money(self.daily_amount),
            Quantity::TransactionCount => fixed_number(f64::from(self.transaction_count), quantity),
            Quantity::RiskScore => match self.risk_score {
                Some(score) => fixed_number(score.get(), quantity),
                None => Ok(MISSING),
            },
            other => extra_number(&self.extras, other),
        }
    }
}
