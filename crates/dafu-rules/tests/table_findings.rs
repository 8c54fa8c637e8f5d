//! Decision tables: what is told of their rows, at load and at an event.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests: what fails is a failure of the test"
)]

mod support;

use dafu_rules::{
    CompiledTable, DecisionTable, HitPolicy, Row, RuleError, RuleSchema, TableAnswer, TableCheck,
    TableFinding, TableRow, Variable,
};
use support::FRIDAY;
use support::table::schema;

fn mistake(table: &DecisionTable) -> RuleError {
    match table.compile(&support::schema()) {
        Err(error) => error,
        Ok(_) => panic!("nothing is wrong with {table:?}"),
    }
}

#[test]
fn what_the_policy_forbids_is_an_error_at_load() {
    let table = |policy, second: f64| {
        DecisionTable::new("fees", ["amount", "country"], ["fee"])
            .hit_policy(policy)
            .row(TableRow::new(["> 3", "-"], [1.0]))
            .row(TableRow::new(["< 3", "'DE'"], [2.0]))
            .row(TableRow::new(["(1..5)", "'DE'"], [second]))
    };
    let error = mistake(&table(HitPolicy::Unique, 1.0));
    let text = "table \"fees\": rows 1 and 3 both match where amount = 4, country = \"DE\", \
                which the hit policy `unique` forbids (2 such pairs)";
    assert_eq!(error.to_string(), text);
    let error = mistake(&table(HitPolicy::Any, 1.0));
    assert!(matches!(
        error,
        RuleError::TableOverlap {
            first: 1,
            second: 2,
            count: 1,
            ..
        }
    ));
    assert!(table(HitPolicy::First, 1.0).compile(&schema()).is_ok());
}

#[test]
fn what_is_only_known_at_an_event_is_an_error_there() {
    let table = |policy| {
        DecisionTable::new("fees", ["country"], ["fee"])
            .hit_policy(policy)
            .row(TableRow::new(["contains 'D'"], [1.0]))
            .row(TableRow::new(["contains 'E'"], [2.0]))
            .row(TableRow::new(["not contains 'E'"], [1.0]))
    };
    let decide = |policy, country| {
        let compiled = table(policy).compile(&schema()).unwrap();
        let undecided = |check| TableFinding::Undecided { check };
        for check in [TableCheck::Overlaps, TableCheck::Gaps] {
            let told = compiled.findings().contains(&undecided(check));
            assert!(
                told || check == TableCheck::Gaps,
                "{:?}",
                compiled.findings()
            );
        }
        let row = Row {
            numbers: &[1.0, 1.0, 0.0, 0.0],
            texts: &[Some(country)],
        };
        compiled.decide(row).map(|answer| answer.rows().to_vec())
    };
    assert_eq!(decide(HitPolicy::Unique, "E").unwrap(), [1]);
    let error = decide(HitPolicy::Unique, "DE").unwrap_err().to_string();
    assert!(error.contains("rows 1, 2 match together"), "{error}");
    let error = decide(HitPolicy::Any, "DE").unwrap_err().to_string();
    assert!(error.contains("rows 1, 2 match together"), "{error}");
    assert_eq!(decide(HitPolicy::Any, "DD").unwrap(), [0]);
    assert_eq!(decide(HitPolicy::Collect, "DD").unwrap(), [0, 2]);
}

#[test]
fn gaps_are_told_with_an_event_that_no_row_matches() {
    let table = DecisionTable::new(
        "hours",
        ["weekday(timestamp)", "time_of_day(timestamp)"],
        ["out"],
    )
    .row(TableRow::new(["sat, sun", "-"], [1.0]))
    .row(TableRow::new(["[mon..fri]", "[22:00..06:00)"], [2.0]))
    .row(TableRow::new(["[mon..thu]", "[06:00..22:00)"], [3.0]))
    .row(TableRow::new(["fri", "[06:00..21:59:59]"], [3.0]));
    let schema = support::schema();
    let compiled = table.compile(&schema).unwrap();
    // From 21:59:59 to 22:00 there is no other second.
    assert_eq!(compiled.findings(), []);

    let cut = DecisionTable {
        rows: table.rows[..3].to_vec(),
        ..table.clone()
    };
    let compiled = cut.compile(&schema).unwrap();
    let [TableFinding::Gap { example }] = compiled.findings() else {
        panic!("{:?}", compiled.findings())
    };
    let text = "weekday(timestamp) = fri, time_of_day(timestamp) = 06:00";
    assert_eq!(example.to_string(), text);
    let texts = example.row_texts();
    let event = Row {
        numbers: &example.numbers,
        texts: &texts,
    };
    assert_eq!(compiled.decide(event).unwrap().row(), None);
    let mut full = support::NUMBERS;
    full[9] = example.numbers[9];
    let whole = table.compile(&schema).unwrap();
    let event = Row {
        numbers: &full,
        texts: &support::TEXTS,
    };
    assert_eq!(whole.decide(event).unwrap().row(), Some(3));
    assert!((full[9] - FRIDAY).rem_euclid(86_400e6 * 7.0) > 0.0);
}

/// One pigeon more than there are holes: each event leaves a pigeon without a hole, or puts two into one. That nothing else
/// can be is known to take steps without end in any search that goes variable by variable (Haken 1985).
fn pigeons(holes: usize) -> (DecisionTable, RuleSchema) {
    let name = |pigeon: usize, hole: usize| format!("p{pigeon}h{hole}");
    let all: Vec<(usize, usize)> = (0..=holes)
        .flat_map(|pigeon| (0..holes).map(move |hole| (pigeon, hole)))
        .collect();
    let inputs: Vec<String> = all
        .iter()
        .map(|(pigeon, hole)| name(*pigeon, *hole))
        .collect();
    let schema = RuleSchema::new(inputs.iter().map(|name| Variable::flag(name.as_str()))).unwrap();
    let mut table = DecisionTable::new("pigeons", inputs, ["out"]).hit_policy(HitPolicy::Collect);
    let row = |cell: &dyn Fn(usize, usize) -> &'static str| {
        TableRow::new(all.iter().map(|(pigeon, hole)| cell(*pigeon, *hole)), [1.0])
    };
    for homeless in 0..=holes {
        table = table.row(row(&|pigeon, _| {
            if pigeon == homeless { "false" } else { "-" }
        }));
    }
    for shared in 0..holes {
        for first in 0..=holes {
            for second in 0..first {
                table = table.row(row(&|pigeon, hole| {
                    let one = pigeon == first || pigeon == second;
                    if hole == shared && one { "true" } else { "-" }
                }));
            }
        }
    }
    (table, schema)
}

#[test]
fn a_search_without_end_is_given_up_and_told() {
    let gaps = |holes| {
        let (table, schema) = pigeons(holes);
        let compiled = table.compile(&schema).unwrap();
        let findings = compiled.findings().iter();
        let gaps = findings.filter(|finding| {
            assert!(!matches!(finding, TableFinding::Gap { .. }), "{finding}");
            let check = TableCheck::Gaps;
            matches!(finding, TableFinding::Unchecked { check: found, .. } if *found == check)
        });
        gaps.count()
    };
    assert_eq!(gaps(3), 0);
    assert_eq!(gaps(7), 1);
}

/// So many rows that exclude each other, in three inputs.
fn large(rows: u32) -> DecisionTable {
    let cells = |row: u32| {
        let (country, rest) = (row % 30, row / 30);
        let (low, declined) = (rest / 2, rest % 2 == 0);
        [
            format!("[{}..{})", low * 10, (low + 1) * 10),
            format!("{declined}"),
            format!("'c{country}'"),
        ]
    };
    DecisionTable {
        hit_policy: HitPolicy::Unique,
        rows: (0..rows)
            .map(|row| TableRow::new(cells(row), [f64::from(row)]))
            .collect(),
        ..DecisionTable::new("large", ["amount", "declined", "country"], ["out"])
    }
}

#[test]
fn the_first_and_the_last_of_3000_rows_are_found() {
    let compiled = large(3000).compile(&schema()).unwrap();
    assert!(
        compiled.index_bytes() < 2 << 20,
        "{}",
        compiled.index_bytes()
    );
    for row in 0..3000_u32 {
        let (country, rest) = (format!("c{}", row % 30), row / 30);
        let numbers = [
            f64::from(rest / 2 * 10 + 3),
            f64::NAN,
            f64::from(u8::from(rest % 2 == 0)),
            f64::NAN,
        ];
        let answer = compiled
            .decide(Row {
                numbers: &numbers,
                texts: &[Some(&country)],
            })
            .unwrap();
        assert_eq!(answer.rows(), [row as usize]);
    }
    let gaps = compiled.findings().iter();
    assert_eq!(
        gaps.filter(|finding| matches!(finding, TableFinding::Gap { .. }))
            .count(),
        16
    );
}

#[test]
fn rows_of_another_size_are_refused() {
    let compiled = large(3).compile(&schema()).unwrap();
    let row = Row {
        numbers: &[1.0],
        texts: &[None],
    };
    assert!(matches!(
        compiled.decide(row),
        Err(RuleError::Row {
            expected: 4,
            got: 1,
            ..
        })
    ));
}

#[test]
fn tables_can_be_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<CompiledTable>();
    shared::<TableAnswer<'static>>();
    shared::<DecisionTable>();
}

#[test]
fn findings_are_told_in_words() {
    let table = DecisionTable::new("fees", ["amount"], ["fee"])
        .row(TableRow::new(["> 3"], [1.0]))
        .row(TableRow::new(["> 1"], [1.0]))
        .row(TableRow::new(["[2..9]"], [1.0]));
    let compiled = table.compile(&schema()).unwrap();
    let words: Vec<String> = compiled
        .findings()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        words,
        [
            "row 3 is never the answer: rows before it take all that it matches",
            "no row matches where amount = 0",
            "rows 1 and 2 both match where amount = 6",
            "rows 1 and 3 both match where amount = 6",
            "rows 2 and 3 both match where amount = 2",
        ]
    );
}

#[test]
fn shares_outside_0_to_1_are_no_gap() {
    let schema = RuleSchema::new([Variable::number("share", dafu_core::Unit::Share)]).unwrap();
    let table = DecisionTable::new("risk", ["share"], ["points"])
        .row(TableRow::new(["[0..0.5)"], [1.0]))
        .row(TableRow::new(["[0.5..1]"], [2.0]));
    assert_eq!(table.compile(&schema).unwrap().findings(), []);
    let table = DecisionTable::new("risk", ["share"], ["points"])
        .row(TableRow::new(["(0..0.5)"], [1.0]))
        .row(TableRow::new(["(0.5..1)"], [2.0]));
    let compiled = table.compile(&schema).unwrap();
    assert!(
        compiled
            .findings()
            .iter()
            .any(|finding| matches!(finding, TableFinding::Gap { .. }))
    );
}

#[test]
fn hours_of_cells_go_past_midnight() {
    let schema = RuleSchema::new([Variable::time("at")]).unwrap();
    let table = DecisionTable::new("night", ["hour(at)"], ["points"])
        .row(TableRow::new(["[22..5]"], [1.0]))
        .row(TableRow::new(["[6..21]"], [2.0]));
    let compiled = table.compile(&schema).unwrap();
    assert_eq!(compiled.findings(), []);
}

#[test]
fn what_rounding_makes_of_a_share_is_told_as_conditions_tell_it() {
    let schema = RuleSchema::new([Variable::number("share", dafu_core::Unit::Share)]).unwrap();
    let table = DecisionTable::new("risk", ["share"], ["points"])
        .row(TableRow::new([">= 1"], [7.0]))
        .row(TableRow::new(["< 1"], [2.0]));
    let compiled = table.compile(&schema).unwrap();
    let row = Row {
        numbers: &[1.0 + f64::EPSILON],
        texts: &[],
    };
    let answer = compiled.decide(row).unwrap();
    assert_eq!(answer.rows(), [0]);
}
