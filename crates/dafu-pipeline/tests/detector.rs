//! The detector end to end on simulated transactions.
#![cfg(feature = "iforest")]
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; equal bits are meant"
)]

use dafu_core::evaluation::{LearningMode, ThresholdKind};
use dafu_core::metrics::{Ranking, ThresholdGoal};
use dafu_core::{
    Decision, Evidence, History, Label, Role, Stage, StageError, StageInput, StageSpec, StageState,
    Table, TableSource, Timestamp, Transaction,
};
use dafu_pipeline::{
    Detector, EvaluateOptions, Judged, Mode, PipelineError, TimeSlice, stage_registry,
};
use dafu_sim::SimulatorParams;
use std::sync::LazyLock;

static HISTORY: LazyLock<Vec<Transaction>> = LazyLock::new(|| {
    SimulatorParams::default()
        .users(400)
        .days(40)
        .seed(11)
        .simulator()
        .unwrap()
        .collect()
});

fn cut() -> Timestamp {
    let (first, last) = (HISTORY[0].timestamp, HISTORY[HISTORY.len() - 1].timestamp);
    Timestamp::from_micros(first.as_micros() + last.since(first) / 5 * 4).unwrap()
}

fn fitted() -> Detector {
    let trainer = Detector::builder()
        .seed(3)
        .mode(Mode::Unsupervised)
        .build()
        .unwrap();
    trainer.fit(&TimeSlice::until(&*HISTORY, cut())).unwrap()
}

#[test]
fn contamination_levels_flag_their_share_of_the_training_rows() {
    let detector = fitted();
    let training = TimeSlice::until(&*HISTORY, cut());
    let evaluation = detector.evaluate(&training).unwrap();
    assert!(evaluation.scope.in_sample);
    assert_eq!(evaluation.rows, detector.model().training_rows().0);
    for threshold in &evaluation.thresholds {
        let ThresholdKind::Contamination(level) = threshold.kind else {
            panic!("{threshold:?}")
        };
        // Ties and the sample move a share by a row or two.
        let off = (threshold.alert_share - level).abs();
        assert!(off < 2e-3, "{level}: {}", threshold.alert_share);
    }
    assert_eq!(evaluation.chosen_threshold().unwrap().risk, 0.5);
}

#[test]
fn later_rows_are_judged_out_of_sample_and_ranked_above_chance() {
    let detector = fitted();
    let evaluation = detector
        .evaluate(&TimeSlice::after(&*HISTORY, cut()))
        .unwrap();
    assert!(!evaluation.scope.in_sample);
    assert!(evaluation.frauds > 20, "{}", evaluation.frauds);
    let ranking = evaluation.ranking.unwrap();
    // Labels were never read; standard error of the area with 20 frauds is below 0.07.
    assert!(ranking.roc_auc > 0.65, "{}", ranking.roc_auc);
    assert!(ranking.average_precision > 2.0 * ranking.prevalence);
    assert_eq!(
        evaluation.bands.iter().map(|band| band.rows).sum::<u64>(),
        evaluation.rows
    );
}

#[test]
fn one_transaction_scores_the_same_bits_alone_and_in_a_table() {
    let mut detector = fitted();
    let some: Vec<Transaction> = HISTORY.iter().rev().step_by(97).take(40).cloned().collect();
    let table = Table::from_transactions_like(
        detector
            .model()
            .preprocessor()
            .inputs()
            .map(|(n, r)| (n.into(), r))
            .collect::<Vec<_>>()
            .iter()
            .map(|(n, r)| (n, *r)),
        &some,
    );
    let batch = detector.score_table(&table).unwrap();
    let assessed = detector
        .assess_table(&table, &(0..some.len()).collect::<Vec<_>>())
        .unwrap();
    for ((tx, risk), in_table) in some.iter().zip(batch).zip(assessed) {
        let peeked = detector.peek(tx).unwrap();
        let scored = detector.score(tx).unwrap();
        assert_eq!(scored.risk_score.get().to_bits(), risk.get().to_bits());
        assert_eq!(peeked, scored);
        assert_eq!(in_table.risk_score, risk);
    }
}

#[test]
fn an_assessment_explains_all_of_its_risk() {
    let mut detector = fitted();
    let mut riskiest: Option<dafu_core::Assessment> = None;
    for tx in HISTORY.iter().rev().take(3000) {
        let found = detector.score(tx).unwrap();
        if riskiest
            .as_ref()
            .is_none_or(|best| found.risk_score > best.risk_score)
        {
            riskiest = Some(found);
        }
    }
    let found = riskiest.unwrap();
    assert!(found.is_fraud && found.decision != Decision::Approve);
    let explained: f64 = found.explanations.values().sum();
    assert!((explained - found.risk_score.get()).abs() < 1e-9);
    for key in ["amount_risk", "user_behavior_risk", "merchant_risk"] {
        assert!(found.explanations.contains_key(key));
    }
    assert_eq!(found.reasons.len(), 3);
    assert!(
        found
            .reasons
            .is_sorted_by(|a, b| a.contribution >= b.contribution)
    );
    assert_eq!(found.model_used, "isolation_forest");
    assert_eq!(found.confidence, None, "nothing was calibrated");
}

#[test]
fn the_same_transaction_again_gets_the_first_answer_and_other_content_is_a_conflict() {
    let mut detector = fitted();
    let tx = HISTORY[HISTORY.len() - 1].clone();
    let first = detector.score(&tx).unwrap();
    assert_eq!(detector.score(&tx).unwrap(), first);
    assert_eq!(
        detector.score(&tx.clone().with_label(true)).unwrap(),
        first,
        "a label is no content"
    );
    let mut other = tx;
    other.amount = dafu_core::Money::from_minor(1, other.amount.currency());
    assert!(matches!(
        detector.score(&other),
        Err(PipelineError::Conflict { .. })
    ));
    assert!(matches!(
        detector.peek(&other),
        Err(PipelineError::Conflict { .. })
    ));
}

#[test]
fn only_the_last_answers_are_remembered() {
    let trainer = Detector::builder().remembered(2).build().unwrap();
    let mut detector = trainer.fit(&*HISTORY).unwrap();
    for tx in &HISTORY[..3] {
        detector.score(tx).unwrap();
    }
    let mut changed = HISTORY[0].clone();
    changed.amount = dafu_core::Money::from_minor(1, changed.amount.currency());
    assert!(
        detector.score(&changed).is_ok(),
        "the oldest of three was forgotten"
    );
    let mut changed = HISTORY[2].clone();
    changed.amount = dafu_core::Money::from_minor(1, changed.amount.currency());
    assert!(matches!(
        detector.score(&changed),
        Err(PipelineError::Conflict { .. })
    ));
}

#[test]
fn a_saved_model_answers_with_the_same_bits() {
    let mut detector = fitted();
    let bytes = detector.to_bytes().unwrap();
    let registry = stage_registry(dafu_core::model::Limits::default());
    let mut loaded = Detector::load(&bytes, &registry).unwrap();
    assert_eq!(loaded.to_bytes().unwrap(), bytes);
    assert_eq!(loaded.model().hash(), detector.model().hash());
    for tx in HISTORY.iter().rev().take(50) {
        assert_eq!(loaded.score(tx).unwrap(), detector.score(tx).unwrap());
    }
    let empty = dafu_core::StageRegistry::default();
    assert!(
        Detector::load(&bytes, &empty)
            .unwrap_err()
            .to_string()
            .contains("dafu.iforest")
    );
}

#[test]
fn a_damaged_model_is_an_error() {
    let trainer = Detector::builder()
        .forest(
            dafu_iforest::IsolationForestParams::default()
                .trees(3)
                .sample_size(16),
        )
        .build()
        .unwrap();
    let bytes = trainer.fit(&HISTORY[..120]).unwrap().to_bytes().unwrap();
    let registry = stage_registry(dafu_core::model::Limits::default());
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x41;
        assert!(Detector::load(&damaged, &registry).is_err(), "byte {at}");
        assert!(
            Detector::load(&bytes[..at], &registry).is_err(),
            "{at} bytes"
        );
    }
}

/// Damage that a checksum does not see: whoever writes the file writes the checksum, too.
#[test]
fn a_forged_model_is_an_error_or_a_sound_detector_but_never_a_panic() {
    use dafu_core::model::{Envelope, Limits};
    let trainer = Detector::builder()
        .forest(
            dafu_iforest::IsolationForestParams::default()
                .trees(2)
                .sample_size(16),
        )
        .build()
        .unwrap();
    let bytes = trainer.fit(&HISTORY[..120]).unwrap().to_bytes().unwrap();
    let limits = Limits::default();
    let registry = stage_registry(limits);
    let envelope = Envelope::read(&bytes, &limits).unwrap();
    let payload = envelope.payload().to_vec();
    let hash = envelope.header().schema_hash();
    for at in 0..payload.len() {
        for mask in [0x01, 0xff] {
            let mut forged = payload.clone();
            forged[at] ^= mask;
            let forged = Envelope::write("dafu.detector", 2, hash, &forged).unwrap();
            if let Ok(mut detector) = Detector::load(&forged, &registry) {
                let _ = detector.score(&HISTORY[0]);
            }
        }
    }
}

#[test]
fn labels_choose_the_threshold_in_supervised_mode() {
    let labelled = HISTORY
        .iter()
        .filter(|tx| tx.is_fraud == Label::Fraud)
        .count();
    assert!(labelled >= 100, "{labelled} frauds in the fixture");
    let (past, later) = HISTORY.split_at(HISTORY.len() / 4 * 3);
    let detector = Detector::builder().build().unwrap().fit(past).unwrap();
    assert_eq!(detector.model().mode(), LearningMode::Supervised);
    let evaluation = detector.evaluate(later).unwrap();
    let chosen = evaluation.chosen_threshold().unwrap();
    assert_eq!(chosen.kind, ThresholdKind::BestFBeta(1.0));
    let f1 = |threshold: &dafu_core::evaluation::ThresholdReport| threshold.confusion.unwrap().f1();
    // The best that any threshold reaches on these rows, which nothing was learned from.
    let frauds: Vec<bool> = later.iter().map(|tx| tx.is_fraud == Label::Fraud).collect();
    let risk = |tx| detector.peek(tx).unwrap().risk_score.get();
    let risks: Vec<f64> = later.iter().map(risk).collect();
    let ranking = Ranking::new(&frauds, &risks, None).unwrap();
    let best = ranking.best_threshold(&ThresholdGoal::MaxFBeta { beta: 1.0 });
    let best = best.unwrap().confusion.f1();
    assert!(f1(chosen) > 0.8 * best, "{} of {best}", f1(chosen));
}

#[test]
fn without_labels_supervised_mode_is_an_error_and_auto_is_unsupervised() {
    let unlabelled: Vec<Transaction> = HISTORY[..2000]
        .iter()
        .cloned()
        .map(|tx| tx.with_label(Label::Unknown))
        .collect();
    let supervised = Detector::builder().mode(Mode::Supervised).build().unwrap();
    let error = supervised.fit(&unlabelled).unwrap_err();
    assert!(
        matches!(
            error,
            PipelineError::NoLabels {
                frauds: 0,
                legitimate: 0
            }
        ),
        "{error}"
    );
    let auto = Detector::builder()
        .build()
        .unwrap()
        .fit(&unlabelled)
        .unwrap();
    assert_eq!(auto.model().mode(), LearningMode::Unsupervised);
    assert!(auto.evaluate(&unlabelled).unwrap().ranking.is_none());
}

#[test]
fn a_risk_threshold_decides_and_says_what_to_expect() {
    let trainer = Detector::builder()
        .mode(Mode::Unsupervised)
        .contamination([0.02])
        .threshold(0.7)
        .build()
        .unwrap();
    let detector = trainer.fit(&*HISTORY).unwrap();
    let evaluation = detector.evaluate(&*HISTORY).unwrap();
    let chosen = evaluation.chosen_threshold().unwrap();
    assert_eq!(chosen.kind, ThresholdKind::Risk(0.7));
    // e = c (1 - t) / t
    let expected = 0.02 * 0.3 / 0.7;
    assert!((chosen.expected_alert_share.unwrap() - expected).abs() < 1e-3);
    assert!(
        (chosen.alert_share - expected).abs() < 1e-3,
        "{}",
        chosen.alert_share
    );
}

#[test]
fn settings_out_of_range_are_named() {
    let build = |builder: dafu_pipeline::DetectorBuilder| builder.build().unwrap_err().to_string();
    assert!(build(Detector::builder().contamination([0.6])).contains("0.6"));
    assert!(build(Detector::builder().contamination([])).contains("at least one"));
    assert!(build(Detector::builder().contamination([0.1]).main_level(1)).contains("number 1"));
    assert!(build(Detector::builder().threshold(f64::NAN)).contains("NaN"));
    assert!(build(Detector::builder().sample_rows(3)).contains("16"));
    let trees = dafu_iforest::IsolationForestParams::default().trees(0);
    assert!(build(Detector::builder().forest(trees)).contains("trees"));
    let few = Detector::builder()
        .build()
        .unwrap()
        .fit(&HISTORY[..10])
        .unwrap_err();
    assert!(
        matches!(few, PipelineError::TooFewRows { least: 16, got: 10 }),
        "{few}"
    );
}

#[test]
fn roles_can_be_given_by_name() {
    let some = &HISTORY[..2000];
    let ignoring = Detector::builder()
        .role("user_id", Role::Ignore)
        .build()
        .unwrap();
    let detector = ignoring.fit(some).unwrap();
    let names: Vec<_> = detector
        .model()
        .schema()
        .features()
        .iter()
        .map(|f| f.name.to_string())
        .collect();
    assert!(
        !names.iter().any(|name| name.contains("user_id")),
        "{names:?}"
    );
    assert_eq!(detector.evaluate(some).unwrap().rows, 2000);
    let wrong = Detector::builder()
        .role("user_id", Role::Amount)
        .build()
        .unwrap();
    let error = wrong.fit(some).unwrap_err();
    assert!(error.to_string().contains("role amount needs"), "{error}");
    let unknown = Detector::builder()
        .role("nobody", Role::Ignore)
        .build()
        .unwrap();
    let error = unknown.fit(some).unwrap_err();
    assert!(error.to_string().contains("nobody"), "{error}");
}

#[test]
fn a_bounded_sample_stands_for_a_long_history() {
    let whole = Detector::builder()
        .mode(Mode::Unsupervised)
        .seed(5)
        .build()
        .unwrap()
        .fit(&*HISTORY)
        .unwrap();
    let part = Detector::builder()
        .mode(Mode::Unsupervised)
        .seed(5)
        .sample_rows(4000)
        .build()
        .unwrap();
    let part = part.fit(&*HISTORY).unwrap();
    assert_eq!(part.model().training_rows(), (HISTORY.len() as u64, 4000));
    let auc = |detector: &Detector| {
        detector
            .evaluate(&*HISTORY)
            .unwrap()
            .ranking
            .unwrap()
            .roc_auc
    };
    assert!((auc(&whole) - auc(&part)).abs() < 0.05);
    // 4,000 sampled rows pin the 5 % quantile to about 0.35 points (one standard error).
    let evaluation = part.evaluate(&*HISTORY).unwrap();
    assert!((evaluation.thresholds[1].alert_share - 0.05).abs() < 0.015);
}

#[test]
fn in_sample_can_be_said_where_no_time_tells() {
    let table = Table::from_transactions(&HISTORY[..2000]);
    let columns = table
        .columns()
        .iter()
        .filter(|c| c.role != Role::Time)
        .cloned()
        .collect();
    let timeless = Table::new(columns, table.row_numbers().to_vec()).unwrap();
    let detector = Detector::builder().build().unwrap().fit(&timeless).unwrap();
    assert!(detector.evaluate(&timeless).unwrap().scope.in_sample);
    let held_out = EvaluateOptions {
        judged: Judged::HeldOut,
        ..Default::default()
    };
    let evaluation = detector
        .evaluate_with(&timeless, &held_out, &mut |_, _| Ok(()))
        .unwrap();
    assert!(!evaluation.scope.in_sample && evaluation.days.is_empty());
    let sliced = TimeSlice::until(&timeless, Timestamp::EPOCH);
    let error = Detector::builder()
        .build()
        .unwrap()
        .fit(&sliced)
        .unwrap_err();
    assert!(error.to_string().contains("time"), "{error}");
}

/// A stage of somebody else: the amount, squashed.
#[derive(Debug)]
struct AmountSpec;
#[derive(Debug)]
struct AmountStage;

impl StageSpec for AmountSpec {
    fn name(&self) -> &'static str {
        "amount"
    }
    fn fit_stage(&self, _history: &History<'_>) -> Result<Box<dyn Stage>, StageError> {
        Ok(Box::new(AmountStage))
    }
}

impl Stage for AmountStage {
    fn name(&self) -> &'static str {
        "amount"
    }
    fn kind(&self) -> &'static str {
        "test.amount"
    }
    fn evaluate(&self, input: &StageInput<'_>, _: &dyn StageState) -> Result<Evidence, StageError> {
        let amount = input.row.get("amount").unwrap_or_default().max(0.0);
        let score = dafu_core::Score::new(amount / (amount + 100.0)).unwrap();
        Ok(Evidence::from_score("amount".parse().unwrap(), score))
    }
    fn save(&self) -> Result<Vec<u8>, StageError> {
        dafu_core::model::Envelope::write(self.kind(), 1, dafu_core::SchemaHash(0), &[])
            .map_err(|error| StageError::new("amount", error))
    }
}

#[test]
fn a_stage_of_ones_own_joins_the_forest() {
    let forest = dafu_pipeline::ForestSpec::default();
    let trainer = Detector::builder()
        .stage(forest)
        .stage(AmountSpec)
        .build()
        .unwrap();
    let mut detector = trainer.fit(&*HISTORY).unwrap();
    let answer = detector.score(&HISTORY[0]).unwrap();
    assert_eq!(answer.model_used, "isolation_forest+amount");
    assert_eq!(answer.evidence.len(), 2);
    let evaluation = detector.evaluate(&*HISTORY).unwrap();
    assert!((evaluation.thresholds[0].alert_share - 0.01).abs() < 2e-3);

    let mut registry = stage_registry(dafu_core::model::Limits::default());
    registry.register("test.amount", |_, _| Ok(Box::new(AmountStage)));
    let mut loaded = Detector::load(&detector.to_bytes().unwrap(), &registry).unwrap();
    assert_eq!(loaded.score(&HISTORY[0]).unwrap(), answer);

    let twice = Detector::builder()
        .stage(AmountSpec)
        .stage(AmountSpec)
        .build()
        .unwrap_err();
    assert!(matches!(twice, PipelineError::DuplicateStage { .. }));
}

#[test]
fn every_row_is_on_one_side_of_a_cut() {
    let rows = |source: &dyn TableSource| -> u64 {
        source
            .chunks()
            .unwrap()
            .map(|chunk| chunk.unwrap().rows() as u64)
            .sum()
    };
    let (until, after) = (
        TimeSlice::until(&*HISTORY, cut()),
        TimeSlice::after(&*HISTORY, cut()),
    );
    assert_eq!(rows(&until) + rows(&after), HISTORY.len() as u64);
    assert_eq!(rows(&TimeSlice::until(&*HISTORY, Timestamp::MIN)), 0);
}

#[test]
fn progress_and_scored_chunks_are_handed_on() {
    let steps = std::cell::RefCell::new(Vec::new());
    let progress = |step: &str, done: u64, _total: Option<u64>| {
        steps.borrow_mut().push((step.to_owned(), done));
    };
    let some = &HISTORY[..5000];
    let trainer = Detector::builder().build().unwrap();
    let detector = trainer.fit_with(some, &progress).unwrap();
    let options = EvaluateOptions {
        progress: &progress,
        ..Default::default()
    };
    let mut rows = 0;
    detector
        .evaluate_with(some, &options, &mut |table, scores| {
            assert_eq!(table.rows(), scores.len());
            rows += scores.len();
            Ok(())
        })
        .unwrap();
    assert_eq!(rows, 5000);
    let steps = steps.borrow().clone();
    for step in [
        "learn columns",
        "read training rows",
        "fit isolation forest",
        "score rows",
    ] {
        assert!(
            steps.iter().any(|(name, _)| name == step),
            "{step}: {steps:?}"
        );
    }
    let failing =
        detector.evaluate_with(
            some,
            &options,
            &mut |_, _| Err(PipelineError::NoTime.into()),
        );
    assert!(matches!(failing, Err(PipelineError::Source(_))));
}
