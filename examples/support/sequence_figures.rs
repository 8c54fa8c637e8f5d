//! The figures of `dafu-sequence`: how a training went, and the events of one user.

use crate::drawing::{Anchor, BLUE, Drawing, FAINT, GREEN, GRID, RED, TEXT};
use dafu::Timestamp;
use dafu_sequence::training::TrainingReport;

/// Where panels begin and end.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 656.0;

/// Loss and average precision by epoch, and the epoch that was kept.
pub fn learning_curve(report: &TrainingReport) -> String {
    let title = "Training of the network: loss and average precision on a later week";
    let mut d = Drawing::new(title, 720.0, 340.0);
    d.heading((24.0, 30.0), (15.0, TEXT), title);
    let rounds = report.epochs.len().max(2);
    let (top, bottom) = (64.0, 290.0);
    let x = |round: usize| LEFT + (round - 1) as f64 / (rounds - 1) as f64 * (RIGHT - LEFT);
    let highest = report.epochs.iter().map(|round| round.loss);
    let highest = ceiling(highest.fold(0.0, f64::max));
    let y = |share: f64| bottom - share * (bottom - top);
    for step in 0..=4 {
        let share = f64::from(step) / 4.0;
        d.line(&[(LEFT, y(share)), (RIGHT, y(share))], GRID, 1.0, "");
        let (loss, precision) = (format!("{:.3}", share * highest), format!("{share:.2}"));
        d.words(
            (LEFT - 8.0, y(share) + 4.0),
            (12.0, BLUE),
            Anchor::End,
            &loss,
        );
        d.words(
            (RIGHT + 8.0, y(share) + 4.0),
            (12.0, GREEN),
            Anchor::Start,
            &precision,
        );
    }
    for round in (1..=report.epochs.len()).filter(|round| rounds < 16 || round % 5 == 0) {
        d.words(
            (x(round), bottom + 20.0),
            (12.0, FAINT),
            Anchor::Middle,
            &round.to_string(),
        );
    }
    d.words(
        (f64::midpoint(LEFT, RIGHT), bottom + 38.0),
        (12.0, FAINT),
        Anchor::Middle,
        "epoch",
    );
    d.words((LEFT, 54.0), (13.0, BLUE), Anchor::Start, "training loss");
    d.words(
        (RIGHT, 54.0),
        (13.0, GREEN),
        Anchor::End,
        "validation average precision",
    );
    let losses = report.epochs.iter();
    let losses: Vec<_> = losses
        .map(|round| (x(round.epoch), y(round.loss / highest)))
        .collect();
    let precisions = report.epochs.iter();
    let precisions = precisions.filter_map(|round| Some((x(round.epoch), y(round.validation?))));
    let precisions: Vec<_> = precisions.collect();
    let best = x(report.best_epoch.max(1));
    d.line(&[(best, top), (best, bottom)], FAINT, 1.0, "3 3");
    d.line(&losses, BLUE, 2.0, "");
    d.line(&precisions, GREEN, 2.0, "6 3");
    if let Some(at) = precisions.get(report.best_epoch.saturating_sub(1)) {
        d.ring(*at, 5.0, GREEN);
        let anchor = if best > f64::midpoint(LEFT, RIGHT) {
            Anchor::End
        } else {
            Anchor::Start
        };
        let aside = if anchor == Anchor::End { -8.0 } else { 8.0 };
        d.words((best + aside, top + 14.0), (12.0, TEXT), anchor, "kept");
    }
    d.finish()
}

/// The next of 1, 2.5 and 5 times a power of ten.
fn ceiling(value: f64) -> f64 {
    let mut step = 1e-6;
    loop {
        for factor in [1.0, 2.5, 5.0] {
            if step * factor >= value {
                return step * factor;
            }
        }
        step *= 10.0;
    }
}

/// An event of a user in a timeline.
#[derive(Debug, Clone)]
pub struct Scored {
    /// When it happened.
    pub at: Timestamp,
    /// Its score.
    pub score: f64,
    /// Whether somebody else did it.
    pub taken_over: bool,
}

/// The events of a user with their scores, the threshold of alerts, and what somebody else did.
pub fn timeline(user: &str, events: &[Scored], threshold: f64) -> String {
    let title = format!("Events of {user}: how unusual each is for this user");
    let mut d = Drawing::new(&title, 720.0, 320.0);
    d.heading((24.0, 30.0), (15.0, TEXT), &title);
    let (top, bottom) = (70.0, 268.0);
    let first = events.first().map_or(0, |event| event.at.day());
    let last = events.last().map_or(1, |event| event.at.day() + 1);
    let width = (last - first).max(1) as f64 * 86_400e6;
    let begin = Timestamp::from_seconds(first * 86_400).unwrap_or(Timestamp::EPOCH);
    let x = |at: Timestamp| LEFT + at.since(begin) as f64 / width * (RIGHT - LEFT);
    let y = |score: f64| bottom - score * (bottom - top);
    for step in 0..=4 {
        let score = f64::from(step) / 4.0;
        d.line(&[(LEFT, y(score)), (RIGHT, y(score))], GRID, 1.0, "");
        let text = format!("{score:.2}");
        d.words(
            (LEFT - 8.0, y(score) + 4.0),
            (12.0, FAINT),
            Anchor::End,
            &text,
        );
    }
    for day in (first..=last).filter(|day| (day - first) % 7 == 0) {
        let Ok(at) = Timestamp::from_seconds(day * 86_400) else {
            continue;
        };
        d.line(&[(x(at), bottom), (x(at), bottom + 4.0)], FAINT, 1.0, "");
        d.words(
            (x(at), bottom + 20.0),
            (12.0, FAINT),
            Anchor::Middle,
            &at.date(),
        );
    }
    d.line(
        &[(LEFT, y(threshold)), (RIGHT, y(threshold))],
        TEXT,
        1.0,
        "6 3",
    );
    let text = format!("alert from {threshold}");
    d.words(
        (LEFT + 4.0, y(threshold) - 6.0),
        (12.0, TEXT),
        Anchor::Start,
        &text,
    );
    let (others, own): (Vec<_>, Vec<_>) = events.iter().partition(|event| event.taken_over);
    let own: Vec<_> = own
        .iter()
        .map(|event| (x(event.at), y(event.score)))
        .collect();
    d.dots(&own, 6.0, BLUE);
    for event in &others {
        d.cross((x(event.at), y(event.score)), 4.0, RED);
    }
    d.dot((LEFT + 4.0, 50.0), 3.0, BLUE);
    d.words((LEFT + 14.0, 54.0), (12.0, TEXT), Anchor::Start, "the user");
    d.cross((LEFT + 94.0, 50.0), 4.0, RED);
    d.words(
        (LEFT + 106.0, 54.0),
        (12.0, TEXT),
        Anchor::Start,
        "somebody else",
    );
    d.finish()
}
