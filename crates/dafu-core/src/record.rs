//! Records: transactions, behaviour events, daily summaries, and transfers between accounts.

use crate::{CoreError, EntityId, Money, StableHasher, Timestamp, TransactionId};
use std::collections::BTreeMap;
use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::Arc;

/// What is known about a record: fraud, legitimate, or nothing yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Label {
    /// No label.
    #[default]
    Unknown,
    /// Known to be honest.
    Legitimate,
    /// Known to be fraud.
    Fraud,
}

impl Label {
    /// `Some(true)` for fraud, `None` without a label.
    pub const fn known(self) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::Legitimate => Some(false),
            Self::Fraud => Some(true),
        }
    }
}

impl From<bool> for Label {
    fn from(fraud: bool) -> Self {
        if fraud { Self::Fraud } else { Self::Legitimate }
    }
}

/// Mean radius of the earth in kilometres (IUGG, R1).
const EARTH_RADIUS_KM: f64 = 6_371.008_8;

/// A point on the earth in degrees (WGS 84).
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GeoPoint {
    latitude: f64,
    longitude: f64,
}

impl GeoPoint {
    /// A point from degrees: latitude -90 to 90, longitude -180 to 180.
    ///
    /// # Errors
    ///
    /// [`CoreError::OutOfRange`] outside these ranges or for NaN.
    pub fn new(latitude: f64, longitude: f64) -> Result<Self, CoreError> {
        let check = |what, got: f64, limit: f64| {
            if got.abs() <= limit {
                Ok(())
            } else {
                Err(CoreError::OutOfRange {
                    what,
                    min: -limit,
                    max: limit,
                    got,
                })
            }
        };
        check("latitude", latitude, 90.0)?;
        check("longitude", longitude, 180.0)?;
        Ok(Self {
            latitude,
            longitude,
        })
    }

    /// Degrees north of the equator.
    pub const fn latitude(self) -> f64 {
        self.latitude
    }

    /// Degrees east of Greenwich.
    pub const fn longitude(self) -> f64 {
        self.longitude
    }

    /// Great-circle distance to another point in kilometres, on a sphere with the earth's mean radius.
    ///
    /// The ellipsoid is up to 0.6 % longer or shorter.
    ///
    /// Source: Sinnott, "Virtues of the Haversine" (1984).
    ///
    /// ```
    /// # fn main() -> Result<(), dafu_core::CoreError> {
    /// use dafu_core::GeoPoint;
    ///
    /// let london = GeoPoint::new(51.5074, -0.1278)?;
    /// let paris = GeoPoint::new(48.8566, 2.3522)?;
    /// assert!((london.distance_km(paris) - 343.56).abs() < 0.01);
    /// # Ok(())
    /// # }
    /// ```
    pub fn distance_km(self, other: Self) -> f64 {
        let (from, to) = (self.latitude.to_radians(), other.latitude.to_radians());
        let half_latitude = ((to - from) / 2.0).sin();
        let half_longitude = ((other.longitude - self.longitude).to_radians() / 2.0).sin();
        let chord =
            half_latitude * half_latitude + from.cos() * to.cos() * half_longitude * half_longitude;
        // Rounding can lift the square of the sine just above 1.
        2.0 * EARTH_RADIUS_KM * chord.min(1.0).sqrt().asin()
    }
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum TransactionStatus {
    /// Authorised.
    Approved,
    /// Refused.
    Declined,
    /// Taken back.
    Reversed,
    /// Disputed by the card holder.
    ChargedBack,
}

impl TransactionStatus {
    /// The name: `approved`, `declined`, `reversed`, `charged_back`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::Reversed => "reversed",
            Self::ChargedBack => "charged_back",
        }
    }
}

/// The value of a further column.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Value {
    /// A finite number.
    Number(f64),
    /// A text.
    Text(EntityId),
    /// Yes or no.
    Flag(bool),
}

/// One payment: `transaction_id,user_id,amount,merchant_id,timestamp,category,is_fraud` and what else is known.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Transaction {
    /// Key of the transaction.
    pub transaction_id: TransactionId,
    /// Who pays.
    pub user_id: EntityId,
    /// How much.
    pub amount: Money,
    /// Who is paid.
    pub merchant_id: EntityId,
    /// When, in event time.
    pub timestamp: Timestamp,
    /// Category of the merchant or the goods.
    pub category: Option<EntityId>,
    /// The label, where known.
    pub is_fraud: Label,
    /// The card, as a token.
    pub card: Option<EntityId>,
    /// The device or its fingerprint (`device`, `device_id`, `device_fingerprint`).
    pub device: Option<EntityId>,
    /// The internet address.
    pub ip: Option<IpAddr>,
    /// The user agent as sent.
    pub user_agent: Option<Arc<str>>,
    /// Country of the payment.
    pub country: Option<EntityId>,
    /// E-mail address or a token of it.
    pub email: Option<EntityId>,
    /// Where the user is at home.
    pub user_location: Option<GeoPoint>,
    /// Where the merchant is, or the payment was made.
    pub merchant_location: Option<GeoPoint>,
    /// How it ended.
    pub status: Option<TransactionStatus>,
    /// Tenant of a shared installation.
    pub tenant: Option<EntityId>,
    /// Further columns by name.
    pub extras: BTreeMap<Arc<str>, Value>,
}

impl Transaction {
    /// A transaction with the fields that every transaction has.
    pub fn new(
        transaction_id: TransactionId,
        user_id: EntityId,
        amount: Money,
        merchant_id: EntityId,
        timestamp: Timestamp,
    ) -> Self {
        Self {
            transaction_id,
            user_id,
            amount,
            merchant_id,
            timestamp,
            category: None,
            is_fraud: Label::Unknown,
            card: None,
            device: None,
            ip: None,
            user_agent: None,
            country: None,
            email: None,
            user_location: None,
            merchant_location: None,
            status: None,
            tenant: None,
            extras: BTreeMap::new(),
        }
    }

    /// Sets the category.
    #[must_use]
    pub fn with_category(mut self, category: EntityId) -> Self {
        self.category = Some(category);
        self
    }

    /// Sets the label.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<Label>) -> Self {
        self.is_fraud = label.into();
        self
    }

    /// Sets the device.
    #[must_use]
    pub fn with_device(mut self, device: EntityId) -> Self {
        self.device = Some(device);
        self
    }

    /// Adds a further column.
    #[must_use]
    pub fn with_extra(mut self, name: &str, value: Value) -> Self {
        self.extras.insert(Arc::from(name), value);
        self
    }

    /// Hash of everything but the label: two transactions of one id and different content are in conflict.
    /// The same on every platform.
    pub fn content_hash(&self) -> u64 {
        let mut hasher = StableHasher::default();
        let mut optional = |text: Option<&str>| match text {
            Some(text) => {
                hasher.number(1).text(text);
            }
            None => {
                hasher.number(0);
            }
        };
        let ip = self.ip.map(|ip| ip.to_string());
        for text in [
            Some(self.transaction_id.as_str()),
            Some(self.user_id.as_str()),
            Some(self.merchant_id.as_str()),
            Some(self.amount.currency().code()),
            self.category.as_ref().map(EntityId::as_str),
            self.card.as_ref().map(EntityId::as_str),
            self.device.as_ref().map(EntityId::as_str),
            ip.as_deref(),
            self.user_agent.as_deref(),
            self.country.as_ref().map(EntityId::as_str),
            self.email.as_ref().map(EntityId::as_str),
            self.tenant.as_ref().map(EntityId::as_str),
        ] {
            optional(text);
        }
        hasher.number(self.amount.minor().cast_unsigned());
        hasher.number(self.timestamp.as_micros().cast_unsigned());
        for point in [self.user_location, self.merchant_location]
            .into_iter()
            .flatten()
        {
            hasher
                .number(point.latitude.to_bits())
                .number(point.longitude.to_bits());
        }
        hasher.number(self.status.map_or(0, |status| status as u64 + 1));
        for (name, value) in &self.extras {
            hasher.text(name);
            match value {
                Value::Number(number) => hasher.number(1).number(number.to_bits()),
                Value::Text(text) => hasher.number(2).text(text.as_str()),
                Value::Flag(flag) => hasher.number(3).number(u64::from(*flag)),
            };
        }
        hasher.finish()
    }
}

/// One action of a user: `user_id,timestamp,action_type,device_id,location,amount`.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BehaviorEvent {
    /// Who acts.
    pub user_id: EntityId,
    /// When, in event time.
    pub timestamp: Timestamp,
    /// What is done, such as `login` or `purchase`.
    pub action_type: EntityId,
    /// On which device.
    pub device_id: Option<EntityId>,
    /// Where, as the source names it.
    pub location: Option<EntityId>,
    /// The amount, for actions that have one.
    pub amount: Option<Money>,
    /// Further columns by name.
    pub extras: BTreeMap<Arc<str>, Value>,
}

/// One day of a user: `timestamp,user_id,transaction_count,daily_amount,risk_score`.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DailySummary {
    /// Start of the day.
    pub timestamp: Timestamp,
    /// Whose day.
    pub user_id: EntityId,
    /// Transactions of the day.
    pub transaction_count: u32,
    /// Sum of the day.
    pub daily_amount: Money,
    /// A risk score given by the source, where there is one.
    pub risk_score: Option<crate::Score>,
    /// Further columns by name.
    pub extras: BTreeMap<Arc<str>, Value>,
}

/// One movement of money from an account to another.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Transfer {
    /// Key of the transfer.
    pub transfer_id: TransactionId,
    /// The account that pays.
    pub from: EntityId,
    /// The account that is paid.
    pub to: EntityId,
    /// How much.
    pub amount: Money,
    /// When, in event time.
    pub timestamp: Timestamp,
}
