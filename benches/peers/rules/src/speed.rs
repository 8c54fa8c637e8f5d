//! CPU time of all engines.

use crate::engines::{Event, NAMES, cel_context, rhai_scope, schema, zen_context, zen_source};
use crate::{Outcome, Random};
use dafu_core::{Label, Timestamp, Unit};
use dafu_rules::optimize::Judged;
use dafu_rules::{
    Columns, Condition, DecisionTable, HitPolicy, Moment, Row, Rule, RuleEngine, RuleReport,
    RuleSchema, RuleSet, TableRow, TableValue, TextColumn, Variable,
};
use ndarray::Array2;
use std::hint::black_box;
use std::sync::Arc;

const RULE: &str =
    "amount > 10000.0 && transactions_per_hour > 10.0 || distance_from_home > 1000.0";
const COUNTRIES: [&str; 4] = ["DE", "FR", "US", "GB"];
const EVENTS: usize = 4096;

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// CPU seconds of one call, the mean over so many that they take 50 ms.
fn time_of(mut call: impl FnMut() -> Outcome<usize>) -> Outcome<f64> {
    let mut calls = 1_u32;
    loop {
        let start = cpu_seconds();
        for _ in 0..calls {
            black_box(call()?);
        }
        let taken = cpu_seconds() - start;
        if taken >= 0.05 || calls > 1 << 28 {
            return Ok(taken / f64::from(calls));
        }
        calls *= 4;
    }
}

fn events() -> Vec<Event> {
    let mut random = Random(3);
    let mut uniform = |most: f64| random.below(1 << 20) as f64 / f64::from(1 << 20) * most;
    (0..EVENTS)
        .map(|at| Event {
            numbers: [
                15_000.0, 15.0, 1500.0, 3000.0, 1.0, 24.0, 10.0, 500.0, 400.0,
            ]
            .map(&mut uniform),
            country: COUNTRIES[at % 4],
        })
        .collect()
}

/// 100 rules of 3 comparisons in 4 forms.
fn hundred() -> Vec<String> {
    let mut random = Random(5);
    let mut number = |most: u64| format!("{}.0", random.below(most));
    (0..100)
        .map(|at| match at % 4 {
            0 => format!(
                "amount > {} && transactions_per_hour > {} || distance_from_home > {}",
                number(15_000),
                number(15),
                number(1500)
            ),
            1 => format!(
                "account_age_days < {} && failed_logins > {} && merchant_risk > 0.{}",
                number(3000),
                number(10),
                at
            ),
            2 => format!(
                "(hour < {} || hour > {}) && amount > {}",
                number(12),
                number(24),
                number(15_000)
            ),
            _ => format!(
                "country == \"{}\" && avg_amount_30d < {} && device_age_days < {}",
                COUNTRIES[at / 4 % 4],
                number(500),
                number(400)
            ),
        })
        .collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// One figure: nanoseconds of both, and their ratio.
fn figure(name: &str, ours: &[f64], (peer, theirs): (&str, &[f64]), (reach, stretch): (f64, f64)) {
    let ratio = median(
        theirs
            .iter()
            .zip(ours)
            .map(|(theirs, ours)| theirs / ours)
            .collect(),
    );
    let verdict = if ratio >= stretch {
        "stretch"
    } else if ratio >= reach {
        "reach"
    } else {
        "short"
    };
    let (ours, theirs) = (median(ours.to_vec()) * 1e9, median(theirs.to_vec()) * 1e9);
    println!(
        "figure={name} ours={ours:.1}ns peer={peer}:{theirs:.1}ns ratio={ratio:.1} reach={reach} stretch={stretch} verdict={verdict}"
    );
}

/// Every engine with its conditions, ready to run.
struct Engines {
    dafu: RuleEngine,
    single: dafu_rules::CompiledCondition,
    zen: Vec<zen_expression::Expression<zen_expression::expression::Standard>>,
    cel: Vec<cel::Program>,
    rhai: rhai::Engine,
    scripts: Vec<rhai::AST>,
}

fn engines(sources: &[String]) -> Outcome<Engines> {
    let rules = sources
        .iter()
        .enumerate()
        .map(|(at, source)| Rule::new(at.to_string(), source, 0.5));
    let mut rhai = rhai::Engine::new();
    rhai.set_optimization_level(rhai::OptimizationLevel::Full);
    let scripts = sources
        .iter()
        .map(|source| rhai.compile_expression(source))
        .collect::<Result<_, _>>()?;
    let zen = sources
        .iter()
        .map(|source| zen_expression::compile_expression(&zen_source(source)));
    Ok(Engines {
        dafu: RuleSet::new(rules).compile(&schema()?)?,
        single: Condition::parse(RULE)?.compile(&schema()?)?,
        zen: zen
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?,
        cel: sources
            .iter()
            .map(|source| cel::Program::compile(source))
            .collect::<Result<_, _>>()?,
        rhai,
        scripts,
    })
}

pub fn run(turns: usize) -> Outcome<()> {
    let events = events();
    let one = engines(&[RULE.into()])?;
    let hundred_sources = hundred();
    let many = engines(&hundred_sources)?;
    one_rule(&one, &events, turns)?;
    hundred_rules(&many, &events, turns)?;
    compile(&hundred_sources, turns)?;
    backtest(&many, turns)?;
    table(turns)
}

fn fired_by_zen(
    engines: &Engines,
    context: &zen_expression::variable::Variable,
    vm: &mut zen_expression::vm::VM,
) -> Outcome<usize> {
    let mut fired = 0;
    for expression in &engines.zen {
        let answer = expression
            .evaluate_with(context.clone(), vm)
            .map_err(|error| error.to_string())?;
        fired += usize::from(answer.as_bool().unwrap_or(false));
    }
    Ok(fired)
}

fn fired_by_cel(engines: &Engines, context: &cel::Context<'_, '_>) -> Outcome<usize> {
    let mut fired = 0;
    for program in &engines.cel {
        fired += usize::from(program.execute(context)? == true.into());
    }
    Ok(fired)
}

fn fired_by_rhai(engines: &Engines, scope: &mut rhai::Scope<'static>) -> Outcome<usize> {
    let mut fired = 0;
    for script in &engines.scripts {
        fired += usize::from(engines.rhai.eval_ast_with_scope::<bool>(scope, script)?);
    }
    Ok(fired)
}

fn one_rule(engines: &Engines, events: &[Event], turns: usize) -> Outcome<()> {
    let each = |total: f64| total / EVENTS as f64;
    let contexts: Vec<_> = events.iter().map(zen_context).collect();
    let root = cel::Context::default();
    let cel_contexts = events
        .iter()
        .map(|event| cel_context(&root, event))
        .collect::<Outcome<Vec<_>>>()?;
    let mut scopes: Vec<_> = events.iter().map(rhai_scope).collect();
    let mut vm = zen_expression::vm::VM::new();
    let (mut ours, mut zen, mut cel, mut rhai) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for turn in 0..turns {
        let mut fired = [0; 4];
        ours.push(each(time_of(|| {
            fired[0] = 0;
            for event in events {
                let row = Row {
                    numbers: &event.numbers,
                    texts: &[Some(event.country)],
                };
                fired[0] += usize::from(engines.single.truth(row)? == dafu_rules::Truth::True);
            }
            Ok(fired[0])
        })?));
        zen.push(each(time_of(|| {
            fired[1] = 0;
            for context in &contexts {
                fired[1] += fired_by_zen(engines, context, &mut vm)?;
            }
            Ok(fired[1])
        })?));
        cel.push(each(time_of(|| {
            fired[2] = 0;
            for context in &cel_contexts {
                fired[2] += fired_by_cel(engines, context)?;
            }
            Ok(fired[2])
        })?));
        rhai.push(each(time_of(|| {
            fired[3] = 0;
            for scope in &mut scopes {
                fired[3] += fired_by_rhai(engines, scope)?;
            }
            Ok(fired[3])
        })?));
        if fired.iter().any(|other| *other != fired[0]) {
            return Err(format!("the engines disagree: {fired:?} fired").into());
        }
        if turn == 0 {
            println!(
                "# one rule fires for {} of {EVENTS} events, in all engines",
                fired[0]
            );
        }
    }
    figure("one_rule", &ours, ("zen-expression", &zen), (10.0, 30.0));
    figure("one_rule", &ours, ("rhai", &rhai), (30.0, 75.0));
    figure("one_rule", &ours, ("cel", &cel), (100.0, 250.0));
    Ok(())
}

fn hundred_rules(engines: &Engines, events: &[Event], turns: usize) -> Outcome<()> {
    let each = |total: f64| total / EVENTS as f64;
    let contexts: Vec<_> = events.iter().map(zen_context).collect();
    let matrix = Array2::from_shape_fn((EVENTS, NAMES.len()), |(row, slot)| {
        events[row].numbers[slot]
    });
    let by_column = matrix.t().as_standard_layout().into_owned();
    let levels: Vec<Arc<str>> = COUNTRIES.map(Arc::from).into();
    let code = |event: &Event| {
        COUNTRIES
            .iter()
            .position(|country| *country == event.country)
            .unwrap_or(9) as u32
    };
    let codes: Vec<u32> = events.iter().map(code).collect();
    let mut columns = Columns::new(EVENTS);
    for column in by_column.rows() {
        columns = columns.number(column)?;
    }
    let columns = columns.text(TextColumn::Codes {
        codes: &codes,
        levels: &levels,
    })?;
    let mut vm = zen_expression::vm::VM::new();
    let moment = Moment::at(Timestamp::EPOCH);
    let mut report = RuleReport::default();
    let (mut build, mut zen_build, mut batch, mut zen) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for turn in 0..turns {
        let mut fired = [0; 4];
        build.push(each(time_of(|| {
            fired[0] = 0;
            let mut numbers = [0.0; 9];
            for event in events {
                // What a caller does: its values go to their slots.
                numbers.copy_from_slice(&event.numbers);
                let row = Row {
                    numbers: black_box(&numbers),
                    texts: &[Some(event.country)],
                };
                engines.dafu.evaluate_into(row, &moment, &mut report)?;
                fired[0] += report.fired().count();
            }
            Ok(fired[0])
        })?));
        zen_build.push(each(time_of(|| {
            fired[1] = 0;
            for event in events {
                fired[1] += fired_by_zen(engines, &zen_context(event), &mut vm)?;
            }
            Ok(fired[1])
        })?));
        batch.push(each(time_of(|| {
            let matrix = engines.dafu.evaluate_columns(&columns)?;
            fired[2] = (0..matrix.rules())
                .filter_map(|rule| matrix.fired(rule))
                .map(|bits| bits.count())
                .sum();
            Ok(fired[2])
        })?));
        zen.push(each(time_of(|| {
            fired[3] = 0;
            for context in &contexts {
                fired[3] += fired_by_zen(engines, context, &mut vm)?;
            }
            Ok(fired[3])
        })?));
        if fired.iter().any(|other| *other != fired[0]) {
            return Err(format!("the engines disagree: {fired:?} fired").into());
        }
        if turn == 0 {
            println!(
                "# 100 rules fire {} times for {EVENTS} events, in both engines",
                fired[0]
            );
        }
    }
    figure(
        "100_rules_with_context",
        &build,
        ("zen-expression", &zen_build),
        (12.0, 28.0),
    );
    figure(
        "100_rules_in_batches",
        &batch,
        ("zen-expression", &zen),
        (60.0, 129.0),
    );
    Ok(())
}

fn compile(sources: &[String], turns: usize) -> Outcome<()> {
    let schema = schema()?;
    let rules = sources
        .iter()
        .enumerate()
        .map(|(at, source)| Rule::new(at.to_string(), source, 0.5));
    let set = RuleSet::new(rules);
    let (mut ours, mut zen) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        ours.push(time_of(|| Ok(set.compile(&schema)?.slots().0))?);
        zen.push(time_of(|| {
            for source in sources {
                black_box(
                    zen_expression::compile_expression(&zen_source(source))
                        .map_err(|error| error.to_string())?,
                );
            }
            Ok(0)
        })?);
    }
    let (ours, zen) = (median(ours) * 1e3, median(zen) * 1e3);
    let verdict = if ours <= 1.0 {
        "stretch"
    } else if ours <= 5.0 {
        "reach"
    } else {
        "short"
    };
    println!(
        "figure=compile_100_rules ours={ours:.3}ms peer=zen-expression:{zen:.3}ms ratio={:.2} reach=5ms stretch=1ms verdict={verdict}",
        zen / ours
    );
    Ok(())
}

/// A backtest of 100 rules on as many payments as the Handbook's file has, times and amounts included. No peer has one.
fn backtest(engines: &Engines, turns: usize) -> Outcome<()> {
    const ROWS: usize = 1_300_000;
    let mut random = Random(11);
    let most = [
        15_000.0, 15.0, 1500.0, 3000.0, 1.0, 24.0, 10.0, 500.0, 400.0,
    ];
    let mut uniform = |most: f64| random.below(1 << 20) as f64 / f64::from(1 << 20) * most;
    let numbers = Array2::from_shape_fn((NAMES.len(), ROWS), |(column, _)| uniform(most[column]));
    let levels: Vec<Arc<str>> = COUNTRIES.map(Arc::from).into();
    let codes: Vec<u32> = (0..ROWS as u32).map(|row| row % 4).collect();
    let labels: Vec<Label> = (0..ROWS).map(|row| Label::from(row % 120 == 0)).collect();
    let day = 86_400 * 60;
    let times: Vec<Timestamp> = (0..ROWS)
        .map(|row| Timestamp::from_seconds((row as i64) * day / ROWS as i64))
        .collect::<Result<_, _>>()?;
    let mut columns = Columns::new(ROWS);
    for column in numbers.rows() {
        columns = columns.number(column)?;
    }
    let columns = columns.text(TextColumn::Codes {
        codes: &codes,
        levels: &levels,
    })?;
    let amounts = numbers.row(0);
    let judged = Judged::new(&labels)
        .times(&times)?
        .amounts(amounts.as_slice().ok_or("a row")?)?;
    let mut taken = Vec::new();
    for _ in 0..turns {
        let start = cpu_seconds();
        let backtest = engines.dafu.backtest(&columns, &judged)?;
        taken.push(cpu_seconds() - start);
        black_box(backtest.all.fired);
    }
    let ours = median(taken);
    let verdict = if ours <= 0.2 {
        "stretch"
    } else if ours <= 0.5 {
        "reach"
    } else {
        "short"
    };
    println!(
        "figure=backtest_100_rules_1.3M_rows ours={ours:.3}s peer=none ratio=- reach=0.5s stretch=0.2s verdict={verdict}"
    );
    Ok(())
}

/// The first and the last row of a decision table of 3,000 rows.
fn table(turns: usize) -> Outcome<()> {
    const ROWS: usize = 3000;
    let schema = RuleSchema::new([Variable::number("amount", Unit::One)])?;
    let rows = (0..ROWS).map(|row| TableRow {
        cells: vec![format!("[{row}..{})", row + 1)],
        outputs: vec![TableValue::Number(row as f64)],
        ..TableRow::default()
    });
    let mut table = DecisionTable::new("fees", ["amount"], ["fee"]).hit_policy(HitPolicy::First);
    for row in rows {
        table = table.row(row);
    }
    let table = table.compile(&schema)?;
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        for (amount, times) in [(0.5, &mut first), (ROWS as f64 - 0.5, &mut last)] {
            let numbers = [amount];
            let row = Row {
                numbers: black_box(&numbers),
                texts: &[],
            };
            times.push(time_of(|| {
                let answer = table.decide(row)?;
                let found = answer.row().ok_or("no row")?;
                Ok(found)
            })?);
        }
    }
    let (first, last) = (median(first) * 1e9, median(last) * 1e9);
    let ratio = last / first;
    let verdict = if ratio <= 1.2 {
        "stretch"
    } else if ratio <= 2.0 {
        "reach"
    } else {
        "short"
    };
    println!(
        "figure=table_3000_rows ours={last:.1}ns peer=first_row:{first:.1}ns ratio={ratio:.2} reach=2 stretch=1.2 verdict={verdict}"
    );
    Ok(())
}
