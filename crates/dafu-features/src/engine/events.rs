//! Many events at once, from records or from the columns of a table.

use super::event::{
    EventView, FIXED, Facts, Head, LARGEST, Layout, MISSING, Record, domain_code, extra_text,
    fixed_money, fixed_number, ip_code,
};
use super::hash::IdHasher;
use crate::FeatureError;
use crate::measure::{UserAgent, ip_prefix};
use crate::set::{Field, Quantity, RecordKind};
use dafu_core::table::TextColumn;
use dafu_core::{
    Column, ColumnData, Currency, GeoPoint, Label, Money, Role, Table, TransactionStatus,
};
use std::net::IpAddr;

/// Events, part by part.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(crate) heads: Vec<Head>,
    numbers: Vec<i64>,
    codes: Vec<u64>,
    /// One an event, or a single one where none is wanted.
    facts: Vec<Facts>,
    widths: (usize, usize),
}

impl Events {
    pub(crate) fn new(layout: &Layout, rows: usize) -> Self {
        let widths = (layout.quantities.len(), layout.fields.len());
        Self {
            heads: Vec::with_capacity(rows),
            numbers: Vec::with_capacity(rows * widths.0),
            codes: Vec::with_capacity(rows * widths.1),
            facts: if layout.facts {
                Vec::with_capacity(rows)
            } else {
                vec![Facts::default()]
            },
            widths,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.heads.len()
    }

    #[inline]
    pub(crate) fn view(&self, at: usize) -> EventView<'_> {
        let (numbers, codes) = self.widths;
        EventView {
            head: self.heads[at],
            numbers: &self.numbers[at * numbers..(at + 1) * numbers],
            codes: &self.codes[at * codes..(at + 1) * codes],
            facts: self.facts.get(at).unwrap_or(&self.facts[0]),
        }
    }

    /// Becomes some of other events, in another order.
    pub(crate) fn select_from(&mut self, from: &Self, rows: &[u32]) {
        let (numbers, codes) = from.widths;
        let places = || rows.iter().map(|&row| row as usize);
        self.widths = from.widths;
        self.heads.clear();
        self.heads.extend(places().map(|row| from.heads[row]));
        self.numbers.clear();
        self.codes.clear();
        for row in places() {
            let some = &from.numbers[row * numbers..(row + 1) * numbers];
            self.numbers.extend_from_slice(some);
            let some = &from.codes[row * codes..(row + 1) * codes];
            self.codes.extend_from_slice(some);
        }
        self.facts.clear();
        if from.facts.len() == from.heads.len() && !rows.is_empty() {
            self.facts.extend(places().map(|row| from.facts[row]));
        } else {
            self.facts.push(Facts::default());
        }
    }

    /// The events of records. Stops at the first that cannot be read, whose error comes along.
    pub(crate) fn from_records<R: Record>(
        records: &[R],
        layout: &Layout,
        hasher: IdHasher,
    ) -> (Self, Option<FeatureError>) {
        let mut events = Self::new(layout, records.len());
        for record in records {
            if let Err(error) = events.push(record, layout, hasher) {
                return (events, Some(error));
            }
        }
        (events, None)
    }

    /// Puts the events of other records in the place of these; as [`Events::from_records`].
    pub(crate) fn refill<R: Record>(
        &mut self,
        records: &[&R],
        layout: &Layout,
        hasher: IdHasher,
    ) -> Option<FeatureError> {
        self.heads.clear();
        self.numbers.clear();
        self.codes.clear();
        if layout.facts {
            self.facts.clear();
        }
        let mut records = records.iter();
        records.find_map(|record| self.push(*record, layout, hasher).err())
    }

    fn push<R: Record>(
        &mut self,
        record: &R,
        layout: &Layout,
        hasher: IdHasher,
    ) -> Result<(), FeatureError> {
        let before = self.numbers.len();
        for quantity in &layout.quantities {
            match record.number(quantity) {
                Ok(number) => self.numbers.push(number),
                Err(error) => {
                    self.numbers.truncate(before);
                    return Err(error);
                }
            }
        }
        let codes = layout.fields.iter().map(|field| record.code(field, hasher));
        self.codes.extend(codes);
        self.heads.push(Head::of(record, hasher));
        if layout.facts {
            self.facts.push(record.facts());
        }
        Ok(())
    }

    /// The events of a table, by the roles of its columns: the same events as of the records that the table was made
    /// from.
    pub(crate) fn from_table(
        table: &Table,
        kind: RecordKind,
        layout: &Layout,
        hasher: IdHasher,
    ) -> Result<Self, FeatureError> {
        let columns = Columns::new(table, kind);
        let mut events = Self::new(layout, table.rows());
        let text = |role| table.by_role(role).and_then(Column::texts);
        let fields: Vec<FieldColumn<'_>> = layout
            .fields
            .iter()
            .map(|field| FieldColumn::new(table, field, kind))
            .collect();
        let quantities: Vec<QuantityColumn<'_>> = layout
            .quantities
            .iter()
            .map(|quantity| QuantityColumn::new(table, quantity))
            .collect();
        let ids = text(Role::TransactionId);
        for row in 0..table.rows() {
            let record = table.row_numbers().get(row).copied().unwrap_or_default();
            let time = columns
                .times
                .and_then(|times| times.get(row).copied().flatten());
            let time = time.ok_or(FeatureError::MissingTime { row: record })?;
            events.heads.push(Head {
                time: time.as_micros(),
                id: ids
                    .and_then(|ids| ids.at(row))
                    .map_or(0, |id| hasher.id(id.as_bytes())),
                label: columns.labels.map_or(Label::Unknown, |labels| labels[row]),
                status: columns.status.and_then(|texts| status(texts.at(row)?)),
            });
            let currency = columns
                .currency(row)
                .map_err(|source| FeatureError::Record {
                    row: record,
                    source: Box::new(source),
                })?;
            for column in &fields {
                events.codes.push(column.code(row, currency, hasher));
            }
            for (column, quantity) in quantities.iter().zip(&layout.quantities) {
                let number = column.number(row, currency, quantity);
                let number = number.map_err(|source| FeatureError::Record {
                    row: record,
                    source: Box::new(source),
                })?;
                if number == MISSING && quantity.always_in(kind) {
                    return Err(FeatureError::MissingField {
                        row: record,
                        field: match quantity {
                            Quantity::TransactionCount => "transaction_count",
                            _ => "amount",
                        },
                    });
                }
                events.numbers.push(number);
            }
            if layout.facts {
                events.facts.push(columns.facts(row));
            }
        }
        Ok(events)
    }
}

impl Head {
    pub(crate) fn of<R: Record>(record: &R, hasher: IdHasher) -> Self {
        Self {
            time: record.time().as_micros(),
            id: record.id().map_or(0, |id| hasher.id(id.as_bytes())),
            label: record.label(),
            status: record.status(),
        }
    }
}

/// A status by its name in words: `approved`, `declined`, `reversed`, `charged_back`.
fn status(text: &str) -> Option<TransactionStatus> {
    let plain: String = text
        .chars()
        .filter(char::is_ascii_alphabetic)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    match plain.as_str() {
        "approved" => Some(TransactionStatus::Approved),
        "declined" => Some(TransactionStatus::Declined),
        "reversed" => Some(TransactionStatus::Reversed),
        "chargedback" => Some(TransactionStatus::ChargedBack),
        _ => None,
    }
}

/// Columns that are looked at for every row.
struct Columns<'a> {
    times: Option<&'a [Option<dafu_core::Timestamp>]>,
    labels: Option<&'a [Label]>,
    status: Option<&'a TextColumn>,
    currencies: Option<&'a TextColumn>,
    ips: Option<&'a TextColumn>,
    agents: Option<&'a TextColumn>,
    degrees: [Option<&'a [f64]>; 4],
}

impl<'a> Columns<'a> {
    fn new(table: &'a Table, kind: RecordKind) -> Self {
        let role = |role| table.by_role(role);
        let text = |wanted| role(wanted).and_then(Column::texts);
        let degrees = |wanted| role(wanted).and_then(Column::numbers);
        let named = |name: &str| table.column(name).and_then(Column::texts);
        Self {
            times: role(Role::Time).and_then(Column::times),
            labels: role(Role::Label)
                .filter(|_| kind == RecordKind::Transaction)
                .and_then(Column::labels),
            status: named("status"),
            currencies: text(Role::Currency),
            ips: text(Role::Ip),
            agents: text(Role::UserAgent),
            degrees: [
                degrees(Role::UserLatitude),
                degrees(Role::UserLongitude),
                degrees(Role::MerchantLatitude),
                degrees(Role::MerchantLongitude),
            ],
        }
    }

    fn currency(&self, row: usize) -> Result<Currency, FeatureError> {
        match self.currencies.and_then(|texts| texts.at(row)) {
            Some(code) => Ok(Currency::new(&code.to_ascii_uppercase())?),
            None => Ok(Currency::NONE),
        }
    }

    fn facts(&self, row: usize) -> Facts {
        let degrees = |at: usize| {
            let value = self.degrees[at].and_then(|values| values.get(row).copied());
            value.filter(|value| !value.is_nan())
        };
        let point = |latitude, longitude| {
            let (latitude, longitude) = degrees(latitude).zip(degrees(longitude))?;
            GeoPoint::new(latitude, longitude).ok()
        };
        let text = |column: Option<&'a TextColumn>| column.and_then(|texts| texts.at(row));
        Facts {
            home: point(0, 1),
            place: point(2, 3),
            ip: text(self.ips).and_then(|ip| ip.parse().ok()),
            agent: text(self.agents).map(UserAgent::parse),
        }
    }
}

/// Where the texts of a field stand.
struct FieldColumn<'a> {
    field: &'a Field,
    data: Option<&'a ColumnData>,
}

impl<'a> FieldColumn<'a> {
    fn new(table: &'a Table, field: &'a Field, kind: RecordKind) -> Self {
        let named = |name: &str| {
            let mut columns = table.columns().iter();
            columns.find(|column| column.name.eq_ignore_ascii_case(name))
        };
        let role = match field {
            Field::User => Some(Role::User),
            Field::Merchant => Some(Role::Merchant),
            Field::Card => Some(Role::Card),
            Field::Device => Some(Role::Device),
            Field::Ip | Field::IpPrefix => Some(Role::Ip),
            Field::Email | Field::EmailDomain => Some(Role::Email),
            Field::Country => Some(Role::Country),
            Field::UserAgent => Some(Role::UserAgent),
            _ => None,
        };
        let is_category = |column: &&Column| column.role == Role::Category;
        let column = match (field, role) {
            (_, Some(role)) => table.by_role(role),
            (Field::Category, _) => named("category").filter(is_category).or_else(|| {
                let mut columns = table.columns().iter();
                columns.find(|column| {
                    let other = column.name.eq_ignore_ascii_case("status")
                        || column.name.eq_ignore_ascii_case("tenant");
                    column.role == Role::Category && !other
                })
            }),
            (Field::Tenant, _) => named("tenant"),
            (Field::Action, _) => named("action_type").or_else(|| named("action")),
            (Field::Location, _) if kind == RecordKind::BehaviorEvent => named("location"),
            (Field::Extra(name), _) => table.column(name),
            _ => None,
        };
        Self {
            field,
            data: column.map(|column| &column.data),
        }
    }

    fn code(&self, row: usize, currency: Currency, hasher: IdHasher) -> u64 {
        if *self.field == Field::Currency {
            return super::event::currency_code(currency, hasher);
        }
        let text = match self.data {
            Some(ColumnData::Text(texts)) => texts.at(row),
            Some(ColumnData::Number(numbers)) if !numbers[row].is_nan() => {
                return hasher.id(numbers[row].to_string().as_bytes());
            }
            _ => None,
        };
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return 0;
        };
        let ip = || text.parse::<IpAddr>().ok();
        match self.field {
            Field::Ip => ip().map_or(0, |ip| ip_code(ip, hasher)),
            Field::IpPrefix => ip().map_or(0, |ip| ip_code(ip_prefix(ip), hasher)),
            Field::EmailDomain => domain_code(text, hasher),
            Field::Extra(_) => extra_text(text, hasher),
            _ => hasher.id(text.as_bytes()),
        }
    }
}

/// Where the numbers of a quantity stand.
struct QuantityColumn<'a> {
    values: Option<&'a [f64]>,
}

impl<'a> QuantityColumn<'a> {
    fn new(table: &'a Table, quantity: &Quantity) -> Self {
        let column = match quantity {
            Quantity::Amount => table.by_role(Role::Amount),
            Quantity::TransactionCount => table.column("transaction_count"),
            Quantity::RiskScore => table.column("risk_score"),
            Quantity::Extra(name) => table.column(name),
        };
        Self {
            values: column.and_then(Column::numbers),
        }
    }

    fn number(
        &self,
        row: usize,
        currency: Currency,
        quantity: &Quantity,
    ) -> Result<i64, FeatureError> {
        let value = self.values.map_or(f64::NAN, |values| values[row]);
        if *quantity != Quantity::Amount || value.is_nan() {
            return fixed_number(value, quantity);
        }
        // As a record would hold it: in whole minor units.
        let money =
            Money::from_major(value, currency).map_err(|_| FeatureError::NumberTooLarge {
                quantity: quantity.to_string(),
                got: value,
                limit: LARGEST as f64 / FIXED,
            })?;
        fixed_money(money)
    }
}
