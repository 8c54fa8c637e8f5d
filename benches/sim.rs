//! The simulator: transactions a second.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dafu_sim::SimulatorParams;

fn simulate(criterion: &mut Criterion) {
    let params = SimulatorParams::default().users(1_000).days(30).seed(1);
    let rows = params.simulator().unwrap().count() as u64;
    let mut group = criterion.benchmark_group("sim");
    group.sample_size(10);
    group.throughput(Throughput::Elements(rows));
    group.bench_function(format!("stream/rows={rows}"), |bencher| {
        bencher.iter(|| params.simulator().unwrap().count());
    });
    group.finish();
}

criterion_group!(benches, simulate);
criterion_main!(benches);
