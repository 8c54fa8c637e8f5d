//! Dense blocks against peeling by hand and against the best of all blocks.
#![allow(clippy::float_cmp, clippy::unwrap_used, reason = "tests")]

use dafu_graph::{DenseParams, GraphError};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

type Edges = BTreeSet<(u32, u32)>;

fn score(edges: &Edges, users: &BTreeSet<u32>, objects: &BTreeSet<u32>) -> f64 {
    let degree = |object: u32| edges.iter().filter(|edge| edge.1 == object).count() as f64;
    let inside = edges
        .iter()
        .filter(|(user, object)| users.contains(user) && objects.contains(object));
    let weight: f64 = inside
        .map(|(_, object)| 1.0 / (degree(*object) + 5.0).ln())
        .sum();
    weight / (users.len() + objects.len()) as f64
}

type Sets = (BTreeSet<u32>, BTreeSet<u32>);

/// Peels one after the other, looking at everybody each time: the score of the best set on the way, for each choice among those
/// who have equally little.
fn peeled(edges: &Edges, sets: &Sets, known: &mut BTreeMap<Sets, Vec<f64>>) -> Vec<f64> {
    let (users, objects) = sets;
    if users.is_empty() || objects.is_empty() {
        return vec![0.0];
    }
    if let Some(scores) = known.get(sets) {
        return scores.clone();
    }
    let own = score(edges, users, objects);
    let total = |(users, objects): &Sets| {
        score(edges, users, objects) * (users.len() + objects.len()) as f64
    };
    let without_user = users.iter().map(|user| {
        let mut fewer = sets.clone();
        fewer.0.remove(user);
        fewer
    });
    let without_object = objects.iter().map(|object| {
        let mut fewer = sets.clone();
        fewer.1.remove(object);
        fewer
    });
    let left: Vec<(f64, Sets)> = without_user
        .chain(without_object)
        .map(|fewer| (total(&fewer), fewer))
        .collect();
    let most = left.iter().map(|(total, _)| *total).fold(0.0, f64::max);
    let mut scores: Vec<f64> = Vec::new();
    for (total, fewer) in left {
        if total > most - 1e-9 {
            let best = peeled(edges, &fewer, known);
            scores.extend(best.iter().map(|best| own.max(*best)));
        }
    }
    scores.sort_by(f64::total_cmp);
    scores.dedup_by(|one, other| (*one - *other).abs() < 1e-12);
    known.insert(sets.clone(), scores.clone());
    scores
}

fn best_of_all(edges: &Edges) -> f64 {
    let mut best = 0.0_f64;
    for users in 0..1_u32 << 6 {
        for objects in 0..1_u32 << 5 {
            let set =
                |bits: u32, count: u32| (0..count).filter(|bit| bits >> bit & 1 == 1).collect();
            let (users, objects): (BTreeSet<u32>, BTreeSet<u32>) = (set(users, 6), set(objects, 5));
            if !users.is_empty() || !objects.is_empty() {
                best = best.max(score(edges, &users, &objects));
            }
        }
    }
    best
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn blocks_are_those_of_peeling_and_half_as_dense_as_the_best(
        edges in proptest::collection::vec((0..6_u32, 0..5_u32), 1..24)
    ) {
        let distinct: Edges = edges.iter().copied().collect();
        let found = DenseParams::default().run(6, 5, &edges).unwrap();
        let block = &found[0];
        let sets = (block.users.iter().copied().collect(), block.objects.iter().copied().collect());
        prop_assert!((block.score - score(&distinct, &sets.0, &sets.1)).abs() < 1e-9);
        let all = (
            distinct.iter().map(|edge| edge.0).collect(),
            distinct.iter().map(|edge| edge.1).collect(),
        );
        let peeled = peeled(&distinct, &all, &mut BTreeMap::new());
        let found = peeled.iter().any(|score| (block.score - score).abs() < 1e-9);
        prop_assert!(found, "{} {peeled:?}", block.score);
        prop_assert!(block.score >= best_of_all(&distinct) / 2.0 - 1e-9);
    }
}

#[test]
fn blocks_come_one_after_the_other_until_they_get_thin() {
    let mut edges: Vec<(u32, u32)> = Vec::new();
    for (first, size) in [(0, 8), (20, 6)] {
        edges.extend(
            (first..first + size)
                .flat_map(|user| (first..first + size).map(move |object| (user, object))),
        );
    }
    // Noise: everybody once.
    edges.extend((40..100).map(|user| (user, user)));
    let found = DenseParams::default()
        .blocks(10)
        .run(100, 100, &edges)
        .unwrap();
    let users: Vec<&[u32]> = found.iter().map(|block| &block.users[..]).collect();
    assert_eq!(
        users,
        [
            &(0..8).collect::<Vec<u32>>()[..],
            &(20..26).collect::<Vec<u32>>()[..]
        ]
    );
    let all = DenseParams::default()
        .blocks(10)
        .stop_share(0.0)
        .run(100, 100, &edges)
        .unwrap();
    assert!(all.len() > 2);
}

#[test]
fn odd_input_is_fine_or_named() {
    let params = DenseParams::default();
    assert!(params.run(0, 0, &[]).unwrap().is_empty());
    let hub: Vec<(u32, u32)> = (0..100_000).map(|user| (user, 0)).collect();
    assert_eq!(params.run(100_000, 1, &hub).unwrap().len(), 1);
    let wrong = params.run(1, 1, &[(0, 1)]).unwrap_err().to_string();
    assert_eq!(
        wrong,
        "`edges` must be between users below `users` and objects below `objects`, got (0, 1)"
    );
    let wrong = params.column_constant(1.0).check().unwrap_err().to_string();
    assert_eq!(wrong, "`column_constant` must be above 1, got 1");
}

#[test]
fn more_nodes_than_numbers_are_an_error() {
    let error = DenseParams::default().run(usize::MAX, 1, &[(0, 0)]);
    assert!(matches!(error, Err(GraphError::TooMany { .. })));
}
