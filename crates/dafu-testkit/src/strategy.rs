//! Strategies; each shrinks towards few, small and boring values.

use dafu_core::table::TextColumn;
use dafu_core::{
    Column, ColumnData, Currency, EntityId, GeoPoint, Label, Money, Role, Table, Timestamp,
    Transaction, TransactionId, TransactionStatus, Value,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::sample::subsequence;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Microseconds of 2024-01-01, when the streams of this module begin.
pub const START: i64 = 1_704_067_200_000_000;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Ids: mostly `PREFIX-N` with a small N, at times awkward ones: commas, quotes, spaces, other scripts, 256 bytes.
pub fn entity_ids(prefix: &'static str) -> BoxedStrategy<EntityId> {
    ids(prefix)
        .prop_map(|text| EntityId::new(text).expect("a good id"))
        .boxed()
}

fn ids(prefix: &'static str) -> BoxedStrategy<String> {
    prop_oneof![
        20 => (0_u8..6).prop_map(move |number| format!("{prefix}-{number}")),
        1 => proptest::sample::select(&[
            "a,b", "a\"b", "'", " ", "=1+1", "0", "-1", "null", "NaN", "\u{e9}\u{4e2d}\u{1f600}", "..",
        ][..]).prop_map(str::to_owned),
        1 => Just("x".repeat(256)),
    ]
    .boxed()
}

/// Amounts: mostly 0.00 to 1,000.00 without a currency, at times negative, huge, or in a currency with zero or
/// three decimals.
pub fn amounts() -> BoxedStrategy<Money> {
    let currency = |code| Currency::new(code).expect("a code");
    prop_oneof![
        12 => (0_i64..100_000).prop_map(|minor| Money::from_minor(minor, Currency::NONE)),
        2 => (0_i64..100_000).prop_map(move |minor| Money::from_minor(minor, currency("EUR"))),
        1 => (-100_000_i64..0).prop_map(|minor| Money::from_minor(minor, Currency::NONE)),
        1 => (0_i64..1_000_000).prop_map(move |minor| Money::from_minor(minor, currency("JPY"))),
        1 => (0_i64..1_000_000).prop_map(move |minor| Money::from_minor(minor, currency("KWD"))),
        1 => proptest::sample::select(&[i64::MAX, i64::MIN, 1 << 53, -(1 << 53)][..])
            .prop_map(|minor| Money::from_minor(minor, Currency::NONE)),
    ]
    .boxed()
}

/// Instants: mostly whole seconds within 60 days of 2024, at times with microseconds, or anywhere in the years 1
/// to 9999.
pub fn timestamps() -> BoxedStrategy<Timestamp> {
    let at = |micros| Timestamp::from_micros(micros).expect("in range");
    prop_oneof![
        12 => (0_i64..60 * 86_400).prop_map(move |second| at(START + second * 1_000_000)),
        2 => (0_i64..60 * 86_400_000_000).prop_map(move |micro| at(START + micro)),
        1 => (Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros()).prop_map(at),
        1 => proptest::sample::select(&[Timestamp::EPOCH, Timestamp::MIN, Timestamp::MAX][..]),
    ]
    .boxed()
}

/// Labels, unknown ones included.
pub fn labels() -> BoxedStrategy<Label> {
    prop_oneof![
        2 => Just(Label::Legitimate),
        1 => Just(Label::Fraud),
        1 => Just(Label::Unknown),
    ]
    .boxed()
}

/// Points anywhere on the earth, the poles and the date line included.
pub fn places() -> BoxedStrategy<GeoPoint> {
    let point = |latitude, longitude| GeoPoint::new(latitude, longitude).expect("on the earth");
    prop_oneof![
        8 => (-90.0..=90.0, -180.0..=180.0).prop_map(move |(lat, lon)| point(lat, lon)),
        1 => proptest::sample::select(&[(0.0, 0.0), (90.0, 0.0), (-90.0, 180.0), (0.0, -180.0)][..])
            .prop_map(move |(lat, lon)| point(lat, lon)),
    ]
    .boxed()
}

fn addresses() -> BoxedStrategy<IpAddr> {
    prop_oneof![
        6 => (0_u32..8).prop_map(|last| IpAddr::V4(Ipv4Addr::from(0x0a00_0000 | last))),
        1 => any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from(bits))),
    ]
    .boxed()
}

/// One transaction with any of its optional fields, its number as id.
fn transaction(number: usize) -> BoxedStrategy<Transaction> {
    let required = (
        entity_ids("u"),
        amounts(),
        entity_ids("m"),
        timestamps(),
        labels(),
    );
    let optional = (
        option::of(entity_ids("cat")),
        option::of(entity_ids("c")),
        option::of(entity_ids("d")),
        option::of(addresses()),
        option::of(proptest::sample::select(
            &["agent", "Mozilla/5.0 (a, b; \"c\")"][..],
        )),
        option::of(proptest::sample::select(&["DE", "FR"][..])),
        option::of(entity_ids("e")),
        option::of((places(), places())),
        option::of(proptest::sample::select(
            &[
                TransactionStatus::Approved,
                TransactionStatus::Declined,
                TransactionStatus::Reversed,
                TransactionStatus::ChargedBack,
            ][..],
        )),
        option::of((-1e6..1e6, any::<bool>(), entity_ids("x"))),
    );
    (required, optional)
        .prop_map(move |((user, amount, merchant, at, label), optional)| {
            let id = TransactionId::new(format!("t-{number}")).expect("a good id");
            let mut tx = Transaction::new(id, user, amount, merchant, at).with_label(label);
            let (category, card, device, ip, agent, country, email, places, status, extra) =
                optional;
            (tx.category, tx.card, tx.device, tx.ip) = (category, card, device, ip);
            tx.user_agent = agent.map(Arc::from);
            tx.country = country.map(|code| EntityId::new(code).expect("a good id"));
            (tx.email, tx.status) = (email, status);
            (tx.user_location, tx.merchant_location) = places.unzip();
            if let Some((number, flag, text)) = extra {
                tx = tx
                    .with_extra("number", Value::Number(number))
                    .with_extra("flag", Value::Flag(flag))
                    .with_extra("text", Value::Text(text));
            }
            tx
        })
        .boxed()
}

/// Up to 40 transactions in any order of time, with ids of their own and any of the optional fields.
pub fn transactions() -> BoxedStrategy<Vec<Transaction>> {
    (0_usize..=40)
        .prop_flat_map(|count| (0..count).map(transaction).collect::<Vec<_>>())
        .boxed()
}

/// Exactly `n` transactions of at most four users, merchants, devices and cards, in the order of time, with plain
/// amounts of 0.00 to 1,000.00 EUR and known labels: input for windows and other running state.
///
/// Gaps are often zero, often some seconds, at times days, so that windows of any length begin and end.
pub fn event_stream(n: usize) -> BoxedStrategy<Vec<Transaction>> {
    let gap = prop_oneof![
        2 => Just(0_i64),
        4 => (0_i64..120).prop_map(|seconds| seconds * 1_000_000),
        2 => (0_i64..48).prop_map(|hours| hours * 3_600_000_000),
        1 => 0_i64..1_000,
    ];
    let event = (
        gap,
        (0_u8..4, 0_u8..4, 0_u8..4),
        0_i64..100_000,
        any::<bool>(),
    );
    vec(event, n)
        .prop_map(|events| {
            let eur = Currency::new("EUR").expect("a code");
            let id = |kind, number| EntityId::new(format!("{kind}-{number}")).expect("a good id");
            let mut now = START;
            let build = |(number, (gap, (user, merchant, device), minor, fraud))| {
                now += gap;
                let mut tx = Transaction::new(
                    TransactionId::new(format!("t-{number}")).expect("a good id"),
                    id("u", user),
                    Money::from_minor(minor, eur),
                    id("m", merchant),
                    Timestamp::from_micros(now).expect("in range"),
                )
                .with_category(id("cat", merchant % 2))
                .with_device(id("d", device))
                .with_label(fraud);
                tx.card = Some(id("c", user));
                tx
            };
            (0_usize..).zip(events).map(build).collect()
        })
        .boxed()
}

/// Lengths of time in microseconds between two events: none, around a microsecond, and around the lengths that windows
/// have (1 and 10 seconds, an hour, a day, 7 days), exactly or a microsecond more or less; at times anything up to 40
/// days. Never negative.
pub fn gaps() -> BoxedStrategy<i64> {
    let lengths = [1_000_000, 10_000_000, 3_600_000_000, DAY, 7 * DAY];
    let length = || proptest::sample::select(lengths.to_vec());
    prop_oneof![
        6 => Just(0_i64),
        2 => 1_i64..4,
        6 => length(),
        3 => (length(), -1_i64..=1).prop_map(|(length, by)| length + by),
        3 => (length(), 1_i64..6).prop_map(|(length, part)| length / part),
        2 => 0_i64..2_000_000,
        1 => 0_i64..40 * DAY,
    ]
    .boxed()
}

/// One transaction as of [`START`] in which everything may meet and everything but user, merchant and amount may be
/// missing: three users, two merchants, two of each further kind; amounts of few values so that they tie, at times
/// negative, nothing, with cents, or in another currency or none; addresses of two networks; places on a coarse grid,
/// also at the date line, in whole micro degrees; the extras `number` (quarters) and `text`.
pub fn busy_transaction() -> BoxedStrategy<Transaction> {
    let id = |kind: &'static str, most: u8| {
        (0..most).prop_map(move |n| EntityId::new(format!("{kind}-{n}")).expect("a good id"))
    };
    let maybe = |kind, most| option::weighted(0.75, id(kind, most));
    let amount = (
        prop_oneof![6 => 0_i64..4, 1 => 4_i64..1_000, 1 => -3_i64..0],
        prop_oneof![6 => Just(0_i64), 1 => proptest::sample::select(&[1_i64, 10, 50, 99][..])],
        proptest::sample::select(&["EUR", "EUR", "EUR", "EUR", "USD", "JPY", "KWD", "XXX"][..]),
    )
        .prop_map(|(major, rest, code)| {
            let currency = Currency::new(code).expect("a code");
            let unit = currency.minor_per_major();
            Money::from_minor(major * unit + rest * i64::from(unit > 1), currency)
        });
    let place = || {
        let micro = |degrees: i32| f64::from(degrees) / 1e6;
        (
            -2_i32..=2,
            proptest::sample::select(&[-180_000_000, -179_500_000, 0, 500_000, 179_900_000][..]),
        )
            .prop_map(move |(latitude, longitude)| {
                GeoPoint::new(micro(latitude * 5_000_000), micro(longitude)).expect("on the earth")
            })
    };
    let agents = &[
        "curl/8.5.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)",
    ][..];
    let emails = &[
        "a@x.example",
        "b@x.example",
        "b@y.example",
        "token",
        "at-the-end@",
    ][..];
    let required = (id("u", 3), amount, id("m", 2), labels());
    let optional = (
        maybe("cat", 2),
        maybe("c", 2),
        maybe("d", 2),
        option::weighted(0.75, (0_u8..2, 0_u8..2)),
        option::of(proptest::sample::select(agents)),
        option::of(proptest::sample::select(&["DE", "FR"][..])),
        option::of(proptest::sample::select(emails)),
        (option::of(place()), option::weighted(0.75, place())),
        option::of(proptest::sample::select(
            &[TransactionStatus::Approved, TransactionStatus::Declined][..],
        )),
        (
            maybe("t", 2),
            option::weighted(0.75, -8_i32..24),
            maybe("x", 2),
        ),
    );
    (required, optional)
        .prop_map(|((user, amount, merchant, label), optional)| {
            let at = Timestamp::from_micros(START).expect("in range");
            let number = TransactionId::new("t-0").expect("a good id");
            let mut tx = Transaction::new(number, user, amount, merchant, at).with_label(label);
            let text = |text: &str| EntityId::new(text).expect("a good id");
            let (category, card, device, ip, agent, country, email, places, status, more) =
                optional;
            (tx.category, tx.card, tx.device, tx.status) = (category, card, device, status);
            tx.ip = ip.map(|(network, host)| IpAddr::V4(Ipv4Addr::new(10, 0, network, host)));
            tx.user_agent = agent.map(Arc::from);
            (tx.country, tx.email) = (country.map(text), email.map(text));
            (tx.user_location, tx.merchant_location) = places;
            let (tenant, number, word) = more;
            tx.tenant = tenant;
            if let Some(quarters) = number {
                tx = tx.with_extra("number", Value::Number(f64::from(quarters) / 4.0));
            }
            if let Some(word) = word {
                tx = tx.with_extra("text", Value::Text(word));
            }
            tx
        })
        .boxed()
}

/// Exactly `n` transactions as of [`busy_transaction`], in the order of time, [`gaps`] apart, with ids of their own.
pub fn busy_stream(n: usize) -> BoxedStrategy<Vec<Transaction>> {
    vec((gaps(), busy_transaction()), n)
        .prop_map(|events| {
            let mut now = START;
            let place = |(number, (gap, mut tx)): (usize, (i64, Transaction))| {
                now += gap;
                tx.timestamp = Timestamp::from_micros(now).expect("in range");
                tx.transaction_id = TransactionId::new(format!("t-{number}")).expect("a good id");
                tx
            };
            (0_usize..).zip(events).map(place).collect()
        })
        .boxed()
}

/// Up to `most` scores with their labels. Scores are often from a grid of five, so that ties are common.
pub fn labelled_scores(most: usize) -> BoxedStrategy<(Vec<f64>, Vec<bool>)> {
    let score = prop_oneof![
        3 => (0_u8..5).prop_map(|step| f64::from(step) / 4.0),
        1 => 0.0..1.0,
    ];
    vec((score, any::<bool>()), 0..=most)
        .prop_map(|rows| rows.into_iter().unzip())
        .boxed()
}

/// The values of one row for all columns of [`tables`].
type Row = ([Option<u8>; 6], [Option<f64>; 3], Option<Timestamp>, Label);

/// Tables of up to 30 rows with any of the columns `transaction_id`, `user_id`, `amount`, `merchant_id`,
/// `timestamp`, `category`, `is_fraud`, `colour`, `size`, `weight`, in this order; about one value in four is
/// missing. Columns and rows may be none at all.
pub fn tables() -> BoxedStrategy<Table> {
    let number = || {
        option::weighted(
            0.75,
            prop_oneof![
                6 => (0_i16..100).prop_map(f64::from),
                2 => -1e6..1e6,
                1 => proptest::sample::select(&[0.0, -0.0, 1e300, -1e300, 5e-324][..]),
            ],
        )
    };
    let text = || option::weighted(0.75, 0_u8..4);
    let texts = [text(), text(), text(), text(), text(), text()];
    let row = (
        texts,
        [number(), number(), number()],
        option::weighted(0.75, timestamps()),
        labels(),
    );
    let columns = subsequence(&COLUMNS[..], 0..=COLUMNS.len());
    (columns, vec(row, 0..=30))
        .prop_map(|(columns, rows)| {
            let columns = columns
                .into_iter()
                .map(|column| column.build(&rows))
                .collect();
            let numbers = (1..).take(rows.len()).collect();
            Table::new(columns, numbers).expect("columns of one length, names and roles once")
        })
        .boxed()
}

#[derive(Debug, Clone, Copy)]
struct ColumnPlan {
    name: &'static str,
    role: Role,
    /// Which of the values of a row.
    value: usize,
}

const fn plan(name: &'static str, role: Role, value: usize) -> ColumnPlan {
    ColumnPlan { name, role, value }
}

const COLUMNS: [ColumnPlan; 10] = [
    plan("transaction_id", Role::TransactionId, 0),
    plan("user_id", Role::User, 1),
    plan("amount", Role::Amount, 0),
    plan("merchant_id", Role::Merchant, 2),
    plan("timestamp", Role::Time, 0),
    plan("category", Role::Category, 3),
    plan("is_fraud", Role::Label, 0),
    plan("colour", Role::Category, 4),
    plan("size", Role::Numeric, 1),
    plan("weight", Role::Numeric, 2),
];

impl ColumnPlan {
    fn build(self, rows: &[Row]) -> Column {
        let data = match self.role {
            Role::Amount | Role::Numeric => ColumnData::Number(
                rows.iter()
                    .map(|row| row.1[self.value].unwrap_or(f64::NAN))
                    .collect(),
            ),
            Role::Time => ColumnData::Time(rows.iter().map(|row| row.2).collect()),
            Role::Label => ColumnData::Label(rows.iter().map(|row| row.3).collect()),
            _ => {
                let mut texts = TextColumn::default();
                for row in rows {
                    let text = row.0[self.value].map(|number| format!("{}-{number}", self.name));
                    texts.push(text.as_deref());
                }
                ColumnData::Text(texts)
            }
        };
        Column {
            name: self.name.into(),
            role: self.role,
            data,
        }
    }
}
