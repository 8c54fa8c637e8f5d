//! How long risk by association takes on a million edges.
//!
//! `cargo test --release -p dafu-graph --test risk_speed -- --ignored --nocapture --test-threads 1`
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "tests")]

use dafu_core::random::Stream;
use dafu_core::{EntityId, EntityKey, EntityKind, Label, Timestamp};
use dafu_graph::{
    AssociationParams, EntityGraph, EntityGraphBuilder, KnownFraud, NodeFeatureParams, NodeId,
    PageRankParams, PropagationParams, RatingNetwork, Rev2Params,
};

const EDGES: u64 = 1_000_000;
const USERS: u64 = 150_000;

fn id(prefix: &str, number: u64) -> EntityId {
    EntityId::new(format!("{prefix}{number}")).unwrap()
}

fn graph() -> EntityGraph {
    let mut stream = Stream::new(8, 1, 0);
    let mut builder = EntityGraphBuilder::new();
    for number in 0..EDGES {
        let user = id("u", stream.below(USERS));
        let kind = [EntityKind::Device, EntityKind::Ip, EntityKind::Card][stream.index_below(3)];
        let other = id("e", stream.below(140_000));
        let user = EntityKey {
            kind: EntityKind::User,
            id: user,
        };
        let other = EntityKey { kind, id: other };
        let at = Timestamp::from_seconds(i64::try_from(number).unwrap()).unwrap();
        builder.pair(&user, &other, at, 1.0).unwrap();
    }
    builder.build()
}

/// Seconds for which this thread ran, where Linux tells.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos: f64 = text.split(' ').next().unwrap().parse().unwrap_or(f64::NAN);
    nanos / 1e9
}

fn timed<T>(what: &str, mut run: impl FnMut() -> T) -> T {
    let mut times = Vec::new();
    let mut last = None;
    for _ in 0..5 {
        let start = cpu();
        last = Some(run());
        times.push(cpu() - start);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "{what:35} {:.3} s of CPU time ({:.3} to {:.3})",
        times[2], times[0], times[4]
    );
    last.unwrap()
}

#[test]
#[ignore = "measures, and checks nothing that others do not"]
fn a_million_edges_take_well_below_a_second() {
    let graph = graph();
    println!("{} nodes, {} edges", graph.node_count(), graph.edge_count());
    let moment = Timestamp::from_seconds(2_000_000).unwrap();
    let users: Vec<NodeId> = graph.nodes_of(EntityKind::User).collect();
    let mut known = KnownFraud::new();
    for (place, user) in users.iter().enumerate().step_by(50) {
        known.insert(*user, Label::from(place % 100 == 0), Timestamp::EPOCH);
    }
    let at = known.at(moment);
    let params = AssociationParams::default();
    let spread = timed("graph along which risk spreads", || {
        params.graph(&graph, moment).unwrap()
    });
    let found = timed("label propagation", || {
        PropagationParams::default()
            .spread(&spread, &at.risks())
            .unwrap()
    });
    println!("{} iterations", found.iterations);
    let found = timed("PageRank", || {
        PageRankParams::default()
            .rank(&spread, &at.frauds())
            .unwrap()
    });
    println!("{} iterations", found.iterations);
    let params = NodeFeatureParams::default();
    timed("features of all users", || {
        params.compute(&graph, &known, moment, &users).unwrap()
    });
    let mut stream = Stream::new(8, 2, 0);
    let mut network = RatingNetwork::new(1.0, 5.0).unwrap();
    for number in 0..EDGES {
        let at = Timestamp::from_seconds(i64::try_from(number).unwrap() * 60).unwrap();
        let (user, item) = (id("u", stream.below(USERS)), id("i", stream.below(20_000)));
        let rating = 1.0 + stream.below(5) as f64;
        network.rate(&user, &item, rating, at).unwrap();
    }
    let found = timed("REV2", || Rev2Params::default().run(&network).unwrap());
    println!("{} iterations", found.iterations);
}
