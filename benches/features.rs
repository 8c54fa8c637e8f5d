//! Preprocessing: fit and transform.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dafu_benches::payments;
use dafu_core::Table;
use dafu_features::PreprocessorParams;
use std::hint::black_box;

fn preprocess(criterion: &mut Criterion) {
    let table = Table::from_transactions(&payments());
    let params = PreprocessorParams::default();
    let fitted = params.fit(&table).unwrap();
    let rows = table.rows();
    let mut group = criterion.benchmark_group("features");
    group.sample_size(10);
    group.throughput(Throughput::Elements(rows as u64));
    group.bench_function(format!("fit/rows={rows}"), |bencher| {
        bencher.iter(|| params.fit(black_box(&table)).unwrap());
    });
    group.bench_function(format!("transform/rows={rows}"), |bencher| {
        bencher.iter(|| fitted.transform(black_box(&table)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, preprocess);
criterion_main!(benches);
