//! The sequence model as a stage of a detector.
#![cfg(feature = "sequence")]
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; equal bits are meant"
)]

use dafu_core::model::{Envelope, Limits};
use dafu_core::{
    Currency, Dataset, EntityKey, EntityKind, FeatureRow, History, Label, Money, NoProgress,
    NoState, Role, SchemaHash, Stage, StageInput, StageSpec, StageState, Table, Timestamp,
    Transaction,
};
use dafu_features::{ColumnParams, Encoding, FeatureSet, Preprocessor, PreprocessorParams};
use dafu_pipeline::{
    Detector, DetectorBuilder, EvaluateOptions, Mode, ModelsFile, PipelineError, SequenceSpec,
    SequenceStage, stage_registry,
};
use dafu_sequence::SequenceParams;
use dafu_sequence::network::{Cell, Weights};
use dafu_sequence::saved::SavedNetwork;
use dafu_sequence::stream::{LatePolicy, StreamParams};
use dafu_sim::SimulatorParams;
use std::sync::{Arc, LazyLock};

static HISTORY: LazyLock<Vec<Transaction>> = LazyLock::new(|| {
    let params = SimulatorParams::default().users(80).days(30).seed(23);
    params.simulator().unwrap().collect()
});

fn past() -> &'static [Transaction] {
    &HISTORY[..HISTORY.len() * 3 / 4]
}

fn rest() -> &'static [Transaction] {
    &HISTORY[HISTORY.len() * 3 / 4..]
}

fn quick() -> SequenceParams {
    SequenceParams::default()
        .hidden_units(8)
        .epochs(3)
        .batch_size(32)
        .learning_rate(0.01)
}

fn trainer() -> DetectorBuilder {
    let builder = Detector::builder().mode(Mode::Supervised).seed(3);
    builder.stage(SequenceSpec::new(quick()))
}

fn fitted(builder: DetectorBuilder) -> Detector {
    builder.build().unwrap().fit(past()).unwrap()
}

/// One for tests that need no other.
static MODEL: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
    let detector = fitted(trainer());
    (detector.to_bytes().unwrap(), detector.snapshot().unwrap())
});

fn shared() -> Detector {
    let registry = stage_registry(Limits::default());
    let mut detector = Detector::load(&MODEL.0, &registry).unwrap();
    detector.restore(&MODEL.1).unwrap();
    detector
}

fn risks(detector: &mut Detector, events: &[Transaction]) -> Vec<f64> {
    let risk = |tx| detector.score(tx).unwrap().risk_score.get();
    events.iter().map(risk).collect()
}

fn judged(detector: &Detector, source: &[Transaction]) -> Vec<f64> {
    let mut risks = Vec::new();
    let mut sink = |_: &Table, scores: &[dafu_core::Score]| {
        risks.extend(scores.iter().map(|risk| risk.get()));
        Ok(())
    };
    detector
        .evaluate_with(source, &EvaluateOptions::default(), &mut sink)
        .unwrap();
    risks
}

fn user(tx: &Transaction) -> EntityKey {
    EntityKey {
        kind: EntityKind::User,
        id: tx.user_id.clone(),
    }
}

#[test]
fn scores_go_on_from_the_history_in_streams_tables_and_evaluations() {
    let set = FeatureSet::standard();
    for builder in [trainer(), trainer().features(set)] {
        let mut detector = fitted(builder);
        let table = Table::from_transactions(rest());
        let of_table = detector.score_table(&table).unwrap();
        let of_table: Vec<f64> = of_table.iter().map(|risk| risk.get()).collect();
        let rows = [40, 3, 17];
        let assessed = detector.assess_table(&table, &rows).unwrap();
        let of_evaluation = judged(&detector, rest());
        // Without a memory, and with everything from the start.
        let empty = Detector::from_model(Arc::clone(detector.model()));
        let of_empty = empty.score_table(&table).unwrap();
        let mut replaying = Detector::from_model(Arc::clone(detector.model()));
        risks(&mut replaying, past());
        let replayed = risks(&mut replaying, rest());

        let streamed = risks(&mut detector, rest());
        assert_eq!(streamed, replayed);
        assert_eq!(streamed, of_table);
        assert_eq!(streamed, of_evaluation);
        for (row, assessment) in rows.into_iter().zip(assessed) {
            assert_eq!(assessment.risk_score.get(), streamed[row]);
        }
        let differ = of_empty.iter().zip(&streamed);
        let differ = differ.filter(|(empty, held)| empty.get() != **held).count();
        assert!(differ * 2 > streamed.len(), "the past matters: {differ}");
        // What was scored since does not change evaluations, and what is known already begins without a memory.
        assert_eq!(judged(&detector, rest()), of_evaluation);
        let from_start = judged(&detector, &HISTORY);
        assert_eq!(from_start[past().len()..], streamed);
    }
}

#[test]
fn saved_detectors_and_memories_go_on() {
    let mut detector = shared();
    let (first, second) = rest().split_at(60);
    risks(&mut detector, first);
    let (model, memory) = (detector.to_bytes().unwrap(), detector.snapshot().unwrap());
    assert!(model == MODEL.0);
    let mut restarted = Detector::load(&model, &stage_registry(Limits::default())).unwrap();
    restarted.restore(&memory).unwrap();
    assert!(restarted.snapshot().unwrap() == memory);
    assert_eq!(risks(&mut restarted, second), risks(&mut detector, second));
}

#[test]
fn peeking_records_nothing_and_forgetting_begins_anew() {
    let mut detector = shared();
    let tx = &rest()[5];
    let before = detector.snapshot().unwrap();
    let known = detector.peek(tx).unwrap();
    assert_eq!(detector.peek(tx).unwrap(), known);
    assert!(detector.snapshot().unwrap() == before);

    let merchant = EntityKey {
        kind: EntityKind::Merchant,
        id: tx.user_id.clone(),
    };
    assert!(!detector.forget(&merchant));
    assert!(detector.forget(&user(tx)));
    assert!(!detector.forget(&user(tx)));
    let empty = Detector::from_model(Arc::clone(detector.model()));
    let new = detector.peek(tx).unwrap();
    assert_eq!(new, empty.peek(tx).unwrap());
    assert_ne!(new.risk_score, known.risk_score);
    // Also evaluations do not know the user any more.
    assert_eq!(judged(&detector, &rest()[5..60])[0], new.risk_score.get());
}

#[test]
fn contributions_are_of_the_features_of_the_event() {
    let detector = shared();
    let width = detector.model().schema().width();
    let mut found = 0;
    for tx in &rest()[..20] {
        let assessment = detector.peek(tx).unwrap();
        let contributions = &assessment.evidence[0].contributions;
        assert_eq!(contributions.len(), width);
        found += contributions
            .iter()
            .filter(|each| each.contribution != 0.0)
            .count();
        assert!(
            contributions
                .iter()
                .all(|each| each.contribution.is_finite())
        );
    }
    assert!(found > 20, "{found}");
}

/// As fitted from rows and records, with a state of its own.
fn stage_of(
    spec: &SequenceSpec,
    labels: impl Fn(usize) -> Label,
) -> Result<Box<dyn Stage>, String> {
    let (dataset, records) = rows(past());
    let labels = (0..records.len()).map(labels).collect();
    let dataset = dataset.with_labels(labels).unwrap();
    let history = History {
        dataset: &dataset,
        transactions: Some(&records),
        population: records.len() as u64,
        seed: 0,
        progress: &NoProgress,
    };
    spec.fit_stage(&history).map_err(|error| error.to_string())
}

/// Rows of features of records of the past, all of the same features.
fn rows(records: &[Transaction]) -> (Dataset, Vec<Transaction>) {
    static PREPROCESSOR: LazyLock<Preprocessor> = LazyLock::new(|| {
        let table = Table::from_transactions(past());
        PreprocessorParams::default().fit(&table).unwrap()
    });
    let columns = PREPROCESSOR
        .inputs()
        .map(|(name, role)| (Arc::from(name), role));
    let columns: Vec<(Arc<str>, Role)> = columns.collect();
    let columns = columns.iter().map(|(name, role)| (name, *role));
    let table = Table::from_transactions_like(columns, records);
    (PREPROCESSOR.transform(&table).unwrap(), records.to_vec())
}

fn own_label(row: usize) -> Label {
    past()[row].is_fraud
}

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
fn late_events_do_as_the_memory_says() {
    let (dataset, records) = rows(past());
    let at = |tx: &Transaction, second: i64| Transaction {
        timestamp: Timestamp::from_seconds(second).unwrap(),
        ..tx.clone()
    };
    let (early, late) = (at(&records[0], 1_000_000), at(&records[0], 2_000_000));
    let answers = |policy: LatePolicy| {
        let memory = StreamParams::default().late(policy);
        let stage = stage_of(&SequenceSpec::new(quick()).memory(memory), own_label).unwrap();
        let mut state = stage.new_state();
        let mut answers = Vec::new();
        for (row, tx) in [&late, &early, &late].into_iter().enumerate() {
            let input = StageInput {
                row: dataset.row(row).unwrap(),
                transaction: Some(tx),
                explain: false,
            };
            let answer = stage.evaluate(&input, &*state);
            answers.push(answer.ok().map(|evidence| evidence.score));
            assert_eq!(state.record(&input).is_ok(), answers[row].is_some());
            assert_eq!(state.newest(), Some(late.timestamp));
        }
        answers
    };
    let applied = answers(LatePolicy::Apply);
    let dropped = answers(LatePolicy::Drop);
    let refused = answers(LatePolicy::Error);
    assert_eq!(applied[..2], dropped[..2]);
    assert_ne!(applied[2], dropped[2]);
    assert_eq!(refused, [dropped[0], None, dropped[2]]);
    assert!(applied.iter().all(Option::is_some));
}

#[test]
fn what_was_judged_before_changes_no_memory() {
    let stage = stage_of(&SequenceSpec::new(quick()), own_label).unwrap();
    let (dataset, records) = rows(past());
    let run = |judged: &dyn Fn(usize) -> Vec<usize>| {
        let mut state = stage.new_state();
        let (mut scores, mut memory) = (Vec::new(), Vec::new());
        for (row, transaction) in records.iter().enumerate().take(60) {
            let input = |row| StageInput {
                row: dataset.row(row).unwrap(),
                transaction: Some(transaction),
                explain: true,
            };
            for other in judged(row) {
                stage.evaluate(&input(other), &*state).unwrap();
            }
            let judge = |state: &dyn StageState| stage.evaluate(&input(row), state).unwrap();
            let before = (row == 40).then(|| judge(&*state));
            state.record(&input(row)).unwrap();
            let after = judge(&*state);
            // What was found is not taken for good when the memory changes under it.
            if row == 20 {
                let kind = EntityKind::User;
                let id = transaction.user_id.clone();
                assert!(state.forget(&EntityKey { kind, id }));
                assert_ne!(judge(&*state), after);
                assert_eq!(judge(&*state), judge(&*stage.new_state()));
            }
            if let Some(before) = before {
                state.restore(&memory).unwrap();
                assert_ne!(before, after);
                assert_eq!(judge(&*state), before);
            }
            scores.push(after);
            memory = state.snapshot().unwrap();
        }
        (scores, memory)
    };
    let alone = run(&|_| Vec::new());
    // The same event, and the same user at the same time with other features.
    assert!(run(&|row| vec![row]) == alone);
    assert!(run(&|row| vec![row, (row + 7) % 60]) == alone);
    assert!(run(&|row| vec![(row + 7) % 60, row]) == alone);
}

#[test]
fn log_odds_that_are_no_number_are_a_named_error() {
    /// What is saved of a stage.
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Saved {
        name: String,
        width: u32,
        categories: Vec<u32>,
        encoder: String,
        memory: String,
        network: Vec<u8>,
    }
    let stage = stage_of(&SequenceSpec::new(quick()), own_label).unwrap();
    let limits = Limits::default();
    let bytes = stage.save().unwrap();
    let envelope = Envelope::expect(&bytes, SequenceStage::KIND, 1, &limits).unwrap();
    let mut saved: Saved = envelope.decode().unwrap();
    let mut network = SavedNetwork::from_safetensors(&saved.network, &limits).unwrap();
    let mut numbers = network.weights.numbers().to_vec();
    for parameter in network.weights.layout().parameters() {
        let weights = &mut numbers[parameter.range.clone()];
        if parameter.name.contains("head") {
            weights.fill(f32::MAX);
        } else if parameter.name.contains("bias") {
            weights.fill(50.0);
        }
    }
    network.weights = Weights::new(&network.config, numbers).unwrap();
    saved.network = network.to_safetensors().unwrap();
    let bytes = Envelope::encode(SequenceStage::KIND, 1, SchemaHash(0), &saved).unwrap();
    let stage = SequenceStage::decode(&bytes, &limits).unwrap();
    let (dataset, records) = rows(&past()[..1]);
    let input = StageInput {
        row: dataset.row(0).unwrap(),
        transaction: Some(&records[0]),
        explain: true,
    };
    let mut state = stage.new_state();
    let before = state.snapshot().unwrap();
    let refused = stage.evaluate(&input, &*state).unwrap_err();
    let source = std::error::Error::source(&refused).unwrap().to_string();
    assert!(source.contains("log odds"), "{source}");
    assert!(state.record(&input).is_err());
    assert_eq!(state.snapshot().unwrap(), before);
}

#[test]
fn users_beyond_the_capacity_are_forgotten() {
    let memory = StreamParams::default().capacity(5);
    let spec = SequenceSpec::new(quick()).memory(memory);
    let stage = stage_of(&spec, own_label).unwrap();
    let (dataset, records) = rows(past());
    let mut state = stage.new_state();
    let mut seen = Vec::new();
    for (row, tx) in records.iter().enumerate().take(200) {
        let input = StageInput {
            row: dataset.row(row).unwrap(),
            transaction: Some(tx),
            explain: false,
        };
        state.record(&input).unwrap();
        seen.retain(|user| user != &tx.user_id);
        seen.push(tx.user_id.clone());
    }
    let kept = seen.len() - 5;
    for (place, id) in seen.into_iter().enumerate() {
        let kind = EntityKind::User;
        assert_eq!(state.forget(&EntityKey { kind, id }), place >= kept);
    }
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

#[test]
fn saved_stages_for_other_features_are_found_out_when_loading() {
    let detector = shared();
    let stage = detector.model().stages().next().unwrap();
    let values = ndarray::Array2::zeros((1, detector.model().schema().width()));
    let dataset = Dataset::new(Arc::clone(detector.model().schema()), values).unwrap();
    assert!(stage.score_dataset(&dataset, &mut [0.0]).is_none());
    let narrow = Arc::new(dafu_core::Schema::new(vec![dafu_core::FeatureSpec::real("x")]).unwrap());
    let row = FeatureRow::new(&narrow, &[1.0]).unwrap();
    let input = StageInput {
        row,
        transaction: Some(&past()[0]),
        explain: false,
    };
    let error = stage.evaluate(&input, &*stage.new_state()).unwrap_err();
    assert!(
        error.to_string().contains("features, got one of 1"),
        "{error}"
    );
    let values = ndarray::Array2::zeros((1, 1));
    let dataset = Dataset::new(narrow, values).unwrap();
    assert!(stage.score_dataset(&dataset, &mut [0.0]).unwrap().is_err());
}

#[test]
fn damaged_stages_and_memories_are_errors_or_answer() {
    use dafu_testkit::damage;
    let params = quick().hidden_units(2).epochs(1);
    let stage = stage_of(&SequenceSpec::new(params), own_label).unwrap();
    let bytes = stage.save().unwrap();
    let (dataset, records) = rows(&past()[..8]);
    let input = |row: usize| StageInput {
        row: dataset.row(row).unwrap(),
        transaction: Some(&records[row]),
        explain: true,
    };
    let limits = Limits::default();
    let tries = |bytes: &[u8]| {
        if let Ok(stage) = SequenceStage::decode(bytes, &limits) {
            let mut state = stage.new_state();
            for row in 0..3 {
                drop(stage.evaluate(&input(row), &*state));
                drop(state.record(&input(row)));
            }
        }
    };
    damage::payload_damage(&bytes)
        .step_by(3)
        .for_each(|damaged| tries(&damaged.bytes));
    damage::all(&bytes)
        .step_by(97)
        .for_each(|damaged| tries(&damaged.bytes));
    let tight = Limits {
        max_features: 1,
        ..limits
    };
    assert!(SequenceStage::decode(&bytes, &tight).is_err());
    let tight = Limits {
        max_bytes: 100,
        ..limits
    };
    assert!(SequenceStage::decode(&bytes, &tight).is_err());

    let mut state = stage.new_state();
    (0..8).for_each(|row| state.record(&input(row)).unwrap());
    let memory = state.snapshot().unwrap();
    assert!(Envelope::read(&memory, &limits).is_ok());
    for damaged in damage::payload_damage(&memory) {
        let mut state = stage.new_state();
        if state.restore(&damaged.bytes).is_ok() {
            for row in 0..8 {
                drop(stage.evaluate(&input(row), &*state));
                drop(state.record(&input(row)));
            }
        }
    }
}
