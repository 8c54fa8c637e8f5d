//! The sequence stage of a fitted detector: memory, explanations, saving.
#![cfg(feature = "sequence")]
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; equal bits are meant"
)]

mod sequence;

use dafu_core::model::{Envelope, Limits};
use dafu_core::{
    Dataset, EntityId, EntityKey, EntityKind, FeatureRow, SchemaHash, StageInput, StageState,
    Table, Timestamp, Transaction,
};
use dafu_features::FeatureSet;
use dafu_pipeline::{Detector, SequenceSpec, SequenceStage, stage_registry};
use dafu_sequence::encode::EncoderState;
use dafu_sequence::network::Weights;
use dafu_sequence::saved::SavedNetwork;
use dafu_sequence::stream::{LatePolicy, StreamParams, StreamSnapshot};
use sequence::*;
use std::sync::Arc;

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
fn memories_without_a_version_of_their_snapshot_are_read() {
    let params = quick().hidden_units(2).epochs(1);
    let stage = stage_of(&SequenceSpec::new(params), own_label).unwrap();
    let (dataset, records) = rows(&past()[..8]);
    let mut state = stage.new_state();
    for (row, transaction) in records.iter().enumerate() {
        let row = dataset.row(row).unwrap();
        let input = StageInput {
            row,
            transaction: Some(transaction),
            explain: false,
        };
        state.record(&input).unwrap();
    }
    let bytes = state.snapshot().unwrap();
    let envelope = Envelope::read(&bytes, &Limits::default()).unwrap();
    let now: StreamSnapshot<EntityId, EncoderState> = envelope.decode().unwrap();
    // Fields in the order of version 2.
    let before = (
        &now.state_len,
        &now.fingerprint,
        &now.now,
        &now.counts,
        &now.users,
    );
    let header = envelope.header();
    assert_eq!((header.schema_version(), now.users.is_empty()), (3, false));
    let before = Envelope::encode(header.kind(), 2, header.schema_hash(), &before).unwrap();
    let mut other = stage.new_state();
    other.restore(&before).unwrap();
    assert_eq!(other.snapshot().unwrap(), bytes);
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
