//! Transactions as rows.

use crate::language::STATUSES;
use crate::program::Row;
use crate::{RuleSchema, Variable, VariableType};
use dafu_core::{EntityId, EntityKey, EntityKind, Transaction, Unit};
use std::fmt::Write;

impl RuleSchema {
    /// What a transaction says of itself: the variables that [`TransactionRow`] fills.
    ///
    /// | variable | type |
    /// |---|---|
    /// | `amount` | money; in the currency of the schema where it has one, and missing without a rate ([`RuleSchema::amount`]) |
    /// | `timestamp` | time |
    /// | `distance_from_home` | km between the user and the merchant; missing where one place is |
    /// | `user_id`, `merchant_id`, `currency` | text |
    /// | `category`, `card`, `device`, `user_agent`, `country`, `email`, `tenant` | text, may be missing |
    /// | `status` | `approved`, `declined`, `reversed` or `charged_back`, may be missing; comparing with another text is a warning |
    /// | `ip` | internet address, may be missing |
    ///
    /// ```
    /// use dafu_core::{Currency, Money, Timestamp, Transaction};
    /// use dafu_rules::{Condition, RuleSchema, TransactionRow, Truth};
    ///
    /// let condition = Condition::parse("amount > 100 and hour(timestamp) < 6 and merchant_id starts with 'kiosk'")?;
    /// let schema = RuleSchema::transaction();
    /// let condition = condition.compile(&schema)?;
    /// let payment = Transaction::new(
    ///     "t-1".parse()?,
    ///     "u-1".parse()?,
    ///     Money::from_minor(25_000, Currency::new("EUR")?),
    ///     "kiosk-7".parse()?,
    ///     "2026-03-01T02:00:00Z".parse()?,
    /// );
    /// let mut buffer = String::new();
    /// let row = TransactionRow::new(&payment, &schema, &mut buffer);
    /// assert_eq!(condition.truth(row.row())?, Truth::True);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn transaction() -> Self {
        let text = |name| Variable::text(name);
        let levels = STATUSES.map(|status| status.name().into()).into();
        let variables = [
            Variable::number("amount", Unit::Money).nullable(),
            Variable::time("timestamp"),
            Variable::number("distance_from_home", Unit::Kilometre).nullable(),
            text("user_id"),
            text("merchant_id"),
            text("currency"),
            text("category").nullable(),
            text("card").nullable(),
            text("device").nullable(),
            text("user_agent").nullable(),
            text("country").nullable(),
            text("email").nullable(),
            Variable::new("status", VariableType::Category { levels }).nullable(),
            text("tenant").nullable(),
            Variable::ip("ip").nullable(),
        ];
        // All names differ, so each joins the schema.
        let join = |schema: Self, variable| schema.clone().variable(variable).unwrap_or(schema);
        variables.into_iter().fold(Self::default(), join)
    }
}

/// Numbers and texts of a transaction, in the order of [`RuleSchema::transaction`].
#[derive(Debug, Clone, PartialEq)]
pub struct TransactionRow<'a> {
    /// The numbers.
    pub numbers: [f64; 4],
    /// The texts.
    pub texts: [Option<&'a str>; 11],
}

impl<'a> TransactionRow<'a> {
    /// Reads a transaction, its amount in the currency of a schema: that of the rules, such as
    /// [`RuleEngine::schema`](crate::RuleEngine::schema). The buffer holds what has no text of its own: currency and
    /// address.
    pub fn new(transaction: &'a Transaction, schema: &RuleSchema, buffer: &'a mut String) -> Self {
        buffer.clear();
        buffer.push_str(transaction.amount.currency().code());
        let end = buffer.len();
        if let Some(ip) = transaction.ip {
            // Writing to a text does not fail.
            let _ = write!(buffer, "{ip}");
        }
        let (currency, ip) = buffer.split_at(end);
        let places = transaction.user_location.zip(transaction.merchant_location);
        let is_its = |status| Some(status) == transaction.status;
        let status = STATUSES.into_iter().position(is_its);
        let text = |id: &'a Option<EntityId>| id.as_ref().map(EntityId::as_str);
        Self {
            numbers: [
                schema.amount(transaction.amount),
                transaction.timestamp.as_micros() as f64,
                places.map_or(f64::NAN, |(user, merchant)| user.distance_km(merchant)),
                status.map_or(f64::NAN, |place| place as f64),
            ],
            texts: [
                Some(transaction.user_id.as_str()),
                Some(transaction.merchant_id.as_str()),
                Some(currency),
                text(&transaction.category),
                text(&transaction.card),
                text(&transaction.device),
                transaction.user_agent.as_deref(),
                text(&transaction.country),
                text(&transaction.email),
                text(&transaction.tenant),
                transaction.ip.map(|_| ip),
            ],
        }
    }

    /// Everybody and everything that takes part, for [`Moment::entities`](crate::Moment::entities): the user first, then
    /// merchant, card, device, address, e-mail, category, country and tenant where the transaction has them.
    pub fn entities(transaction: &Transaction) -> Vec<EntityKey> {
        let ip = transaction.ip.map(|ip| ip.to_string());
        let ip = ip.and_then(|ip| EntityId::new(ip).ok());
        let all = [
            (EntityKind::User, Some(&transaction.user_id)),
            (EntityKind::Merchant, Some(&transaction.merchant_id)),
            (EntityKind::Card, transaction.card.as_ref()),
            (EntityKind::Device, transaction.device.as_ref()),
            (EntityKind::Ip, ip.as_ref()),
            (EntityKind::Email, transaction.email.as_ref()),
            (EntityKind::Category, transaction.category.as_ref()),
            (EntityKind::Country, transaction.country.as_ref()),
            (EntityKind::Tenant, transaction.tenant.as_ref()),
        ];
        let key = |(kind, id): (EntityKind, Option<&EntityId>)| {
            id.map(|id| EntityKey {
                kind,
                id: id.clone(),
            })
        };
        all.into_iter().filter_map(key).collect()
    }

    /// The row.
    pub fn row(&self) -> Row<'_> {
        Row {
            numbers: &self.numbers,
            texts: &self.texts,
        }
    }
}
