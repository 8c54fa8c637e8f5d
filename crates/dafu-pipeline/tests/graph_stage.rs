//! The graph as a stage of a detector.
#![cfg(feature = "graph")]
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::model::Limits;
use dafu_core::{
    EntityId, EntityKey, EntityKind, Feedback, Label, Timestamp, Transaction, TransactionId,
};
use dafu_pipeline::{Detector, GraphSpec, stage_registry};
use dafu_sim::{RingTransaction, RingWorldParams};
use std::collections::BTreeSet;

fn world() -> Vec<RingTransaction> {
    let params = RingWorldParams::default()
        .users(1_500)
        .rings(4)
        .smallest_ring(8)
        .seed(6);
    params.simulate().unwrap().transactions().collect()
}

/// Nobody says what is fraud.
fn unlabelled(payments: &[RingTransaction]) -> Vec<Transaction> {
    let plain = payments
        .iter()
        .map(|payment| payment.transaction.clone().with_label(Label::Unknown));
    plain.collect()
}

fn detector(payments: &[Transaction]) -> Detector {
    Detector::builder()
        .stage(GraphSpec::default())
        .build()
        .unwrap()
        .fit(payments)
        .unwrap()
}

#[test]
fn members_of_rings_score_higher_than_others() {
    let payments = world();
    let (past, later) = payments.split_at(payments.len() / 2);
    let mut detector = detector(&unlabelled(past));
    let members: BTreeSet<_> = payments
        .iter()
        .filter(|payment| payment.ring.is_some())
        .map(|payment| payment.transaction.user_id.clone())
        .collect();
    let (mut of_rings, mut others) = (Vec::new(), Vec::new());
    for payment in later {
        let plain = payment.transaction.clone().with_label(Label::Unknown);
        let assessment = detector.score(&plain).unwrap();
        let said = assessment
            .reasons
            .iter()
            .find(|reason| reason.code.as_str() == "graph.ring");
        if payment.ring.is_some() {
            of_rings.push(said.is_some());
        } else if !members.contains(&plain.user_id) {
            others.push(said.is_some());
        }
    }
    let share =
        |said: &[bool]| said.iter().filter(|said| **said).count() as f64 / said.len() as f64;
    assert!(
        of_rings.len() > 10 && share(&of_rings) > 0.9,
        "{}",
        share(&of_rings)
    );
    assert!(share(&others) < 0.1, "{}", share(&others));
}

#[test]
fn a_detector_goes_on_where_it_was_saved() {
    let payments = unlabelled(&world());
    let (past, later) = payments.split_at(payments.len() * 3 / 4);
    let mut detector = detector(past);
    let model = detector.to_bytes().unwrap();
    let snapshot = detector.snapshot().unwrap();
    let mut loaded = Detector::load(&model, &stage_registry(Limits::default())).unwrap();
    loaded.restore(&snapshot).unwrap();
    for payment in later {
        assert_eq!(
            loaded.score(payment).unwrap(),
            detector.score(payment).unwrap()
        );
    }
    // Another memory, or a damaged one, is refused.
    assert!(loaded.restore(&snapshot[..snapshot.len() - 3]).is_err());
}

#[test]
fn known_fraud_speaks_against_neighbours_from_when_it_is_known() {
    let payments = world();
    let plain = unlabelled(&payments);
    let mut detector = detector(&plain);
    let first = payments
        .iter()
        .position(|payment| payment.ring.is_some())
        .unwrap();
    let ring = payments[first].ring;
    let other = payments.iter().rposition(|payment| {
        payment.ring == ring && payment.transaction.user_id != payments[first].transaction.user_id
    });
    let other = &plain[other.unwrap()];
    let says = |detector: &Detector, at: Timestamp| {
        let mut later = other.clone();
        later.timestamp = at;
        let reasons = detector.peek(&later).unwrap().reasons;
        reasons
            .iter()
            .any(|reason| reason.code.as_str() == "graph.known_fraud")
    };
    let end = plain.last().unwrap().timestamp;
    let after = Timestamp::from_micros(end.as_micros() + 1_000_000).unwrap();
    assert!(!says(&detector, after));
    let feedback = Feedback {
        transaction_id: plain[first].transaction_id.clone(),
        label: Label::Fraud,
        known_at: after,
    };
    detector.feedback(&feedback).unwrap();
    assert!(says(&detector, after) && !says(&detector, end));
    let user = EntityKey {
        kind: EntityKind::User,
        id: plain[first].user_id.clone(),
    };
    assert!(detector.forget(&user));
    assert!(!says(&detector, after));
}

#[test]
fn who_shares_nothing_is_forgotten_too() {
    let payments = unlabelled(&world());
    let mut detector = detector(&payments);
    let name = "shares-nothing-at-all";
    let mut bare = payments.last().unwrap().clone();
    bare.transaction_id = TransactionId::new("bare").unwrap();
    bare.user_id = EntityId::new(name).unwrap();
    (bare.device, bare.card, bare.ip, bare.email) = (None, None, None, None);
    bare.extras.clear();
    detector.score(&bare).unwrap();
    let kept = |detector: &Detector| {
        let snapshot = detector.snapshot().unwrap();
        let mut parts = snapshot.windows(name.len());
        parts.any(|part| part == name.as_bytes())
    };
    assert!(kept(&detector));
    let user = EntityKey {
        kind: EntityKind::User,
        id: bare.user_id.clone(),
    };
    assert!(detector.forget(&user));
    assert!(!kept(&detector) && !detector.forget(&user));
}
