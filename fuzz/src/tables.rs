//! Tables of anything for the feature engine.

use crate::bytes::Bytes;
use crate::events::{engine, is_of_event, is_same};
use dafu_core::table::ColumnData;
use dafu_core::{Column, Label, Role, Table, Timestamp};
use dafu_features::{FeatureEngine, FeatureError};

/// Rows are so many at most, so that they go row by row in no time.
const MOST_ROWS: usize = 150;

/// Columns of texts; which of them there are is drawn.
const TEXTS: [(&str, Role, &str); 10] = [
    ("transaction_id", Role::TransactionId, "t"),
    ("user_id", Role::User, "u"),
    ("merchant_id", Role::Merchant, "m"),
    ("category", Role::Category, "c"),
    ("device", Role::Device, "d"),
    ("ip", Role::Ip, "10.0.0"),
    ("user_agent", Role::UserAgent, "curl/8"),
    ("country", Role::Country, "l"),
    ("email", Role::Email, "a@x"),
    ("status", Role::Category, "approved"),
];

/// Columns of numbers.
const NUMBERS: [(&str, Role); 6] = [
    ("amount", Role::Amount),
    ("score", Role::Numeric),
    ("home_latitude", Role::UserLatitude),
    ("home_longitude", Role::UserLongitude),
    ("latitude", Role::MerchantLatitude),
    ("longitude", Role::MerchantLongitude),
];

fn number(bytes: &mut Bytes<'_>) -> f64 {
    if bytes.is_odd() {
        bytes.odd_number()
    } else {
        f64::from(bytes.byte()) / 4.0
    }
}

fn currency(bytes: &mut Bytes<'_>) -> Option<String> {
    if bytes.is_odd() {
        return bytes.text("EU");
    }
    Some(["EUR", "JPY", "eur", "XXX"][usize::from(bytes.byte() % 4)].to_owned())
}

fn texts(rows: usize, cell: impl FnMut() -> Option<String>) -> ColumnData {
    let texts: Vec<_> = std::iter::repeat_with(cell).take(rows).collect();
    ColumnData::Text(texts.iter().map(Option::as_deref).collect())
}

/// Mostly in order, a time missing once in a while.
fn times(bytes: &mut Bytes<'_>, rows: usize) -> Vec<Option<Timestamp>> {
    let holes = bytes.byte() % 8 == 7;
    let mut now = 1_704_067_200_000_000;
    let mut time = || {
        if holes && bytes.byte() % 32 == 31 {
            return None;
        }
        if bytes.is_odd() {
            let at = bytes.odd_time(now);
            now = at.as_micros();
            return Some(at);
        }
        let later = now.saturating_add(i64::from(bytes.byte() % 64) * 60_000_000);
        now = later.min(Timestamp::MAX.as_micros());
        Some(Timestamp::from_micros(now).expect("a good time"))
    };
    (0..rows).map(|_| time()).collect()
}

fn table(bytes: &mut Bytes<'_>) -> Table {
    // Mostly all columns.
    let (mask, rare) = (bytes.number(), bytes.byte() % 4 == 3);
    let has = |place: usize| !rare || mask >> place & 1 == 1;
    let rows = (bytes.len() / 32).min(MOST_ROWS);
    let mut columns = Vec::new();
    let mut add = |place: usize, name: &str, role: Role, data: ColumnData| {
        if has(place) {
            columns.push(Column {
                name: name.into(),
                role,
                data,
            });
        }
    };
    add(0, "at", Role::Time, ColumnData::Time(times(bytes, rows)));
    for (place, (name, role)) in (1..).zip(NUMBERS) {
        let values = (0..rows).map(|_| number(bytes)).collect();
        add(place, name, role, ColumnData::Number(values));
    }
    for (place, (name, role, kind)) in (8..).zip(TEXTS) {
        add(place, name, role, texts(rows, || bytes.text(kind)));
    }
    add(
        20,
        "currency",
        Role::Currency,
        texts(rows, || currency(bytes)),
    );
    let labels = [Label::Unknown, Label::Legitimate, Label::Fraud];
    let labels = (0..rows).map(|_| labels[usize::from(bytes.byte() % 3)]);
    add(
        21,
        "label",
        Role::Label,
        ColumnData::Label(labels.collect()),
    );
    Table::new(columns, (1..=rows as u64).collect()).expect("columns of one length and one role")
}

/// Places of the rows in order of time, where each has one.
fn in_order(table: &Table) -> Option<Vec<usize>> {
    let times = table.by_role(Role::Time)?.times()?;
    let times: Vec<Timestamp> = times.iter().copied().collect::<Option<_>>()?;
    let mut rows: Vec<usize> = (0..times.len()).collect();
    rows.sort_by_key(|row| times[*row]);
    Some(rows)
}

/// What may be wrong with a row.
fn is_of_row(error: &FeatureError) -> bool {
    match error {
        FeatureError::MissingField { .. } => true,
        FeatureError::Record { source, .. } => {
            matches!(**source, FeatureError::Currency(_)) || is_of_event(source)
        }
        _ => false,
    }
}

/// A table of anything gives rows or a named error, the same in one piece as row by row.
pub fn engine_table(data: &[u8]) {
    let mut bytes = Bytes::new(data, true);
    let mut whole = engine(bytes.byte());
    let mut single = whole.fresh();
    let table = table(&mut bytes);
    let rows = whole.observe_table(&table);
    let Some(order) = in_order(&table) else {
        let missing = matches!(rows, Err(FeatureError::MissingTime { .. }));
        assert!(missing || table.rows() == 0);
        return;
    };
    let mut error = None;
    for row in order {
        match single.observe_table(&table.select(&[row])) {
            Ok(one) => {
                if let Ok(rows) = &rows {
                    let same = is_same(one.values().row(0).iter(), rows.values().row(row).iter());
                    assert!(same, "row {row} differs");
                }
            }
            Err(other) => {
                error = Some(other);
                break;
            }
        }
    }
    if let Some(error) = &error {
        assert!(is_of_row(error), "{error}");
    }
    let text = |error: &FeatureError| error.to_string();
    assert_eq!(rows.as_ref().err().map(text), error.as_ref().map(text));
    check_memory(&single, &whole);
}

/// Two engines remember the same: as long as they have not looked for entities to forget, which they do at different
/// times.
fn check_memory(one: &FeatureEngine, other: &FeatureEngine) {
    assert_eq!(one.newest(), other.newest());
    if one.stats().observed < 256 {
        assert_eq!(one.stats(), other.stats());
        let memory = |engine: &FeatureEngine| engine.snapshot().expect("memory to be written");
        assert!(memory(one) == memory(other), "another memory");
    }
}
