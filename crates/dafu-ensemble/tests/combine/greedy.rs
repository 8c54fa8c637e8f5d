//! Ensemble selection.

use crate::{close, sigmoid, three_members, week};
use dafu_ensemble::EnsembleError;
use dafu_ensemble::combine::{
    GreedyParams, MemberScale, MemberScores, VoteKind, WeekScores, greedy_selection,
};
use dafu_ensemble::select::Metric;
use ndarray::Array2;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn selection_is_the_one_found_by_hand(
        rows in proptest::collection::vec((proptest::array::uniform3(-4_i32..4), any::<bool>()), 8..24),
        split in 3_usize..5,
        (start, rounds) in (0_usize..4, 1_usize..6),
        kind in prop_oneof![Just(VoteKind::LogOdds), Just(VoteKind::Probability)],
    ) {
        let frauds: Vec<bool> = rows.iter().map(|row| row.1).collect();
        let scores = Array2::from_shape_fn((rows.len(), 3), |(row, member)| f64::from(rows[row].0[member]));
        let (first, second) = scores.view().split_at(ndarray::Axis(0), split);
        let weeks = vec![
            week(first.to_owned(), &frauds[..split]),
            week(second.to_owned(), &frauds[split..]),
        ];
        let members = MemberScores::new(weeks.clone()).unwrap();
        let metric = Metric::log_loss();
        let params = GreedyParams::default().sorted_start(start).rounds(rounds);
        let scale = MemberScale::LogOdds(3);
        let found = greedy_selection(&members, (kind, &scale), &metric, &params).unwrap();
        let (weights, value) = by_hand(&weeks, kind, (start, rounds));
        for (found, expected) in found.weights.iter().zip(&weights) {
            prop_assert!(close(*found, *expected, 1e-12), "{:?} {weights:?}", found);
        }
        prop_assert!(close(found.value, value, 1e-12));
    }
}

/// Mean log loss over the weeks of members chosen so often.
fn loss_of(weeks: &[WeekScores], kind: VoteKind, counts: [usize; 3]) -> f64 {
    let all: usize = counts.iter().sum();
    let of_week = |week: &WeekScores| {
        let rows = week.scores.rows().into_iter().zip(&week.frauds);
        let losses = rows.map(|(row, fraud)| {
            let mean = |of: fn(f64) -> f64| -> f64 {
                let parts = row
                    .iter()
                    .zip(counts)
                    .map(|(odds, count)| count as f64 * of(*odds));
                parts.sum::<f64>() / all as f64
            };
            let chance = match kind {
                VoteKind::LogOdds => sigmoid(mean(|odds| odds)),
                _ => mean(sigmoid),
            };
            -(if *fraud { chance } else { 1.0 - chance }).ln()
        });
        losses.sum::<f64>() / week.frauds.len() as f64
    };
    weeks.iter().map(of_week).sum::<f64>() / weeks.len() as f64
}

/// Caruana et al. (2004), sections 2.1 and 2.2, over all members; equal losses go to the first member.
fn by_hand(
    weeks: &[WeekScores],
    kind: VoteKind,
    (start, rounds): (usize, usize),
) -> (Vec<f64>, f64) {
    let better = |new: f64, old: f64| new < old - 1e-12;
    let one = |member: usize| {
        let mut counts = [0; 3];
        counts[member] = 1;
        counts
    };
    let mut order = [0, 1, 2];
    order.sort_by(|a, b| {
        let (a, b) = (loss_of(weeks, kind, one(*a)), loss_of(weeks, kind, one(*b)));
        if better(a, b) {
            std::cmp::Ordering::Less
        } else if better(b, a) {
            std::cmp::Ordering::Greater
        } else {
            std::cmp::Ordering::Equal
        }
    });
    let (mut best, mut best_counts) = (f64::INFINITY, [0; 3]);
    let mut counts = [0; 3];
    for member in order.into_iter().take(start) {
        counts[member] += 1;
        let loss = loss_of(weeks, kind, counts);
        if better(loss, best) {
            (best, best_counts) = (loss, counts);
        }
    }
    counts = best_counts;
    for _ in 0..rounds {
        let with = |member: usize| {
            let mut counts = counts;
            counts[member] += 1;
            counts
        };
        let mut next = 0;
        for member in 1..3 {
            if better(
                loss_of(weeks, kind, with(member)),
                loss_of(weeks, kind, with(next)),
            ) {
                next = member;
            }
        }
        counts = with(next);
        let loss = loss_of(weeks, kind, counts);
        if better(loss, best) {
            (best, best_counts) = (loss, counts);
        }
    }
    let all: usize = best_counts.iter().sum();
    (
        best_counts.map(|count| count as f64 / all as f64).to_vec(),
        best,
    )
}

#[test]
fn bags_choose_among_their_members_and_are_averaged() {
    let members = three_members();
    let scale = MemberScale::LogOdds(3);
    let select = |params: &GreedyParams| {
        let metric = Metric::average_precision();
        greedy_selection(&members, (VoteKind::LogOdds, &scale), &metric, params).unwrap()
    };
    // Bags of one member each choose it: the weights are how often each was drawn.
    let bags = GreedyParams::default().bags(300).bag_share(0.34).seed(4);
    let drawn = select(&bags).weights;
    assert!(
        drawn.iter().all(|weight| (weight - 1.0 / 3.0).abs() < 0.1),
        "{drawn:?}"
    );
    assert_eq!(select(&bags), select(&bags));
    assert_ne!(drawn, select(&bags.clone().seed(5)).weights);
    let whole = select(&GreedyParams::default());
    assert!(whole.weights[0] > whole.weights[2]);
    assert!(close(whole.weights.iter().sum(), 1.0, 1e-12));
    let ranked = greedy_selection(
        &members,
        (VoteKind::Rank, &scale),
        &Metric::roc_auc(),
        &GreedyParams::default(),
    );
    assert_eq!(ranked, Err(EnsembleError::NoRankMaps));
}
