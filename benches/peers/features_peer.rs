//! Our side of `peers/run.sh features`: CPU seconds, features, and bytes for one task each.

use dafu_benches::cpu_seconds;
use dafu_core::{Currency, Money, Timestamp, Transaction};
use dafu_features::{FeatureEngine, FeatureSet, Field, Labels, Measure, RecordKind, Span, Window};
use std::error::Error;
use std::io::{BufWriter, Read, Write};

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The transactions of a file of the Handbook, in file order, which is that of time.
fn read(path: &str) -> Result<Vec<Transaction>, Box<dyn Error>> {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path)?).read_to_string(&mut text)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers()?.clone();
    let column = |name: &str| {
        let found = headers.iter().position(|header| header == name);
        found.ok_or_else(|| format!("no column {name}"))
    };
    let [id, user, amount, merchant, time, fraud] = [
        column("transaction_id")?,
        column("user_id")?,
        column("amount")?,
        column("merchant_id")?,
        column("timestamp")?,
        column("is_fraud")?,
    ];
    let mut all = Vec::new();
    for record in reader.into_records() {
        let record = record?;
        let at: Timestamp = format!("{}Z", record[time].trim_end_matches('Z')).parse()?;
        let paid = Money::from_major(record[amount].parse()?, Currency::NONE)?;
        let tx = Transaction::new(
            record[id].parse()?,
            record[user].parse()?,
            paid,
            record[merchant].parse()?,
            at,
        );
        all.push(tx.with_label(&record[fraud] == "1"));
    }
    Ok(all)
}

/// The twelve windows of the Handbook alone.
fn windows() -> FeatureSet {
    let mut set = FeatureSet::handbook();
    set.features.truncate(12);
    set.duplicates_within = Span::ZERO;
    set
}

/// CPU seconds of a pass: by a stream that looks ahead, or one by one.
fn stream(set: &FeatureSet, all: &[Transaction], one_by_one: bool) -> Result<f64, Box<dyn Error>> {
    let mut taken = Vec::new();
    for _ in 0..5 {
        let mut engine = FeatureEngine::new(set)?;
        let start = cpu_seconds();
        if one_by_one {
            for tx in all {
                std::hint::black_box(engine.observe(tx)?);
            }
        } else {
            engine.stream(all, |_, seen| {
                std::hint::black_box(seen);
            })?;
        }
        taken.push(cpu_seconds() - start);
    }
    Ok(median(taken))
}

fn write_rows(path: &str, rows: impl Iterator<Item = f64>) -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(std::fs::File::create(path)?);
    for value in rows {
        out.write_all(&value.to_le_bytes())?;
    }
    Ok(out.flush()?)
}

/// Bytes an entity with 60 events in the longest window, of `by` alone.
fn bytes_each(set: &FeatureSet, by: &Field) -> Result<f64, Box<dyn Error>> {
    let entities = 2_000_i64;
    let mut engine = FeatureEngine::new(set)?;
    let start: Timestamp = "2018-04-01T00:00:00Z".parse()?;
    for event in 0..60 {
        for entity in 0..entities {
            let at =
                Timestamp::from_seconds(start.as_micros() / 1_000_000 + event * 40_000 + entity)?;
            let (mut user, mut merchant) = (format!("user-{entity}"), "m".to_owned());
            if *by == Field::Merchant {
                (user, merchant) = ("u".to_owned(), format!("merchant-{entity}"));
            }
            let paid = Money::from_minor(1_000 + (event * 37 + entity) % 9_000, Currency::NONE);
            let id = format!("{event}-{entity}").parse()?;
            engine.observe(&Transaction::new(
                id,
                user.parse()?,
                paid,
                merchant.parse()?,
                at,
            ))?;
        }
    }
    Ok(engine.memory_bytes_of(&(by.clone()).into()) as f64 / entities as f64)
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let out = words.iter().position(|word| *word == "--out");
    let out = out.and_then(|at| words.get(at + 1)).copied();
    match words.as_slice() {
        ["handbook-observe", path, ..] => {
            let all = read(path)?;
            let taken = stream(&windows(), &all, true)?;
            println!("cpu_s={taken} events={}", all.len());
        }
        ["handbook-stream", path, ..] => {
            let all = read(path)?;
            let taken = stream(&windows(), &all, false)?;
            if let Some(out) = out {
                let mut engine = FeatureEngine::new(&windows())?;
                let mut rows = Vec::new();
                engine.stream(&all, |_, seen| rows.extend(seen.row.values()))?;
                write_rows(out, rows.into_iter())?;
            }
            println!("cpu_s={taken} events={}", all.len());
        }
        ["handbook-batch", path, ..] => {
            let all = read(path)?;
            let mut taken = Vec::new();
            for pass in 0..5 {
                let mut engine = FeatureEngine::new(&windows())?;
                let start = cpu_seconds();
                let rows = engine.observe_all(&all)?;
                taken.push(cpu_seconds() - start);
                if let (Some(out), 0) = (out, pass) {
                    write_rows(out, rows.values().iter().copied())?;
                }
            }
            println!("cpu_s={} events={}", median(taken), all.len());
        }
        ["handbook-batches", path, ..] => {
            let all = read(path)?;
            let mut taken = Vec::new();
            for _ in 0..5 {
                let mut engine = FeatureEngine::new(&windows())?;
                let start = cpu_seconds();
                for some in all.chunks(1 << 17) {
                    std::hint::black_box(engine.observe_all(some)?);
                }
                taken.push(cpu_seconds() - start);
            }
            println!("cpu_s={} events={}", median(taken), all.len());
        }
        ["standard-batch", path, ..] => {
            let all = read(path)?;
            let set = FeatureSet::standard().labels(Labels::AfterDelay(Span::days(7)));
            let mut engine = FeatureEngine::new(&set)?;
            let start = cpu_seconds();
            std::hint::black_box(engine.observe_all(&all)?);
            println!("cpu_s={} events={}", cpu_seconds() - start, all.len());
        }
        ["standard-stream", path, ..] => {
            let all = read(path)?;
            let set = FeatureSet::standard().labels(Labels::AfterDelay(Span::days(7)));
            let taken = stream(&set, &all, false)?;
            let features = set.features.len();
            println!("cpu_s={taken} events={} features={features}", all.len());
        }
        ["river-windows", path, events, ..] => {
            let all = read(path)?;
            let mut set = FeatureSet::new(RecordKind::Transaction);
            for days in [1, 7, 30] {
                let window = |measure| Window::new(Field::User, measure).within(Span::days(days));
                set = set.features([window(Measure::Count), window(Measure::Mean)]);
            }
            set.duplicates_within = Span::ZERO;
            let some = &all[..events.parse::<usize>()?.min(all.len())];
            let taken = stream(&set, some, true)?;
            println!("cpu_s={taken} events={}", some.len());
        }
        ["memory"] => {
            println!(
                "handbook_user_bytes={} handbook_merchant_bytes={} standard_user_bytes={}",
                bytes_each(&windows(), &Field::User)?,
                bytes_each(&windows(), &Field::Merchant)?,
                bytes_each(&FeatureSet::standard(), &Field::User)?
            );
        }
        _ => return Err("usage: see features.py".into()),
    }
    Ok(())
}
