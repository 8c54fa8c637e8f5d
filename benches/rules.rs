//! Rules: one and a hundred for one event, in batches, compiled.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dafu_core::random::Stream;
use dafu_core::{Timestamp, Unit};
use dafu_rules::{
    Columns, Condition, Moment, Row, Rule, RuleReport, RuleSchema, RuleSet, Variable,
};
use ndarray::Array2;
use std::hint::black_box;

const NAMES: [&str; 6] = ["amount", "per_hour", "distance", "age", "logins", "risk"];
const EVENTS: usize = 4096;

fn schema() -> RuleSchema {
    RuleSchema::new(NAMES.map(|name| Variable::number(name, Unit::One))).unwrap()
}

/// Rules of three comparisons with shares of 1,000 as limits.
fn rules(count: usize) -> RuleSet {
    let mut stream = Stream::new(5, 0, 0);
    let mut limit = || stream.below(1000) as f64 / 1000.0;
    RuleSet::new((0..count).map(|rule| {
        let condition = match rule % 3 {
            0 => format!(
                "amount > {} and per_hour > {} or distance > {}",
                limit(),
                limit(),
                limit()
            ),
            1 => format!(
                "age < {} and logins > {} and risk > {}",
                limit(),
                limit(),
                limit()
            ),
            _ => format!(
                "(amount < {} or amount > {}) and distance > {}",
                limit(),
                limit(),
                limit()
            ),
        };
        Rule::new(rule.to_string(), condition, 0.5)
    }))
}

fn bench(criterion: &mut Criterion) {
    let mut stream = Stream::new(3, 0, 0);
    let events = Array2::from_shape_simple_fn((EVENTS, NAMES.len()), || {
        stream.below(1 << 20) as f64 / f64::from(1 << 20)
    });
    let mut group = criterion.benchmark_group("rules");
    group.throughput(Throughput::Elements(EVENTS as u64));
    let condition = Condition::parse(&rules(1).rules[0].condition)
        .unwrap()
        .compile(&schema())
        .unwrap();
    let row = |event| Row {
        numbers: event,
        texts: &[],
    };
    group.bench_function("condition", |bencher| {
        bencher.iter(|| {
            for event in events.rows() {
                black_box(condition.truth(row(event.to_slice().unwrap())).unwrap());
            }
        });
    });
    let set = rules(100);
    let engine = set.compile(&schema()).unwrap();
    let moment = Moment::at(Timestamp::EPOCH);
    let mut report = RuleReport::default();
    group.bench_function("row/rules=100", |bencher| {
        bencher.iter(|| {
            for event in events.rows() {
                engine
                    .evaluate_into(row(event.to_slice().unwrap()), &moment, &mut report)
                    .unwrap();
                black_box(report.risk_score);
            }
        });
    });
    let by_column = events.t().as_standard_layout().into_owned();
    let columns = by_column
        .rows()
        .into_iter()
        .fold(Columns::new(EVENTS), |columns, column| {
            columns.number(column).unwrap()
        });
    group.bench_function("columns/rules=100", |bencher| {
        bencher.iter(|| engine.evaluate_columns(black_box(&columns)).unwrap());
    });
    group.throughput(Throughput::Elements(100));
    group.bench_function("compile/rules=100", |bencher| {
        bencher.iter(|| black_box(&set).compile(&schema()).unwrap());
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
