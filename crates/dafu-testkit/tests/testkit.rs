//! The oracles against published numbers, the strategies against what they promise.

#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::model::{Envelope, Limits};
use dafu_core::{Role, SchemaHash};
use dafu_testkit::{damage, matrix, oracle, strategy};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::BTreeSet;

fn near(got: Option<f64>, expected: f64) {
    let got = got.unwrap();
    assert!((got - expected).abs() < 1e-12, "{got}, expected {expected}");
}

#[test]
fn oracles_give_the_values_of_the_scikit_learn_manual() {
    // The examples of roc_auc_score's and average_precision_score's reference pages.
    let (scores, labels) = ([0.1, 0.4, 0.35, 0.8], [false, false, true, true]);
    near(oracle::auc_by_pairs(&scores, &labels), 0.75);
    near(
        oracle::naive_average_precision(&scores, &labels),
        0.5 + 0.5 * 2.0 / 3.0,
    );
}

#[test]
fn oracles_count_ties_half_and_repeat_rows_for_weights() {
    near(oracle::auc_by_pairs(&[0.5, 0.5], &[true, false]), 0.5);
    near(
        oracle::naive_average_precision(&[0.5, 0.5], &[true, false]),
        0.5,
    );
    let (scores, labels) = ([0.2, 0.9, 0.9, 0.4], [false, true, false, true]);
    let weights = [2.0, 1.0, 3.0, 1.0];
    let repeated = [0.2, 0.2, 0.9, 0.9, 0.9, 0.9, 0.4];
    let repeated_labels = [false, false, true, false, false, false, true];
    near(
        oracle::weighted_auc_by_pairs(&scores, &labels, &weights),
        oracle::auc_by_pairs(&repeated, &repeated_labels).unwrap(),
    );
    near(
        oracle::naive_weighted_average_precision(&scores, &labels, &weights),
        oracle::naive_average_precision(&repeated, &repeated_labels).unwrap(),
    );
    assert!(oracle::auc_by_pairs(&[0.1], &[true]).is_none());
    assert!(oracle::naive_average_precision(&[0.1], &[false]).is_none());
}

#[test]
fn damage_reaches_every_byte_and_never_equals_the_original() {
    let bytes = *b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff0";
    assert_eq!(damage::byte_flips(&bytes).count(), bytes.len());
    assert_eq!(damage::bit_flips(&bytes).count(), 8 * bytes.len());
    assert_eq!(damage::truncations(&bytes).count(), bytes.len());
    assert!(damage::all(&bytes).all(|damaged| damaged.bytes != bytes));
    assert!(damage::bit_flips(&bytes).all(|damaged| damaged.bytes != bytes));
    assert_eq!(damage::all(&[]).count(), 2);
}

#[test]
fn raw_damage_stops_at_the_checksum_and_payload_damage_passes_it() {
    let model = Envelope::write("test", 1, SchemaHash(7), b"\x03abc").unwrap();
    for damaged in damage::all(&model).chain(damage::bit_flips(&model)) {
        assert!(
            Envelope::read(&damaged.bytes, &Limits::default()).is_err(),
            "{}",
            damaged.damage
        );
    }
    for damaged in damage::payload_damage(&model) {
        let envelope = Envelope::read(&damaged.bytes, &Limits::default()).unwrap();
        assert_ne!(envelope.payload(), b"\x03abc", "{}", damaged.damage);
    }
}

#[test]
fn matrices_have_their_moments_and_keep_their_bits() {
    let values = matrix::gaussian_matrix(1_000, 50, 3);
    assert_eq!(values.dim(), (1_000, 50));
    let n = values.len() as f64;
    let mean = values.sum() / n;
    let variance = values.mapv(|x| x * x).sum() / n;
    // Five standard errors.
    assert!(mean.abs() < 5.0 / n.sqrt() && (variance - 1.0).abs() < 5.0 * (2.0 / n).sqrt());
    assert_eq!(values, matrix::gaussian_matrix(1_000, 50, 3));
    assert_ne!(values, matrix::gaussian_matrix(1_000, 50, 4));
    let uniform = matrix::uniform_matrix(100, 100, 3);
    assert!(uniform.iter().all(|x| (0.0..1.0).contains(x)));
    let (planted, labels) = matrix::planted_outliers((100, 2), 5, 20.0, 1);
    let sums: Vec<f64> = planted.rows().into_iter().map(|row| row.sum()).collect();
    near(oracle::auc_by_pairs(&sums, &labels), 1.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn transactions_have_ids_of_their_own(transactions in strategy::transactions()) {
        let ids: BTreeSet<_> = transactions.iter().map(|tx| tx.transaction_id.clone()).collect();
        prop_assert_eq!(ids.len(), transactions.len());
    }

    #[test]
    fn event_streams_are_in_order_and_of_the_length_asked_for(events in strategy::event_stream(25)) {
        prop_assert_eq!(events.len(), 25);
        prop_assert!(events.is_sorted_by_key(|tx| tx.timestamp));
        prop_assert!(events.iter().all(|tx| tx.is_fraud.known().is_some() && tx.amount.minor() >= 0));
    }

    #[test]
    fn tables_hold_their_rows(table in strategy::tables()) {
        prop_assert!(table.rows() <= 30 && table.columns().len() <= 10);
        prop_assert!(table.columns().iter().all(|column| column.data.len() == table.rows()));
    }
}

#[test]
fn strategies_reach_the_awkward_and_shrink_to_the_boring() {
    let mut runner = TestRunner::deterministic();
    let (mut missing, mut ties, mut negative) = (false, false, false);
    for _ in 0..200 {
        let table = strategy::tables().new_tree(&mut runner).unwrap().current();
        let amounts = table
            .by_role(Role::Amount)
            .and_then(|column| column.numbers());
        missing |= amounts.is_some_and(|amounts| amounts.iter().any(|amount| amount.is_nan()));
        let (scores, _) = strategy::labelled_scores(20)
            .new_tree(&mut runner)
            .unwrap()
            .current();
        ties |= scores
            .iter()
            .enumerate()
            .any(|(i, a)| scores[..i].iter().any(|b| a >= b && b >= a));
        let mut tree = strategy::transactions().new_tree(&mut runner).unwrap();
        negative |= tree.current().iter().any(|tx| tx.amount.minor() < 0);
        // Whatever was drawn, the simplest form of it is nothing at all.
        while tree.simplify() {}
        assert!(tree.current().is_empty());
    }
    assert!(missing && ties && negative);
}
