//! Risk by association on a graph of many edges: the graph along which it spreads, label propagation, PageRank, features, REV2.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dafu_core::random::Stream;
use dafu_core::{EntityId, EntityKey, EntityKind, Label, Timestamp};
use dafu_graph::{
    AssociationParams, EntityGraph, EntityGraphBuilder, KnownFraud, NodeFeatureParams, NodeId,
    PageRankParams, PropagationParams, RatingNetwork, Rev2Params,
};
use std::hint::black_box;

const EDGES: u64 = 200_000;
const USERS: u64 = 30_000;

fn id(prefix: &str, number: u64) -> EntityId {
    EntityId::new(format!("{prefix}{number}")).unwrap()
}

fn graph() -> EntityGraph {
    let mut stream = Stream::new(8, 1, 0);
    let mut builder = EntityGraphBuilder::new();
    for number in 0..EDGES {
        let user = EntityKey {
            kind: EntityKind::User,
            id: id("u", stream.below(USERS)),
        };
        let other = EntityKey {
            kind: [EntityKind::Device, EntityKind::Ip, EntityKind::Card][stream.index_below(3)],
            id: id("e", stream.below(28_000)),
        };
        let at = Timestamp::from_seconds(number as i64).unwrap();
        builder.pair(&user, &other, at, 1.0).unwrap();
    }
    builder.build()
}

fn ratings() -> RatingNetwork {
    let mut stream = Stream::new(8, 2, 0);
    let mut network = RatingNetwork::new(1.0, 5.0).unwrap();
    for number in 0..EDGES {
        let at = Timestamp::from_seconds(number as i64 * 60).unwrap();
        let (user, item) = (id("u", stream.below(USERS)), id("i", stream.below(4_000)));
        let rating = 1.0 + stream.below(5) as f64;
        network.rate(&user, &item, rating, at).unwrap();
    }
    network
}

fn risk(criterion: &mut Criterion) {
    let graph = graph();
    let moment = Timestamp::from_seconds(2_000_000).unwrap();
    let users: Vec<NodeId> = graph.nodes_of(EntityKind::User).collect();
    let mut known = KnownFraud::new();
    for (place, user) in users.iter().enumerate().step_by(50) {
        known.insert(*user, Label::from(place % 100 == 0), Timestamp::EPOCH);
    }
    let at = known.at(moment);
    let association = AssociationParams::default();
    let spread = association.graph(&graph, moment).unwrap();
    let ratings = ratings();
    let mut group = criterion.benchmark_group("graph_risk");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(EDGES));
    group.bench_function(format!("spread_graph/edges={EDGES}"), |bencher| {
        bencher.iter(|| association.graph(black_box(&graph), moment).unwrap());
    });
    group.bench_function(format!("label_propagation/edges={EDGES}"), |bencher| {
        let params = PropagationParams::default();
        bencher.iter(|| params.spread(black_box(&spread), &at.risks()).unwrap());
    });
    group.bench_function(format!("page_rank/edges={EDGES}"), |bencher| {
        let params = PageRankParams::default();
        bencher.iter(|| params.rank(black_box(&spread), &at.frauds()).unwrap());
    });
    group.bench_function(format!("features/users={}", users.len()), |bencher| {
        let params = NodeFeatureParams::default();
        bencher.iter(|| {
            params
                .compute(black_box(&graph), &known, moment, &users)
                .unwrap()
        });
    });
    group.bench_function(format!("rev2/ratings={EDGES}"), |bencher| {
        bencher.iter(|| Rev2Params::default().run(black_box(&ratings)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, risk);
criterion_main!(benches);
