//! Tables for tests.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    unreachable_pub,
    reason = "tests; not every test file uses every helper"
)]

use dafu_core::table::ColumnData;
use dafu_core::{Column, Label, Role, Table, Timestamp};

pub fn column(name: &str, role: Role, data: ColumnData) -> Column {
    Column {
        name: name.into(),
        role,
        data,
    }
}

pub fn numbers(name: &str, role: Role, values: impl IntoIterator<Item = f64>) -> Column {
    column(name, role, ColumnData::Number(values.into_iter().collect()))
}

pub fn texts<'a>(
    name: &str,
    role: Role,
    values: impl IntoIterator<Item = Option<&'a str>>,
) -> Column {
    column(name, role, ColumnData::Text(values.into_iter().collect()))
}

pub fn categories(name: &str, values: &[&str]) -> Column {
    texts(name, Role::Category, values.iter().map(|&text| Some(text)))
}

pub fn labels(values: impl IntoIterator<Item = Option<bool>>) -> Column {
    let label = |value: Option<bool>| value.map_or(Label::Unknown, Label::from);
    let values = values.into_iter().map(label).collect();
    column("is_fraud", Role::Label, ColumnData::Label(values))
}

pub fn times(values: impl IntoIterator<Item = Option<&'static str>>) -> Column {
    let parse = |text: &str| text.parse::<Timestamp>().unwrap();
    let values = values.into_iter().map(|text| text.map(parse)).collect();
    column("timestamp", Role::Time, ColumnData::Time(values))
}

pub fn table(columns: Vec<Column>) -> Table {
    let rows = columns.first().map_or(0, |column| column.data.len()) as u64;
    Table::new(columns, (1..=rows).collect()).unwrap()
}

/// One row as drawn by proptest.
#[derive(Debug, Clone)]
pub struct Row {
    pub user: u8,
    pub amount: f64,
    pub numeric: f64,
    pub category: Option<u8>,
    pub second: Option<i64>,
    pub place: [f64; 4],
    pub label: Option<bool>,
}

/// A table with a column of every kind; `first` is the number of the first row.
pub fn mixed(rows: &[Row], first: u64) -> Table {
    let text = |prefix: &str, number: u8| format!("{prefix}-{number}");
    let ids: Vec<_> = (0..rows.len() as u64)
        .map(|n| format!("t-{}", n + first))
        .collect();
    let users: Vec<_> = rows.iter().map(|row| text("u", row.user)).collect();
    let cats: Vec<_> = rows
        .iter()
        .map(|row| row.category.map(|c| text("c", c)))
        .collect();
    let of = |values: &[String], name: &str, role| {
        texts(name, role, values.iter().map(|text| Some(text.as_str())))
    };
    let of_missing = |name: &str| texts(name, Role::Category, cats.iter().map(|c| c.as_deref()));
    let time = |row: &Row| {
        row.second
            .map(|second| Timestamp::from_seconds(second).unwrap())
    };
    let place = |at: usize| rows.iter().map(move |row| row.place[at]);
    let columns = vec![
        of(&ids, "transaction_id", Role::TransactionId),
        of(&users, "user_id", Role::User),
        numbers("amount", Role::Amount, rows.iter().map(|row| row.amount)),
        column(
            "timestamp",
            Role::Time,
            ColumnData::Time(rows.iter().map(time).collect()),
        ),
        numbers("numeric", Role::Numeric, rows.iter().map(|row| row.numeric)),
        of_missing("one_hot"),
        of_missing("target"),
        of_missing("ordinal"),
        of_missing("hashed"),
        numbers("home_lat", Role::UserLatitude, place(0)),
        numbers("home_lon", Role::UserLongitude, place(1)),
        numbers("shop_lat", Role::MerchantLatitude, place(2)),
        numbers("shop_lon", Role::MerchantLongitude, place(3)),
        labels(rows.iter().map(|row| row.label)),
    ];
    let end = first + rows.len() as u64;
    Table::new(columns, (first..end).collect()).unwrap()
}
