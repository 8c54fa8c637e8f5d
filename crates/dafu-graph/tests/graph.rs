//! Graphs hold what they were told.
#![allow(clippy::float_cmp, clippy::unwrap_used, reason = "tests")]

use dafu_core::{EntityId, EntityKey, EntityKind, Timestamp};
use dafu_graph::{
    Edge, EntityEvent, EntityGraph, EntityGraphBuilder, GraphError, connected_components,
};
use petgraph::graph::{NodeIndex, UnGraph};
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

proptest! {
    #[test]
    fn components_are_what_can_be_reached(
        nodes in 1..12_usize, edges in proptest::collection::vec((0..12_u32, 0..12_u32), 0..14)
    ) {
        let found = connected_components(nodes, edges.iter().copied());
        let within = |node: u32| (node as usize) < nodes;
        for start in 0..u32::try_from(nodes).unwrap() {
            let mut seen = vec![start];
            let mut at = 0;
            while at < seen.len() {
                for (one, other) in &edges {
                    for (from, to) in [(*one, *other), (*other, *one)] {
                        if from == seen[at] && within(to) && !seen.contains(&to) {
                            seen.push(to);
                        }
                    }
                }
                at += 1;
            }
            let component = found.of_node[start as usize];
            prop_assert_eq!(found.sizes[component as usize] as usize, seen.len());
            prop_assert!(seen.iter().all(|node| found.of_node[*node as usize] == component));
        }
        prop_assert!(found.of_node[0] == 0 && found.sizes.iter().sum::<u32>() as usize == nodes);
    }

    #[test]
    fn petgraph_and_back_is_the_same(
        events in proptest::collection::vec(((0..3_usize, 0..4_usize), (0..3_usize, 0..4_usize), -50..50_i64, -9..9_i32), 0..40)
    ) {
        let graph = build(&events);
        let copy: UnGraph<EntityKey, Edge> = (&graph).into();
        prop_assert_eq!((copy.node_count(), copy.edge_count()), (graph.node_count(), graph.edge_count()));
        let mut single: UnGraph<EntityKey, EntityEvent> = UnGraph::new_undirected();
        for node in graph.nodes() {
            single.add_node(graph.key(node).clone());
        }
        for (one, other, second, amount) in &events {
            let place = |node: &Node| {
                let key = key(*node);
                NodeIndex::new(graph.node(key.kind, &key.id).unwrap().index())
            };
            let at = Timestamp::from_seconds(*second).unwrap();
            single.add_edge(place(one), place(other), EntityEvent { at, amount: f64::from(*amount) });
        }
        let back = EntityGraph::try_from(&single).unwrap();
        prop_assert_eq!(back.edges(), graph.edges());
        prop_assert_eq!(back.self_loops(), graph.self_loops());
        prop_assert_eq!(petgraph::algo::connected_components(&copy), graph.components().sizes.len());
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
