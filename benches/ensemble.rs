//! Fit, score, explain and calibrate of supervised learners, on one thread. Inputs come from a fixed seed, outside the
//! timed part.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{Criterion, Throughput, criterion_group};
use dafu_ensemble::{
    BoostedTrees, BoostedTreesParams, CalibrationMethod, Growth, RandomForest, RandomForestParams,
    Samples,
};
use ndarray::Array2;
use std::hint::black_box;

const COLUMNS: usize = 20;

/// Bell-shaped columns, and frauds (about 2 %) by a sum and a product of some of them.
struct Data {
    rows: Array2<f64>,
    frauds: Vec<bool>,
}

impl Data {
    /// The same on every platform.
    fn new(count: usize) -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut bell = || {
            let mut sum = 0.0;
            for _ in 0..4 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                sum += (state >> 11) as f64 / 9_007_199_254_740_992.0 - 0.5;
            }
            sum
        };
        let rows = Array2::from_shape_simple_fn((count, COLUMNS), &mut bell);
        let frauds = rows
            .rows()
            .into_iter()
            .map(|row| row[0] + 2.0 * row[1] * row[2] + bell() > 2.0)
            .collect();
        Self { rows, frauds }
    }

    fn samples(&self) -> Samples<'_> {
        Samples::new(self.rows.view(), &self.frauds).unwrap()
    }

    fn boosted(&self, params: &BoostedTreesParams) -> BoostedTrees {
        params.fit(&self.samples()).unwrap()
    }

    fn forest(&self) -> RandomForest {
        RandomForestParams::default().fit(&self.samples()).unwrap()
    }
}

fn fit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ensemble");
    group.sample_size(10);
    for count in [10_000, 100_000] {
        let data = Data::new(count);
        let params = BoostedTreesParams::default();
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("fit_boosted/rows={count}"), |bencher| {
            bencher.iter(|| data.boosted(black_box(&params)));
        });
        group.bench_function(format!("fit_forest/rows={count}"), |bencher| {
            bencher.iter(|| black_box(&data).forest());
        });
    }
    group.finish();
}

fn score_rows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ensemble");
    let count = 100_000;
    let data = Data::new(count);
    let learned = Data::new(10_000);
    let boosted = learned.boosted(&BoostedTreesParams::default());
    let forest = learned.forest();
    let mut out = vec![0.0; count];
    group
        .throughput(Throughput::Elements(count as u64))
        .sample_size(20);
    group.bench_function(format!("score_boosted/rows={count}"), |bencher| {
        bencher.iter(|| {
            let rows = black_box(data.rows.view());
            boosted.log_odds_rows(rows, &mut out).unwrap();
        });
    });
    group.bench_function(format!("score_forest/rows={count}"), |bencher| {
        bencher.iter(|| {
            let rows = black_box(data.rows.view());
            forest.share_rows(rows, &mut out).unwrap();
        });
    });
    group.finish();
}

fn score_one_row(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ensemble");
    let data = Data::new(10_000);
    let params = BoostedTreesParams::default().n_estimators(100);
    let depth = params.clone().growth(Growth::DepthWise).max_leaves(64);
    group.throughput(Throughput::Elements(1));
    // Another row each time: a processor learns the way of one that comes again.
    let rows: Vec<Vec<f64>> = data
        .rows
        .rows()
        .into_iter()
        .map(|row| row.to_vec())
        .collect();
    for (name, params) in [
        ("leaves=8", params.max_leaves(8)),
        ("depth=6", depth.max_depth(6)),
    ] {
        let model = data.boosted(&params);
        let mut rows = rows.iter().cycle();
        group.bench_function(format!("score_boosted_row/{name}"), |bencher| {
            bencher.iter(|| model.log_odds_row(black_box(rows.next().unwrap())));
        });
    }
    let forest = data.forest();
    let mut rows = rows.iter().cycle();
    group.bench_function("score_forest_row/trees=100", |bencher| {
        bencher.iter(|| forest.share_row(black_box(rows.next().unwrap())));
    });
    group.finish();
}

fn explain(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ensemble");
    let count = 1_000;
    let params = BoostedTreesParams::default().n_estimators(100);
    let model = Data::new(10_000).boosted(&params.max_leaves(31));
    let data = Data::new(count);
    group.sample_size(10);
    group.bench_function("explainer/leaves=31", |bencher| {
        bencher.iter(|| black_box(&model).explainer());
    });
    let explainer = model.explainer();
    let mut out = vec![0.0; count * COLUMNS];
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function(format!("explain_boosted/rows={count}"), |bencher| {
        bencher.iter(|| {
            let rows = black_box(data.rows.view());
            explainer.explain_rows(rows, &mut out).unwrap();
        });
    });
    group.finish();
}

fn calibrate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ensemble");
    let count = 100_000;
    let data = Data::new(count);
    let model = Data::new(10_000).boosted(&BoostedTreesParams::default());
    let mut scores = vec![0.0; count];
    model.log_odds_rows(data.rows.view(), &mut scores).unwrap();
    group
        .throughput(Throughput::Elements(count as u64))
        .sample_size(20);
    for (name, method) in [
        ("platt", CalibrationMethod::Platt),
        ("isotonic", CalibrationMethod::Isotonic),
        ("beta", CalibrationMethod::Beta),
        ("venn_abers", CalibrationMethod::VennAbers),
    ] {
        let fit = || method.fit(black_box(&scores), &data.frauds, None).unwrap();
        group.bench_function(format!("fit_{name}/rows={count}"), |bencher| {
            bencher.iter(fit);
        });
        let calibrator = fit();
        group.bench_function(format!("calibrate_{name}/rows={count}"), |bencher| {
            bencher.iter(|| calibrator.calibrate_rows(black_box(&scores)));
        });
    }
    group.finish();
}

criterion_group!(benches, fit, score_rows, score_one_row, explain, calibrate);

/// As `criterion_main!`, on one thread.
fn main() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    pool.unwrap().install(|| {
        benches();
        Criterion::default().configure_from_args().final_summary();
    });
}
