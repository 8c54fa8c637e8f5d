//! Risk by association against networkx, dense solutions and brute force.
#![allow(clippy::float_cmp, clippy::unwrap_used, reason = "tests")]

use dafu_core::{EntityId, EntityKey, EntityKind, Label, Timestamp};
use dafu_graph::{
    AssociationParams, EntityGraph, EntityGraphBuilder, GraphError, KnownFraud, PageRankParams,
    PropagationParams, RiskGraph,
};
use proptest::prelude::*;
use serde_json::Value;
use std::time::Duration;

type Edges = Vec<(u32, u32, f64)>;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/risk.json")).unwrap()
}

fn number(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap()).unwrap()
}

#[test]
fn page_rank_is_that_of_networkx() {
    let fixture = fixture();
    let mut worst = 0.0_f64;
    for case in fixture["ranks"].as_array().unwrap() {
        let nodes = number(&case["nodes"]) as usize;
        let edges = case["edges"].as_array().unwrap().iter();
        let edges: Edges = edges
            .map(|row| (number(&row[0]), number(&row[1]), row[2].as_f64().unwrap()))
            .collect();
        let seeds = case["seeds"].as_array().unwrap().iter();
        let seeds: Vec<(u32, f64)> = seeds
            .map(|seed| (number(&seed[0]), seed[1].as_f64().unwrap()))
            .collect();
        let params = PageRankParams::default()
            .damping(case["damping"].as_f64().unwrap())
            .tolerance(1e-12);
        let found = if case["directed"].as_bool().unwrap() {
            params.rank_directed(nodes, &edges, &seeds).unwrap()
        } else {
            let graph = RiskGraph::new(nodes, &edges).unwrap();
            params.rank(&graph, &seeds).unwrap()
        };
        assert!(found.converged);
        for (score, expected) in found.scores.iter().zip(case["scores"].as_array().unwrap()) {
            worst = worst.max((score - expected.as_f64().unwrap()).abs());
        }
    }
    assert!(worst < 1e-8, "{worst}");
}

/// Solves a dense system by elimination with pivots.
fn solve(mut rows: Vec<Vec<f64>>) -> Vec<f64> {
    let n = rows.len();
    for column in 0..n {
        let pivot = (column..n)
            .max_by(|one, other| {
                rows[*one][column]
                    .abs()
                    .total_cmp(&rows[*other][column].abs())
            })
            .unwrap();
        rows.swap(column, pivot);
        for row in 0..n {
            if row != column {
                let factor = rows[row][column] / rows[column][column];
                let pivot = rows[column].clone();
                for (value, of_pivot) in rows[row].iter_mut().zip(pivot) {
                    *value -= factor * of_pivot;
                }
            }
        }
    }
    (0..n).map(|row| rows[row][n] / rows[row][row]).collect()
}

fn graphs() -> impl Strategy<Value = (usize, Edges)> {
    (2..14_usize).prop_flat_map(|nodes| {
        let node = 0..u32::try_from(nodes).unwrap();
        let edge = (
            node.clone(),
            node,
            (1..50_u32).prop_map(|weight| f64::from(weight) / 10.0),
        );
        (Just(nodes), proptest::collection::vec(edge, 0..40))
    })
}

proptest! {
    #[test]
    fn label_propagation_solves_its_equations(
        (nodes, edges) in graphs(),
        known in proptest::collection::btree_map(0..14_u32, 0..=4_u8, 1..5),
        weight in 0..4_u8,
    ) {
        let known: Vec<(u32, f64)> = known.into_iter()
            .filter(|(node, _)| (*node as usize) < nodes)
            .map(|(node, risk)| (node, f64::from(risk) / 4.0))
            .collect();
        let weight = f64::from(weight) / 3.0;
        let graph = RiskGraph::new(nodes, &edges).unwrap();
        let params = PropagationParams::default().prior(0.2, weight).tolerance(1e-12);
        let found = params.spread(&graph, &known).unwrap();
        prop_assert!(found.converged);
        // In reach of a known node, by closing over edges again and again.
        let mut reached: Vec<bool> = (0..nodes).map(|node| known.iter().any(|known| known.0 as usize == node)).collect();
        for _ in 0..nodes {
            for (one, other, _) in &edges {
                let any = reached[*one as usize] || reached[*other as usize];
                reached[*one as usize] = any;
                reached[*other as usize] = any;
            }
        }
        let mut rows = vec![vec![0.0; nodes + 1]; nodes];
        for (node, row) in rows.iter_mut().enumerate() {
            let fixed = known.iter().find(|known| known.0 as usize == node);
            if fixed.is_some() || (weight == 0.0 && !reached[node]) {
                row[node] = 1.0;
                row[nodes] = fixed.map_or(-1.0, |fixed| fixed.1);
                continue;
            }
            row[node] = weight;
            row[nodes] = weight * 0.2;
            for (one, other, weight) in &edges {
                let (one, other) = (*one as usize, *other as usize);
                if one != other && (one == node || other == node) {
                    row[node] += weight;
                    row[if one == node { other } else { one }] -= weight;
                }
            }
        }
        for (risk, expected) in found.risk.iter().zip(solve(rows)) {
            if expected == -1.0 {
                prop_assert!(risk.is_nan());
            } else {
                prop_assert!((risk - expected).abs() < 1e-8, "{risk} {expected}");
            }
        }
    }

    #[test]
    fn page_rank_solves_its_equations((nodes, edges) in graphs(), seed in 0..2_u32) {
        let graph = RiskGraph::new(nodes, &edges).unwrap();
        let found = PageRankParams::default().tolerance(1e-12).rank(&graph, &[(seed, 2.0)]).unwrap();
        let seed = seed as usize;
        let column = |from: usize| {
            let mut weights = vec![0.0; nodes];
            for (one, other, weight) in &edges {
                let (one, other) = (*one as usize, *other as usize);
                if one == from {
                    weights[other] += weight;
                }
                if other == from && one != other {
                    weights[one] += weight;
                }
            }
            let mut total: f64 = weights.iter().sum();
            if total == 0.0 {
                weights[seed] = 1.0;
                total = 1.0;
            }
            let mut column: Vec<f64> = weights.iter().map(|weight| -0.85 * weight / total).collect();
            column[from] += 1.0;
            column
        };
        let columns: Vec<Vec<f64>> = (0..nodes).map(column).collect();
        let row = |to: usize| -> Vec<f64> {
            let start = if to == seed { 0.15 } else { 0.0 };
            columns.iter().map(|column| column[to]).chain([start]).collect()
        };
        let rows = (0..nodes).map(row).collect();
        for (score, expected) in found.scores.iter().zip(solve(rows)) {
            prop_assert!((score - expected).abs() < 1e-10, "{score} {expected}");
        }
    }
}

fn key(kind: EntityKind, id: &str) -> EntityKey {
    let id = EntityId::new(id).unwrap();
    EntityKey { kind, id }
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_seconds(second).unwrap()
}

fn graph(pairs: &[(i64, &str, EntityKind, &str)]) -> EntityGraph {
    let mut builder = EntityGraphBuilder::new();
    for (at, user, kind, id) in pairs {
        let (user, other) = (key(EntityKind::User, user), key(*kind, id));
        builder.pair(&user, &other, second(*at), 1.0).unwrap();
    }
    builder.build()
}

#[test]
fn edges_weigh_what_their_kind_and_their_hub_say() {
    let pairs = [
        (1, "a", EntityKind::Device, "d"),
        (2, "b", EntityKind::Device, "d"),
        (3, "a", EntityKind::Ip, "i"),
        (4, "a", EntityKind::Merchant, "m"),
        (9, "c", EntityKind::Device, "d"),
    ];
    let graph = graph(&pairs);
    let params = AssociationParams::default()
        .kind(EntityKind::Device, 0.8, 2)
        .kind(EntityKind::Ip, 0.5, 2)
        .hub_damping(1.0);
    let at = |user: &str| {
        let node = graph.node(EntityKind::User, &EntityId::new(user).unwrap());
        node.unwrap().index()
    };
    let early = params.graph(&graph, second(5)).unwrap();
    assert_eq!(early.node_count(), graph.node_count());
    assert!((early.strengths()[at("a")] - (0.4 + 0.5)).abs() < 1e-12);
    assert_eq!(early.strengths()[at("c")], 0.0);
    assert!(early.skipped().is_empty());
    // Then the device has one user too many.
    let late = params.graph(&graph, second(9)).unwrap();
    assert!((late.strengths()[at("a")] - 0.5).abs() < 1e-12);
    assert_eq!((late.skipped().len(), late.skipped()[0].users), (1, 3));
}

#[test]
fn labels_are_known_when_they_are_said() {
    let graph = graph(&[
        (1, "a", EntityKind::Device, "d"),
        (1, "b", EntityKind::Device, "d"),
    ]);
    let users: Vec<_> = graph.nodes_of(EntityKind::User).collect();
    let mut known = KnownFraud::new();
    let week = Duration::from_secs(7 * 86_400);
    known
        .insert_delayed(users[0], Label::Fraud, (second(10), week))
        .unwrap();
    known.insert(users[1], Label::Legitimate, second(5));
    known.insert(users[1], Label::Unknown, second(20));
    let at = |moment| known.at(second(moment));
    assert_eq!(at(6).risks().len(), 1);
    assert!(at(30).is_empty() && at(30).frauds().is_empty());
    let late = at(10 + 7 * 86_400);
    assert_eq!((late.len(), late.label(users[0])), (1, Label::Fraud));
    assert_eq!(late.frauds(), late.risks());
    let wrong = known.insert_delayed(users[0], Label::Fraud, (second(0), Duration::MAX));
    assert!(matches!(
        wrong,
        Err(GraphError::Parameter { name: "delay", .. })
    ));
}

#[test]
fn odd_graphs_have_risks() {
    let none = RiskGraph::new(0, &[]).unwrap();
    let rank = PageRankParams::default().rank(&none, &[]).unwrap();
    assert!(rank.converged && rank.scores.is_empty());
    assert!(
        PropagationParams::default()
            .spread(&none, &[])
            .unwrap()
            .converged
    );
    let one = RiskGraph::new(1, &[(0, 0, 3.0)]).unwrap();
    assert_eq!(
        PageRankParams::default().rank(&one, &[]).unwrap().scores,
        [1.0]
    );
    let alone = PropagationParams::default().spread(&one, &[]).unwrap();
    assert!((alone.risk[0] - 0.01).abs() < 1e-9);
    let unknown = PropagationParams::default()
        .prior(0.0, 0.0)
        .spread(&one, &[])
        .unwrap();
    assert!(unknown.risk[0].is_nan() && unknown.converged);
    let empty = EntityGraphBuilder::new().build();
    let graph = AssociationParams::default()
        .graph(&empty, second(0))
        .unwrap();
    assert_eq!(graph.node_count(), 0);
}

#[test]
fn a_hub_of_a_million_edges_is_no_trouble() {
    let star: Edges = (1..=1_000_000).map(|leaf| (0, leaf, 1.0)).collect();
    let graph = RiskGraph::new(1_000_001, &star).unwrap();
    let rank = PageRankParams::default().rank(&graph, &[(1, 1.0)]).unwrap();
    assert!(rank.converged && rank.scores[1] > 0.149 && rank.scores[2] < 1e-6);
    let found = PropagationParams::default()
        .spread(&graph, &[(1, 1.0)])
        .unwrap();
    assert!(found.converged && found.iterations < 10);
    assert!(found.risk[2] < 0.011);
}

#[test]
fn wrong_input_is_named() {
    let graph = RiskGraph::new(2, &[(0, 1, 1.0)]).unwrap();
    let text = |error: GraphError| error.to_string();
    assert_eq!(
        text(RiskGraph::new(2, &[(0, 2, 1.0)]).unwrap_err()),
        "`edges` must be between nodes below `nodes`, got 2"
    );
    assert!(RiskGraph::new(2, &[(0, 1, f64::NAN)]).is_err());
    assert!(RiskGraph::new(usize::MAX, &[]).is_err());
    let rank = PageRankParams::default();
    assert_eq!(
        text(rank.damping(1.0).rank(&graph, &[]).unwrap_err()),
        "`damping` must be at least 0 and below 1, got 1"
    );
    assert!(rank.rank(&graph, &[(2, 1.0)]).is_err() && rank.rank(&graph, &[(0, 0.0)]).is_err());
    assert!(rank.tolerance(0.0).check().is_err() && rank.max_iterations(0).check().is_err());
    let spread = PropagationParams::default();
    assert_eq!(
        text(spread.spread(&graph, &[(0, 1.5)]).unwrap_err()),
        "`known` must be risks from 0 to 1, got 1.5"
    );
    assert!(spread.spread(&graph, &[(2, 1.0)]).is_err());
    assert!(spread.prior(2.0, 1.0).check().is_err() && spread.prior(0.0, -1.0).check().is_err());
    let params = AssociationParams::default();
    assert!(
        params
            .clone()
            .kind(EntityKind::User, 1.0, 9)
            .check()
            .is_err()
    );
    assert!(params.clone().kind(EntityKind::Ip, 0.0, 9).check().is_err());
    assert!(params.clone().kind(EntityKind::Ip, 0.5, 1).check().is_err());
    assert!(params.hub_damping(f64::NAN).check().is_err());
}

#[test]
fn what_stops_early_says_so() {
    let path: Edges = (0..200).map(|node| (node, node + 1, 1.0)).collect();
    let graph = RiskGraph::new(201, &path).unwrap();
    let ends = [(0, 1.0), (200, 0.0)];
    let params = PropagationParams::default().prior(0.0, 0.0);
    assert!(
        !params
            .max_iterations(5)
            .spread(&graph, &ends)
            .unwrap()
            .converged
    );
    let found = params.tolerance(1e-12).spread(&graph, &ends).unwrap();
    assert!(found.converged && (found.risk[100] - 0.5).abs() < 1e-6);
    let rank = PageRankParams::default().max_iterations(3);
    let found = rank.rank(&graph, &[(0, 1.0)]).unwrap();
    assert_eq!((found.converged, found.iterations), (false, 3));
    let near = found.by_strength(&graph);
    assert!(near[2] > near[200]);
}

#[test]
fn risks_are_sent_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<RiskGraph>();
    check::<KnownFraud>();
    check::<dafu_graph::KnownAt>();
    check::<dafu_graph::PageRank>();
    check::<dafu_graph::PropagatedRisk>();
    check::<dafu_graph::NodeFeatures>();
    check::<dafu_graph::NodeFeatureParams>();
}
