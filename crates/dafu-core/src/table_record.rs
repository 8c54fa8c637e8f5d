//! From transactions to a table.

use crate::table::{Chunks, Column, ColumnData, Role, SourceError, Table, TableSource, TextColumn};
use crate::{Currency, EntityId, Transaction, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows in one chunk of a slice of transactions.
const CHUNK_ROWS: usize = 16_384;

/// Which optional fields any transaction of a slice has, so that all chunks get the same columns.
struct Layout {
    optional: Vec<Optional>,
    extras: BTreeMap<Arc<str>, ExtraKind>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ExtraKind {
    Number,
    Text,
}

#[derive(Clone, Copy)]
struct Optional {
    name: &'static str,
    role: Role,
    read: fn(&Transaction) -> Field<'_>,
}

enum Field<'a> {
    Missing,
    Text(Cow<'a, str>),
    Number(f64),
}

impl<'a> Field<'a> {
    fn id(id: Option<&'a EntityId>) -> Self {
        id.map_or(Self::Missing, |id| Self::Text(Cow::Borrowed(id.as_str())))
    }

    fn number(number: Option<f64>) -> Self {
        number.map_or(Self::Missing, Self::Number)
    }
}

const OPTIONAL: [Optional; 14] = [
    Optional {
        name: "category",
        role: Role::Category,
        read: |tx| Field::id(tx.category.as_ref()),
    },
    Optional {
        name: "card",
        role: Role::Card,
        read: |tx| Field::id(tx.card.as_ref()),
    },
    Optional {
        name: "device",
        role: Role::Device,
        read: |tx| Field::id(tx.device.as_ref()),
    },
    Optional {
        name: "ip",
        role: Role::Ip,
        read: |tx| {
            tx.ip
                .map_or(Field::Missing, |ip| Field::Text(Cow::Owned(ip.to_string())))
        },
    },
    Optional {
        name: "user_agent",
        role: Role::UserAgent,
        read: |tx| {
            tx.user_agent
                .as_deref()
                .map_or(Field::Missing, |text| Field::Text(Cow::Borrowed(text)))
        },
    },
    Optional {
        name: "country",
        role: Role::Country,
        read: |tx| Field::id(tx.country.as_ref()),
    },
    Optional {
        name: "email",
        role: Role::Email,
        read: |tx| Field::id(tx.email.as_ref()),
    },
    // Left out by preprocessing: how a payment ended is not known when it is judged, and tenants are no feature. Windows
    // over past events read them by name.
    Optional {
        name: "status",
        role: Role::Ignore,
        read: |tx| {
            tx.status.map_or(Field::Missing, |status| {
                Field::Text(Cow::Borrowed(status.name()))
            })
        },
    },
    Optional {
        name: "tenant",
        role: Role::Ignore,
        read: |tx| Field::id(tx.tenant.as_ref()),
    },
    Optional {
        name: "currency",
        role: Role::Currency,
        read: |tx| match tx.amount.currency() {
            Currency::NONE => Field::Missing,
            currency => Field::Text(Cow::Owned(currency.code().to_owned())),
        },
    },
    Optional {
        name: "user_latitude",
        role: Role::UserLatitude,
        read: |tx| Field::number(tx.user_location.map(crate::GeoPoint::latitude)),
    },
    Optional {
        name: "user_longitude",
        role: Role::UserLongitude,
        read: |tx| Field::number(tx.user_location.map(crate::GeoPoint::longitude)),
    },
    Optional {
        name: "merchant_latitude",
        role: Role::MerchantLatitude,
        read: |tx| Field::number(tx.merchant_location.map(crate::GeoPoint::latitude)),
    },
    Optional {
        name: "merchant_longitude",
        role: Role::MerchantLongitude,
        read: |tx| Field::number(tx.merchant_location.map(crate::GeoPoint::longitude)),
    },
];

impl Layout {
    fn of(transactions: &[Transaction]) -> Self {
        let present = |optional: &Optional| {
            transactions
                .iter()
                .any(|tx| !matches!((optional.read)(tx), Field::Missing))
        };
        let mut extras = BTreeMap::new();
        for (name, value) in transactions.iter().flat_map(|tx| &tx.extras) {
            let kind = if matches!(value, Value::Text(_)) {
                ExtraKind::Text
            } else {
                ExtraKind::Number
            };
            // A column with one text is a text column: no value of it is lost.
            let entry = extras.entry(Arc::clone(name)).or_insert(kind);
            if kind == ExtraKind::Text {
                *entry = kind;
            }
        }
        Self {
            optional: OPTIONAL.into_iter().filter(|o| present(o)).collect(),
            extras,
        }
    }

    fn table(&self, transactions: &[Transaction], first_row: u64) -> Table {
        let texts = |read: fn(&Transaction) -> &str| {
            ColumnData::Text(transactions.iter().map(|tx| Some(read(tx))).collect())
        };
        let column = |name: &str, role, data| Column {
            name: Arc::from(name),
            role,
            data,
        };
        let mut columns = vec![
            column(
                "transaction_id",
                Role::TransactionId,
                texts(|tx| tx.transaction_id.as_str()),
            ),
            column("user_id", Role::User, texts(|tx| tx.user_id.as_str())),
            column(
                "amount",
                Role::Amount,
                ColumnData::Number(transactions.iter().map(|tx| tx.amount.major()).collect()),
            ),
            column(
                "merchant_id",
                Role::Merchant,
                texts(|tx| tx.merchant_id.as_str()),
            ),
            column(
                "timestamp",
                Role::Time,
                ColumnData::Time(transactions.iter().map(|tx| Some(tx.timestamp)).collect()),
            ),
            column(
                "is_fraud",
                Role::Label,
                ColumnData::Label(transactions.iter().map(|tx| tx.is_fraud).collect()),
            ),
        ];
        for optional in &self.optional {
            let fields = transactions.iter().map(optional.read);
            columns.push(column(
                optional.name,
                optional.role,
                field_column(optional.role, fields),
            ));
        }
        for (name, kind) in &self.extras {
            let role = if *kind == ExtraKind::Text {
                Role::Category
            } else {
                Role::Numeric
            };
            let fields = transactions
                .iter()
                .map(|tx| extra_field(tx.extras.get(name), *kind));
            let name = unused_name(&columns, name);
            columns.push(Column {
                name,
                role,
                data: field_column(role, fields),
            });
        }
        let rows = first_row..first_row + transactions.len() as u64;
        // Names and roles are unique by construction, and every column has one entry a transaction.
        Table::new(columns, rows.collect()).unwrap_or_default()
    }
}

/// An extra may have the name of a field; then it gets a prefix.
fn unused_name(columns: &[Column], name: &Arc<str>) -> Arc<str> {
    let mut free = Arc::clone(name);
    while columns.iter().any(|column| column.name == free) {
        free = Arc::from(format!("extra_{free}"));
    }
    free
}

fn extra_field(value: Option<&Value>, kind: ExtraKind) -> Field<'_> {
    match (value, kind) {
        (None, _) => Field::Missing,
        (Some(Value::Text(text)), _) => Field::Text(Cow::Borrowed(text.as_str())),
        (Some(Value::Number(number)), ExtraKind::Number) => Field::Number(*number),
        (Some(Value::Number(number)), ExtraKind::Text) => {
            Field::Text(Cow::Owned(number.to_string()))
        }
        (Some(Value::Flag(flag)), ExtraKind::Number) => Field::Number(f64::from(u8::from(*flag))),
        (Some(Value::Flag(flag)), ExtraKind::Text) => Field::Text(Cow::Owned(flag.to_string())),
    }
}

fn field_column<'a>(role: Role, fields: impl Iterator<Item = Field<'a>>) -> ColumnData {
    if role.storage() == crate::table::Storage::Number {
        let number = |field| {
            if let Field::Number(number) = field {
                number
            } else {
                f64::NAN
            }
        };
        return ColumnData::Number(fields.map(number).collect());
    }
    let mut column = TextColumn::default();
    for field in fields {
        match field {
            Field::Text(text) => column.push(Some(&text)),
            _ => column.push(None),
        }
    }
    ColumnData::Text(column)
}

impl Table {
    /// The transactions as columns: the fields that every transaction has, those optional ones and extras that any
    /// of them has. Rows are numbered from 1.
    ///
    /// # Complexity
    ///
    /// O(transactions x columns).
    pub fn from_transactions(transactions: &[Transaction]) -> Self {
        Layout::of(transactions).table(transactions, 1)
    }
}

impl Table {
    /// The transactions under the columns of another table: every column takes the field of its role, categories and
    /// numbers without a role of their own the extra of their name. What a transaction does not have is missing.
    ///
    /// This is how a model that was trained on a file reads transactions.
    ///
    /// # Complexity
    ///
    /// O(transactions x columns).
    pub fn from_transactions_like<'a>(
        columns: impl IntoIterator<Item = (&'a Arc<str>, Role)>,
        transactions: &[Transaction],
    ) -> Self {
        let columns = columns
            .into_iter()
            .map(|(name, role)| Column {
                name: Arc::clone(name),
                role,
                data: role_column(name, role, transactions),
            })
            .collect();
        let rows = 1..=transactions.len() as u64;
        // The names and roles come from a table, where they were checked.
        Self::new(columns, rows.collect()).unwrap_or_default()
    }
}

fn role_column(name: &str, role: Role, transactions: &[Transaction]) -> ColumnData {
    match role {
        Role::Time => ColumnData::Time(transactions.iter().map(|tx| Some(tx.timestamp)).collect()),
        Role::Label => ColumnData::Label(transactions.iter().map(|tx| tx.is_fraud).collect()),
        _ => field_column(
            role,
            transactions.iter().map(|tx| role_field(tx, name, role)),
        ),
    }
}

/// A field that is known by its name alone, where there is one.
fn named_field<'a>(tx: &'a Transaction, name: &str) -> Field<'a> {
    let named = |optional: &&Optional| optional.role == Role::Ignore && optional.name == name;
    let found = OPTIONAL.iter().find(named);
    found.map_or(Field::Missing, |optional| (optional.read)(tx))
}

fn role_field<'a>(tx: &'a Transaction, name: &str, role: Role) -> Field<'a> {
    match role {
        Role::TransactionId => Field::Text(Cow::Borrowed(tx.transaction_id.as_str())),
        Role::User => Field::Text(Cow::Borrowed(tx.user_id.as_str())),
        Role::Merchant => Field::Text(Cow::Borrowed(tx.merchant_id.as_str())),
        Role::Amount => Field::Number(tx.amount.major()),
        Role::Category | Role::Numeric | Role::Ignore => {
            let kind = if role == Role::Numeric {
                ExtraKind::Number
            } else {
                ExtraKind::Text
            };
            match tx.extras.get(name) {
                None if role == Role::Category && name == "category" => {
                    Field::id(tx.category.as_ref())
                }
                None if role == Role::Ignore => named_field(tx, name),
                value => extra_field(value, kind),
            }
        }
        _ => OPTIONAL
            .iter()
            .find(|optional| optional.role == role)
            .map_or(Field::Missing, |optional| (optional.read)(tx)),
    }
}

impl TableSource for [Transaction] {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        let layout = Layout::of(self);
        let chunks = self
            .chunks(CHUNK_ROWS)
            .enumerate()
            .map(move |(index, chunk)| {
                Ok(Cow::Owned(
                    layout.table(chunk, (index * CHUNK_ROWS) as u64 + 1),
                ))
            });
        Ok(Box::new(chunks))
    }

    fn rows_hint(&self) -> Option<u64> {
        Some(self.len() as u64)
    }
}

impl TableSource for Vec<Transaction> {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        TableSource::chunks(self.as_slice())
    }

    fn rows_hint(&self) -> Option<u64> {
        Some(self.len() as u64)
    }
}
