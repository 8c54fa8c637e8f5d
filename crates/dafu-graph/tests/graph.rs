//! Graphs hold what they were told.
#![allow(clippy::float_cmp, clippy::unwrap_used, reason = "tests")]

use dafu_core::{EntityId, EntityKey, EntityKind, Timestamp};
use dafu_graph::{EntityGraph, EntityGraphBuilder, GraphError};
use proptest::prelude::*;
use std::collections::BTreeMap;

const KINDS: [EntityKind; 3] = [EntityKind::User, EntityKind::Account, EntityKind::Address];

fn key((kind, number): (usize, usize)) -> EntityKey {
    EntityKey {
        kind: KINDS[kind],
        id: EntityId::new(format!("n{number}")).unwrap(),
    }
}

type Node = (usize, usize);

fn build(events: &[(Node, Node, i64, i32)]) -> EntityGraph {
    let mut builder = EntityGraphBuilder::new();
    for (one, other, second, amount) in events {
        let at = Timestamp::from_seconds(*second).unwrap();
        builder
            .pair(&key(*one), &key(*other), at, f64::from(*amount))
            .unwrap();
    }
    builder.build()
}

proptest! {
    #[test]
    fn edges_hold_the_sums_of_their_events(
        events in proptest::collection::vec(((0..3_usize, 0..4_usize), (0..3_usize, 0..4_usize), -50..50_i64, -9..9_i32), 0..80)
    ) {
        let graph = build(&events);
        let mut expected: BTreeMap<(EntityKey, EntityKey), (Vec<i64>, f64)> = BTreeMap::new();
        let mut loops = 0;
        for (one, other, second, amount) in &events {
            let (one, other) = (key(*one), key(*other));
            if one == other {
                loops += 1;
                continue;
            }
            let ends = if one < other { (one, other) } else { (other, one) };
            let sums = expected.entry(ends).or_default();
            sums.0.push(*second * 1_000_000);
            sums.1 += f64::from(*amount);
        }
        prop_assert_eq!((graph.edge_count(), graph.self_loops()), (expected.len(), loops));
        for ((one, other), (mut times, amount)) in expected {
            times.sort_unstable();
            let node = |key: &EntityKey| graph.node(key.kind, &key.id).unwrap();
            let (one, other) = (node(&one), node(&other));
            prop_assert_eq!(graph.events(one, other), &times[..]);
            prop_assert_eq!(graph.events(other, one), &times[..]);
            let (_, edge) = graph.neighbours(one).find(|(node, _)| *node == other).unwrap();
            prop_assert_eq!(edge.count as usize, times.len());
            prop_assert_eq!(edge.amount, amount);
            prop_assert_eq!(edge.first_seen.as_micros(), times[0]);
            prop_assert_eq!(edge.last_seen.as_micros(), times[times.len() - 1]);
        }
        let degrees: usize = graph.nodes().map(|node| graph.degree(node)).sum();
        prop_assert_eq!(degrees, 2 * graph.edge_count());
        for node in graph.nodes() {
            prop_assert!(graph.neighbours(node).map(|(other, _)| other).is_sorted());
            prop_assert_eq!(graph.node(graph.kind(node), &graph.key(node).id), Some(node));
        }
    }
}

#[test]
fn graphs_may_be_empty_or_have_one_node() {
    let empty = EntityGraphBuilder::new().build();
    assert_eq!((empty.node_count(), empty.edge_count()), (0, 0));
    assert!(
        empty
            .node(EntityKind::User, &EntityId::new("ada").unwrap())
            .is_none()
    );
    let mut builder = EntityGraphBuilder::new();
    let node = builder.entity(&key((0, 1))).unwrap();
    let one = builder.build();
    assert_eq!((one.node_count(), one.degree(node)), (1, 0));
    assert!(one.events(node, node).is_empty());
}

#[test]
fn amounts_that_are_no_numbers_are_refused() {
    let mut builder = EntityGraphBuilder::new();
    let error = builder
        .pair(&key((0, 1)), &key((1, 2)), Timestamp::EPOCH, f64::NAN)
        .unwrap_err();
    assert!(matches!(error, GraphError::Amount { .. }));
    assert!(error.to_string().contains("must be finite, got NaN"));
    assert_eq!(builder.build().edge_count(), 0);
}
