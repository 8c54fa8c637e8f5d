//! What users usually do, learned without labels; then a stream of events in which accounts are taken over.
//!
//! Run: `cargo run --release --example user_behavior`
//!
//! Arguments: `--users N` (default 600; with fewer than 350, too few are held out for scores of sequences), `--seed N` (default
//! 42), `--figure DIR` (draws `user_timeline.svg`).
//!
//! Logins, visits, changes of passwords and purchases of eight weeks. A model of the next event learns from the first five; a
//! fifth of the users are held out, and say how surprising normal events are: scores are calibrated by them, so that the
//! rate of alerts about normal users is known before the first one. In the last three weeks each event is scored as it comes. An alert
//! silences its user for a day. The simulator knows who was somebody else; the model does not.
//!
//! The same for whole sequences of events, and for daily sums of the same users' payments.
//!
//! Expected output: `examples/expected/user_behavior.txt`.

use dafu::sim::{Scenario, ScenarioRates, SimulatorParams};
use dafu::{BehaviorEvent, DailySummary, Timestamp};
use dafu_examples::args::Args;
use dafu_examples::bar::TrainingBar;
use dafu_examples::sequence_figures::{Scored, timeline};
use dafu_sequence::behavior::{AnomalyParams, BehaviorParams, UserBehaviorAnalyzer};
use dafu_sequence::encode::{Histories, Record};
use dafu_sequence::native::NativeBackend;
use dafu_sequence::stream::StreamParams;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "user_behavior [--users N] [--seed N] [--figure DIR]";
/// Days to learn from, and all days.
const LEARN: u32 = 35;
const DAYS: u32 = 56;
/// Reached by one in 296 normal events. Chosen on the seeds 1 to 3, as what the model reads by default.
const THRESHOLD: f64 = 0.85;
/// Reached by one in 64 normal sequences.
const OF_SEQUENCES: f64 = 0.75;
/// Alerts that are printed.
const SHOWN: usize = 12;
const DAY: i64 = 86_400_000_000;

type Done<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    dafu_examples::exit(run())
}

fn run() -> Done<()> {
    let Some(args) = Args::read(USAGE, &["users", "seed", "figure"])? else {
        return Ok(());
    };
    let started = Instant::now();
    // Takeovers are three times as frequent as usual.
    let rates = ScenarioRates::default().with(Scenario::AccountTakeover, 0.0045);
    let params = SimulatorParams::default()
        .users(args.parsed("users", 600)?)
        .days(DAYS)
        .rates(rates)
        .seed(args.parsed("seed", 42)?);
    let events: Vec<BehaviorEvent> = params.simulator()?.behavior_events().collect();
    let truth = Truth::of(&params)?;
    let boundary = Timestamp::from_micros(params.start.as_micros() + i64::from(LEARN) * DAY)?;
    let late = |event: &&BehaviorEvent| event.timestamp >= boundary;
    println!(
        "{} events of {} users; from {} on {} are judged, {} of them by somebody else",
        events.len(),
        params.users,
        boundary.date(),
        events.iter().filter(late).count(),
        events
            .iter()
            .filter(late)
            .filter(|event| truth.taken_over(event))
            .count()
    );

    let analyzer = fit(&BehaviorParams::default(), &events, boundary)?;
    let scored = stream(&analyzer, &events, &truth, boundary)?;
    if let Some(folder) = args.value("figure") {
        std::fs::create_dir_all(folder)?;
        let file = Path::new(folder).join("user_timeline.svg");
        std::fs::write(file, figure(&scored, &truth, boundary)?)?;
    }
    sequences(&analyzer, &events, &truth, boundary)?;
    daily(&params, &truth, boundary)?;
    eprintln!("took {:.2} s", started.elapsed().as_secs_f64());
    Ok(())
}

fn fit<R: Record>(
    params: &BehaviorParams,
    records: &[R],
    boundary: Timestamp,
) -> Done<UserBehaviorAnalyzer> {
    let bar = TrainingBar::new(params.model.epochs, "log likelihood");
    let histories = Histories::new(records);
    let analyzer = params
        .check()?
        .fit(&histories, Some(boundary), &NativeBackend, &bar)?;
    bar.finish();
    Ok(analyzer)
}

/// What the simulator knows.
#[derive(Default)]
struct Truth {
    /// Users and the devices of others in their accounts, with the time of the first payment.
    takeovers: BTreeMap<(String, String), Timestamp>,
    /// The same of all kinds of fraud that come from a device of somebody else.
    devices: BTreeSet<(String, String)>,
    /// Payments that are frauds, by user and time.
    frauds: BTreeMap<(String, Timestamp), Scenario>,
}

impl Truth {
    fn of(params: &SimulatorParams) -> Done<Self> {
        let mut truth = Self::default();
        for payment in params.simulator()?.with_truth() {
            let Some(kind) = payment.scenario else {
                continue;
            };
            let payment = payment.transaction;
            let user = payment.user_id.to_string();
            truth.frauds.insert((user.clone(), payment.timestamp), kind);
            let others = matches!(
                kind,
                Scenario::AccountTakeover | Scenario::CardTesting | Scenario::Ring
            );
            if let Some(device) = payment.device.filter(|_| others) {
                let key = (user, device.to_string());
                if kind == Scenario::AccountTakeover {
                    let first = truth.takeovers.entry(key.clone());
                    first.or_insert(payment.timestamp);
                }
                truth.devices.insert(key);
            }
        }
        Ok(truth)
    }

    /// Whether an account was taken over, by its first payment, at a time or later.
    fn is_since(&self, takeover: &(String, String), from: Timestamp) -> bool {
        let first = self.takeovers.get(takeover);
        first.is_some_and(|first| *first >= from)
    }

    fn taken_over(&self, event: &BehaviorEvent) -> bool {
        key(event).is_some_and(|key| self.takeovers.contains_key(&key))
    }

    fn fraud(&self, event: &BehaviorEvent) -> bool {
        let of_device = key(event).is_some_and(|key| self.devices.contains(&key));
        of_device
            || self
                .frauds
                .contains_key(&(event.user_id.to_string(), event.timestamp))
    }

    /// Kinds of fraud of a user between two instants.
    fn kinds(&self, user: &str, (from, to): (Timestamp, Timestamp)) -> BTreeSet<Scenario> {
        let frauds = self
            .frauds
            .range((user.to_owned(), from)..=(user.to_owned(), to));
        frauds.map(|(_, kind)| *kind).collect()
    }
}

/// User and device.
fn key(event: &BehaviorEvent) -> Option<(String, String)> {
    let device = event.device_id.as_ref()?;
    Some((event.user_id.to_string(), device.to_string()))
}

/// Scores all events one after the other, and prints alerts and what they found. Scores from the boundary on.
fn stream(
    analyzer: &UserBehaviorAnalyzer,
    events: &[BehaviorEvent],
    truth: &Truth,
    boundary: Timestamp,
) -> Done<Vec<(BehaviorEvent, f64)>> {
    println!("\nalerts of the stream, from a score of {THRESHOLD}:");
    let mut stream = analyzer.stream(&StreamParams::default())?;
    let mut silent: BTreeMap<String, Timestamp> = BTreeMap::new();
    let mut caught = BTreeSet::new();
    let mut scored = Vec::new();
    let [mut alerts, mut other, mut wrong, mut normal, mut high] = [0; 5];
    for event in events {
        let answer = stream.score(event)?;
        if event.timestamp < boundary {
            continue;
        }
        scored.push((event.clone(), answer.score));
        let (taken_over, fraud) = (truth.taken_over(event), truth.fraud(event));
        normal += usize::from(!fraud);
        high += usize::from(!fraud && answer.score >= THRESHOLD);
        if answer.score < THRESHOLD {
            continue;
        }
        if taken_over {
            // Of those that are counted below: an earlier one that goes on is none of them.
            caught.extend(key(event).filter(|key| truth.is_since(key, boundary)));
        }
        let user = event.user_id.to_string();
        let quiet = silent.get(&user);
        if quiet.is_some_and(|since| event.timestamp.since(*since) < DAY) {
            continue;
        }
        silent.insert(user, event.timestamp);
        alerts += 1;
        other += usize::from(fraud && !taken_over);
        wrong += usize::from(!fraud);
        if alerts <= SHOWN {
            let who = match (taken_over, fraud) {
                (true, _) => "takeover",
                (_, true) => "other fraud",
                _ => "the user",
            };
            println!(
                "  {} {:<8} {:.3}  {:<12} {}",
                minute(event.timestamp),
                event.user_id.as_str(),
                answer.score,
                who,
                stream.last_input()
            );
        }
    }
    println!("  and {} more", alerts.max(SHOWN) - SHOWN);
    let late = (truth.takeovers.keys()).filter(|takeover| truth.is_since(takeover, boundary));
    println!(
        "{alerts} alerts: {} of {} takeovers caught, {other} about other frauds, {wrong} wrong: {:.1} a day",
        caught.len(),
        late.count(),
        wrong as f64 / f64::from(DAYS - LEARN)
    );
    println!(
        "normal events with such a score: {high} of {normal}, {:.2} in a thousand",
        1e3 * high as f64 / normal as f64
    );
    Ok(scored)
}

/// `02-05 08:55`
fn minute(at: Timestamp) -> String {
    let text = at.to_string().replace('T', " ");
    text.chars().skip(5).take(11).collect()
}

/// Of the users that were taken over after a week or more of the stream, the one with the most events.
fn figure(scored: &[(BehaviorEvent, f64)], truth: &Truth, boundary: Timestamp) -> Done<String> {
    let late = truth
        .takeovers
        .iter()
        .filter(|(_, first)| first.since(boundary) >= 7 * DAY);
    let events = |user: &str| -> Vec<Scored> {
        let own = scored
            .iter()
            .filter(|(event, _)| event.user_id.as_str() == user);
        let own = own.map(|(event, score)| Scored {
            at: event.timestamp,
            score: *score,
            taken_over: truth.taken_over(event),
        });
        own.collect()
    };
    let users = late.map(|((user, _), _)| user);
    let busiest = users.max_by_key(|user| events(user).len());
    let user = busiest.ok_or("nobody was taken over")?;
    Ok(timeline(user, &events(user), THRESHOLD))
}

/// Whole sequences instead of single events.
fn sequences(
    analyzer: &UserBehaviorAnalyzer,
    events: &[BehaviorEvent],
    truth: &Truth,
    boundary: Timestamp,
) -> Done<()> {
    let params = AnomalyParams::default()
        .threshold(OF_SEQUENCES)
        .from(boundary);
    let anomalies = analyzer.detect_behavioral_anomalies(events, &params)?;
    let found = anomalies.iter().filter(|anomaly| {
        let mut records = anomaly.records.iter();
        records.any(|record| truth.fraud(&events[*record]))
    });
    println!(
        "\nunusual sequences of {} events, from a score of {}: {}, with frauds in {}; the first:",
        params.sequence_length,
        params.threshold,
        anomalies.len(),
        found.count()
    );
    for anomaly in anomalies.iter().take(5) {
        println!("  {anomaly}");
    }
    Ok(())
}

/// The sums of each user's days.
fn daily(params: &SimulatorParams, truth: &Truth, boundary: Timestamp) -> Done<()> {
    let days: Vec<DailySummary> = params.simulator()?.daily_summaries().collect();
    let analyzer = fit(&BehaviorParams::daily(), &days, boundary)?;
    let weeks = AnomalyParams::default().sequence_length(7).from(boundary);
    let anomalies = analyzer.detect_behavioral_anomalies(&days, &weeks)?;
    let late: Vec<_> = anomalies
        .iter()
        .map(|anomaly| {
            let (from, to) = anomaly.between;
            let to = Timestamp::from_micros(to.as_micros() + DAY - 1)?;
            Ok((anomaly, truth.kinds(&anomaly.user, (from, to))))
        })
        .collect::<Done<_>>()?;
    let found = late.iter().filter(|(_, kinds)| !kinds.is_empty()).count();
    println!(
        "\nunusual weeks by the sums of days: {} of {}, with frauds in {found}; the first:",
        late.len(),
        params.users * (DAYS - LEARN) / 7
    );
    for (anomaly, kinds) in late.iter().take(5) {
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        println!("  {anomaly} [{}]", kinds.join(", "));
    }
    Ok(())
}
