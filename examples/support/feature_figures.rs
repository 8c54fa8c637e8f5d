//! The figures of `dafu-features`: which events a window holds, and the features of a defrauded user.

use crate::drawing::{Anchor, BLUE, Drawing, FAINT, GREEN, GRID, RED, TEXT};
use dafu::features::{
    Feature, FeatureEngine, FeatureSet, Field, Labels, Measure, RecordKind, Span, Window,
};
use dafu::{Currency, Money, Timestamp, Transaction};
use std::error::Error;

type Done<T> = Result<T, Box<dyn Error>>;

/// A payment with some of its features.
#[derive(Debug, Clone)]
pub struct Seen {
    /// When it was made.
    pub at: Timestamp,
    /// How much it was.
    pub amount: f64,
    /// Payments of the user within a day.
    pub count: f64,
    /// The amount against the user's own.
    pub zscore: f64,
    /// Kilometres from the middle of the user's places.
    pub distance: f64,
    /// Whether somebody else paid.
    pub fraud: bool,
}

/// What the windows of a payment cover; the numbers are those of an engine.
///
/// # Errors
///
/// None in practice.
pub fn windows() -> Done<String> {
    // Hours of the payments at one merchant; the windows are those of the second one at hour 432, which is day 18.
    let hours = [36, 96, 125, 178, 216, 264, 302, 350, 390, 432, 432, 432];
    let frauds = [216, 350];
    let week = Span::days(7);
    let by = |measure| Window::new(Field::Merchant, measure).within(week);
    let set = FeatureSet::new(RecordKind::Transaction)
        .labels(Labels::AfterDelay(week))
        .features([
            by(Measure::Count),
            by(Measure::Count).delay(week),
            by(Measure::FraudCount).delay(week),
            by(Measure::FraudCount),
        ])
        .feature(Feature::from(by(Measure::Count).include_self(false)).named("others"));
    let mut engine = FeatureEngine::new(&set)?;
    let mut counts = Vec::new();
    for (number, hour) in hours.into_iter().enumerate() {
        let at = Timestamp::from_seconds(1_767_225_600 + hour * 3600)?;
        let (id, user) = (format!("t-{number}").parse()?, "anna".parse()?);
        let paid = Money::from_minor(1000, Currency::new("EUR")?);
        let tx = Transaction::new(id, user, paid, "shop".parse()?, at);
        let seen = engine.observe(&tx.with_label(frauds.contains(&hour)))?;
        if number == 10 {
            counts = seen.row.values().to_vec();
        }
    }
    let [count, delayed, known, recent, others] = counts[..] else {
        return Err("five features are wanted".into());
    };

    let x = |hour: i64| 30.0 + hour as f64 * 1.34;
    let axis = 200.0;
    let [old, cut, now] = [96, 264, 432].map(x);
    let title = "Windows of a payment at time t: seven days, plain and delayed by seven days";
    let mut d = Drawing::new(title, 760.0, 366.0);
    d.heading((24.0, 30.0), (15.0, TEXT), title);

    // Windows as bars, with their ends and what an engine counts in them.
    let counted = [
        ("window (t - 7d, t]".to_owned(), 13.0),
        (format!("{count} payments, {others} without itself"), 12.0),
        (format!("{recent} frauds known"), 12.0),
    ];
    let counted_before = [
        ("delayed (t - 14d, t - 7d]".to_owned(), 13.0),
        (format!("{delayed} payments"), 12.0),
        (format!("{known} fraud known"), 12.0),
    ];
    for (from, to, y, colour, lines) in [
        (cut, now, 234.0, BLUE, counted),
        (old, cut, 250.0, GREEN, counted_before),
    ] {
        d.area((from, axis - 12.0), (to, y), colour, 0.1);
        d.line(&[(from, y), (to, y)], colour, 4.0, "");
        for (at, (text, size)) in lines.into_iter().enumerate() {
            let colour = if at == 0 { colour } else { TEXT };
            let at = (f64::midpoint(from, to), y + 22.0 + 17.0 * at as f64);
            d.words(at, (size, colour), Anchor::Middle, &text);
        }
    }
    for (at, top, name) in [
        (old, 160.0, "t - 14d"),
        (cut, 160.0, "t - 7d"),
        (now, 56.0, "t"),
    ] {
        d.line(&[(at, top), (at, 306.0)], FAINT, 1.0, "3 3");
        d.words((at, 322.0), (13.0, TEXT), Anchor::Middle, name);
    }
    for (from, to, y, colour) in [(cut, now, 234.0, BLUE), (old, cut, 250.0, GREEN)] {
        d.ring((from, y), 5.0, colour);
        d.dot((to, y), 5.5, colour);
    }

    // The axis and the payments.
    d.line(&[(24.0, axis), (734.0, axis)], TEXT, 1.2, "");
    d.line(
        &[(727.0, axis - 4.0), (734.0, axis), (727.0, axis + 4.0)],
        TEXT,
        1.2,
        "",
    );
    d.words((734.0, axis + 20.0), (12.0, FAINT), Anchor::End, "time");
    for hour in hours {
        if frauds.contains(&hour) {
            d.cross((x(hour), axis), 5.0, RED);
        } else {
            d.dot((x(hour), axis), 5.0, TEXT);
        }
    }
    d.words(
        (now + 11.0, axis - 7.0),
        (11.0, TEXT),
        Anchor::Start,
        "earlier row: in",
    );
    d.dot((now, axis - 18.0), 7.0, BLUE);
    d.dot((now, axis - 18.0), 4.0, TEXT);
    d.words(
        (now + 11.0, axis - 23.0),
        (11.0, BLUE),
        Anchor::Start,
        "the payment itself",
    );
    d.ring((now, axis - 36.0), 4.5, FAINT);
    d.words(
        (now + 11.0, axis - 39.0),
        (11.0, FAINT),
        Anchor::Start,
        "later row: out",
    );
    let (end, start) = (Anchor::End, Anchor::Start);
    for (at, anchor, lines) in [
        (old - 8.0, end, ["at the open end:", "in no window"]),
        (cut + 8.0, start, ["in the green,", "not the blue"]),
    ] {
        for (line, y) in lines.into_iter().zip([axis - 32.0, axis - 18.0]) {
            d.words((at, y), (11.0, TEXT), anchor, line);
        }
    }

    // When labels become known.
    for (hour, y, text) in [
        (216, 84.0, "its label is known 7d later, before t"),
        (350, 124.0, "known after t"),
    ] {
        let (from, to) = (x(hour), x(hour + 168));
        d.line(
            &[(from, axis - 9.0), (from, y), (to - 6.0, y)],
            RED,
            1.5,
            "5 3",
        );
        d.line(
            &[(to - 12.0, y - 4.0), (to - 5.0, y), (to - 12.0, y + 4.0)],
            RED,
            1.5,
            "",
        );
        d.area((to - 3.0, y - 8.0), (to + 3.0, y + 8.0), RED, 1.0);
        d.words((from + 7.0, y - 7.0), (11.0, RED), Anchor::Start, text);
    }

    // Legend.
    let y = 350.0;
    d.dot((30.0, y - 4.0), 5.0, TEXT);
    d.words((41.0, y), (12.0, FAINT), Anchor::Start, "payment");
    d.cross((119.0, y - 4.0), 5.0, RED);
    d.words((130.0, y), (12.0, FAINT), Anchor::Start, "fraud");
    d.area((189.0, y - 12.0), (195.0, y + 4.0), RED, 1.0);
    d.words(
        (203.0, y),
        (12.0, FAINT),
        Anchor::Start,
        "label becomes known",
    );
    d.ring((358.0, y - 4.0), 5.0, BLUE);
    d.words(
        (369.0, y),
        (12.0, FAINT),
        Anchor::Start,
        "open end: that instant is out",
    );
    d.dot((580.0, y - 4.0), 5.5, BLUE);
    d.words(
        (591.0, y),
        (12.0, FAINT),
        Anchor::Start,
        "closed end: it is in",
    );
    Ok(d.finish())
}

/// A part of the time axis: its left and right edge, the first and last hour since 1 February, ticks and their names.
struct Part {
    edges: [f64; 2],
    hours: [f64; 2],
    ticks: Vec<(f64, String)>,
}

/// A row of the timeline: what it shows, on which scale, and where the grid is.
struct Row {
    name: &'static str,
    value: fn(&Seen) -> f64,
    logarithmic: bool,
    range: [f64; 2],
    ticks: &'static [f64],
}

const ROWS: [Row; 4] = [
    Row {
        name: "amount in EUR, on a logarithmic scale",
        value: |seen| seen.amount,
        logarithmic: true,
        range: [1.0, 2500.0],
        ticks: &[1.0, 10.0, 100.0, 1000.0],
    },
    Row {
        name: "payments of the user within one day",
        value: |seen| seen.count,
        logarithmic: false,
        range: [0.0, 10.0],
        ticks: &[0.0, 5.0, 10.0],
    },
    Row {
        name: "amount, in standard deviations from 30 days of the user's own",
        value: |seen| seen.zscore,
        logarithmic: false,
        range: [-2.5, 20.0],
        ticks: &[0.0, 10.0, 20.0],
    },
    Row {
        name: "kilometres from the middle of the user's places",
        value: |seen| seen.distance,
        logarithmic: false,
        range: [-200.0, 2600.0],
        ticks: &[0.0, 1000.0, 2000.0],
    },
];

/// Payments of a user from 1 February 2026 on: four weeks on the left, the morning of the fraud on the right.
///
/// # Errors
///
/// None in practice.
pub fn timeline(seen: &[Seen]) -> Done<String> {
    let start = Timestamp::from_seconds(1_769_904_000)?;
    let fraud_day = 29.0 * 24.0;
    let [weeks, morning] = [
        Part {
            edges: [64.0, 470.0],
            hours: [-8.0, 30.5 * 24.0],
            ticks: [
                (0.0, "02-01"),
                (7.0, "02-08"),
                (14.0, "02-15"),
                (21.0, "02-22"),
                (28.0, "03-01"),
            ]
            .map(|(day, name)| (day * 24.0, name.to_owned()))
            .to_vec(),
        },
        Part {
            edges: [516.0, 736.0],
            hours: [fraud_day + 8.05, fraud_day + 9.2],
            ticks: [
                (8.25, "08:15"),
                (8.5, "08:30"),
                (8.75, "08:45"),
                (9.0, "09:00"),
            ]
            .map(|(hour, name)| (fraud_day + hour, name.to_owned()))
            .to_vec(),
        },
    ];
    let title = "What the features of a defrauded user show";
    let mut d = Drawing::new(title, 760.0, 546.0);
    d.heading((24.0, 30.0), (15.0, TEXT), title);
    d.dot((522.0, 26.0), 3.5, BLUE);
    d.words((532.0, 30.0), (12.0, FAINT), Anchor::Start, "Anna pays");
    d.cross((622.0, 26.0), 4.0, RED);
    d.words(
        (633.0, 30.0),
        (12.0, FAINT),
        Anchor::Start,
        "the thief pays",
    );
    d.words(
        (weeks.edges[0], 56.0),
        (12.0, FAINT),
        Anchor::Start,
        "February, and the first days of March",
    );
    d.words(
        (morning.edges[0], 56.0),
        (12.0, FAINT),
        Anchor::Start,
        "the morning of 2 March",
    );
    for (at, row) in ROWS.iter().enumerate() {
        let top = 84.0 + 116.0 * at as f64;
        let bottom = top + 80.0;
        let scale = |value: f64| {
            if row.logarithmic {
                value.log10()
            } else {
                value
            }
        };
        let [low, high] = row.range.map(scale);
        let y = |value: f64| bottom - (scale(value) - low) / (high - low) * (bottom - top);
        d.words(
            (weeks.edges[0], top - 8.0),
            (12.0, TEXT),
            Anchor::Start,
            row.name,
        );
        for tick in row.ticks {
            let place = (weeks.edges[0] - 8.0, y(*tick) + 4.0);
            d.words(place, (11.0, FAINT), Anchor::End, &tick.to_string());
        }
        for part in [&weeks, &morning] {
            let ([left, right], [first, last]) = (part.edges, part.hours);
            let x = |hour: f64| left + (hour - first) / (last - first) * (right - left);
            for tick in row.ticks {
                d.line(&[(left, y(*tick)), (right, y(*tick))], GRID, 1.0, "");
            }
            d.line(&[(left, bottom), (right, bottom)], FAINT, 1.0, "");
            for (hour, name) in &part.ticks {
                d.line(
                    &[(x(*hour), bottom), (x(*hour), bottom + 4.0)],
                    FAINT,
                    1.0,
                    "",
                );
                if at + 1 == ROWS.len() {
                    let place = (x(*hour), bottom + 18.0);
                    d.words(place, (11.0, FAINT), Anchor::Middle, name);
                }
            }
            for one in seen {
                let hour = one.at.since(start) as f64 / 3.6e9;
                let value = (row.value)(one);
                if value.is_nan() || hour < first || hour > last {
                    continue;
                }
                if one.fraud {
                    d.cross((x(hour), y(value)), 4.0, RED);
                } else {
                    d.dot((x(hour), y(value)), 3.0, BLUE);
                }
            }
        }
    }
    Ok(d.finish())
}
