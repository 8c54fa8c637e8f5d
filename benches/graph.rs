//! Graphs: built from payments, links, rings, communities, dense blocks, events as they arrive; flows of money.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use dafu_core::{Transaction, Transfer};
use dafu_graph::{
    DenseParams, EntityGraph, FlowParams, LeidenParams, LinkParams, RingParams, RingStreamParams,
    TransferGraph,
};
use dafu_sim::{FlowWorldParams, RingWorldParams};
use std::hint::black_box;

const USERS: u32 = 20_000;

fn payments() -> Vec<Transaction> {
    let params = RingWorldParams::default().users(USERS).rings(25).seed(1);
    let world = params.simulate().unwrap();
    world
        .transactions()
        .map(|payment| payment.transaction)
        .collect()
}

fn graph(criterion: &mut Criterion) {
    let payments = payments();
    let graph = EntityGraph::from_transactions(&payments).unwrap();
    let mut group = criterion.benchmark_group("graph");
    group
        .sample_size(20)
        .throughput(Throughput::Elements(payments.len() as u64));
    group.bench_function(format!("build/payments={}", payments.len()), |bencher| {
        bencher.iter(|| EntityGraph::from_transactions(black_box(&payments)).unwrap());
    });
    group.throughput(Throughput::Elements(graph.edge_count() as u64));
    group.bench_function(format!("link/edges={}", graph.edge_count()), |bencher| {
        bencher.iter(|| LinkParams::default().link(black_box(&graph), 0.8).unwrap());
    });
    group.bench_function(format!("rings/edges={}", graph.edge_count()), |bencher| {
        bencher.iter(|| RingParams::default().detect(black_box(&graph)).unwrap());
    });
    group.bench_function(
        format!("components/edges={}", graph.edge_count()),
        |bencher| {
            bencher.iter(|| black_box(&graph).components());
        },
    );
    let ends = graph
        .edges()
        .iter()
        .map(|edge| [edge.from, edge.to].map(|node| node.index() as u32));
    let ends: Vec<[u32; 2]> = ends.collect();
    let weighted: Vec<(u32, u32, f64)> = ends.iter().map(|ends| (ends[0], ends[1], 1.0)).collect();
    group.bench_function(format!("leiden/edges={}", graph.edge_count()), |bencher| {
        bencher.iter(|| {
            LeidenParams::default()
                .run(graph.node_count(), black_box(&weighted))
                .unwrap()
        });
    });
    let nodes = graph.node_count();
    let bipartite: Vec<(u32, u32)> = ends.iter().map(|ends| (ends[0], ends[1])).collect();
    group.bench_function(format!("dense/edges={}", graph.edge_count()), |bencher| {
        bencher.iter(|| {
            DenseParams::default()
                .run(nodes, nodes, black_box(&bipartite))
                .unwrap()
        });
    });
    group.throughput(Throughput::Elements(payments.len() as u64));
    group.bench_function(format!("stream/payments={}", payments.len()), |bencher| {
        bencher.iter_batched_ref(
            || RingStreamParams::new(USERS.into()).start().unwrap(),
            |stream| {
                for payment in &payments {
                    black_box(stream.observe(payment).unwrap());
                }
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn flows(criterion: &mut Criterion) {
    let world = FlowWorldParams::default().seed(1).simulate().unwrap();
    let transfers: Vec<Transfer> = world.transfers().collect();
    let graph = TransferGraph::from_transfers(&transfers).unwrap();
    let mut group = criterion.benchmark_group("flows");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(transfers.len() as u64));
    group.bench_function(format!("build/transfers={}", transfers.len()), |bencher| {
        bencher.iter(|| TransferGraph::from_transfers(black_box(&transfers)).unwrap());
    });
    group.bench_function(
        format!("all_patterns/transfers={}", transfers.len()),
        |bencher| {
            bencher.iter(|| FlowParams::default().detect(black_box(&graph)).unwrap());
        },
    );
    group.bench_function(format!("cycles/transfers={}", transfers.len()), |bencher| {
        bencher.iter(|| FlowParams::default().cycles(black_box(&graph)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, graph, flows);
criterion_main!(benches);
