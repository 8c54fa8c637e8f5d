//! The texts and numbers of a record that features are made from.

use crate::FeatureError;
use dafu_core::EntityKind;
use std::fmt;
use std::str::FromStr;

/// Which kind of record a set is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RecordKind {
    /// [`dafu_core::Transaction`].
    #[default]
    Transaction,
    /// [`dafu_core::BehaviorEvent`].
    BehaviorEvent,
    /// [`dafu_core::DailySummary`].
    DailySummary,
}

/// A text of a record that names something: whose events are gathered, or what is counted among them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
#[non_exhaustive]
pub enum Field {
    /// Who pays or acts.
    User,
    /// Who is paid.
    Merchant,
    /// The card.
    Card,
    /// The device.
    Device,
    /// The internet address.
    Ip,
    /// The network of the address: its first 24 bits (IPv4) or 48 bits (IPv6).
    IpPrefix,
    /// The e-mail address.
    Email,
    /// What follows the last `@` of the e-mail address.
    EmailDomain,
    /// The category of the merchant or the goods. In a table, the column `category`, or else the first with texts that
    /// has no other role.
    Category,
    /// The country.
    Country,
    /// The currency of the amount.
    Currency,
    /// The tenant of a shared installation.
    Tenant,
    /// The user agent as sent.
    UserAgent,
    /// The family of browsers that the user agent names: [`crate::measure::Browser::name`]. All that are not known are one
    /// family, `other`.
    Browser,
    /// The family of operating systems that the user agent names: [`crate::measure::System::name`].
    System,
    /// The action of a behaviour event.
    Action,
    /// The place of a behaviour event, as the source names it.
    Location,
    /// A further column with texts.
    Extra(String),
}

const NAMES: [(&str, Field); 17] = [
    ("user", Field::User),
    ("merchant", Field::Merchant),
    ("card", Field::Card),
    ("device", Field::Device),
    ("ip", Field::Ip),
    ("ip_prefix", Field::IpPrefix),
    ("email", Field::Email),
    ("email_domain", Field::EmailDomain),
    ("category", Field::Category),
    ("country", Field::Country),
    ("currency", Field::Currency),
    ("tenant", Field::Tenant),
    ("user_agent", Field::UserAgent),
    ("browser", Field::Browser),
    ("system", Field::System),
    ("action", Field::Action),
    ("location", Field::Location),
];
const EXTRA: &str = "extra:";

impl Field {
    /// Whether records of a kind can have it.
    pub const fn exists_in(&self, record: RecordKind) -> bool {
        match record {
            RecordKind::Transaction => !matches!(self, Self::Action | Self::Location),
            RecordKind::BehaviorEvent => matches!(
                self,
                Self::User
                    | Self::Action
                    | Self::Device
                    | Self::Location
                    | Self::Currency
                    | Self::Extra(_)
            ),
            RecordKind::DailySummary => {
                matches!(self, Self::User | Self::Currency | Self::Extra(_))
            }
        }
    }

    /// The kind of entity that the field names, where core knows one.
    pub const fn entity_kind(&self) -> Option<EntityKind> {
        Some(match self {
            Self::User => EntityKind::User,
            Self::Merchant => EntityKind::Merchant,
            Self::Card => EntityKind::Card,
            Self::Device => EntityKind::Device,
            Self::Ip => EntityKind::Ip,
            Self::Email => EntityKind::Email,
            Self::Category => EntityKind::Category,
            Self::Country => EntityKind::Country,
            Self::Tenant => EntityKind::Tenant,
            _ => return None,
        })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Extra(name) = self {
            return f.pad(&format!("{EXTRA}{name}"));
        }
        let named = NAMES.iter().find(|(_, field)| field == self);
        f.pad(named.map_or("", |(name, _)| name))
    }
}

impl FromStr for Field {
    type Err = FeatureError;
    fn from_str(text: &str) -> Result<Self, FeatureError> {
        if let Some(name) = text.strip_prefix(EXTRA).filter(|name| !name.is_empty()) {
            return Ok(Self::Extra(name.to_owned()));
        }
        let named = NAMES.iter().find(|(name, _)| *name == text);
        named
            .map(|(_, field)| field.clone())
            .ok_or_else(|| FeatureError::UnknownField {
                got: text.chars().take(64).collect(),
                known: NAMES.iter().map(|(name, _)| *name).collect(),
            })
    }
}

impl TryFrom<String> for Field {
    type Error = FeatureError;
    fn try_from(text: String) -> Result<Self, FeatureError> {
        text.parse()
    }
}

impl From<Field> for String {
    fn from(field: Field) -> Self {
        field.to_string()
    }
}

impl TryFrom<EntityKind> for Field {
    type Error = FeatureError;

    /// The field that names entities of a kind; transactions have no bank accounts.
    fn try_from(kind: EntityKind) -> Result<Self, FeatureError> {
        let found = NAMES
            .iter()
            .find(|(_, field)| field.entity_kind() == Some(kind));
        found
            .map(|(_, field)| field.clone())
            .ok_or_else(|| FeatureError::UnknownField {
                got: format!("{kind:?}"),
                known: NAMES.iter().map(|(name, _)| *name).collect(),
            })
    }
}

/// Whose events are gathered: one field, or a pair of them such as user and merchant.
///
/// ```
/// use dafu_features::{Field, Key, Measure, Span, Window};
///
/// # fn main() -> Result<(), dafu_features::FeatureError> {
/// let pair = Key::from(Field::User).and(Field::Merchant)?;
/// let visits = Window::new(pair, Measure::Count).within(Span::days(30));
/// # assert_eq!(visits.by.to_string(), "user_merchant");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Vec<Field>", into = "Vec<Field>"))]
pub struct Key {
    first: Field,
    second: Option<Field>,
}

impl Key {
    /// The fields, one or two.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        std::iter::once(&self.first).chain(&self.second)
    }

    /// This key with a further field.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Key`] for a third field, or one that is there already.
    pub fn and(&self, field: Field) -> Result<Self, FeatureError> {
        Self::try_from(self.fields().cloned().chain([field]).collect::<Vec<_>>())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.second {
            Some(second) => f.pad(&format!("{}_{second}", self.first)),
            None => fmt::Display::fmt(&self.first, f),
        }
    }
}

impl From<Field> for Key {
    fn from(first: Field) -> Self {
        Self {
            first,
            second: None,
        }
    }
}

impl TryFrom<Vec<Field>> for Key {
    type Error = FeatureError;
    fn try_from(fields: Vec<Field>) -> Result<Self, FeatureError> {
        let wrong = || FeatureError::Key {
            got: fields.iter().map(ToString::to_string).collect(),
        };
        match fields.as_slice() {
            [first] => Ok(Self::from(first.clone())),
            [first, second] if first != second => Ok(Self {
                first: first.clone(),
                second: Some(second.clone()),
            }),
            _ => Err(wrong()),
        }
    }
}

impl From<Key> for Vec<Field> {
    fn from(key: Key) -> Self {
        key.fields().cloned().collect()
    }
}

/// A number of a record that windows add up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
#[non_exhaustive]
pub enum Quantity {
    /// The amount; of a daily summary, the amount of the day. In major units.
    #[default]
    Amount,
    /// Transactions of the day (daily summaries).
    TransactionCount,
    /// The risk score given by the source (daily summaries).
    RiskScore,
    /// A further column with numbers. One that mixes numbers and texts is text in a table, and has none there.
    Extra(String),
}

impl Quantity {
    /// Whether records of a kind can have it.
    pub const fn exists_in(&self, record: RecordKind) -> bool {
        match self {
            Self::Amount | Self::Extra(_) => true,
            Self::TransactionCount | Self::RiskScore => matches!(record, RecordKind::DailySummary),
        }
    }

    /// Whether every record of a kind has it.
    pub(crate) const fn always_in(&self, record: RecordKind) -> bool {
        match self {
            Self::Amount => !matches!(record, RecordKind::BehaviorEvent),
            Self::TransactionCount => true,
            Self::RiskScore | Self::Extra(_) => false,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Amount => f.pad("amount"),
            Self::TransactionCount => f.pad("transaction_count"),
            Self::RiskScore => f.pad("risk_score"),
            Self::Extra(name) => f.pad(&format!("{EXTRA}{name}")),
        }
    }
}

impl FromStr for Quantity {
    type Err = FeatureError;
    fn from_str(text: &str) -> Result<Self, FeatureError> {
        match text {
            "amount" => Ok(Self::Amount),
            "transaction_count" => Ok(Self::TransactionCount),
            "risk_score" => Ok(Self::RiskScore),
            _ => match text.strip_prefix(EXTRA).filter(|name| !name.is_empty()) {
                Some(name) => Ok(Self::Extra(name.to_owned())),
                None => Err(FeatureError::UnknownField {
                    got: text.chars().take(64).collect(),
                    known: vec!["amount", "transaction_count", "risk_score", "extra:NAME"],
                }),
            },
        }
    }
}

impl TryFrom<String> for Quantity {
    type Error = FeatureError;
    fn try_from(text: String) -> Result<Self, FeatureError> {
        text.parse()
    }
}

impl From<Quantity> for String {
    fn from(quantity: Quantity) -> Self {
        quantity.to_string()
    }
}
