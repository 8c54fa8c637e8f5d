//! Decision tables as files, and what their answers say together.
#![allow(
    clippy::float_cmp,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: what fails is a failure of the test"
)]

mod support;

use dafu_rules::{DecisionTable, HitPolicy, Row, TableRow, TableValue};
use support::table::schema;

#[test]
fn what_is_collected_is_added_up_and_counted() {
    let outputs = |number: f64, text: TableValue| [TableValue::Number(number), text];
    let table = DecisionTable::new("points", ["amount"], ["points", "note"])
        .hit_policy(HitPolicy::Collect)
        .row(TableRow::new(["> 10"], outputs(5.0, "a".into())))
        .row(TableRow::new(["> 100"], outputs(-2.5, "b".into())))
        .row(TableRow::new(["> 1000"], outputs(20.0, 7.0.into())));
    let compiled = table.compile(&schema()).unwrap();
    for (amount, count, sum, min, max) in [
        (5.0, 0, None, None, None),
        (50.0, 1, Some(5.0), Some(5.0), Some(5.0)),
        (500.0, 2, Some(2.5), Some(-2.5), Some(5.0)),
        (5000.0, 3, Some(22.5), Some(-2.5), Some(20.0)),
    ] {
        let row = Row {
            numbers: &[amount, 0.0, 0.0, 0.0],
            texts: &[None],
        };
        let answer = compiled.decide(row).unwrap();
        assert_eq!(answer.count(), count, "{amount}");
        let of = |name| (answer.sum(name), answer.min(name), answer.max(name));
        assert_eq!(of("points"), (sum, min, max), "{amount}");
        // Texts have no sum, not even beside a number, and what is not there has none either.
        assert_eq!(of("note"), (None, None, None));
        assert_eq!(of("other"), (None, None, None));
    }
}

#[cfg(feature = "serde")]
mod files {
    use super::schema;
    use dafu_rules::{DecisionTable, HitPolicy, RuleError, TableRow, TableValue};
    use proptest::prelude::*;

    const JSON: &str = r#"{
        "name": "fees",
        "hit_policy": "priority",
        "inputs": ["amount", "country"],
        "outputs": ["fee", "route", "final"],
        "rows": [
            {"cells": ["> 100", "'DE', 'FR'"], "outputs": [0.5, "review", true], "priority": 3},
            {"cells": ["-", "-"], "outputs": [1, "approve", false], "id": "rest", "note": "all others"}
        ]
    }"#;

    const TOML: &str = r#"
        name = "fees"
        hit_policy = "priority"
        inputs = ["amount", "country"]
        outputs = ["fee", "route", "final"]

        [[rows]]
        cells = ["> 100", "'DE', 'FR'"]
        outputs = [0.5, "review", true]
        priority = 3

        [[rows]]
        cells = ["-", "-"]
        outputs = [1, "approve", false]
        id = "rest"
        note = "all others"
    "#;

    #[test]
    fn tables_go_through_files_and_back() {
        let table = DecisionTable::from_json(JSON).unwrap();
        assert_eq!((table.version, table.hit_policy), (1, HitPolicy::Priority));
        assert_eq!(table.rows[1].outputs[0], TableValue::Number(1.0));
        assert_eq!(DecisionTable::from_toml(TOML).unwrap(), table);
        table.compile(&schema()).unwrap();
        for policy in [
            HitPolicy::First,
            HitPolicy::Unique,
            HitPolicy::Any,
            HitPolicy::Collect,
        ] {
            let text = serde_json::to_string(&policy).unwrap();
            assert_eq!(text, format!("\"{policy}\""));
            let table = table.clone().hit_policy(policy);
            let json = table.to_json().unwrap();
            assert_eq!(DecisionTable::from_json(&json).unwrap(), table);
            let toml = table.to_toml().unwrap();
            assert_eq!(DecisionTable::from_toml(&toml).unwrap(), table);
        }
    }

    #[test]
    fn mistakes_in_files_have_a_place() {
        let json = |text: &str| DecisionTable::from_json(text).unwrap_err().to_string();
        let toml = |text: &str| DecisionTable::from_toml(text).unwrap_err().to_string();
        for (known, unknown) in [("hit_policy", "policy"), ("note", "comment")] {
            let error = json(&JSON.replace(known, unknown));
            assert!(
                error.starts_with("line ") && error.contains(unknown),
                "{error}"
            );
            let error = toml(&TOML.replace(known, unknown));
            assert!(
                error.starts_with("line ") && error.contains(unknown),
                "{error}"
            );
        }
        assert!(json("{\n \"rows\": 5}").starts_with("line 2, column 10: invalid type"));
        assert!(toml("\nrows = 5").starts_with("line 2, column 8: invalid type"));
        let error = json(&JSON.replace("[1, ", "[null, "));
        assert!(error.starts_with("line 8, column "), "{error}");
        for error in [json("{\"version\": 2}"), toml("version = 2")] {
            assert_eq!(error, "version: only version 1 is known, got 2");
        }
        let large = " ".repeat(5 << 20);
        for error in [json(&large), toml(&large)] {
            assert!(error.starts_with("the whole file: "), "{error}");
        }
    }

    #[test]
    fn outputs_that_no_file_holds_are_not_written() {
        for number in [f64::NAN, f64::INFINITY] {
            let table = DecisionTable::new("t", ["amount"], ["fee"])
                .row(TableRow::new(["> 1"], [1.0]))
                .row(TableRow::new(["-"], [number]));
            for error in [table.to_json().unwrap_err(), table.to_toml().unwrap_err()] {
                assert!(matches!(error, RuleError::File { .. }));
                let why = format!("writing: row 2: outputs are finite, got {number}");
                assert_eq!(error.to_string(), why);
            }
        }
    }

    fn value() -> impl Strategy<Value = TableValue> {
        let number = prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO;
        prop_oneof![
            any::<bool>().prop_map(TableValue::Flag),
            number.prop_map(TableValue::Number),
            (-9_i32..9).prop_map(|whole| TableValue::Number(f64::from(whole))),
            ".{0,8}".prop_map(TableValue::Text),
        ]
    }

    proptest! {
        #[test]
        fn any_table_is_read_as_it_was_written(
            name in ".{0,8}",
            rows in prop::collection::vec(
                (prop::collection::vec(".{0,8}", 2), prop::collection::vec(value(), 2), any::<i32>(), prop::option::of(".{0,8}")),
                0..5,
            ),
        ) {
            let mut table = DecisionTable::new(name, ["a", "b"], ["c", "d"]);
            for (cells, outputs, priority, id) in rows {
                let row = TableRow::new(cells, outputs).priority(priority);
                table = table.row(TableRow { id, ..row });
            }
            prop_assert_eq!(&DecisionTable::from_json(&table.to_json().unwrap()).unwrap(), &table);
            prop_assert_eq!(&DecisionTable::from_toml(&table.to_toml().unwrap()).unwrap(), &table);
        }
    }
}
