//! Random conditions with the answers of two engines.

use crate::engines::{Event, NAMES, cel_context, zen_context, zen_source};
use crate::{Outcome, Random};
use serde_json::json;

const CONDITIONS: usize = 400;
const EVENTS: usize = 12;
const COUNTRIES: [&str; 4] = ["DE", "FR", "US", ""];

/// Halves, which are the same as binary and as decimal numbers.
fn number(random: &mut Random) -> f64 {
    random.below(41) as f64 / 2.0 - 10.0
}

fn written(number: f64) -> String {
    if number < 0.0 {
        format!("(-{:.1})", -number)
    } else {
        format!("{number:.1}")
    }
}

fn value(random: &mut Random, depth: u32) -> String {
    match random.below(if depth == 0 { 2 } else { 5 }) {
        0 => written(number(random)),
        1 => NAMES[random.below(9) as usize].into(),
        2 => format!(
            "({} + {})",
            value(random, depth - 1),
            value(random, depth - 1)
        ),
        3 => format!(
            "({} - {})",
            value(random, depth - 1),
            value(random, depth - 1)
        ),
        _ => format!(
            "({} * {})",
            value(random, depth - 1),
            value(random, depth - 1)
        ),
    }
}

fn condition(random: &mut Random, depth: u32) -> String {
    let sign = ["<", "<=", ">", ">=", "==", "!="][random.below(6) as usize];
    match random.below(if depth == 0 { 4 } else { 8 }) {
        0 | 1 => format!(
            "{} {sign} {}",
            NAMES[random.below(9) as usize],
            value(random, 1)
        ),
        2 => {
            let sign = ["==", "!="][random.below(2) as usize];
            format!("country {sign} \"{}\"", COUNTRIES[random.below(4) as usize])
        }
        3 => format!(
            "country in [\"DE\", \"{}\"]",
            COUNTRIES[random.below(4) as usize]
        ),
        4 | 5 => format!(
            "({} && {})",
            condition(random, depth - 1),
            condition(random, depth - 1)
        ),
        6 => format!(
            "({} || {})",
            condition(random, depth - 1),
            condition(random, depth - 1)
        ),
        _ => format!("!({})", condition(random, depth - 1)),
    }
}

pub fn write(file: &str) -> Outcome<()> {
    let mut random = Random(7);
    let events: Vec<Event> = (0..EVENTS)
        .map(|_| Event {
            numbers: std::array::from_fn(|_| number(&mut random)),
            country: COUNTRIES[random.below(4) as usize],
        })
        .collect();
    let root = cel::Context::default();
    let mut cases = Vec::new();
    while cases.len() < CONDITIONS {
        let source = condition(&mut random, 4);
        let zen = zen_expression::compile_expression(&zen_source(&source))
            .map_err(|error| format!("{source}: {error}"))?;
        let cel = cel::Program::compile(&source)?;
        let mut answers = String::new();
        for event in &events {
            let by_zen = zen
                .evaluate(zen_context(event))
                .map_err(|error| format!("{source}: {error}"))?;
            let by_cel = cel.execute(&cel_context(&root, event)?)?;
            let by_zen = by_zen
                .as_bool()
                .ok_or("zen-expression did not answer with yes or no")?;
            if by_cel != by_zen.into() {
                return Err(
                    format!("zen-expression says {by_zen}, CEL {by_cel:?}: {source}").into(),
                );
            }
            answers.push(if by_zen { '1' } else { '0' });
        }
        cases.push(json!([source, answers]));
    }
    let events: Vec<_> = events
        .iter()
        .map(|event| json!([event.numbers, event.country]))
        .collect();
    let text = json!({"variables": NAMES, "events": events, "cases": cases});
    std::fs::write(file, serde_json::to_string(&text)?.replace("],[", "],\n["))?;
    Ok(())
}
