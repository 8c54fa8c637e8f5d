//! From tables to records: transactions by role, behaviour events and daily summaries by their headers.

use crate::IngestError;
use crate::role_name::plain;
use dafu_core::{
    BehaviorEvent, Column, ColumnData, CoreError, Currency, DailySummary, EntityId, GeoPoint,
    Label, Money, Role, Score, Table, Timestamp, Transaction, TransactionId, TransactionStatus,
    Value,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest id in bytes, as in [`EntityId`].
const MAX_ID: usize = 256;

fn field<T>(result: Result<T, CoreError>, row: u64, field: &'static str) -> Result<T, IngestError> {
    result.map_err(|source| IngestError::Field { row, field, source })
}

fn text(table: &Table, column: usize, row: usize) -> Option<&str> {
    table.columns().get(column)?.texts()?.at(row)
}

fn number(table: &Table, column: usize, row: usize) -> Option<f64> {
    let value = *table.columns().get(column)?.numbers()?.get(row)?;
    (!value.is_nan()).then_some(value)
}

fn time(table: &Table, column: usize, row: usize) -> Option<Timestamp> {
    *table.columns().get(column)?.times()?.get(row)?
}

fn id(
    table: &Table,
    column: Option<usize>,
    row: usize,
    name: &'static str,
) -> Result<Option<EntityId>, IngestError> {
    let number = row_number(table, row);
    column
        .and_then(|column| text(table, column, row))
        .map(|text| field(EntityId::new(text), number, name))
        .transpose()
}

fn row_number(table: &Table, row: usize) -> u64 {
    table.row_numbers().get(row).copied().unwrap_or_default()
}

/// A text of a category or a further column as an id: control characters become spaces, and it is cut to 256 bytes.
fn loose_id(text: &str) -> Result<EntityId, CoreError> {
    let strict = EntityId::new(text);
    if !matches!(strict, Err(CoreError::Id { .. })) {
        return strict;
    }
    let mut clean = text.replace(char::is_control, " ");
    let mut end = clean.len().min(MAX_ID);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    clean.truncate(end);
    EntityId::new(clean)
}

fn extra(table: &Table, column: usize, row: usize) -> Result<Option<Value>, CoreError> {
    let Some(found) = table.columns().get(column) else {
        return Ok(None);
    };
    Ok(match &found.data {
        ColumnData::Number(_) => number(table, column, row).map(Value::Number),
        ColumnData::Text(texts) => match texts.at(row) {
            Some(text) => Some(Value::Text(loose_id(text)?)),
            None => None,
        },
        ColumnData::Time(_) | ColumnData::Label(_) => None,
    })
}

fn extras(
    table: &Table,
    columns: &[usize],
    row: usize,
) -> Result<BTreeMap<Arc<str>, Value>, IngestError> {
    let mut extras = BTreeMap::new();
    for &column in columns {
        let value = field(
            extra(table, column, row),
            row_number(table, row),
            "further column",
        )?;
        if let Some((value, column)) = value.zip(table.columns().get(column)) {
            extras.insert(Arc::clone(&column.name), value);
        }
    }
    Ok(extras)
}

/// Reads [`Transaction`]s from tables whose columns have roles.
///
/// The category is the column called `category`, else the first with that role; `status` and `tenant` are known by
/// name; numeric and category columns that are left become extras. A text of an extra or a category is cut to 256
/// bytes and control characters in it become spaces. An internet address that cannot be read becomes an extra.
///
/// ```
/// use dafu_ingest::{FileSource, IngestParams, TransactionReader};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let file = "transaction_id,user_id,amount,merchant_id,timestamp,category,is_fraud\n\
///             1,anna,57.16,shop,2018-04-01T00:00:31Z,food,0\n";
/// let source = FileSource::from_bytes(file, &IngestParams::default())?;
/// for table in source.tables()? {
///     let table = table?;
///     let reader = TransactionReader::new(&table)?;
///     for row in 0..table.rows() {
///         assert_eq!(reader.at(&table, row)?.amount.minor(), 5716);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TransactionReader {
    id: usize,
    user: usize,
    amount: usize,
    merchant: usize,
    time: usize,
    currency: Currency,
    status: Option<usize>,
    tenant: Option<usize>,
    category: Option<usize>,
    optional: BTreeMap<Role, usize>,
    extras: Vec<usize>,
}

const TRANSACTION: &str = "a transaction";

impl TransactionReader {
    /// A reader for this table and all others with the same columns.
    ///
    /// # Errors
    ///
    /// [`IngestError::MissingRole`] when there is no column for id, user, amount, merchant or time.
    pub fn new(table: &Table) -> Result<Self, IngestError> {
        let columns = table.columns();
        let position = |role| columns.iter().position(|column| column.role == role);
        let need = |role| {
            position(role).ok_or(IngestError::MissingRole {
                role,
                record: TRANSACTION,
            })
        };
        let named = |name: &str| {
            columns
                .iter()
                .position(|column| column.role == Role::Category && plain(&column.name) == name)
        };
        let (status, tenant) = (named("status"), named("tenant"));
        let category = named("category").or_else(|| {
            columns.iter().enumerate().position(|(index, column)| {
                column.role == Role::Category && Some(index) != status && Some(index) != tenant
            })
        });
        let optional = columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.role.is_unique())
            .map(|(index, column)| (column.role, index))
            .collect();
        let extras = columns
            .iter()
            .enumerate()
            .filter(|(index, column)| {
                matches!(column.role, Role::Category | Role::Numeric)
                    && ![status, tenant, category].contains(&Some(*index))
            })
            .map(|(index, _)| index)
            .collect();
        Ok(Self {
            id: need(Role::TransactionId)?,
            user: need(Role::User)?,
            amount: need(Role::Amount)?,
            merchant: need(Role::Merchant)?,
            time: need(Role::Time)?,
            currency: Currency::NONE,
            status,
            tenant,
            category,
            optional,
            extras,
        })
    }

    /// Sets the currency of amounts in rows that name none.
    #[must_use]
    pub fn with_currency(mut self, currency: Currency) -> Self {
        self.currency = currency;
        self
    }

    /// The transaction of a row (its index in the table).
    ///
    /// # Errors
    ///
    /// [`IngestError::MissingField`] for a row without id, user, amount, merchant or time, [`IngestError::Field`]
    /// for a value that does not fit its type.
    pub fn at(&self, table: &Table, row: usize) -> Result<Transaction, IngestError> {
        let number_of_row = row_number(table, row);
        let missing = |field| IngestError::MissingField {
            row: number_of_row,
            field,
            record: TRANSACTION,
        };
        let ok = number_of_row;
        let need = |column, name| text(table, column, row).ok_or_else(|| missing(name));
        let transaction_id = field(TransactionId::new(need(self.id, "id")?), ok, "id")?;
        let user_id = field(EntityId::new(need(self.user, "user")?), ok, "user")?;
        let merchant_id = field(
            EntityId::new(need(self.merchant, "merchant")?),
            ok,
            "merchant",
        )?;
        let timestamp = time(table, self.time, row).ok_or_else(|| missing("time"))?;
        let major = number(table, self.amount, row).ok_or_else(|| missing("amount"))?;
        let of = |role| self.optional.get(&role).copied();
        let currency = match of(Role::Currency).and_then(|column| text(table, column, row)) {
            Some(code) => field(Currency::new(&code.to_ascii_uppercase()), ok, "currency")?,
            None => self.currency,
        };
        let amount = field(Money::from_major(major, currency), ok, "amount")?;
        let mut tx = Transaction::new(transaction_id, user_id, amount, merchant_id, timestamp);
        tx.category = self
            .category
            .and_then(|column| text(table, column, row))
            .map(|text| field(loose_id(text), ok, "category"))
            .transpose()?;
        tx.is_fraud = of(Role::Label)
            .and_then(|column| table.columns().get(column)?.labels()?.get(row).copied())
            .unwrap_or(Label::Unknown);
        tx.card = id(table, of(Role::Card), row, "card")?;
        tx.device = id(table, of(Role::Device), row, "device")?;
        tx.country = id(table, of(Role::Country), row, "country")?;
        tx.email = id(table, of(Role::Email), row, "email")?;
        tx.tenant = id(table, self.tenant, row, "tenant")?;
        tx.user_agent = of(Role::UserAgent)
            .and_then(|column| text(table, column, row))
            .map(Arc::from);
        let point = |latitude, longitude| -> Result<Option<GeoPoint>, IngestError> {
            let degrees = |role| of(role).and_then(|column| number(table, column, row));
            match (degrees(latitude), degrees(longitude)) {
                (Some(lat), Some(lon)) => {
                    field(GeoPoint::new(lat, lon), ok, "coordinates").map(Some)
                }
                _ => Ok(None),
            }
        };
        tx.user_location = point(Role::UserLatitude, Role::UserLongitude)?;
        tx.merchant_location = point(Role::MerchantLatitude, Role::MerchantLongitude)?;
        tx.extras = extras(table, &self.extras, row)?;
        self.ip_and_status(table, row, &mut tx)?;
        Ok(tx)
    }

    /// Fields of which an unknown text is kept as an extra.
    fn ip_and_status(
        &self,
        table: &Table,
        row: usize,
        tx: &mut Transaction,
    ) -> Result<(), IngestError> {
        let mut keep = Vec::new();
        if let Some(column) = self.optional.get(&Role::Ip).copied()
            && let Some(text) = text(table, column, row)
        {
            tx.ip = text.parse().ok();
            if tx.ip.is_none() {
                keep.push((column, text));
            }
        }
        if let Some(column) = self.status
            && let Some(text) = text(table, column, row)
        {
            tx.status = match plain(text).as_str() {
                "approved" => Some(TransactionStatus::Approved),
                "declined" => Some(TransactionStatus::Declined),
                "reversed" => Some(TransactionStatus::Reversed),
                "chargedback" => Some(TransactionStatus::ChargedBack),
                _ => None,
            };
            if tx.status.is_none() {
                keep.push((column, text));
            }
        }
        for (column, text) in keep {
            let value = field(loose_id(text), row_number(table, row), "further column")?;
            if let Some(column) = table.columns().get(column) {
                let name = Arc::clone(&column.name);
                tx.extras.insert(name, Value::Text(value));
            }
        }
        Ok(())
    }
}

fn column_named(
    table: &Table,
    name: &'static str,
    holds: fn(&Column) -> bool,
    expected: &'static str,
    record: &'static str,
) -> Result<usize, IngestError> {
    table
        .columns()
        .iter()
        .position(|column| &*column.name == name && holds(column))
        .ok_or(IngestError::MissingColumn {
            name,
            expected,
            record,
        })
}

fn holds_text(column: &Column) -> bool {
    column.texts().is_some()
}
fn holds_numbers(column: &Column) -> bool {
    column.numbers().is_some()
}
fn holds_times(column: &Column) -> bool {
    column.times().is_some()
}

/// Numeric and category columns that have none of these names.
fn others(table: &Table, known: &[&str]) -> Vec<usize> {
    table
        .columns()
        .iter()
        .enumerate()
        .filter(|(_, column)| {
            !known.contains(&&*column.name) && (holds_numbers(column) || holds_text(column))
        })
        .map(|(index, _)| index)
        .collect()
}

/// Reads [`BehaviorEvent`]s from tables with the columns `user_id,timestamp,action_type,device_id,location,amount`,
/// of which the last three may be missing. Further columns become extras.
#[derive(Debug, Clone)]
pub struct BehaviorEventReader {
    user: usize,
    time: usize,
    action: usize,
    device: Option<usize>,
    location: Option<usize>,
    amount: Option<usize>,
    extras: Vec<usize>,
    currency: Currency,
}

const EVENT: &str = "a behaviour event";

impl BehaviorEventReader {
    /// A reader for this table and all others with the same columns.
    ///
    /// # Errors
    ///
    /// [`IngestError::MissingColumn`] when there is no user, time or action.
    pub fn new(table: &Table) -> Result<Self, IngestError> {
        Ok(Self {
            user: column_named(table, "user_id", holds_text, "ids", EVENT)?,
            time: column_named(table, "timestamp", holds_times, "times", EVENT)?,
            action: column_named(table, "action_type", holds_text, "texts", EVENT)?,
            device: column_named(table, "device_id", holds_text, "ids", EVENT).ok(),
            location: column_named(table, "location", holds_text, "texts", EVENT).ok(),
            amount: column_named(table, "amount", holds_numbers, "numbers", EVENT).ok(),
            extras: others(
                table,
                &[
                    "user_id",
                    "timestamp",
                    "action_type",
                    "device_id",
                    "location",
                    "amount",
                ],
            ),
            currency: Currency::NONE,
        })
    }

    /// Sets the currency of amounts.
    #[must_use]
    pub fn with_currency(mut self, currency: Currency) -> Self {
        self.currency = currency;
        self
    }

    /// The event of a row (its index in the table).
    ///
    /// # Errors
    ///
    /// [`IngestError::MissingField`] for a row without user, time or action, [`IngestError::Field`] for a value
    /// that does not fit its type.
    pub fn at(&self, table: &Table, row: usize) -> Result<BehaviorEvent, IngestError> {
        let number_of_row = row_number(table, row);
        let missing = |field| IngestError::MissingField {
            row: number_of_row,
            field,
            record: EVENT,
        };
        let loose = |column: Option<usize>, name| {
            column
                .and_then(|column| text(table, column, row))
                .map(|text| field(loose_id(text), number_of_row, name))
                .transpose()
        };
        let amount = self
            .amount
            .and_then(|column| number(table, column, row))
            .map(|major| {
                field(
                    Money::from_major(major, self.currency),
                    number_of_row,
                    "amount",
                )
            })
            .transpose()?;
        Ok(BehaviorEvent {
            user_id: id(table, Some(self.user), row, "user_id")?
                .ok_or_else(|| missing("user_id"))?,
            timestamp: time(table, self.time, row).ok_or_else(|| missing("timestamp"))?,
            action_type: loose(Some(self.action), "action_type")?
                .ok_or_else(|| missing("action_type"))?,
            device_id: id(table, self.device, row, "device_id")?,
            location: loose(self.location, "location")?,
            amount,
            extras: extras(table, &self.extras, row)?,
        })
    }
}

/// Reads [`DailySummary`]s from tables with the columns
/// `timestamp,user_id,transaction_count,daily_amount,risk_score`, of which the last may be missing. Further columns
/// become extras.
#[derive(Debug, Clone)]
pub struct DailySummaryReader {
    time: usize,
    user: usize,
    count: usize,
    amount: usize,
    risk: Option<usize>,
    extras: Vec<usize>,
    currency: Currency,
}

const SUMMARY: &str = "a daily summary";

impl DailySummaryReader {
    /// A reader for this table and all others with the same columns.
    ///
    /// # Errors
    ///
    /// [`IngestError::MissingColumn`] when there is no time, user, count or amount.
    pub fn new(table: &Table) -> Result<Self, IngestError> {
        Ok(Self {
            time: column_named(table, "timestamp", holds_times, "times", SUMMARY)?,
            user: column_named(table, "user_id", holds_text, "ids", SUMMARY)?,
            count: column_named(
                table,
                "transaction_count",
                holds_numbers,
                "numbers",
                SUMMARY,
            )?,
            amount: column_named(table, "daily_amount", holds_numbers, "numbers", SUMMARY)?,
            risk: column_named(table, "risk_score", holds_numbers, "numbers", SUMMARY).ok(),
            extras: others(
                table,
                &[
                    "timestamp",
                    "user_id",
                    "transaction_count",
                    "daily_amount",
                    "risk_score",
                ],
            ),
            currency: Currency::NONE,
        })
    }

    /// Sets the currency of amounts.
    #[must_use]
    pub fn with_currency(mut self, currency: Currency) -> Self {
        self.currency = currency;
        self
    }

    /// The summary of a row (its index in the table).
    ///
    /// # Errors
    ///
    /// [`IngestError::MissingField`] for a row without time, user, count or amount, [`IngestError::Field`] for a
    /// value that does not fit its type.
    pub fn at(&self, table: &Table, row: usize) -> Result<DailySummary, IngestError> {
        let number_of_row = row_number(table, row);
        let missing = |field| IngestError::MissingField {
            row: number_of_row,
            field,
            record: SUMMARY,
        };
        let count = number(table, self.count, row).ok_or_else(|| missing("transaction_count"))?;
        if !(0.0..=f64::from(u32::MAX)).contains(&count) || count.fract() != 0.0 {
            return Err(IngestError::Field {
                row: number_of_row,
                field: "transaction_count",
                source: CoreError::OutOfRange {
                    what: "a whole number of transactions",
                    min: 0.0,
                    max: f64::from(u32::MAX),
                    got: count,
                },
            });
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number in range"
        )]
        let transaction_count = count as u32;
        let major = number(table, self.amount, row).ok_or_else(|| missing("daily_amount"))?;
        let risk_score = self
            .risk
            .and_then(|column| number(table, column, row))
            .map(|score| field(Score::new(score), number_of_row, "risk_score"))
            .transpose()?;
        Ok(DailySummary {
            timestamp: time(table, self.time, row).ok_or_else(|| missing("timestamp"))?,
            user_id: id(table, Some(self.user), row, "user_id")?
                .ok_or_else(|| missing("user_id"))?,
            transaction_count,
            daily_amount: field(
                Money::from_major(major, self.currency),
                number_of_row,
                "daily_amount",
            )?,
            risk_score,
            extras: extras(table, &self.extras, row)?,
        })
    }
}
