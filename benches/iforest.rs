//! Fit, score and explain of isolation forests. Inputs come from a fixed seed, outside the timed part.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dafu_iforest::{
    FiniteCheck, HeightLimit, IsolationForest, IsolationForestError, IsolationForestParams,
    OnlineIsolationForest, OnlineIsolationForestParams, Parallelism, Renewal, Score, SplitRule,
};
use ndarray::{Array2, Axis, Slice};
use std::hint::black_box;

const COLUMNS: usize = 10;

/// Sums of four hashed uniform numbers: bell-shaped, the same on every platform.
fn rows(count: usize) -> Array2<f64> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    Array2::from_shape_simple_fn((count, COLUMNS), || {
        let mut sum = 0.0;
        for _ in 0..4 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            sum += (state >> 11) as f64 / 9_007_199_254_740_992.0 - 0.5;
        }
        sum
    })
}

fn params() -> IsolationForestParams {
    IsolationForestParams::default()
        .parallelism(Parallelism::Serial)
        .seed(1)
}

fn fitted(count: usize) -> Option<(Array2<f64>, IsolationForest)> {
    let rows = rows(count);
    let forest = params().fit(rows.view()).ok()?;
    Some((rows, forest))
}

fn fit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("iforest/fit");
    for count in [1_000, 10_000, 1_000_000] {
        let rows = rows(count);
        group.throughput(Throughput::Elements(count as u64));
        for (name, check) in [
            ("rows", FiniteCheck::AllRows),
            ("sampled_check/rows", FiniteCheck::SampledRows),
        ] {
            let params = params().finite_check(check);
            group.bench_function(format!("{name}={count}"), |bencher| {
                bencher.iter(|| black_box(params.fit(rows.view())));
            });
        }
    }
    group.finish();
}

fn fit_with_levels(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("iforest/fit_levels");
    let rows = rows(100_000);
    group
        .throughput(Throughput::Elements(100_000))
        .sample_size(20);
    for levels in [1, 8] {
        let params = params().contamination((1..=levels).map(|level| f64::from(level) * 0.01));
        group.bench_function(
            BenchmarkId::from_parameter(format!("levels={levels}")),
            |bencher| {
                bencher.iter(|| black_box(params.fit(rows.view())));
            },
        );
    }
    group.finish();
}

fn score(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("iforest/score");
    for count in [1_000, 100_000] {
        let Some((rows, forest)) = fitted(count) else {
            continue;
        };
        let mut scores = vec![0.0; count];
        group
            .throughput(Throughput::Elements(count as u64))
            .sample_size(20);
        group.bench_function(format!("rows={count}"), |bencher| {
            bencher.iter(|| -> Result<f64, IsolationForestError> {
                forest.score_rows(rows.view(), &mut scores)?;
                Ok(scores[0])
            });
        });
    }
    group.finish();
}

fn one_row(criterion: &mut Criterion) {
    let Some((rows, forest)) = fitted(10_000) else {
        return;
    };
    let row = rows.row(3).to_vec();
    let mut group = criterion.benchmark_group("iforest/one_row");
    group.throughput(Throughput::Elements(1));
    group.bench_function("score", |bencher| {
        bencher.iter(|| black_box(forest.score_row(black_box(&row))));
    });
    let mut contributions = [0.0; COLUMNS];
    group.bench_function("explain", |bencher| {
        bencher.iter(|| black_box(forest.explain_row(black_box(&row), &mut contributions)));
    });
    group.finish();
}

/// A forest whose window is full and that has been in the steady state for a while.
fn online_forest(
    rows: &Array2<f64>,
    renewal: Renewal,
) -> Result<OnlineIsolationForest, IsolationForestError> {
    let params = OnlineIsolationForestParams::default().renewal(renewal);
    let mut forest = params.seed(1).build(COLUMNS)?;
    update_all(&mut forest, rows)?;
    Ok(forest)
}

fn update_all(
    forest: &mut OnlineIsolationForest,
    rows: &Array2<f64>,
) -> Result<(), IsolationForestError> {
    let rows = rows.rows().into_iter();
    rows.filter_map(|row| row.to_slice())
        .try_for_each(|row| forest.update(row))
}

fn online(criterion: &mut Criterion) {
    const ROWS: usize = 10_000;
    let rows = rows(ROWS);
    let mut group = criterion.benchmark_group("iforest/online");
    group
        .throughput(Throughput::Elements(ROWS as u64))
        .sample_size(20);
    for (name, renewal) in [
        ("never", Renewal::Never),
        ("every_window", Renewal::EveryWindow),
    ] {
        let Ok(mut forest) = online_forest(&rows, renewal) else {
            continue;
        };
        group.bench_function(format!("update/renewal={name}"), |bencher| {
            bencher.iter(|| update_all(&mut forest, black_box(&rows)));
        });
    }
    let Ok(forest) = online_forest(&rows, Renewal::EveryWindow) else {
        return;
    };
    let mut scores = vec![0.0; ROWS];
    group.bench_function("score", |bencher| {
        bencher.iter(|| forest.score_rows(black_box(rows.view()), &mut scores));
    });
    group.throughput(Throughput::Elements(1));
    let row = rows.row(3).to_vec();
    let mut contributions = [0.0; COLUMNS];
    group.bench_function("explain", |bencher| {
        bencher.iter(|| black_box(forest.explain_row(black_box(&row), &mut contributions)));
    });
    group.finish();
}

/// Explanations of a row, for the default forest and for trees without height limit.
fn explain(criterion: &mut Criterion) {
    let rows = rows(10_000);
    let unlimited = |rule| {
        let params = params().rules([rule]);
        params.height_limit(HeightLimit::Unlimited)
    };
    let forests = [
        ("standard", params()),
        ("unlimited", unlimited(SplitRule::standard())),
        ("guided", unlimited(SplitRule::fair_cut(1))),
        ("pairs", unlimited(SplitRule::fair_cut(2))),
        (
            "extended",
            params().rules([SplitRule::extended(COLUMNS - 1)]),
        ),
    ];
    for (name, params) in forests {
        let Ok(forest) = params.fit(rows.view()) else {
            continue;
        };
        let mut group = criterion.benchmark_group(format!("iforest/explain/{name}"));
        let mut row = rows.row(1).to_vec();
        row[3] = 4.0;
        row[7] = -3.0;
        let mut out = vec![0.0; COLUMNS];
        group.bench_function("score", |bencher| {
            bencher.iter(|| black_box(forest.score_row(&row)))
        });
        group.bench_function("path", |bencher| {
            bencher.iter(|| black_box(forest.explain_row(&row, &mut out)));
        });
        group.bench_function("shapley", |bencher| {
            bencher.iter(|| black_box(forest.shapley_row(&row, &mut out)));
        });
        group.bench_function("diffi", |bencher| {
            bencher.iter(|| black_box(forest.diffi_row(&row, &mut out)));
        });
        let ordinary = Score::new(0.5).unwrap_or(Score::ZERO);
        group.bench_function("ordinary_values", |bencher| {
            bencher.iter(|| black_box(forest.ordinary_values(&row, ordinary)));
        });
        let batch = rows.slice_axis(Axis(0), Slice::from(..256));
        let mut out = vec![0.0; batch.len()];
        group.throughput(Throughput::Elements(256));
        group.bench_function("shapley_rows/rows=256", |bencher| {
            bencher.iter(|| black_box(forest.shapley_rows(batch, &mut out)));
        });
        group.finish();
    }
}

criterion_group!(
    benches,
    fit,
    fit_with_levels,
    score,
    one_row,
    online,
    explain
);
criterion_main!(benches);
