//! The simulator: transactions a second, and what a start costs.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dafu_sim::{CsvColumns, SimulatorParams, write_csv};
use std::hint::black_box;

fn simulate(criterion: &mut Criterion) {
    let params = SimulatorParams::default().users(1_000).days(30).seed(1);
    let rows = params.simulator().unwrap().count() as u64;
    let mut group = criterion.benchmark_group("sim");
    group.sample_size(10);
    group.throughput(Throughput::Elements(rows));
    group.bench_function(format!("stream/rows={rows}"), |bencher| {
        bencher.iter(|| params.simulator().unwrap().map(black_box).count());
    });
    group.bench_function(format!("truth/rows={rows}"), |bencher| {
        bencher.iter(|| {
            let truth = params.simulator().unwrap().with_truth();
            truth.map(black_box).count()
        });
    });
    group.bench_function(format!("write_csv/rows={rows}"), |bencher| {
        bencher.iter(|| {
            let transactions = params.simulator().unwrap();
            write_csv(transactions, std::io::sink(), CsvColumns::All).unwrap()
        });
    });
    group.finish();
}

fn start(criterion: &mut Criterion) {
    let params = SimulatorParams::default().users(10_000).merchants(10_000);
    let mut group = criterion.benchmark_group("sim");
    group.sample_size(10);
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("start/users=10000", |bencher| {
        bencher.iter(|| params.simulator().unwrap());
    });
    group.finish();
}

criterion_group!(benches, simulate, start);
criterion_main!(benches);
