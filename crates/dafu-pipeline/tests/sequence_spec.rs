//! What a sequence stage learns from, and how it joins a detector.
#![cfg(feature = "sequence")]
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; equal bits are meant"
)]

mod sequence;

use dafu_core::model::Limits;
use dafu_core::{
    Currency, History, Label, Money, NoProgress, NoState, Role, Stage, StageInput, StageSpec,
    Table, Timestamp, Transaction,
};
use dafu_features::{ColumnParams, Encoding, PreprocessorParams};
use dafu_pipeline::{
    Detector, DetectorBuilder, Mode, ModelsFile, PipelineError, SequenceSpec, SequenceStage,
};
use dafu_sequence::network::Cell;
use dafu_sequence::stream::StreamParams;
use dafu_sim::SimulatorParams;
use sequence::*;
use std::sync::Arc;

#[test]
fn labels_that_teach_nothing_are_named_errors() {
    let spec = SequenceSpec::new(quick());
    let unknown = stage_of(&spec, |_| Label::Unknown).unwrap_err();
    assert!(unknown.contains("no sequence to learn from"), "{unknown}");
    let honest = stage_of(&spec, |_| Label::Legitimate).unwrap_err();
    assert!(honest.contains("are legitimate"), "{honest}");
    let wrong = stage_of(&SequenceSpec::new(quick().epochs(0)), own_label).unwrap_err();
    assert!(wrong.contains("`epochs`"), "{wrong}");
    let wrong = stage_of(&spec.clone().validation(1.0), own_label).unwrap_err();
    assert!(wrong.contains("`validation` must be 0 to 0.9"), "{wrong}");
    let wrong = stage_of(
        &spec.clone().memory(StreamParams::default().capacity(0)),
        own_label,
    );
    assert!(wrong.unwrap_err().contains("`capacity`"));
    // Some unknown ones are context.
    let some = |row| {
        if row % 3 == 0 {
            Label::Unknown
        } else {
            own_label(row)
        }
    };
    assert!(stage_of(&spec, some).is_ok());
    let trainer = trainer().mode(Mode::Unsupervised).build().unwrap();
    let error = trainer.fit(past()).unwrap_err();
    assert!(matches!(error, PipelineError::LabelsNeeded), "{error}");
}

#[test]
fn histories_without_users_are_errors() {
    let table = Table::from_transactions(past());
    let columns = table.columns().iter();
    let columns = columns.filter(|column| column.role != Role::User);
    let table = Table::new(columns.cloned().collect(), table.row_numbers().to_vec()).unwrap();
    let error = trainer().build().unwrap().fit(&table).unwrap_err();
    assert!(error.to_string().contains("user"), "{error}");

    let (dataset, records) = rows(&past()[..50]);
    let history = History {
        dataset: &dataset,
        transactions: None,
        population: 50,
        seed: 0,
        progress: &NoProgress,
    };
    let error = SequenceSpec::default().fit_stage(&history).unwrap_err();
    assert!(error.to_string().contains("record"), "{error}");

    let stage = stage_of(&SequenceSpec::new(quick()), own_label).unwrap();
    let mut state = stage.new_state();
    let mut input = StageInput {
        row: dataset.row(0).unwrap(),
        transaction: None,
        explain: true,
    };
    assert!(stage.evaluate(&input, &*state).is_err());
    assert!(state.record(&input).is_err());
    input.transaction = Some(&records[0]);
    assert!(stage.evaluate(&input, &*state).is_ok());
    // The state of something else, or of another fit.
    assert!(stage.evaluate(&input, &NoState).is_err());
    let other = stage_of(&SequenceSpec::new(quick().hidden_units(3)), own_label).unwrap();
    assert!(other.evaluate(&input, &*state).is_err());
    state.record(&input).unwrap();
    let error = other.new_state().restore(&state.snapshot().unwrap());
    assert!(error.unwrap_err().to_string().contains("another stage"));
}

#[test]
fn learns_what_no_single_event_tells() {
    // Fraud: a large payment a minute after a tiny one.
    let mut records = Vec::new();
    for user in 0..60_i64 {
        let mut time = user;
        for step in 0..30_i64 {
            let fraud = step > 0 && (user * 5 + step * step) % 7 == 3;
            let minor = if fraud {
                90_000
            } else {
                match (user + step) % 3 {
                    0 => 100,
                    1 => 4_000,
                    _ => 90_000,
                }
            };
            time += if fraud { 60 } else { 40_000 };
            let at = Timestamp::from_seconds(time).unwrap();
            let id = format!("t-{user}-{step}").parse().unwrap();
            let owner = format!("u-{user}").parse().unwrap();
            let amount = Money::from_minor(minor, Currency::NONE);
            let tx = Transaction::new(id, owner, amount, "shop".parse().unwrap(), at);
            records.push(tx.with_label(fraud));
        }
    }
    records.sort_by_key(|tx| tx.timestamp);
    let (past, rest) = records.split_at(1_400);
    for cell in [Cell::Lstm, Cell::Gru] {
        let params = quick().cell(cell).hidden_units(16).epochs(25).seed(2);
        let builder = Detector::builder().mode(Mode::Supervised);
        let builder = builder.stage(SequenceSpec::new(params));
        let detector = builder.build().unwrap().fit(past).unwrap();
        let evaluation = detector.evaluate(rest).unwrap();
        let precision = evaluation.ranking.unwrap().average_precision;
        assert!(precision > 0.95, "{cell:?}: {precision}");
    }
}

#[test]
fn rows_that_tell_when_to_stop_change_nothing_that_is_learned() {
    // Held out are the rows from here on; one epoch is the best one, whatever they say.
    let from = past()[past().len() * 85 / 100].timestamp;
    let mut forged = past().to_vec();
    for record in forged.iter_mut().filter(|record| record.timestamp >= from) {
        record.amount = Money::from_minor(987_654_321, record.amount.currency());
        record.merchant_id = "nowhere".parse().unwrap();
    }
    let spec = SequenceSpec::new(quick().epochs(1));
    let saved = |spec: &SequenceSpec, records: &[Transaction]| {
        let (dataset, records) = rows(records);
        // Frauds on both sides.
        let label = |row| {
            if row % 5 == 0 {
                Label::Fraud
            } else {
                Label::Legitimate
            }
        };
        let dataset = dataset.with_labels((0..records.len()).map(label).collect());
        let dataset = dataset.unwrap();
        assert!(records[0].timestamp < from);
        let history = History {
            dataset: &dataset,
            transactions: Some(&records),
            population: records.len() as u64,
            seed: 0,
            progress: &NoProgress,
        };
        spec.fit_stage(&history).unwrap().save().unwrap()
    };
    assert!(saved(&spec, &forged) == saved(&spec, past()));
    // Where none are held out, all are learned from.
    let spec = spec.validation(0.0);
    assert!(saved(&spec, &forged) != saved(&spec, past()));
}

#[cfg(feature = "ensemble")]
#[test]
fn blends_with_other_stages() {
    use dafu_ensemble::LogisticRegressionParams;
    use dafu_pipeline::LearnerSpec;
    let other = LearnerSpec::logistic_regression(LogisticRegressionParams::default());
    // Enough frauds to hold some out.
    let history: Vec<Transaction> = {
        let params = SimulatorParams::default().users(100).days(60).seed(24);
        params.simulator().unwrap().collect()
    };
    let trainer = trainer().stage(other).build().unwrap();
    let mut detector = trainer.fit(&history).unwrap();
    let names: Vec<_> = detector
        .model()
        .stages()
        .map(Stage::name)
        .map(str::to_owned)
        .collect();
    assert_eq!(names, ["sequence", "logistic_regression"]);
    let assessment = detector.score(&rest()[0]).unwrap();
    assert_eq!(assessment.evidence.len(), 2);
    assert!(assessment.confidence.is_some(), "calibrated");
}

#[test]
fn categories_are_read_as_such_and_new_ones_are_no_error() {
    let ordinal = ColumnParams::default().encoding(Encoding::Ordinal);
    let params = PreprocessorParams::default().column("category", ordinal);
    let mut detector = fitted(trainer().preprocessor(params));
    let stage = detector.model().stages().next().unwrap();
    let stage = SequenceStage::decode(&stage.save().unwrap(), &Limits::default()).unwrap();
    let saved = stage.save().unwrap();
    let text = String::from_utf8_lossy(&saved);
    assert!(text.contains(":category\",\"max_categories\""));
    let mut tx = rest()[0].clone();
    tx.category = Some("unheard-of".parse().unwrap());
    assert!(detector.score(&tx).is_ok());
}

#[test]
fn large_histories_are_learned_from_by_users() {
    use std::collections::BTreeSet;
    use std::sync::Mutex;
    /// Looks at what a stage is given.
    #[derive(Debug)]
    struct Looking(SequenceSpec, Arc<Mutex<Vec<Transaction>>>);
    impl StageSpec for Looking {
        fn name(&self) -> &str {
            self.0.name()
        }
        fn needs_records(&self) -> bool {
            true
        }
        fn needs_labels(&self) -> bool {
            true
        }
        fn needs_sequences(&self) -> bool {
            self.0.needs_sequences()
        }
        fn fit_stage(
            &self,
            history: &History<'_>,
        ) -> Result<Box<dyn Stage>, dafu_core::StageError> {
            let mut seen = self.1.lock().unwrap();
            if seen.is_empty() {
                seen.extend_from_slice(history.transactions.unwrap());
            }
            self.0.fit_stage(history)
        }
    }
    let seen = Arc::default();
    let stage = Looking(SequenceSpec::new(quick().epochs(1)), Arc::clone(&seen));
    let builder = Detector::builder().mode(Mode::Supervised).stage(stage);
    let detector = builder
        .sample_rows(700)
        .build()
        .unwrap()
        .fit(past())
        .unwrap();
    let seen = seen.lock().unwrap();
    assert!((400..=700).contains(&seen.len()), "{}", seen.len());
    let population = past().len() as u64;
    assert_eq!(
        detector.model().training_rows(),
        (population, seen.len() as u64)
    );
    let users: BTreeSet<_> = seen.iter().map(|tx| &tx.user_id).collect();
    let of_users = past().iter().filter(|tx| users.contains(&tx.user_id));
    assert_eq!(of_users.count(), seen.len());
    // Others are remembered all the same.
    let other = past()
        .iter()
        .find(|tx| !users.contains(&tx.user_id))
        .unwrap();
    let mut detector = detector;
    assert!(detector.forget(&user(other)));
}

#[test]
fn a_stage_can_stand_beside_the_default_ones() {
    let build = |builder: DetectorBuilder| format!("{:?}", builder.build().unwrap());
    let beside = build(
        Detector::builder()
            .default_stages()
            .stage(SequenceSpec::default()),
    );
    let alone = build(Detector::builder().stage(SequenceSpec::default()));
    for stage in ["ForestSpec", "LearnerSpec"] {
        assert!(beside.contains(stage) && !alone.contains(stage), "{beside}");
    }
    assert!(beside.contains("SequenceSpec") && alone.contains("SequenceSpec"));
    let twice = Detector::builder()
        .default_stages()
        .stage(SequenceSpec::default());
    let twice = twice.stage(SequenceSpec::default()).build();
    assert!(matches!(twice, Err(PipelineError::DuplicateStage { .. })));
}

#[test]
fn the_lstm_of_a_models_json_is_this_stage() {
    let text =
        r#"{"lstm": {"sequence_length": 10, "hidden_units": 64, "dropout": 0.2, "epochs": 50}}"#;
    let file = ModelsFile::parse(text).unwrap();
    assert!(file.not_built().is_empty());
    let build = |builder: DetectorBuilder, file: &ModelsFile| {
        format!("{:?}", builder.models(file.clone()).build().unwrap())
    };
    let built = build(Detector::builder().seed(7), &file);
    for wanted in [
        "hidden_units: 64",
        "sequence_length: 10",
        "dropout: 0.2",
        "epochs: 50",
        "seed: 7",
    ] {
        assert!(built.contains(wanted), "{wanted}: {built}");
    }
    // What was added answers for the block.
    let own = build(trainer(), &file);
    assert!(own.contains("hidden_units: 8") && !own.contains("hidden_units: 64"));
    let wrong = ModelsFile::parse(r#"{"lstm": {"dropout": 1.5}}"#).unwrap();
    let error = Detector::builder().models(wrong).build().unwrap_err();
    assert!(error.to_string().contains("sequence"), "{error}");
}
