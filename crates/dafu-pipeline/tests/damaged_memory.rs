//! Snapshots that are damaged or made by an enemy: an error that leaves the memory as it was, or a detector that works;
//! never a panic, a hang, or memory beyond the size of the snapshot. One test only, since the allocator counts the whole
//! process.
#![cfg(feature = "iforest")]
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::model::{Envelope, Limits};
use dafu_core::{Assessment, EntityKey, EntityKind, Feedback, Label, Transaction};
use dafu_features::{FeatureSet, Field, Measure, RecordKind, Span, StateLimits, Window};
use dafu_iforest::IsolationForestParams;
use dafu_pipeline::{Detector, PipelineError};
use dafu_sim::SimulatorParams;
use dafu_testkit::{CountingAllocator, damage, memory::peak_bytes};
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

type Answers = Vec<(u64, Vec<u64>, Assessment)>;
/// The layout, as postcard writes it: the features' snapshot, states of stages, answers.
type Saved = (Option<Vec<u8>>, Vec<Vec<u8>>, Answers);

/// A detector with a memory of its own, which snapshots are tried on.
struct Subject<'a> {
    detector: Detector,
    own: Vec<u8>,
    next: &'a [Transaction],
}

impl<'a> Subject<'a> {
    fn new(like: &Detector, (before, next): (&[Transaction], &'a [Transaction])) -> Self {
        let mut detector = Detector::from_model(Arc::clone(like.model()));
        for tx in before {
            detector.score(tx).unwrap();
        }
        let own = detector.snapshot().unwrap();
        Self {
            detector,
            own,
            next,
        }
    }

    /// Restores and says whether it worked; fails when memory goes beyond 64 times the bytes and 256 KiB.
    fn restores(&mut self, bytes: &[u8], what: &impl std::fmt::Display) -> bool {
        let (restored, peak) = peak_bytes(&ALLOCATOR, || self.detector.restore(bytes));
        assert!(
            peak <= 64 * bytes.len() + (256 << 10),
            "{peak} bytes for a snapshot of {}: {what}",
            bytes.len()
        );
        if let Err(error) = restored {
            let known = matches!(
                error,
                PipelineError::Model(_)
                    | PipelineError::Features(_)
                    | PipelineError::Stage(_)
                    | PipelineError::OtherModel { .. }
            );
            assert!(known, "{error}: {what}");
            assert!(self.detector.snapshot().unwrap() == self.own, "{what}");
            return false;
        }
        for tx in self.next {
            // A damaged time or id may make an event a duplicate or a conflict.
            if let Ok(assessment) = self.detector.score(tx) {
                assert!((0.0..=1.0).contains(&assessment.risk_score.get()), "{what}");
            }
            let feedback = Feedback {
                transaction_id: tx.transaction_id.clone(),
                label: Label::Fraud,
                known_at: tx.timestamp,
            };
            self.detector.feedback(&feedback).unwrap();
        }
        drop(self.detector.evaluate(self.next));
        let (kind, id) = (EntityKind::User, self.next[0].user_id.clone());
        self.detector.forget(&EntityKey { kind, id });
        self.detector.snapshot().unwrap();
        self.detector.restore(&self.own).unwrap();
        true
    }
}

#[test]
fn damaged_snapshots_are_errors_or_memory_that_works() {
    let history: Vec<Transaction> = SimulatorParams::default()
        .users(10)
        .days(5)
        .seed(1)
        .simulator()
        .unwrap()
        .take(45)
        .collect();
    let window = |measure| Window::new(Field::User, measure).within(Span::days(1));
    let of = Field::Merchant;
    let set = FeatureSet::new(RecordKind::Transaction)
        .feature(window(Measure::Count))
        .feature(window(Measure::Mean))
        .feature(window(Measure::Distinct { of }))
        .limits(StateLimits {
            remembered_transactions: 2,
            memory_bytes: None,
            ..StateLimits::default()
        });
    let (past, rest) = history.split_at(40);
    for set in [None, Some(set)] {
        let mut builder = Detector::builder()
            .contamination([0.1])
            .remembered(2)
            .forest(IsolationForestParams::default().trees(2).sample_size(8));
        if let Some(set) = set {
            builder = builder.features(set);
        }
        let fitted = builder.build().unwrap().fit(past).unwrap();
        let mut detector = Detector::from_model(Arc::clone(fitted.model()));
        for tx in &rest[..3] {
            detector.score(tx).unwrap();
        }
        let mut subject = Subject::new(&fitted, (&past[30..], &rest[3..5]));
        damage_all(&detector.snapshot().unwrap(), &mut subject);
    }
}

fn damage_all(bytes: &[u8], subject: &mut Subject<'_>) {
    assert!(subject.restores(bytes, &"as saved"));
    assert!(bytes.len() < 8000, "{} bytes", bytes.len());

    for damaged in damage::bit_flips(bytes).chain(damage::truncations(bytes)) {
        let restored = subject.restores(&damaged.bytes, &damaged.damage);
        assert!(!restored, "{}", damaged.damage);
    }
    // With the right checksum the payload is parsed; a changed score or amount is another sound memory.
    let mut sound = 0;
    for damaged in damage::payload_damage(bytes) {
        sound += usize::from(subject.restores(&damaged.bytes, &damaged.damage));
    }
    assert!(sound > 0, "a changed amount is not an error");

    let envelope = Envelope::read(bytes, &Limits::default()).unwrap();
    let header = envelope.header();
    let (engine, states, answers): Saved = envelope.decode().unwrap();
    let forged = |saved: (Option<&[u8]>, &[Vec<u8>], &Answers)| {
        let version = header.schema_version();
        Envelope::encode(header.kind(), version, header.schema_hash(), &saved).unwrap()
    };
    let same = forged((engine.as_deref(), &states, &answers));
    assert_eq!(same, bytes, "the layout of forged snapshots is right");
    let [first, second] = answers.as_slice() else {
        unreachable!("two answers are remembered")
    };
    let mut other = first.clone();
    other.2.transaction_id = "other".parse().unwrap();
    let twice = vec![first.clone(), first.clone()];
    let many = vec![first.clone(), second.clone(), other];
    for answers in [twice, many] {
        let forged = forged((engine.as_deref(), &states, &answers));
        assert!(!subject.restores(&forged, &"answers that cannot be"));
    }
    // The features' snapshot has a checksum of its own: damaged behind two right ones.
    if let Some(engine) = engine {
        let mut sound = 0;
        for damaged in damage::payload_damage(&engine).step_by(3) {
            let forged = forged((Some(&damaged.bytes), &states, &answers));
            sound += usize::from(subject.restores(&forged, &damaged.damage));
        }
        assert!(sound > 0, "a changed time is not an error");
        let without = forged((None, &states, &answers));
        assert!(!subject.restores(&without, &"no memory of the features"));
    } else {
        let with = forged((Some(bytes), &states, &answers));
        assert!(!subject.restores(&with, &"a memory of features that there are not"));
    }
}
