//! Columns with roles: how files and records look before they become features.

use crate::{CoreError, Label, Timestamp};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What a column means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Role {
    /// Key of the transaction.
    TransactionId,
    /// Who pays.
    User,
    /// Who is paid.
    Merchant,
    /// The card, as a token.
    Card,
    /// How much.
    Amount,
    /// Currency code of the amount.
    Currency,
    /// When.
    Time,
    /// Fraud or not.
    Label,
    /// A text with few different values.
    Category,
    /// A number.
    Numeric,
    /// Degrees north, of the user.
    UserLatitude,
    /// Degrees east, of the user.
    UserLongitude,
    /// Degrees north, of the merchant or the payment.
    MerchantLatitude,
    /// Degrees east, of the merchant or the payment.
    MerchantLongitude,
    /// Internet address.
    Ip,
    /// Device or its fingerprint.
    Device,
    /// User agent.
    UserAgent,
    /// Country.
    Country,
    /// E-mail address.
    Email,
    /// Left out.
    Ignore,
}

/// How the values of a role are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// `f64`, NaN for missing.
    Number,
    /// Text, missing allowed.
    Text,
    /// Instants, missing allowed.
    Time,
    /// Labels.
    Label,
}

const ROLE_NAMES: &str = "transaction_id, user, merchant, card, amount, currency, time, label, category, numeric, \
     user_latitude, user_longitude, merchant_latitude, merchant_longitude, ip, device, user_agent, country, email, \
     ignore";

impl Role {
    /// All roles.
    pub const ALL: [Self; 20] = [
        Self::TransactionId,
        Self::User,
        Self::Merchant,
        Self::Card,
        Self::Amount,
        Self::Currency,
        Self::Time,
        Self::Label,
        Self::Category,
        Self::Numeric,
        Self::UserLatitude,
        Self::UserLongitude,
        Self::MerchantLatitude,
        Self::MerchantLongitude,
        Self::Ip,
        Self::Device,
        Self::UserAgent,
        Self::Country,
        Self::Email,
        Self::Ignore,
    ];

    /// The name: `transaction_id`, `user`, ...
    pub const fn name(self) -> &'static str {
        match self {
            Self::TransactionId => "transaction_id",
            Self::User => "user",
            Self::Merchant => "merchant",
            Self::Card => "card",
            Self::Amount => "amount",
            Self::Currency => "currency",
            Self::Time => "time",
            Self::Label => "label",
            Self::Category => "category",
            Self::Numeric => "numeric",
            Self::UserLatitude => "user_latitude",
            Self::UserLongitude => "user_longitude",
            Self::MerchantLatitude => "merchant_latitude",
            Self::MerchantLongitude => "merchant_longitude",
            Self::Ip => "ip",
            Self::Device => "device",
            Self::UserAgent => "user_agent",
            Self::Country => "country",
            Self::Email => "email",
            Self::Ignore => "ignore",
        }
    }

    /// How its values are held.
    pub const fn storage(self) -> Storage {
        match self {
            Self::Amount
            | Self::Numeric
            | Self::UserLatitude
            | Self::UserLongitude
            | Self::MerchantLatitude
            | Self::MerchantLongitude => Storage::Number,
            Self::Time => Storage::Time,
            Self::Label => Storage::Label,
            _ => Storage::Text,
        }
    }

    /// Whether at most one column of a table may have it. Several columns may be numeric, categories or left out.
    pub const fn is_unique(self) -> bool {
        !matches!(self, Self::Category | Self::Numeric | Self::Ignore)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Role {
    type Err = CoreError;
    fn from_str(text: &str) -> Result<Self, CoreError> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| CoreError::UnknownName {
                what: "role",
                got: text.chars().take(64).collect(),
                allowed: ROLE_NAMES,
            })
    }
}

/// Texts one after the other in one buffer, missing allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextColumn {
    bytes: String,
    /// End of each text in `bytes`, and whether it is there.
    ends: Vec<(usize, bool)>,
}

impl TextColumn {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds an entry; `None` is missing.
    pub fn push(&mut self, text: Option<&str>) {
        self.bytes.push_str(text.unwrap_or_default());
        self.ends.push((self.bytes.len(), text.is_some()));
    }

    /// An entry; `None` when it is missing or past the end.
    pub fn at(&self, row: usize) -> Option<&str> {
        let &(end, present) = self.ends.get(row)?;
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before].0);
        present.then(|| self.bytes.get(start..end)).flatten()
    }

    /// All entries in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        (0..self.len()).map(|row| self.at(row))
    }
}

impl<'a> FromIterator<Option<&'a str>> for TextColumn {
    fn from_iter<I: IntoIterator<Item = Option<&'a str>>>(texts: I) -> Self {
        let mut column = Self::default();
        for text in texts {
            column.push(text);
        }
        column
    }
}

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnData {
    /// Numbers, NaN for missing.
    Number(Vec<f64>),
    /// Texts.
    Text(TextColumn),
    /// Instants.
    Time(Vec<Option<Timestamp>>),
    /// Labels.
    Label(Vec<Label>),
}

impl ColumnData {
    /// An empty column for a kind of storage.
    pub fn empty(storage: Storage) -> Self {
        match storage {
            Storage::Number => Self::Number(Vec::new()),
            Storage::Text => Self::Text(TextColumn::default()),
            Storage::Time => Self::Time(Vec::new()),
            Storage::Label => Self::Label(Vec::new()),
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        match self {
            Self::Number(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::Time(values) => values.len(),
            Self::Label(values) => values.len(),
        }
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How the values are held.
    pub const fn storage(&self) -> Storage {
        match self {
            Self::Number(_) => Storage::Number,
            Self::Text(_) => Storage::Text,
            Self::Time(_) => Storage::Time,
            Self::Label(_) => Storage::Label,
        }
    }

    /// Adds a copy of one entry of another column of the same storage; a mismatch or a row past the end adds a
    /// missing value.
    fn push_from(&mut self, other: &Self, row: usize) {
        match self {
            Self::Number(values) => values.push(match other {
                Self::Number(from) => from.get(row).copied().unwrap_or(f64::NAN),
                _ => f64::NAN,
            }),
            Self::Text(values) => values.push(match other {
                Self::Text(from) => from.at(row),
                _ => None,
            }),
            Self::Time(values) => values.push(match other {
                Self::Time(from) => from.get(row).copied().flatten(),
                _ => None,
            }),
            Self::Label(values) => values.push(match other {
                Self::Label(from) => from.get(row).copied().unwrap_or_default(),
                _ => Label::Unknown,
            }),
        }
    }
}

/// A named column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The name in the file.
    pub name: Arc<str>,
    /// What it means.
    pub role: Role,
    /// The values.
    pub data: ColumnData,
}

impl Column {
    /// The numbers, for columns that hold numbers.
    pub fn numbers(&self) -> Option<&[f64]> {
        match &self.data {
            ColumnData::Number(values) => Some(values),
            _ => None,
        }
    }

    /// The texts, for columns that hold text.
    pub fn texts(&self) -> Option<&TextColumn> {
        match &self.data {
            ColumnData::Text(values) => Some(values),
            _ => None,
        }
    }

    /// The instants, for the time column.
    pub fn times(&self) -> Option<&[Option<Timestamp>]> {
        match &self.data {
            ColumnData::Time(values) => Some(values),
            _ => None,
        }
    }

    /// The labels, for the label column.
    pub fn labels(&self) -> Option<&[Label]> {
        match &self.data {
            ColumnData::Label(values) => Some(values),
            _ => None,
        }
    }
}

/// What can be wrong with a [`Table`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// A column has another length than the first.
    #[error("column {name:?} has {got} rows, the table {expected}")]
    Length {
        /// The column.
        name: String,
        /// Rows of the table.
        expected: usize,
        /// Rows of the column.
        got: usize,
    },
    /// A column holds something else than its role needs.
    #[error("column {name:?} with role {role} must hold {expected:?} values, got {got:?}")]
    Storage {
        /// The column.
        name: String,
        /// Its role.
        role: Role,
        /// What the role needs.
        expected: Storage,
        /// What the column holds.
        got: Storage,
    },
    /// Two columns have one name.
    #[error("column name {name:?} stands twice")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// Two columns have a role that only one may have.
    #[error(
        "columns {first:?} and {second:?} both have role {role}: give one of them another role"
    )]
    DuplicateRole {
        /// The role.
        role: Role,
        /// The first column.
        first: String,
        /// The second column.
        second: String,
    },
}

/// Columns of equal length, with the record number of each row in its source.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    columns: Vec<Column>,
    row_numbers: Vec<u64>,
}

impl Table {
    /// A table of columns; `row_numbers` has the number of each record in its source, counted from 1 after the
    /// header, so that a message can name it.
    ///
    /// # Errors
    ///
    /// [`TableError`] for columns of unequal length, with wrong storage, or with a name or unique role twice.
    pub fn new(columns: Vec<Column>, row_numbers: Vec<u64>) -> Result<Self, TableError> {
        let expected = row_numbers.len();
        let mut names = BTreeSet::new();
        let mut roles = BTreeMap::new();
        for column in &columns {
            let (name, role) = (column.name.to_string(), column.role);
            let got = column.data.len();
            if got != expected {
                return Err(TableError::Length {
                    name,
                    expected,
                    got,
                });
            }
            if role != Role::Ignore && column.data.storage() != role.storage() {
                let (expected, got) = (role.storage(), column.data.storage());
                return Err(TableError::Storage {
                    name,
                    role,
                    expected,
                    got,
                });
            }
            if !names.insert(&*column.name) {
                return Err(TableError::DuplicateName { name });
            }
            if role.is_unique()
                && let Some(first) = roles.insert(role, &column.name)
            {
                return Err(TableError::DuplicateRole {
                    role,
                    first: first.to_string(),
                    second: name,
                });
            }
        }
        Ok(Self {
            columns,
            row_numbers,
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.row_numbers.len()
    }

    /// The columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The record number of each row in its source.
    pub fn row_numbers(&self) -> &[u64] {
        &self.row_numbers
    }

    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| &*column.name == name)
    }

    /// The first column with a role.
    pub fn by_role(&self, role: Role) -> Option<&Column> {
        self.columns.iter().find(|column| column.role == role)
    }

    /// A table without rows, with the same columns.
    #[must_use]
    pub fn empty_like(&self) -> Self {
        let columns = self
            .columns
            .iter()
            .map(|column| Column {
                name: Arc::clone(&column.name),
                role: column.role,
                data: ColumnData::empty(column.data.storage()),
            })
            .collect();
        Self {
            columns,
            row_numbers: Vec::new(),
        }
    }

    /// Adds a copy of one row of a table with the same columns.
    ///
    /// Columns are matched by position; the caller has taken both tables from one source.
    pub fn push_row_from(&mut self, other: &Self, row: usize) {
        for (column, from) in self.columns.iter_mut().zip(&other.columns) {
            column.data.push_from(&from.data, row);
        }
        self.row_numbers
            .push(other.row_numbers.get(row).copied().unwrap_or_default());
    }

    /// The rows at these positions, in this order.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let mut selected = self.empty_like();
        for &row in rows {
            selected.push_row_from(self, row);
        }
        selected
    }
}

/// The typed error of a source of tables. `source()` gives the source's own error back.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct SourceError {
    /// The source's own error.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}

impl SourceError {
    /// Wraps the error of a source.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: source.into(),
        }
    }
}

/// Tables from a source, one chunk after the other.
pub type Chunks<'a> = Box<dyn Iterator<Item = Result<Cow<'a, Table>, SourceError>> + 'a>;

/// Something that can be read from its beginning any number of times, in chunks with the same columns: a file,
/// a table in memory, a slice of transactions.
pub trait TableSource {
    /// Starts reading. Memory held is that of one chunk, for sources that are not in memory.
    ///
    /// # Errors
    ///
    /// When the source cannot be opened.
    fn chunks(&self) -> Result<Chunks<'_>, SourceError>;

    /// How many rows there are at most, where known without reading.
    fn rows_hint(&self) -> Option<u64> {
        None
    }
}

impl<S: TableSource + ?Sized> TableSource for &S {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        (**self).chunks()
    }

    fn rows_hint(&self) -> Option<u64> {
        (**self).rows_hint()
    }
}

impl TableSource for Table {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        Ok(Box::new(std::iter::once(Ok(Cow::Borrowed(self)))))
    }

    fn rows_hint(&self) -> Option<u64> {
        Some(self.rows() as u64)
    }
}
