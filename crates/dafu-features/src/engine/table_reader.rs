//! Events of the rows of a table, by the roles of its columns: the same as of the records that the table was made from.

use super::event::{
    FIXED, Facts, Head, LARGEST, Layout, MISSING, agent_code, domain_code, extra_text, fixed_money,
    fixed_number, ip_code,
};
use super::events::Events;
use super::hash::IdHasher;
use crate::FeatureError;
use crate::measure::{UserAgent, ip_prefix};
use crate::set::{Field, Quantity, RecordKind};
use dafu_core::table::TextColumn;
use dafu_core::{
    Column, ColumnData, Currency, GeoPoint, Label, Money, Role, Table, Timestamp, TransactionStatus,
};
use std::net::IpAddr;

/// A table with what stands where.
pub(super) struct TableReader<'a> {
    kind: RecordKind,
    columns: Columns<'a>,
    fields: Vec<FieldColumn<'a>>,
    quantities: Vec<QuantityColumn<'a>>,
    times: Vec<Timestamp>,
    row_numbers: &'a [u64],
    /// Whether there is a column of labels, read or not.
    labelled: bool,
}

impl<'a> TableReader<'a> {
    pub(super) fn new(
        table: &'a Table,
        kind: RecordKind,
        layout: &'a Layout,
    ) -> Result<Self, FeatureError> {
        let row_numbers = table.row_numbers();
        let times = table.by_role(Role::Time).and_then(Column::times);
        let time = |row: usize| times.and_then(|times| times.get(row).copied().flatten());
        let times: Result<_, FeatureError> = (0..table.rows())
            .map(|row| {
                time(row).ok_or_else(|| FeatureError::MissingTime {
                    row: row_numbers.get(row).copied().unwrap_or_default(),
                })
            })
            .collect();
        let fields = layout.fields.iter();
        let quantities = layout.quantities.iter();
        Ok(Self {
            kind,
            columns: Columns::new(table, kind),
            fields: fields
                .map(|field| FieldColumn::new(table, field, kind))
                .collect(),
            quantities: quantities
                .map(|quantity| QuantityColumn::new(table, quantity))
                .collect(),
            times: times?,
            row_numbers,
            labelled: table.by_role(Role::Label).is_some(),
        })
    }

    pub(super) fn times(&self) -> &[Timestamp] {
        &self.times
    }

    /// Number of a row in the source.
    pub(super) fn record(&self, row: u32) -> u64 {
        self.row_numbers
            .get(row as usize)
            .copied()
            .unwrap_or_default()
    }

    /// Labels, where the table has a column of them.
    pub(super) fn labels(&self) -> Option<Vec<Label>> {
        self.labelled.then(|| {
            let labels = self.columns.labels.map(<[Label]>::to_vec);
            labels.unwrap_or_else(|| vec![Label::Unknown; self.times.len()])
        })
    }

    /// Puts the events of some rows in the place of others. Stops at the first that cannot be read, whose error comes
    /// back.
    pub(super) fn read(
        &self,
        events: &mut Events,
        rows: &[u32],
        (layout, hasher): (&Layout, IdHasher),
    ) -> Option<FeatureError> {
        events.clear(layout);
        let mut rows = rows.iter();
        rows.find_map(|&row| self.push(events, row, (layout, hasher)).err())
    }

    fn push(
        &self,
        events: &mut Events,
        row: u32,
        (layout, hasher): (&Layout, IdHasher),
    ) -> Result<(), FeatureError> {
        let (columns, at) = (&self.columns, row as usize);
        let currency = columns.currency(at)?;
        let before = events.numbers.len();
        for (column, quantity) in self.quantities.iter().zip(&layout.quantities) {
            let number = column.number(at, currency, quantity).and_then(|number| {
                if number == MISSING && quantity.always_in(self.kind) {
                    return Err(FeatureError::MissingField {
                        row: self.record(row),
                        field: match quantity {
                            Quantity::TransactionCount => "transaction_count",
                            _ => "amount",
                        },
                    });
                }
                Ok(number)
            });
            match number {
                Ok(number) => events.numbers.push(number),
                Err(error) => {
                    events.numbers.truncate(before);
                    return Err(error);
                }
            }
        }
        let codes = self
            .fields
            .iter()
            .map(|column| column.code(at, currency, hasher));
        events.codes.extend(codes);
        let id = columns.ids.and_then(|ids| ids.at(at));
        events.heads.push(Head {
            time: self.times[at].as_micros(),
            id: id.map_or(0, |id| hasher.id(id.as_bytes())),
            label: columns.labels.map_or(Label::Unknown, |labels| labels[at]),
            status: columns.status.and_then(|texts| status(texts.at(at)?)),
        });
        if layout.facts {
            events.facts.push(columns.facts(at));
        }
        Ok(())
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
    ids: Option<&'a TextColumn>,
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
            ids: text(Role::TransactionId),
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
            Some(code) => Currency::new(&code.to_ascii_uppercase()).map_err(FeatureError::Currency),
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
            Field::UserAgent | Field::Browser | Field::System => Some(Role::UserAgent),
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
            Field::Browser | Field::System => agent_code(self.field, text, hasher),
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
