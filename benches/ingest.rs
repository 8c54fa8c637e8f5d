//! Reading CSV: rows a second into typed tables.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dafu_benches::payments;
use dafu_ingest::{FileSource, IngestParams};
use dafu_sim::{CsvColumns, write_csv};

fn read(criterion: &mut Criterion) {
    let mut file = Vec::new();
    let rows = write_csv(payments(), &mut file, CsvColumns::Required).unwrap();
    let source = FileSource::from_bytes(&file, &IngestParams::default()).unwrap();
    let mut group = criterion.benchmark_group("ingest");
    group.sample_size(10);
    group.throughput(Throughput::Elements(rows));
    group.bench_function(format!("csv/rows={rows}"), |bencher| {
        bencher.iter(|| {
            source
                .tables()
                .unwrap()
                .map(|table| table.unwrap().rows())
                .sum::<usize>()
        });
    });
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
