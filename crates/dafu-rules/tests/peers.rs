//! The answers of zen-expression 2.1.6 and CEL 0.15 to random conditions without units and missing values, which
//! `benches/peers/rules` wrote: `rules-peers corpus FILE`.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::Unit;
use dafu_rules::{Condition, Row, RuleSchema, Truth, Variable};
use serde_json::Value;

#[test]
fn answers_are_those_of_other_engines() {
    let corpus: Value = serde_json::from_str(include_str!("data/peers.json")).unwrap();
    let names = corpus["variables"].as_array().unwrap();
    let numbers = names
        .iter()
        .map(|name| Variable::number(name.as_str().unwrap(), Unit::One));
    let schema = RuleSchema::new(numbers.chain([Variable::text("country")])).unwrap();
    let events = corpus["events"].as_array().unwrap();
    let cases = corpus["cases"].as_array().unwrap();
    assert_eq!((events.len(), cases.len()), (12, 400));
    let mut constant = 0;
    for case in cases {
        let (source, answers) = (case[0].as_str().unwrap(), case[1].as_str().unwrap());
        let compiled = match Condition::parse(source).unwrap().compile(&schema) {
            Ok(compiled) => compiled,
            Err(error) => {
                // Where we say that nothing depends on the event, the answers of the others say the same.
                let one = answers
                    .bytes()
                    .all(|answer| answer == answers.as_bytes()[0]);
                assert!(one && error.to_string().contains("E010"), "{error}");
                constant += 1;
                continue;
            }
        };
        for (event, answer) in events.iter().zip(answers.bytes()) {
            let numbers: Vec<f64> = event[0]
                .as_array()
                .unwrap()
                .iter()
                .map(|number| number.as_f64().unwrap())
                .collect();
            let row = Row {
                numbers: &numbers,
                texts: &[event[1].as_str()],
            };
            assert_eq!(
                compiled.truth(row).unwrap(),
                Truth::from(answer == b'1'),
                "{source} {event}"
            );
        }
    }
    assert!(constant < 20, "{constant}");
}
