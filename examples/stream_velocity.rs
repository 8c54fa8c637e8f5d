//! One payment after the other through a feature engine: what it sees of a user before, during and after a fraud.
//!
//! Run: `cargo run --release --example stream_velocity`
//!
//! Argument: `--figure DIR` also draws `windows.svg` and `timeline.svg`, the figures of `dafu-features`; their numbers
//! come from engines as well.
//!
//! Anna pays in Vienna for four weeks. Then somebody in Lisbon has her card, and a device that Ben's card was seen on.
//! Labels, late payments, a payment that comes twice and one that is taken back show what an engine does with them.
//!
//! Expected output: `examples/expected/stream_velocity.txt`.

use dafu::features::{
    Feature, FeatureEngine, FeatureSet, Field, Measure, Outcome, RecordKind, Span, Window,
};
use dafu::{Currency, GeoPoint, Label, Money, Timestamp, Transaction};
use dafu_examples::args::Args;
use dafu_examples::feature_figures::{Seen, timeline, windows};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "stream_velocity [--figure DIR]";
type Done<T> = Result<T, Box<dyn Error>>;

const VIENNA: (f64, f64) = (48.21, 16.37);
const LISBON: (f64, f64) = (38.72, -9.14);
/// The thief's.
const THIEF: &str = "device-x";

fn main() -> ExitCode {
    dafu_examples::exit(run())
}

fn run() -> Done<()> {
    let Some(args) = Args::read(USAGE, &["figure"])? else {
        return Ok(());
    };
    let mut stream = Stream::new()?;
    tell(&mut stream)?;
    if let Some(folder) = args.value("figure") {
        std::fs::create_dir_all(folder)?;
        std::fs::write(Path::new(folder).join("windows.svg"), windows()?)?;
        std::fs::write(
            Path::new(folder).join("timeline.svg"),
            timeline(&stream.annas)?,
        )?;
    }
    Ok(())
}

/// What is looked at.
fn features() -> FeatureSet {
    let over = |by: Field, measure: Measure, within: Span| -> Feature {
        Window::new(by, measure).within(within).into()
    };
    let new = |of: Field| Feature::from(Window::new(Field::User, Measure::IsNew { of }));
    let share = Measure::FraudRate {
        prior_frauds: 0.0,
        prior_events: 0.0,
    };
    let users = Measure::Distinct { of: Field::User };
    let (hour, day, month) = (Span::hours(1), Span::days(1), Span::days(30));
    FeatureSet::new(RecordKind::Transaction).features([
        over(Field::User, Measure::Rate, hour).named("transactions_per_hour"),
        over(Field::User, Measure::Count, day),
        over(Field::User, Measure::ZScore, month),
        new(Field::Merchant),
        new(Field::Device),
        over(Field::User, Measure::DistanceFromHome, month).named("distance_from_home"),
        Feature::from(Window::new(Field::User, Measure::Speed)),
        over(Field::Device, users, month),
        // Frauds that are known by now, of all payments of 30 days.
        over(Field::Merchant, share, month),
    ])
}

/// The columns of the table: feature, heading, width, digits.
const COLUMNS: [(&str, &str, usize, usize); 9] = [
    ("transactions_per_hour", "per h", 6, 0),
    ("user_count_1d", "1 d", 5, 0),
    ("user_amount_zscore_30d", "z", 7, 1),
    ("user_new_merchant", "new m", 7, 0),
    ("user_new_device", "new d", 7, 0),
    ("distance_from_home", "km", 7, 0),
    ("user_speed", "km/h", 7, 0),
    ("device_distinct_user_30d", "users", 7, 0),
    ("merchant_fraud_rate_30d", "frauds", 8, 2),
];

const LEGEND: &str = "\
per h, 1 d: payments of the user in an hour and a day; z: amount against 30 days of the user's own;
new m, new d: merchant or device new to the user; km: from the middle of the user's places; km/h: from
the place before; users: of this device in 30 days; frauds: known share of the merchant in 30 days";

/// An engine, and what it has seen.
struct Stream {
    engine: FeatureEngine,
    payments: usize,
    /// Anna's payments, for the figure.
    annas: Vec<Seen>,
}

/// Who pays, how much, to whom and where, and on which device.
type Payment<'a> = (&'a str, f64, &'a str, (f64, f64), &'a str);

impl Stream {
    fn new() -> Done<Self> {
        Ok(Self {
            engine: FeatureEngine::new(&features())?,
            payments: 0,
            annas: Vec::new(),
        })
    }

    fn payment(&mut self, at: &str, payment: Payment<'_>) -> Done<Transaction> {
        let (user, amount, merchant, place, device) = payment;
        let paid = Money::from_major(amount, Currency::new("EUR")?)?;
        let at = format!("2026-{at}:00Z").parse()?;
        self.payments += 1;
        let id = format!("t-{:03}", self.payments).parse()?;
        let mut tx = Transaction::new(id, user.parse()?, paid, merchant.parse()?, at);
        tx.merchant_location = Some(GeoPoint::new(place.0, place.1)?);
        Ok(tx.with_device(device.parse()?))
    }

    /// A payment that only adds to the history.
    fn quiet(&mut self, at: &str, payment: Payment<'_>) -> Done<()> {
        let tx = self.payment(at, payment)?;
        self.observe(&tx).map(|_| ())
    }

    /// A payment with its line in the table.
    fn shown(&mut self, at: &str, payment: Payment<'_>) -> Done<Transaction> {
        let tx = self.payment(at, payment)?;
        self.show(&tx)?;
        Ok(tx)
    }

    fn show(&mut self, tx: &Transaction) -> Done<()> {
        let (outcome, values) = self.observe(tx)?;
        let mut line = format!(
            "{}  {:<6}{:>8.2}  {:<9}",
            minute(tx.timestamp),
            tx.user_id.as_str(),
            tx.amount.major(),
            tx.merchant_id.as_str()
        );
        for ((_, _, width, digits), value) in COLUMNS.iter().zip(values) {
            if value.is_nan() {
                line += &format!("{:>width$}", "-");
            } else {
                line += &format!("{value:>width$.digits$}");
            }
        }
        if outcome != Outcome::Recorded {
            line += &format!("  {outcome:?}");
        }
        println!("{line}");
        Ok(())
    }

    fn observe(&mut self, tx: &Transaction) -> Done<(Outcome, Vec<f64>)> {
        let observed = self.engine.observe(tx)?;
        let value = |name: &str| observed.row.get(name).unwrap_or(f64::NAN);
        let values = COLUMNS.iter().map(|column| value(column.0)).collect();
        if tx.user_id.as_str() == "anna" && observed.outcome != Outcome::Duplicate {
            let device = tx.device.as_ref();
            self.annas.push(Seen {
                at: tx.timestamp,
                amount: tx.amount.major(),
                count: value("user_count_1d"),
                zscore: value("user_amount_zscore_30d"),
                distance: value("distance_from_home"),
                fraud: device.is_some_and(|device| device.as_str() == THIEF),
            });
        }
        Ok((observed.outcome, values))
    }

    fn label(&mut self, tx: &Transaction, known_at: &str) -> Done<()> {
        let known_at = format!("2026-{known_at}:00Z").parse()?;
        Ok(self.engine.label(tx, Label::Fraud, known_at)?)
    }
}

/// `03-02 08:55`
fn minute(at: Timestamp) -> String {
    at.to_string()
        .chars()
        .skip(5)
        .take(11)
        .collect::<String>()
        .replace('T', " ")
}

/// An instant of the story: `day` days after 1 February.
fn clock(day: u32, hour: u32, minute: u32) -> String {
    let (month, day) = if day < 28 {
        (2, day + 1)
    } else {
        (3, day - 27)
    };
    format!("{month:02}-{day:02}T{hour:02}:{minute:02}")
}

/// Four ordinary weeks.
fn history(stream: &mut Stream) -> Done<()> {
    let shops = [
        ("bakery", 4.1, (48.22, 16.36)),
        ("grocer", 31.5, (48.20, 16.39)),
        ("cafe", 9.8, (48.21, 16.38)),
        ("tram", 2.4, (48.21, 16.37)),
        ("books", 23.0, (48.19, 16.35)),
    ];
    for day in 0..27 {
        // Two payments on most days, one on some, at hours that wander.
        for turn in 0..if day % 3 == 2 { 1 } else { 2 } {
            let (shop, price, place) = shops[((day * 3 + turn * 2) % 5) as usize];
            let amount = price * (0.8 + 0.1 * f64::from((day * 7 + turn * 3) % 6));
            let at = clock(day, 8 + turn * 9 + day % 3, day * 13 % 60);
            stream.quiet(&at, ("anna", amount, shop, place, "anna-phone"))?;
        }
        // Others buy at the watchmaker's, in Lisbon.
        if day % 4 == 1 {
            let user = ["dora", "emil", "fred"][(day / 4 % 3) as usize];
            let device = format!("{user}-phone");
            let amount = 110.0 + f64::from(day);
            stream.quiet(
                &clock(day, 19, 30),
                (user, amount, "watches", LISBON, &device),
            )?;
        }
    }
    Ok(())
}

fn tell(stream: &mut Stream) -> Done<()> {
    history(stream)?;
    println!(
        "{} payments of February are known, {} of them Anna's\n\n{LEGEND}\n",
        stream.payments,
        stream.annas.len()
    );
    let mut heading = format!(
        "{:<13}{:<6}{:>8}  {:<9}",
        "time", "user", "amount", "merchant"
    );
    for (_, name, width, _) in COLUMNS {
        heading += &format!("{name:>width$}");
    }
    println!("{heading}");
    let anna = |amount, shop| ("anna", amount, shop, VIENNA, "anna-phone");
    let thief = |user, amount, shop| (user, amount, shop, LISBON, THIEF);

    stream.shown("02-28T09:40", anna(4.20, "bakery"))?;
    stream.shown("02-28T17:05", anna(33.10, "grocer"))?;
    let bens = stream.shown("03-01T21:40", thief("ben", 240.00, "watches"))?;
    stream.shown("03-02T08:10", anna(4.60, "bakery"))?;

    println!("\nAnna's card, in Lisbon:");
    let mut stolen = Vec::new();
    for (at, amount, shop) in [
        ("03-02T08:55", 49.00, "watches"),
        ("03-02T08:57", 190.00, "watches"),
        ("03-02T08:59", 420.00, "phones"),
        ("03-02T09:01", 780.00, "phones"),
        ("03-02T09:04", 1490.00, "jewels"),
    ] {
        stolen.push(stream.shown(at, thief("anna", amount, shop))?);
    }

    println!("\nA payment of 08:31 comes only now, and the last one comes again:");
    stream.shown("03-02T08:31", anna(2.40, "tram"))?;
    let last = stolen.last().ok_or("nothing was stolen")?.clone();
    stream.show(&last)?;
    println!("The same id with another amount is refused:");
    let mut other = last.clone();
    other.amount = Money::from_major(14.90, Currency::new("EUR")?)?;
    match stream.engine.observe(&other) {
        Ok(seen) => println!("  {:?}", seen.outcome),
        Err(error) => println!("  {error}"),
    }

    println!(
        "\nThe jeweller takes the {} back, so no window counts it any more:",
        last.amount
    );
    println!("  reversed: {}", stream.engine.reverse(&last)?);
    stream.shown("03-02T12:20", anna(28.60, "grocer"))?;
    println!(
        "A payment of 06:50 is too late by now: it reads what is known of its time, and nobody counts it"
    );
    stream.shown("03-02T06:50", anna(3.90, "bakery"))?;
    stream.shown("03-02T12:45", anna(9.10, "cafe"))?;

    let cleo = ("cleo", 120.00, "watches", LISBON, "cleo-phone");
    println!(
        "\nBen complains on 3 March at 10:00, Anna on 4 March; before, between and after, Cleo buys a watch:"
    );
    stream.shown("03-03T09:59", cleo)?;
    stream.label(&bens, "03-03T10:00")?;
    stream.shown("03-03T10:00", cleo)?;
    for tx in stolen.iter().filter(|tx| **tx != last) {
        stream.label(tx, "03-04T09:30")?;
    }
    stream.shown("03-04T15:00", cleo)?;

    let stats = stream.engine.stats();
    println!(
        "\nobserved {}, inserted {}, too late {}, duplicates {}, labels {}, reversed {}, unmatched {}",
        stats.observed,
        stats.inserted,
        stats.too_late,
        stats.duplicates,
        stats.labels,
        stats.reversed,
        stats.unmatched
    );
    println!("{} entities remembered", stream.engine.entities());
    Ok(())
}
