//! The detector: fit on a history, score a table, score one transaction.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dafu_benches::payments;
use dafu_core::Table;
use dafu_pipeline::Detector;
use std::hint::black_box;

fn detector(criterion: &mut Criterion) {
    let history = payments();
    let trainer = Detector::builder().seed(1).build().unwrap();
    let mut group = criterion.benchmark_group("pipeline");
    group.sample_size(10);
    group.throughput(Throughput::Elements(history.len() as u64));
    group.bench_function(format!("fit/rows={}", history.len()), |bencher| {
        bencher.iter(|| trainer.fit(black_box(&history)).unwrap());
    });
    let fitted = trainer.fit(&history).unwrap();
    let table = Table::from_transactions(&history);
    group.bench_function(format!("score_table/rows={}", history.len()), |bencher| {
        bencher.iter(|| fitted.score_table(black_box(&table)).unwrap());
    });
    group.throughput(Throughput::Elements(1));
    group.sample_size(100);
    group.bench_function("peek/rows=1", |bencher| {
        let mut next = history.iter().cycle();
        bencher.iter(|| fitted.peek(next.next().unwrap()).unwrap());
    });
    group.finish();
}

criterion_group!(benches, detector);
criterion_main!(benches);
