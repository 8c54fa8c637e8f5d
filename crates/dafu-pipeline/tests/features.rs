//! A detector with features of past events: history replayed, single transactions scored in stream.
#![cfg(feature = "iforest")]
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; equal bits are meant"
)]

use dafu_core::model::Limits;
use dafu_core::table::Chunks;
use dafu_core::{
    Assessment, FeatureGroup, Role, SourceError, Table, TableSource, Timestamp, Transaction, Unit,
};
use dafu_features::{
    ColumnParams, EventFeature, FeatureError, FeatureSet, Field, Labels, LatePolicy, Measure,
    PreprocessorParams, RecordKind, Scaling, Span, Window,
};
use dafu_pipeline::{
    Detector, DetectorBuilder, EvaluateOptions, ForestSpec, Mode, PipelineError, TimeSlice,
    stage_registry,
};
use dafu_sim::SimulatorParams;
use std::borrow::Cow;
use std::sync::LazyLock;

static HISTORY: LazyLock<Vec<Transaction>> = LazyLock::new(|| simulated(250, 45, 11));

fn simulated(users: u32, days: u32, seed: u64) -> Vec<Transaction> {
    let params = SimulatorParams::default().users(users).days(days);
    params.seed(seed).simulator().unwrap().collect()
}

fn labelled_set() -> FeatureSet {
    FeatureSet::standard().labels(Labels::AfterDelay(Span::days(7)))
}

/// With what is learned from labels by default.
fn blend() -> DetectorBuilder {
    Detector::builder().seed(3).features(labelled_set())
}

/// Quicker to fit.
fn builder() -> DetectorBuilder {
    blend().stage(ForestSpec::default())
}

/// Index of the first transaction after three quarters of the time.
fn cut(history: &[Transaction]) -> (Timestamp, usize) {
    let (first, last) = (history[0].timestamp, history[history.len() - 1].timestamp);
    let at = Timestamp::from_micros(first.as_micros() + last.since(first) / 4 * 3).unwrap();
    (at, history.partition_point(|tx| tx.timestamp <= at))
}

fn past() -> &'static [Transaction] {
    &HISTORY[..cut(&HISTORY).1]
}

fn rest() -> &'static [Transaction] {
    &HISTORY[cut(&HISTORY).1..]
}

fn fitted() -> Detector {
    builder().build().unwrap().fit(past()).unwrap()
}

fn judged(detector: &Detector, source: &dyn TableSource) -> Vec<u64> {
    let mut risks = Vec::new();
    let options = EvaluateOptions::default();
    let mut sink = |_: &Table, scores: &[dafu_core::Score]| {
        risks.extend(scores.iter().map(|risk| risk.get().to_bits()));
        Ok(())
    };
    detector.evaluate_with(source, &options, &mut sink).unwrap();
    risks
}

/// A source of tables of some rows each.
struct Cut<'a>(&'a [Transaction], usize);

impl TableSource for Cut<'_> {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        let whole = Table::from_transactions(self.0);
        let rows: Vec<usize> = (0..self.0.len()).collect();
        let tables: Vec<Table> = rows.chunks(self.1).map(|rows| whole.select(rows)).collect();
        Ok(Box::new(
            tables.into_iter().map(|table| Ok(Cow::Owned(table))),
        ))
    }
}

#[test]
fn scoring_one_by_one_gives_the_bits_of_the_batch() {
    let mut detector = blend().build().unwrap().fit(past()).unwrap();
    let batch = judged(&detector, &rest());
    let table = Table::from_transactions(&rest()[..200]);
    let explained = detector.assess_table(&table, &[3, 150, 199]).unwrap();
    let by_table = detector.score_table(&table).unwrap();
    let streamed: Vec<Assessment> = rest()
        .iter()
        .map(|tx| detector.score(tx).unwrap())
        .collect();
    let risks: Vec<u64> = streamed
        .iter()
        .map(|a| a.risk_score.get().to_bits())
        .collect();
    assert!(risks == batch);
    // The features, too, are the same: reasons hold their values.
    for (row, in_table) in [3, 150, 199].into_iter().zip(&explained) {
        assert_eq!(in_table, &streamed[row]);
    }
    assert!(
        by_table
            .iter()
            .zip(&streamed)
            .all(|(risk, a)| *risk == a.risk_score)
    );
    // Evaluations begin where the history ends, whatever was scored since, and in tables of any size.
    assert!(judged(&detector, &rest()) == batch);
    assert!(judged(&detector, &Cut(rest(), 37)) == batch);
    let different = batch.iter().collect::<std::collections::BTreeSet<_>>();
    assert!(different.len() > 1000, "{}", different.len());
}

#[test]
fn training_rows_are_judged_with_the_features_that_they_were_learned_with() {
    // A forest: a blend has its shares of rows that it has not seen.
    let detector = builder().warm_up(0.0).build().unwrap().fit(past()).unwrap();
    let evaluation = detector.evaluate(past()).unwrap();
    assert!(evaluation.scope.in_sample);
    for (threshold, level) in evaluation.thresholds.iter().zip([0.01, 0.05, 0.1]) {
        // Ties move a share by a row or two.
        assert!(
            (threshold.alert_share - level).abs() < 2e-3,
            "{threshold:?}"
        );
    }
    // The whole: first the training rows, then the others, with all their past.
    let whole = judged(&detector, &*HISTORY);
    assert!(whole[..past().len()] == judged(&detector, &past()));
    assert!(whole[past().len()..] == judged(&detector, &rest()));
}

#[test]
fn a_warm_up_is_remembered_and_not_learned_from() {
    let detector = fitted();
    let (learned_from, fitted_on) = detector.model().training_rows();
    let left_out = past().len() as u64 / 10;
    assert_eq!(learned_from, past().len() as u64 - left_out);
    assert_eq!(fitted_on, learned_from);
    assert_eq!(detector.model().preprocessor().report().rows, learned_from);
    assert_eq!(
        detector.engine().unwrap().stats().observed,
        past().len() as u64
    );
    // One in a hundred was asked for. Where nobody has a past yet everything is unusual: learned from, that takes up
    // nearly all of it.
    let share = |warm_up: f64| {
        let builder = Detector::builder().seed(3).mode(Mode::Unsupervised);
        let builder = builder.features(FeatureSet::standard());
        let detector = builder.warm_up(warm_up).build().unwrap().fit(past());
        detector.unwrap().evaluate(&rest()).unwrap().thresholds[0].alert_share
    };
    let (warm, cold) = (share(0.1), share(0.0));
    assert!(warm > 0.005 && warm < 0.03, "{warm}");
    assert!(cold < 0.3 * warm, "{cold} {warm}");
}

#[test]
fn a_source_in_any_order_gives_the_same_detector() {
    let in_order = fitted();
    let mut mixed = past().to_vec();
    // Stable: transactions of one instant keep their order.
    mixed.sort_by_key(|tx| (tx.timestamp.as_micros() / 1_000_000) % 1009);
    assert!(!mixed.is_sorted_by_key(|tx| tx.timestamp));
    let sorted = builder().build().unwrap().fit(&mixed).unwrap();
    assert!(sorted.to_bytes().unwrap() == in_order.to_bytes().unwrap());
    assert!(judged(&sorted, &rest()) == judged(&in_order, &rest()));
    let mut later = rest().to_vec();
    later.sort_by_key(|tx| (tx.timestamp.as_micros() / 1_000_000) % 1009);
    assert!(judged(&sorted, &later) == judged(&in_order, &rest()));
}

#[test]
fn peeking_changes_nothing_and_the_same_transaction_counts_once() {
    let (mut detector, mut other) = (fitted(), fitted());
    let observed = |detector: &Detector| detector.engine().unwrap().stats().observed;
    for tx in &rest()[..60] {
        let peeked = detector.peek(tx).unwrap();
        assert_eq!(detector.peek(tx).unwrap(), peeked);
        let before = observed(&detector);
        assert_eq!(detector.score(tx).unwrap(), peeked);
        assert_eq!(detector.score(tx).unwrap(), peeked);
        assert_eq!(detector.peek(tx).unwrap(), peeked);
        assert_eq!(observed(&detector), before + 1);
        assert_eq!(other.score(tx).unwrap(), peeked);
    }
    // Without answers the engine still knows the ids of the last day.
    let trainer = builder().remembered(0).build().unwrap();
    let mut forgetful = trainer.fit(past()).unwrap();
    let first = forgetful.score(&rest()[0]).unwrap();
    assert_eq!(forgetful.score(&rest()[0]).unwrap(), first);
    assert_eq!(forgetful.engine().unwrap().stats().duplicates, 1);
}

#[test]
fn a_saved_detector_has_its_set_and_no_memory() {
    let mut detector = blend().build().unwrap().fit(past()).unwrap();
    let bytes = detector.to_bytes().unwrap();
    let registry = stage_registry(Limits::default());
    let mut loaded = Detector::load(&bytes, &registry).unwrap();
    assert_eq!(loaded.to_bytes().unwrap(), bytes);
    assert_eq!(loaded.model().features(), detector.model().features());
    assert_eq!(loaded.model().schema(), detector.model().schema());
    assert_eq!(loaded.model().hash(), detector.model().hash());
    assert_eq!(loaded.engine().unwrap().entities(), 0);
    // It is the same set: the memory of the one fits the other.
    let (ours, mut theirs) = (detector.engine().unwrap(), loaded.engine().unwrap().clone());
    theirs.restore(&ours.snapshot().unwrap()).unwrap();
    assert_eq!(theirs.entities(), ours.entities());
    let mut empty = Detector::from_model(detector.model().clone());
    assert!(judged(&loaded, &rest()) == judged(&empty, &rest()));
    let mut differ = 0;
    for tx in &rest()[..300] {
        let answer = loaded.score(tx).unwrap();
        assert_eq!(answer, empty.score(tx).unwrap());
        differ += usize::from(answer.risk_score != detector.score(tx).unwrap().risk_score);
    }
    assert!(differ > 200, "{differ}");
    // With the history gone through again it is where the detector was.
    let mut again = Detector::load(&bytes, &registry).unwrap();
    for tx in past() {
        again.score(tx).unwrap();
    }
    let mut detector = blend().build().unwrap().fit(past()).unwrap();
    for tx in &rest()[..300] {
        assert_eq!(again.score(tx).unwrap(), detector.score(tx).unwrap());
    }
}

#[test]
fn features_keep_their_names_units_and_groups_in_schema_and_explanations() {
    let mut detector = fitted();
    let model = detector.model().clone();
    let (ours, theirs) = (model.schema(), model.features().unwrap().schema().unwrap());
    let mut joined = 0;
    for spec in theirs.features() {
        let Some(place) = ours.position(&spec.name) else {
            // Nothing to learn from: the simulator has no user agents, for one.
            continue;
        };
        let found = ours.feature(place).unwrap();
        assert_eq!(found.clone().with_nullable(true), *spec);
        assert!(!found.nullable, "{}: filled in", spec.name);
        joined += 1;
    }
    assert!(joined > 80, "{joined}");
    let speed = ours
        .features()
        .iter()
        .find(|spec| spec.unit == Unit::KilometrePerHour);
    assert_eq!(speed.unwrap().group, FeatureGroup::Location);
    // What the set has is not made twice.
    let twice = |spec: &&dafu_core::FeatureSpec| spec.name.ends_with("_2");
    assert_eq!(ours.features().iter().find(twice), None);
    let missing = ours.position("user_amount_zscore_30d_missing").unwrap();
    let missing = ours.feature(missing).unwrap();
    assert_eq!(
        missing.description,
        "1 where `user_amount_zscore_30d` is missing"
    );
    assert_eq!(missing.group, FeatureGroup::Amount);

    let mut groups = std::collections::BTreeSet::new();
    for tx in rest() {
        let answer = detector.score(tx).unwrap();
        let explained: f64 = answer.explanations.values().sum();
        assert!((explained - answer.risk_score.get()).abs() < 1e-9);
        groups.extend(answer.explanations.into_keys());
    }
    for group in [
        "amount",
        "user_behavior",
        "merchant",
        "location",
        "device",
        "network",
    ] {
        assert!(
            groups.contains(&format!("{group}_risk")),
            "{group}: {groups:?}"
        );
    }
}

#[test]
fn the_preprocessor_takes_settings_under_the_names_of_features() {
    let settings = PreprocessorParams::default()
        .column("user_count_1d", ColumnParams::default().skip(true))
        .column(
            "user_mean_amount_7d",
            ColumnParams::default().scaling(Scaling::Standard),
        )
        .column("amount", ColumnParams::default().group(FeatureGroup::Other));
    let trainer = builder().preprocessor(settings).build().unwrap();
    let detector = trainer.fit(past()).unwrap();
    let schema = detector.model().schema();
    assert_eq!(schema.position("user_count_1d"), None);
    let scaled = schema
        .feature(schema.position("user_mean_amount_7d").unwrap())
        .unwrap();
    assert_eq!(
        (scaled.unit, scaled.group),
        (Unit::One, FeatureGroup::UserBehavior)
    );
    assert_eq!(scaled.description, "`user_mean_amount_7d`, scaled");
    let unknown = PreprocessorParams::default().column("nothing", ColumnParams::default());
    let trainer = builder().preprocessor(unknown).build().unwrap();
    let error = trainer.fit(past()).unwrap_err().to_string();
    assert!(error.contains("nothing"), "{error}");
}

#[test]
fn a_column_of_the_source_may_have_the_name_of_a_feature() {
    let extra = |(at, tx): (u32, &Transaction)| {
        let mut tx = tx.clone();
        let value = dafu_core::Value::Number(f64::from(at % 7));
        tx.extras.insert("user_count_1d".into(), value);
        tx
    };
    let history: Vec<Transaction> = (0..).zip(past()).map(extra).collect();
    let mut detector = builder().build().unwrap().fit(&history).unwrap();
    let schema = detector.model().schema();
    let own = schema
        .feature(schema.position("user_count_1d").unwrap())
        .unwrap();
    let of_set = schema
        .feature(schema.position("user_count_1d_2").unwrap())
        .unwrap();
    assert_eq!(
        (own.group, of_set.group),
        (FeatureGroup::Other, FeatureGroup::UserBehavior)
    );
    let later: Vec<Transaction> = (0..).zip(&rest()[..100]).map(extra).collect();
    let batch = judged(&detector, &later);
    for (tx, risk) in later.iter().zip(batch) {
        assert_eq!(detector.score(tx).unwrap().risk_score.get().to_bits(), risk);
    }
}

#[test]
fn what_is_missing_is_named() {
    let table = Table::from_transactions(past());
    for (column, role) in [
        ("timestamp", Role::Time),
        ("transaction_id", Role::TransactionId),
        ("user_id", Role::User),
    ] {
        let columns = table
            .columns()
            .iter()
            .filter(|other| &*other.name != column);
        let without = Table::new(columns.cloned().collect(), table.row_numbers().to_vec());
        let without = without.unwrap();
        let named = |error: PipelineError| {
            assert!(error.to_string().contains(&role.to_string()), "{error}");
            assert!(matches!(error, PipelineError::MissingRole { role: got } if got == role));
        };
        named(builder().build().unwrap().fit(&without).unwrap_err());
        let detector = fitted();
        named(detector.evaluate(&without).unwrap_err());
        named(detector.score_table(&without).unwrap_err());
    }
    // A set that asks for nobody needs no users.
    let set = FeatureSet::new(RecordKind::Transaction)
        .feature(Window::new(Field::Merchant, Measure::Count).within(Span::days(1)));
    let columns = table
        .columns()
        .iter()
        .filter(|other| other.role != Role::User);
    let without = Table::new(columns.cloned().collect(), table.row_numbers().to_vec()).unwrap();
    let trainer = Detector::builder().features(set).build().unwrap();
    assert!(trainer.fit(&without).is_ok());

    let build = |builder: DetectorBuilder| builder.build().unwrap_err();
    let behaviour = build(Detector::builder().features(FeatureSet::behavior()));
    assert!(matches!(
        behaviour,
        PipelineError::Features(FeatureError::WrongRecord { .. })
    ));
    let nothing = build(Detector::builder().features(FeatureSet::default()));
    assert!(matches!(
        nothing,
        PipelineError::Features(FeatureError::EmptySet)
    ));
    assert!(build(builder().warm_up(0.95)).to_string().contains("0.95"));
    assert!(
        build(builder().warm_up(f64::NAN))
            .to_string()
            .contains("NaN")
    );
}

/// The transaction under another id and time.
fn moved(tx: &Transaction, id: &str, seconds: i64) -> Transaction {
    let mut tx = tx.clone();
    tx.transaction_id = id.parse().unwrap();
    tx.timestamp = Timestamp::from_micros(tx.timestamp.as_micros() + seconds * 1_000_000).unwrap();
    tx
}

#[test]
fn late_events_are_inserted_within_the_bound_and_read_beyond_it() {
    let mut detector = fitted();
    let last = &past()[past().len() - 1];
    detector.score(&moved(last, "now", 7200)).unwrap();
    detector
        .score(&moved(last, "half-an-hour-late", 5400))
        .unwrap();
    detector.score(&moved(last, "two-hours-late", 0)).unwrap();
    let stats = detector.engine().unwrap().stats();
    assert_eq!((stats.inserted, stats.too_late), (1, 1));

    let strict = labelled_set().lateness(Span::ZERO, LatePolicy::Error);
    let trainer = Detector::builder().features(strict).build().unwrap();
    let mut detector = trainer.fit(past()).unwrap();
    let observed = detector.engine().unwrap().stats().observed;
    let late = moved(last, "late", -1);
    let error = detector.score(&late).unwrap_err();
    assert!(matches!(
        error,
        PipelineError::Features(FeatureError::Late { .. })
    ));
    assert_eq!(detector.engine().unwrap().stats().observed, observed);
}

#[test]
fn a_record_that_cannot_be_scored_leaves_no_trace() {
    let extra = |tx: &Transaction, number: f64| {
        let mut tx = tx.clone();
        tx.extras
            .insert("points".into(), dafu_core::Value::Number(number));
        tx
    };
    let history = past().iter().zip(0_u32..);
    let history: Vec<Transaction> = history
        .map(|(tx, at)| extra(tx, f64::from(at % 5)))
        .collect();
    let mut detector = builder().build().unwrap().fit(&history).unwrap();
    let memory = detector.engine().unwrap().memory_bytes();
    let observed = detector.engine().unwrap().stats().observed;
    let error = detector
        .score(&extra(&rest()[0], f64::INFINITY))
        .unwrap_err();
    assert!(error.to_string().contains("points"), "{error}");
    assert_eq!(detector.engine().unwrap().stats().observed, observed);
    assert_eq!(detector.engine().unwrap().memory_bytes(), memory);
    assert!(detector.score(&extra(&rest()[0], 3.0)).is_ok());
}

#[test]
fn a_detector_without_a_set_is_as_it_was() {
    let mut detector = Detector::builder().build().unwrap().fit(past()).unwrap();
    assert!(detector.model().features().is_none() && detector.engine().is_none());
    let schema = detector.model().schema();
    assert_eq!(schema, detector.model().preprocessor().schema());
    assert_eq!(detector.model().training_rows().0, past().len() as u64);
    let feedback = dafu_core::Feedback {
        transaction_id: past()[0].transaction_id.clone(),
        label: dafu_core::Label::Fraud,
        known_at: rest()[0].timestamp,
    };
    assert!(!detector.feedback(&feedback).unwrap());
}

/// On simulated payments that were held out, with seeds that were not chosen: what users, merchants and devices did
/// before tells fraud from the rest clearly better than a payment alone, most of all with labels.
#[test]
fn features_of_the_past_find_more_fraud() {
    let mut gains = [0.0, 0.0];
    for seed in [1, 2] {
        let history = simulated(300, 60, seed);
        let (at, _) = cut(&history);
        let (past, rest) = (
            TimeSlice::until(&history, at),
            TimeSlice::after(&history, at),
        );
        let ranked = |builder: DetectorBuilder| {
            let detector = builder.seed(1).build().unwrap().fit(&past).unwrap();
            let ranking = detector.evaluate(&rest).unwrap().ranking.unwrap();
            (ranking.roc_auc, ranking.average_precision)
        };
        let unsupervised = || Detector::builder().mode(Mode::Unsupervised);
        let forest = ranked(unsupervised());
        let without = ranked(unsupervised().features(FeatureSet::standard()));
        let alone = ranked(Detector::builder());
        let with = ranked(Detector::builder().features(labelled_set()));
        println!(
            "seed {seed}: forest {forest:?}, alone {alone:?}, past {without:?}, past and labels {with:?}"
        );
        gains[0] += (without.0 - forest.0) / 2.0;
        gains[1] += (with.0 - alone.0) / 2.0;
    }
    println!("mean gain in ROC AUC: {gains:?}");
    assert!(gains[0] > 0.0, "{gains:?}");
    assert!(gains[1] > 0.03, "{gains:?}");
}

#[test]
fn facts_of_the_event_come_from_the_set() {
    let set = FeatureSet::new(RecordKind::Transaction)
        .features([EventFeature::LogAmount, EventFeature::Night])
        .feature(Window::new(Field::User, Measure::Count).within(Span::days(1)));
    let trainer = Detector::builder().features(set).build().unwrap();
    let detector = trainer.fit(past()).unwrap();
    let names: Vec<&str> = {
        let specs = detector.model().schema().features().iter();
        specs.map(|spec| &*spec.name).collect()
    };
    for name in ["amount", "log_amount", "night", "weekend", "user_count_1d"] {
        assert_eq!(
            names.iter().filter(|other| **other == name).count(),
            1,
            "{names:?}"
        );
    }
    // Those of the set stand behind the columns of the source.
    let place = |name: &str| names.iter().position(|other| *other == name).unwrap();
    assert!(place("amount") < place("log_amount") && place("weekend") < place("night"));
}
