//! Preprocessing (fit and transform), and the feature engine: one by one, in a stream that looks ahead, in batch.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dafu_benches::payments;
use dafu_core::Table;
use dafu_features::{FeatureEngine, FeatureSet, Labels, PreprocessorParams, Span};
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

fn engine(criterion: &mut Criterion) {
    let all = payments();
    let standard = FeatureSet::standard().labels(Labels::AfterDelay(Span::days(7)));
    for (name, set) in [("handbook", FeatureSet::handbook()), ("standard", standard)] {
        let new = || FeatureEngine::new(&set).unwrap();
        let mut group = criterion.benchmark_group(format!("features/engine/{name}"));
        group.sample_size(10);
        group.throughput(Throughput::Elements(all.len() as u64));
        group.bench_function("observe", |bencher| {
            bencher.iter(|| {
                let mut engine = new();
                for tx in &all {
                    black_box(engine.observe(tx).unwrap());
                }
            });
        });
        group.bench_function("stream", |bencher| {
            bencher.iter(|| {
                new()
                    .stream(&all, |_, seen| {
                        black_box(seen);
                    })
                    .unwrap();
            });
        });
        group.bench_function("batch", |bencher| {
            bencher.iter(|| new().observe_all(black_box(&all)).unwrap());
        });
        let mut engine = new();
        engine.observe_all(&all).unwrap();
        println!(
            "features/engine/{name}: {} bytes of {} entities",
            engine.memory_bytes(),
            engine.entities()
        );
        group.bench_function("snapshot", |bencher| {
            bencher.iter(|| engine.snapshot().unwrap());
        });
        group.finish();
    }
}

criterion_group!(benches, preprocess, engine);
criterion_main!(benches);
