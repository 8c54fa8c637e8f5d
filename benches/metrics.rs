//! Metrics: one sort, then every curve.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dafu_core::metrics::Ranking;
use std::hint::black_box;

fn metrics(criterion: &mut Criterion) {
    let rows = 1_000_000_u64;
    // Golden-ratio steps: distinct scores in no order.
    let scores: Vec<f64> = (1..=rows)
        .map(|row| (row as f64 * 0.618_033_988_749_895).fract())
        .collect();
    let labels: Vec<bool> = (0..rows).map(|row| row % 100 == 0).collect();
    let mut group = criterion.benchmark_group("metrics");
    group.sample_size(10);
    group.throughput(Throughput::Elements(rows));
    group.bench_function(format!("rank/rows={rows}"), |bencher| {
        bencher.iter(|| Ranking::new(black_box(&labels), black_box(&scores), None).unwrap());
    });
    let ranking = Ranking::new(&labels, &scores, None).unwrap();
    group.bench_function(format!("roc_auc/rows={rows}"), |bencher| {
        bencher.iter(|| black_box(&ranking).roc_auc().unwrap());
    });
    group.finish();
}

criterion_group!(benches, metrics);
criterion_main!(benches);
