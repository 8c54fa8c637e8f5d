//! Decision tables: against brute force, row by row.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    reason = "tests: what fails is a failure of the test"
)]

mod support;

use dafu_core::Unit;
use dafu_rules::{
    CompiledCondition, CompiledTable, DecisionTable, HitPolicy, Row, RuleError, RuleSchema,
    TableAnswer, TableCheck, TableExample, TableFinding, TableRow, Variable,
};
use proptest::prelude::*;
use support::table::{brute, conditions, schema};

const INPUTS: [&str; 5] = ["amount", "distance", "declined", "category", "country"];

/// A cell, and a condition that means the same.
type Cell = (String, Option<String>);

fn any_cell() -> BoxedStrategy<Cell> {
    prop_oneof![Just("-"), Just(""), Just(" - ")]
        .prop_map(|cell| (cell.to_owned(), None))
        .boxed()
}

fn number_cell(name: &'static str) -> BoxedStrategy<Cell> {
    let cell = (0_u8..11, 0_u8..6, 0_u8..6).prop_map(move |(shape, a, b)| {
        let (low, high) = (a.min(b), a.max(b));
        let (cell, condition) = match shape {
            0 => (format!("> {a}"), format!("{name} > {a}")),
            1 => (format!("<= {a}"), format!("{name} <= {a}")),
            2 => (format!("{a}"), format!("{name} == {a}")),
            3 => (format!("{a}, {b}"), format!("{name} in [{a}, {b}]")),
            4 => (
                format!("[{low}..{high}]"),
                format!("{name} between {low} and {high}"),
            ),
            5 => (
                format!("({low}..{}]", high + 1),
                format!("{name} > {low} and {name} <= {high} + 1"),
            ),
            6 => (
                format!("[{low}..{})", high + 1),
                format!("{name} >= {low} and {name} < {high} + 1"),
            ),
            7 => (format!("not {a}"), format!("{name} != {a}")),
            8 => (
                format!("not in [{a}, {b}]"),
                format!("not ({name} in [{a}, {b}])"),
            ),
            9 => (
                format!("< {low}, {high}"),
                format!("{name} < {low} or {name} == {high}"),
            ),
            _ if name == "distance" => ("is missing".into(), format!("is_missing({name})")),
            _ => (format!("!= {b}"), format!("{name} != {b}")),
        };
        (cell, Some(condition))
    });
    prop_oneof![1 => any_cell(), 3 => cell].boxed()
}

fn flag_cell() -> BoxedStrategy<Cell> {
    let cells = [
        ("true", "declined"),
        ("false", "not declined"),
        ("not true", "not declined"),
    ];
    let cell = prop::sample::select(cells.to_vec())
        .prop_map(|(cell, condition)| (cell.to_owned(), Some(condition.to_owned())));
    prop_oneof![2 => any_cell(), 1 => cell].boxed()
}

fn text_cell(name: &'static str, words: [&'static str; 3]) -> BoxedStrategy<Cell> {
    let word = || prop::sample::select(words.to_vec());
    let cell = (0_u8..8, word(), word()).prop_map(move |(shape, a, b)| {
        let (cell, condition) = match shape {
            0 | 1 => (format!("'{a}'"), format!("{name} == '{a}'")),
            2 => (format!("'{a}', '{b}'"), format!("{name} in ['{a}', '{b}']")),
            3 => (format!("not '{a}'"), format!("{name} != '{a}'")),
            4 => (
                format!("not in ['{a}', '{b}']"),
                format!("{name} not in ['{a}', '{b}']"),
            ),
            5 => ("is missing".into(), format!("{name} is missing")),
            6 => (
                "is not missing, 'x'".into(),
                format!("not is_missing({name}) or {name} == 'x'"),
            ),
            _ => (
                format!("contains '{}'", &a[..1]),
                format!("{name} contains '{}'", &a[..1]),
            ),
        };
        (cell, Some(condition))
    });
    prop_oneof![1 => any_cell(), 2 => cell].boxed()
}

const CATEGORIES: [&str; 3] = ["grocery", "travel", "gaming"];
const COUNTRIES: [&str; 3] = ["DE", "FR", "US"];

fn table_row() -> impl Strategy<Value = (Vec<Cell>, i32, u8)> {
    let cells = (
        number_cell("amount"),
        number_cell("distance"),
        flag_cell(),
        text_cell("category", CATEGORIES),
        text_cell("country", COUNTRIES),
    );
    let cells = cells.prop_map(|(a, b, c, d, e)| vec![a, b, c, d, e]);
    (cells, 0..3, 0_u8..2)
}

/// A table, and for each row the condition that it is.
fn table(rows: &[(Vec<Cell>, i32, u8)], policy: HitPolicy) -> (DecisionTable, Vec<String>) {
    let mut table = DecisionTable::new("fees", INPUTS, ["fee"]).hit_policy(policy);
    let mut conditions = Vec::new();
    for (cells, priority, fee) in rows {
        let texts = cells.iter().map(|(cell, _)| cell.as_str());
        let row = TableRow::new(texts, [f64::from(*fee)]).priority(*priority);
        table = table.row(row);
        let parts = cells.iter().filter_map(|(_, condition)| condition.clone());
        let parts: Vec<String> = parts.map(|part| format!("({part})")).collect();
        conditions.push(parts.join(" and "));
    }
    (table, conditions)
}

/// Events on, between and around everything that cells compare with.
fn events() -> Vec<([f64; 4], Option<&'static str>)> {
    let amounts: Vec<f64> = (-1..14).map(|half| f64::from(half) / 2.0).collect();
    let distances = [amounts.as_slice(), &[f64::NAN]].concat();
    let countries = [
        Some("DE"),
        Some("FR"),
        Some("US"),
        Some("x"),
        Some("?"),
        None,
    ];
    let mut events = Vec::new();
    for amount in &amounts {
        for distance in &distances {
            for declined in [0.0, 1.0] {
                for category in [0.0, 1.0, 2.0, f64::NAN] {
                    for country in countries {
                        events.push(([*amount, *distance, declined, category], country));
                    }
                }
            }
        }
    }
    events
}

/// Tables in which a cell alone never holds are mistakes, which other tests tell of.
fn usable(table: &DecisionTable, schema: &RuleSchema) -> Option<Result<CompiledTable, RuleError>> {
    match table.compile(schema) {
        Err(RuleError::Conditions(_)) => None,
        other => Some(other),
    }
}

fn rows_of(answer: Result<TableAnswer<'_>, RuleError>) -> Result<Vec<usize>, Vec<usize>> {
    match answer {
        Ok(answer) => Ok(answer.rows().to_vec()),
        Err(RuleError::TableConflict { rows, .. }) => Err(rows),
        Err(other) => panic!("{other}"),
    }
}

fn expected(table: &DecisionTable, matching: Vec<usize>) -> Result<Vec<usize>, Vec<usize>> {
    let first = || matching.first().copied().into_iter().collect();
    let output = |row: &usize| table.rows[*row].outputs.clone();
    match table.hit_policy {
        HitPolicy::Unique if matching.len() > 1 => Err(matching),
        HitPolicy::Any => {
            let other = matching
                .iter()
                .find(|row| output(row) != output(&matching[0]));
            match other {
                Some(other) => Err(vec![matching[0], *other]),
                None => Ok(first()),
            }
        }
        HitPolicy::Collect => Ok(matching),
        HitPolicy::Priority => {
            let best = matching
                .iter()
                .min_by_key(|row| (-table.rows[**row].priority, **row));
            Ok(best.copied().into_iter().collect())
        }
        _ => Ok(first()),
    }
}

fn is_match(conditions: &[Option<CompiledCondition>], example: &TableExample, rows: &[usize]) {
    let texts = example.row_texts();
    let row = Row {
        numbers: &example.numbers,
        texts: &texts,
    };
    let found = brute(conditions, row);
    if rows.is_empty() {
        assert!(found.is_empty(), "{example} {found:?}");
    } else {
        assert!(
            rows.iter().all(|row| found.contains(row)),
            "{example} {found:?}"
        );
    }
}

/// What the findings have to be, given which rows each event matches.
fn check_findings(
    table: &DecisionTable,
    compiled: &CompiledTable,
    conditions: &[Option<CompiledCondition>],
    matches: &[Vec<usize>],
) {
    let undecided = |wanted| {
        let findings = compiled.findings().iter();
        findings
            .into_iter()
            .any(|finding| matches!(finding, TableFinding::Undecided { check } if *check == wanted))
    };
    let exact = !table
        .rows
        .iter()
        .any(|row| row.cells[4].contains("contains"));
    let turn = |row: usize| match table.hit_policy {
        HitPolicy::Priority => (-table.rows[row].priority, row),
        _ => (0, row),
    };
    let mut told = Vec::new();
    let (mut gaps, mut covered, mut never) = (0, Vec::new(), Vec::new());
    for finding in compiled.findings() {
        match finding {
            TableFinding::Gap { example } => {
                gaps += 1;
                is_match(conditions, example, &[]);
            }
            TableFinding::Overlap {
                first,
                second,
                agree,
                example,
            } => {
                is_match(conditions, example, &[*first, *second]);
                let outputs = |row: usize| &table.rows[row].outputs;
                assert_eq!(*agree, outputs(*first) == outputs(*second));
                told.push((*first, *second));
            }
            TableFinding::Covered { row } => covered.push(*row),
            TableFinding::Never { row } => never.push(*row),
            TableFinding::Undecided { .. } => assert!(!exact),
            other => panic!("{other}"),
        }
    }
    let uncovered = matches.iter().any(Vec::is_empty);
    assert_eq!(
        gaps > 0,
        uncovered && !(gaps == 0 && undecided(TableCheck::Gaps))
    );
    let mut overlaps = Vec::new();
    for rows in matches {
        for (at, second) in rows.iter().enumerate() {
            overlaps.extend(rows[..at].iter().map(|first| (*first, *second)));
        }
    }
    overlaps.sort_unstable();
    overlaps.dedup();
    told.sort_unstable();
    assert!(told.iter().all(|pair| overlaps.contains(pair)));
    let in_turn = matches!(table.hit_policy, HitPolicy::First | HitPolicy::Priority);
    for row in 0..table.rows.len() {
        let mut meets = matches.iter().filter(|rows| rows.contains(&row)).peekable();
        let nothing = meets.peek().is_none();
        let behind = |rows: &&Vec<usize>| rows.iter().any(|other| turn(*other) < turn(row));
        let hidden = in_turn && !nothing && meets.all(|rows| behind(&rows));
        assert!(hidden || !covered.contains(&row), "row {row}");
        assert!(nothing || !never.contains(&row), "row {row}");
        if exact {
            assert_eq!(hidden, covered.contains(&row), "row {row}");
            assert_eq!(nothing, never.contains(&row), "row {row}");
        }
    }
    if exact {
        assert_eq!(told, overlaps);
    }
}

const POLICIES: [HitPolicy; 5] = [
    HitPolicy::First,
    HitPolicy::Unique,
    HitPolicy::Any,
    HitPolicy::Collect,
    HitPolicy::Priority,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_index_answers_as_brute_force_does(
        rows in prop::collection::vec(table_row(), 1..9),
    ) {
        let schema = schema();
        let (first, sources) = table(&rows, HitPolicy::First);
        prop_assume!(usable(&first, &schema).is_some());
        let conditions = conditions(&sources, &schema);
        let events = events();
        let event = |event: usize| {
            let (numbers, country) = &events[event];
            (numbers, [*country])
        };
        let matches: Vec<Vec<usize>> = (0..events.len()).map(|at| {
            let (numbers, texts) = event(at);
            brute(&conditions, Row { numbers, texts: &texts })
        }).collect();
        for policy in POLICIES {
            let table = first.clone().hit_policy(policy);
            let compiled = match usable(&table, &schema).unwrap() {
                Ok(compiled) => compiled,
                Err(RuleError::TableOverlap { first, second, .. }) => {
                    let together = |rows: &Vec<usize>| rows.contains(&first) && rows.contains(&second);
                    prop_assert!(matches.iter().any(together));
                    let outputs = |row: usize| &table.rows[row].outputs;
                    let differ = outputs(first) != outputs(second);
                    prop_assert!(policy == HitPolicy::Unique || policy == HitPolicy::Any && differ);
                    continue;
                }
                Err(other) => panic!("{other}"),
            };
            check_findings(&table, &compiled, &conditions, &matches);
            for (at, matching) in matches.iter().enumerate() {
                let (numbers, texts) = event(at);
                let answer = compiled.decide(Row { numbers, texts: &texts });
                prop_assert_eq!(rows_of(answer), expected(&table, matching.clone()));
            }
        }
    }

    #[test]
    fn any_cell_is_a_test_or_a_mistake(cell in "[-<>=!.\\[\\](), 0-9a-z'\"]{0,24}") {
        let table = |input: &str| DecisionTable::new("any", [input], ["out"])
            .row(TableRow::new([cell.as_str()], [1.0]));
        for input in INPUTS {
            // Whatever it says, it says it without a panic.
            if let Err(error) = table(input).compile(&schema()) {
                prop_assert!(matches!(error, RuleError::Conditions(_)), "{}", error);
            }
        }
    }
}

/// Numbers that look like chance.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

#[test]
fn large_tables_answer_as_brute_force_does() {
    const FLAGS: usize = 9;
    let flags: Vec<String> = (0..FLAGS).map(|at| format!("f{at}")).collect();
    let variables = flags.iter().map(|name| Variable::flag(name.as_str()));
    let amount = Variable::number("amount", Unit::Money).nullable();
    let schema = RuleSchema::new(variables.chain([amount])).unwrap();
    let mut chance = Chance(11);
    let inputs = [flags, vec!["amount".to_owned()]].concat();
    let mut table = DecisionTable::new("large", inputs, ["out"]);
    let mut tests: Vec<([u64; FLAGS], u64)> = Vec::new();
    for row in 0..1500_i32 {
        let wanted = [(); FLAGS].map(|()| chance.next(3));
        let low = chance.next(200);
        let mut cells: Vec<String> = wanted
            .iter()
            .map(|wanted| ["false", "true", "-"][usize::try_from(*wanted).unwrap()].into())
            .collect();
        cells.push(format!("({low}..{}]", low + 60));
        table = table.row(TableRow::new(cells, [1.0]).priority(row % 7));
        tests.push((wanted, low));
    }
    let compiled: Vec<CompiledTable> = [HitPolicy::First, HitPolicy::Collect, HitPolicy::Priority]
        .map(|policy| table.clone().hit_policy(policy).compile(&schema).unwrap())
        .into();
    for _ in 0..400 {
        let flags = [(); FLAGS].map(|()| chance.next(2));
        let amount = chance.next(270);
        let holds = |(wanted, low): &([u64; FLAGS], u64)| {
            let flags = wanted.iter().zip(&flags);
            let flags = flags
                .into_iter()
                .all(|(wanted, flag)| *wanted == 2 || wanted == flag);
            flags && *low < amount && amount <= low + 60
        };
        let matching: Vec<usize> = (0..tests.len()).filter(|row| holds(&tests[*row])).collect();
        let mut numbers: Vec<f64> = flags
            .iter()
            .map(|flag| f64::from(u8::from(*flag == 1)))
            .collect();
        numbers.push(f64::from(u32::try_from(amount).unwrap()));
        for compiled in &compiled {
            let answer = compiled.decide(Row {
                numbers: &numbers,
                texts: &[],
            });
            assert_eq!(
                rows_of(answer),
                expected(compiled.table(), matching.clone())
            );
        }
    }
}
