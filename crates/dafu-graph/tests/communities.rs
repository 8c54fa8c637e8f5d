//! Communities against brute force, and what Leiden promises.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_graph::{GraphError, LeidenParams};
use proptest::prelude::*;

type Edges = Vec<(u32, u32, f64)>;

/// Modularity from the definition: over all pairs of nodes of one community.
fn modularity(nodes: usize, edges: &Edges, of_node: &[u32], resolution: f64) -> f64 {
    let mut weights = vec![vec![0.0; nodes]; nodes];
    for (one, other, weight) in edges {
        weights[*one as usize][*other as usize] += weight;
        weights[*other as usize][*one as usize] += weight;
    }
    let strength: Vec<f64> = weights.iter().map(|row| row.iter().sum()).collect();
    let total: f64 = strength.iter().sum();
    let mut sum = 0.0;
    for one in 0..nodes {
        for other in 0..nodes {
            if of_node[one] == of_node[other] {
                sum += weights[one][other] - resolution * strength[one] * strength[other] / total;
            }
        }
    }
    sum / total
}

fn connected(edges: &Edges, of_node: &[u32], community: u32) -> bool {
    let members: Vec<u32> = (0..)
        .take(of_node.len())
        .filter(|node| of_node[*node as usize] == community)
        .collect();
    let mut seen = vec![members[0]];
    let mut at = 0;
    while at < seen.len() {
        for (one, other, _) in edges {
            for (from, to) in [(one, other), (other, one)] {
                if *from == seen[at] && of_node[*to as usize] == community && !seen.contains(to) {
                    seen.push(*to);
                }
            }
        }
        at += 1;
    }
    seen.len() == members.len()
}

fn graphs() -> impl Strategy<Value = (usize, Edges)> {
    (2..9_usize).prop_flat_map(|nodes| {
        let node = 0..u32::try_from(nodes).unwrap();
        let edge = (node.clone(), node, (1..5_u32).prop_map(f64::from));
        (Just(nodes), proptest::collection::vec(edge, 1..24))
    })
}

fn try_all(at: usize, used: u32, of_node: &mut Vec<u32>, visit: &mut dyn FnMut(&[u32])) {
    if at == of_node.len() {
        visit(of_node);
        return;
    }
    for community in 0..=used {
        of_node[at] = community;
        try_all(at + 1, used.max(community + 1), of_node, visit);
    }
}

/// The best modularity of all partitions.
fn best(nodes: usize, edges: &Edges) -> f64 {
    let mut of_node = vec![0_u32; nodes];
    let mut best = f64::MIN;
    try_all(0, 0, &mut of_node, &mut |of_node| {
        best = best.max(modularity(nodes, edges, of_node, 1.0));
    });
    best
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn communities_are_connected_and_nearly_the_best((nodes, edges) in graphs(), seed in 0..5_u64) {
        let edges: Edges = edges.into_iter().filter(|(one, other, _)| one != other).collect();
        prop_assume!(!edges.is_empty());
        let found = LeidenParams::default().seed(seed).run(nodes, &edges).unwrap();
        let expected = modularity(nodes, &edges, &found.of_node, 1.0);
        prop_assert!((found.modularity - expected).abs() < 1e-9, "{} {expected}", found.modularity);
        for community in 0..u32::try_from(found.count).unwrap() {
            prop_assert!(connected(&edges, &found.of_node, community), "{:?}", found.of_node);
        }
        let best = best(nodes, &edges);
        prop_assert!(found.modularity >= best - 0.08, "{} {best}", found.modularity);
        // No single node gains by moving.
        for node in 0..nodes {
            for community in 0..=u32::try_from(found.count).unwrap() {
                let mut moved = found.of_node.clone();
                moved[node] = community;
                let gain = modularity(nodes, &edges, &moved, 1.0) - found.modularity;
                prop_assert!(gain <= 1e-9, "{node} to {community}: {gain}");
            }
        }
    }
}

#[test]
fn odd_graphs_have_communities() {
    let none = LeidenParams::default().run(0, &[]).unwrap();
    assert_eq!((none.count, none.of_node.len()), (0, 0));
    let apart = LeidenParams::default().run(3, &[]).unwrap();
    assert_eq!(apart.of_node, [0, 1, 2]);
    let looped = LeidenParams::default()
        .run(2, &[(0, 0, 1.0), (0, 1, 1.0), (0, 1, 2.0)])
        .unwrap();
    assert_eq!(looped.of_node, [0, 0]);
    let star: Edges = (1..100_000).map(|leaf| (0, leaf, 1.0)).collect();
    assert_eq!(
        LeidenParams::default().run(100_000, &star).unwrap().count,
        1
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_unit_of_weights_does_not_matter((nodes, edges) in graphs(), power in -1_000..1_000_i32) {
        let found = LeidenParams::default().run(nodes, &edges).unwrap();
        let unit = 2.0_f64.powi(power);
        let scaled: Edges = edges.iter().map(|edge| (edge.0, edge.1, edge.2 * unit)).collect();
        prop_assert_eq!(LeidenParams::default().run(nodes, &scaled).unwrap(), found);
    }
}

#[test]
fn tiny_and_huge_weights_are_weights() {
    let ends = [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (2, 3)];
    for weight in [5e-324, 1e-308, 1e-12, 0.3, 1.0, 7.0, 1e12, 6e307, f64::MAX] {
        let edges = ends.map(|(one, other)| (one, other, weight));
        let found = LeidenParams::default().run(6, &edges).unwrap();
        assert_eq!(found.of_node, [0, 0, 0, 1, 1, 1], "{weight}");
        assert!((found.modularity - 5.0 / 14.0).abs() < 1e-12, "{weight}");
    }
    // The one that is nothing beside the others is nothing, whatever the unit.
    let edges = [(0, 1, f64::MAX), (2, 3, f64::MAX), (1, 2, 5e-324)];
    let found = LeidenParams::default().run(4, &edges).unwrap();
    assert_eq!(
        (&found.of_node[..], found.modularity),
        (&[0, 0, 1, 1][..], 0.5)
    );
}

#[test]
fn wrong_input_is_named() {
    let text = |edges: &[(u32, u32, f64)]| {
        LeidenParams::default()
            .run(2, edges)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        text(&[(0, 2, 1.0)]),
        "`edges` must be between nodes below `nodes`, got 2"
    );
    assert_eq!(
        text(&[(0, 1, 0.0)]),
        "`edges` must be of weights above 0, got 0"
    );
    let wrong = LeidenParams::default().resolution(0.0).check().unwrap_err();
    assert_eq!(wrong.to_string(), "`resolution` must be above 0, got 0");
}

/// The best of a few seeds is not below the best of ten runs of networkx's Louvain (`fixtures/make_communities.py`).
#[test]
fn modularity_is_not_below_that_of_louvain() {
    let text = include_str!("fixtures/communities.json");
    let graphs: serde_json::Value = serde_json::from_str(text).unwrap();
    let graphs = graphs.as_array().unwrap();
    assert_eq!(graphs.len(), 20);
    for graph in graphs {
        let number = |value: &serde_json::Value| u32::try_from(value.as_u64().unwrap()).unwrap();
        let edge = |edge: &serde_json::Value| {
            (
                number(&edge[0]),
                number(&edge[1]),
                edge[2].as_f64().unwrap(),
            )
        };
        let edges: Edges = graph["edges"]
            .as_array()
            .unwrap()
            .iter()
            .map(edge)
            .collect();
        let nodes = number(&graph["nodes"]) as usize;
        let runs = (0..10).map(|seed| {
            LeidenParams::default()
                .seed(seed)
                .run(nodes, &edges)
                .unwrap()
        });
        let best = runs.map(|found| found.modularity).fold(f64::MIN, f64::max);
        let louvain = graph["louvain"].as_f64().unwrap();
        assert!(
            best >= louvain - 1e-9,
            "{}: {best} {louvain}",
            graph["name"]
        );
    }
}

#[test]
fn more_nodes_than_numbers_are_an_error() {
    let error = LeidenParams::default().run(usize::MAX, &[]);
    assert!(matches!(error, Err(GraphError::TooMany { .. })));
}
