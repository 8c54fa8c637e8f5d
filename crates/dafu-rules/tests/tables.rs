//! Decision tables: against brute force, row by row.

mod support;

use dafu_core::Unit;
use dafu_rules::{
    CompiledCondition, CompiledTable, Condition, DecisionTable, HitPolicy, Row, RuleError,
    RuleSchema, TableAnswer, TableCheck, TableExample, TableFinding, TableRow, TableValue, Truth,
    Variable, VariableType,
};
use proptest::prelude::*;
use std::sync::Arc;
use support::FRIDAY;

/// Five inputs of different kinds, of which some may be missing.
fn schema() -> RuleSchema {
    let levels: Vec<Arc<str>> = ["grocery", "travel", "gaming"].map(Arc::from).into();
    RuleSchema::new([
        Variable::number("amount", Unit::Money),
        Variable::number("distance", Unit::Kilometre).nullable(),
        Variable::flag("declined"),
        Variable::new("category", VariableType::Category { levels }).nullable(),
        Variable::text("country").nullable(),
    ])
    .unwrap()
}

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

fn compile(source: &str, schema: &RuleSchema) -> Option<CompiledCondition> {
    let condition = Condition::parse(source).unwrap_or_else(|error| panic!("{error}"));
    if source.is_empty() {
        return None;
    }
    match condition.compile(schema) {
        Ok(compiled) => Some(compiled),
        Err(error) => panic!("{error}"),
    }
}

/// Rows that match an event, one after the other.
fn brute(conditions: &[Option<CompiledCondition>], row: Row<'_>) -> Vec<usize> {
    let holds = |condition: &Option<CompiledCondition>| match condition {
        Some(condition) => condition.truth(row).unwrap() == Truth::True,
        None => true,
    };
    let rows = conditions.iter().enumerate();
    rows.filter(|(_, condition)| holds(condition))
        .map(|(row, _)| row)
        .collect()
}

fn conditions(sources: &[String], schema: &RuleSchema) -> Vec<Option<CompiledCondition>> {
    let compile = |source: &String| match source.as_str() {
        "" => None,
        source => compile(source, schema),
    };
    sources.iter().map(compile).collect()
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

/// A table of one input, and what it says of a full event.
fn matches(input: &str, cell: &str, numbers: &[f64], texts: &[Option<&str>]) -> bool {
    let table = DecisionTable::new("cells", [input], ["out"]).row(TableRow::new([cell], [1.0]));
    let compiled = table
        .compile(&support::schema())
        .unwrap_or_else(|error| panic!("{error}"));
    compiled.decide(Row { numbers, texts }).unwrap().row() == Some(0)
}

#[test]
fn cells_mean_what_they_say() {
    let cases = [
        ("amount", "> 499 USD", true),
        ("amount", "> 501 USD", false),
        ("amount", "[250..300)", true),
        ("amount", "(250..300)", false),
        ("amount", "[0..250)", false),
        ("amount", "[0..250]", true),
        ("amount", "0..250", true),
        ("amount", "499USD..501USD", true),
        ("amount", "between 0 and 250", true),
        ("amount", "not between 0 and 250", false),
        ("amount", "not [0..250]", false),
        ("amount", "not [0..250)", true),
        ("amount", "not (1, 250)", false),
        ("amount", "1, 2, > 200", true),
        ("amount", "-250", false),
        ("amount", "> -250", true),
        ("amount", "2 * 125", true),
        ("amount", "(100 + 150)", true),
        ("amount", "in [1, 250]", true),
        ("amount", "> 100 and amount < 300", true),
        ("amount", "> 300 or abs(amount - 240) < 20", true),
        ("amount", "> 300 or abs(amount - 240) < 5", false),
        ("distance", "> 1000km", true),
        ("distance", "> 621mi", true),
        ("distance", "[700mi..1300000m]", true),
        ("gap", "30min", true),
        ("gap", "< 1800s", false),
        ("per_hour", "(287/d..289/d)", true),
        ("share", "25%", true),
        ("declined", "true", true),
        ("declined", "false", false),
        ("declined", "not false", true),
        ("declined", "false, true", true),
        ("category", "'travel'", true),
        ("category", "not 'travel'", false),
        ("category", "matches '^t'", true),
        ("category", "not contains 'rav'", false),
        ("country", "'FR', 'DE'", true),
        ("country", "not ('FR', 'DE')", false),
        ("country", "!= 'FR'", true),
        ("country", "is not missing", true),
        ("country", "is missing", false),
        ("country", "'Fr, DE', 'D..E'", false),
        ("merchant", "starts with 'Book'", true),
        ("merchant", "ends_with '25', contains 'Shop'", true),
        ("merchant", "not contains 'Shop'", false),
        ("ip", "'10.0.0.0/8'", true),
        ("ip", "'192.168.0.0/16', '10.1.2.3'", true),
        ("ip", "not '10.0.0.0/8'", false),
        ("ip", "== '::ffff:10.1.2.3'", true),
        ("ip", "'10.1.2.2', '10.1.2.4/30'", false),
        ("timestamp", "> '2026-03-06'", true),
        ("timestamp", "['2026-03-06'..'2026-03-07')", true),
        ("weekday(timestamp)", "fri", true),
        ("weekday(timestamp)", "sat, sun", false),
        ("weekday(timestamp, '+02:00')", "sat, sun", true),
        ("weekday(timestamp)", "[mon..fri]", true),
        ("hour(timestamp)", ">= 22", true),
        ("time_of_day(timestamp)", "between 22:00 and 06:00", true),
        ("time_of_day(timestamp)", "[22:00..06:00)", true),
        ("time_of_day(timestamp)", "[06:00..22:00)", false),
        ("time_of_day(timestamp)", "> 23:30", false),
    ];
    for (input, cell, expected) in cases {
        let got = matches(input, cell, &support::NUMBERS, &support::TEXTS);
        assert_eq!(got, expected, "{input} {cell}");
    }
}

#[test]
fn addresses_are_looked_up_as_conditions_test_them() {
    let blocks = [
        "10.0.0.0/8",
        "10.1.0.0/16",
        "0.0.0.0/0",
        "255.255.255.255",
        "::/0",
        "::ffff:0:0/90",
        "::ffff:10.0.0.0/104",
        "2001:db8::/32",
        "ffff::/16",
    ];
    let addresses = [
        "10.1.2.3",
        "10.2.0.0",
        "11.0.0.0",
        "9.255.255.255",
        "255.255.255.255",
        "0.0.0.0",
        "::ffff:10.1.2.3",
        "::",
        "::1",
        "2001:db8::1",
        "2001:db9::",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "no address",
        "",
    ];
    let mut table = DecisionTable::new("blocks", ["ip"], ["out"]).hit_policy(HitPolicy::Collect);
    for block in blocks {
        table = table
            .row(TableRow::new([format!("'{block}'")], [1.0]))
            .row(TableRow::new([format!("not '{block}'")], [1.0]));
    }
    table = table.row(TableRow::new(["is missing"], [1.0]));
    let schema = RuleSchema::new([Variable::ip("ip").nullable()]).unwrap();
    let compiled = table.compile(&schema).unwrap();
    let mut conditions = Vec::new();
    for block in blocks {
        conditions.push(compile(&format!("ip in ['{block}']"), &schema));
        conditions.push(compile(&format!("ip not in ['{block}']"), &schema));
    }
    conditions.push(compile("ip is missing", &schema));
    for address in addresses.map(Some).into_iter().chain([None]) {
        let row = Row {
            numbers: &[],
            texts: &[address],
        };
        let answer = compiled.decide(row).unwrap();
        assert_eq!(answer.rows(), brute(&conditions, row), "{address:?}");
    }
}

#[test]
fn the_edges_of_numbers_are_looked_up_as_conditions_test_them() {
    let cells = [
        "> 0",
        ">= 0",
        "0",
        "< -0",
        "> 1.7e308",
        "5e-324",
        "<= 1e-320",
        "!= 0.3",
    ];
    let table = DecisionTable::new("edges", ["amount"], ["out"]).hit_policy(HitPolicy::Collect);
    let table = cells.iter().fold(table, |table, cell| {
        table.row(TableRow::new([*cell], [1.0]))
    });
    let schema = RuleSchema::new([Variable::number("amount", Unit::Money)]).unwrap();
    let compiled = table.compile(&schema).unwrap();
    let sources = cells.map(|cell| match cell.parse::<f64>() {
        Ok(_) => format!("amount == {cell}"),
        Err(_) => format!("amount {cell}"),
    });
    let conditions = conditions(&sources, &schema);
    let numbers = [
        0.0,
        -0.0,
        f64::MIN_POSITIVE,
        5e-324,
        1e-320,
        0.1 + 0.2,
        0.3,
        f64::MAX,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -5e-324,
        f64::NAN,
    ];
    for number in numbers {
        let row = Row {
            numbers: &[number],
            texts: &[],
        };
        let answer = compiled.decide(row).unwrap();
        assert_eq!(answer.rows(), brute(&conditions, row), "{number}");
    }
}

#[test]
fn missing_values_match_nothing_that_tests_them_and_are_told() {
    let table = DecisionTable::new("missing", ["amount", "distance", "country"], ["out"])
        .row(TableRow::new(["> 5", "> 3", "-"], [1.0]))
        .row(TableRow::new(["> 5", "not > 3", "-"], [2.0]))
        .row(TableRow::new(["-", "is missing", "-"], [3.0]).id("unknown"));
    let compiled = table.compile(&schema()).unwrap();
    let row = Row {
        numbers: &[9.0, f64::NAN, 0.0, f64::NAN],
        texts: &[None],
    };
    let answer = compiled.decide(row).unwrap();
    assert_eq!(answer.table_row().unwrap().id.as_deref(), Some("unknown"));
    assert_eq!(answer.missing().collect::<Vec<_>>(), ["distance"]);
    assert!(format!("{answer:?}").contains("distance"), "{answer:?}");
}

#[test]
fn several_outputs_are_told_by_name() {
    let row = |cell: &str, fee: f64, route: &str| {
        let outputs = [fee.into(), TableValue::from(route), true.into()];
        TableRow::new([cell], outputs)
    };
    let table = DecisionTable::new("fees", ["amount"], ["fee", "route", "final"])
        .hit_policy(HitPolicy::Collect)
        .row(row("> 5", 1.0, "review"))
        .row(row("> 7", 2.0, "decline"));
    let compiled = table.compile(&schema()).unwrap();
    let row = Row {
        numbers: &[9.0, 1.0, 0.0, 0.0],
        texts: &[None],
    };
    let answer = compiled.decide(row).unwrap();
    assert_eq!(answer.rows(), [0, 1]);
    assert_eq!(answer.output("route").unwrap().as_text(), Some("review"));
    assert_eq!(answer.output("final").unwrap().as_flag(), Some(true));
    let fees: Vec<_> = answer
        .all("fee")
        .filter_map(TableValue::as_number)
        .collect();
    assert_eq!(fees, [1.0, 2.0]);
    assert_eq!(answer.output("nothing"), None);
    assert_eq!(answer.outputs().unwrap().len(), 3);
    assert_eq!(compiled.table(), &table);
}

fn mistake(table: &DecisionTable) -> RuleError {
    match table.compile(&support::schema()) {
        Err(error) => error,
        Ok(_) => panic!("nothing is wrong with {table:?}"),
    }
}

#[test]
fn mistakes_in_cells_are_drawn() {
    let cases = [
        ("amount", "> 10km", "E005", "amount > 10km"),
        ("amount", "'DE'", "E004", "numbers stand without quotes"),
        ("amount", "> distance", "E005", "money"),
        ("amount", "> count_1h * 1 EUR", "E003", "column of its own"),
        ("amount", "> 5, count_1h > 3", "E005", "pure number"),
        ("amount", "> 5 or count_1h > 3", "E003", "column of its own"),
        ("amount", "[20..10]", "E010", "never holds"),
        ("amount", "[10..", "E002", "expected"),
        ("amount", "[1..2..3]", "E002", "`..`"),
        ("amount", "1,", "E002", "no comma at an end"),
        ("amount", "1,,2", "E002", "expected a test"),
        ("amount", "not 1, 2", "E002", "not in [...]"),
        ("amount", "not not 1", "E002", "`not` stands twice"),
        ("amount", "< 5, >= 5", "E010", "always holds"),
        ("amount", "> \u{a7}", "E001", "means nothing"),
        ("country", "DE", "E003", "put a text into quotes"),
        ("country", "> 'DE'", "E004", "texts have no order"),
        ("country", "in @blocked", "E003", "no list `@blocked`"),
        ("declined", "5", "E004", "a number"),
        ("ip", "'10.0.0.0/99'", "E004", "no internet address"),
        ("timestamp", "22:00", "E004", "time_of_day"),
        ("weekday(timestamp)", "someday", "E003", "someday"),
    ];
    for (input, cell, code, part) in cases {
        let table = DecisionTable::new("", [input, "merchant"], ["out"])
            .row(TableRow::new(["-", "-"], [1.0]))
            .row(TableRow::new([cell, "-"], [1.0]));
        let error = mistake(&table);
        assert!(matches!(error, RuleError::Conditions(_)), "{error}");
        let text = error.to_string();
        let title = format!("--> table row 2, column {input}:");
        for wanted in [code, part, &title] {
            assert!(text.contains(wanted), "{cell}: {wanted}\n{text}");
        }
    }
}

#[test]
fn all_mistakes_are_told_at_once_up_to_a_hundred() {
    let row = |cell: &str| TableRow::new([cell.to_owned(), "> 3 parsec".into()], [1.0]);
    let table = DecisionTable::new("fees", ["amount", "distance"], ["fee"]).row(row("'x'"));
    let table = (0..200).fold(table, |table, at| table.row(row(&format!("> {at}km"))));
    let RuleError::Conditions(errors) = mistake(&table) else {
        panic!()
    };
    assert_eq!(errors.len(), 100);
    assert_eq!(errors[0].title, "table fees row 1, column amount");
}

#[test]
fn warnings_are_kept() {
    let table = DecisionTable::new("", ["category"], ["out"])
        .row(TableRow::new(["'travell'"], [1.0]))
        .row(TableRow::new(["-"], [1.0]));
    let compiled = table.compile(&schema()).unwrap();
    let text = compiled.warnings()[0].to_string();
    assert!(text.contains("W102") && text.contains("travel"), "{text}");
    assert_eq!(compiled.findings(), [TableFinding::Never { row: 0 }]);
}

#[test]
fn the_form_of_a_table_is_checked() {
    let good = DecisionTable::new("fees", ["amount"], ["fee"]).row(TableRow::new(["-"], [1.0]));
    let cases = [
        (
            DecisionTable {
                version: 2,
                ..good.clone()
            },
            "version must be 1, got 2",
        ),
        (
            DecisionTable {
                rows: vec![],
                ..good.clone()
            },
            "it has no rows",
        ),
        (
            DecisionTable {
                inputs: vec![],
                ..good.clone()
            },
            "it has no inputs",
        ),
        (
            DecisionTable {
                outputs: vec![],
                ..good.clone()
            },
            "it has no outputs",
        ),
        (
            good.clone().row(TableRow::new(["-", "-"], [1.0])),
            "row 2 must have 1 cells, got 2",
        ),
        (
            good.clone().row(TableRow::new(["-"], [1.0, 2.0])),
            "row 2 must have 1 outputs, got 2",
        ),
        (
            good.clone().row(TableRow::new(["-"], [f64::NAN])),
            "row 2 has an output",
        ),
        (
            good.clone()
                .row(TableRow::new(["-"], [1.0]).id("a"))
                .row(TableRow::new(["-"], [1.0]).id("a")),
            "row 3 has the id \"a\"",
        ),
        (
            DecisionTable::new("fees", ["amount"], ["fee", "fee"])
                .row(TableRow::new(["-"], [1.0, 2.0])),
            "the output \"fee\" stands twice",
        ),
        (
            DecisionTable::new("fees", ["amount + 1"], ["fee"]).row(TableRow::new(["-"], [1.0])),
            "name one variable",
        ),
        (
            DecisionTable::new("fees", ["amount", "amount"], ["fee"])
                .row(TableRow::new(["-", "-"], [1.0])),
            "depend on each other",
        ),
        (
            DecisionTable::new("fees", ["timestamp", "hour(timestamp)"], ["fee"])
                .row(TableRow::new(["-", "-"], [1.0])),
            "depend on each other",
        ),
        (
            DecisionTable::new("fees", ["amout"], ["fee"]).row(TableRow::new(["-"], [1.0])),
            "did you mean `amount`",
        ),
    ];
    for (table, part) in cases {
        let text = mistake(&table).to_string();
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn tables_beyond_the_limits_are_refused() {
    let table = DecisionTable::new("fees", ["amount"], ["fee"]);
    let row = || TableRow::new(["-"], [1.0]);
    let rows = DecisionTable {
        rows: (0..10_001).map(|_| row()).collect(),
        ..table.clone()
    };
    let inputs = DecisionTable {
        inputs: (0..65).map(|at| format!("v{at}")).collect(),
        ..table.clone().row(row())
    };
    let numbers: Vec<Variable> = (0..64)
        .map(|at| Variable::number(format!("v{at}"), Unit::One))
        .collect();
    let many: Vec<String> = (0..1700).map(|number| number.to_string()).collect();
    let many = format!("in [{}]", many.join(", "));
    let wide = |cell: &str| TableRow::new((0..64).map(|_| cell), [1.0]);
    let large = DecisionTable {
        inputs: (0..64).map(|at| format!("v{at}")).collect(),
        rows: (0..10_000)
            .map(|at| wide(if at == 0 { &many } else { "-" }))
            .collect(),
        ..table
    };
    let schema = RuleSchema::new(numbers).unwrap();
    let expected = "table \"fees\": at most 10000 rows, this one has 10001: split it";
    assert_eq!(mistake(&rows).to_string(), expected);
    assert!(mistake(&inputs).to_string().contains("at most 64 inputs"));
    assert!(matches!(
        large.compile(&schema),
        Err(RuleError::TableTooLarge {
            what: "bytes of index",
            most: 268_435_456,
            ..
        })
    ));
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
        compiled.index_bytes() < 1 << 20,
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

#[cfg(feature = "serde")]
mod files {
    use super::*;

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

    #[test]
    fn tables_go_through_json_and_back() {
        let table: DecisionTable = serde_json::from_str(JSON).unwrap();
        assert_eq!((table.version, table.hit_policy), (1, HitPolicy::Priority));
        assert_eq!(table.rows[1].outputs[0], TableValue::Number(1.0));
        let text = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<DecisionTable>(&text).unwrap(), table);
        table.compile(&schema()).unwrap();
        for policy in POLICIES {
            let text = serde_json::to_string(&policy).unwrap();
            assert_eq!(text, format!("\"{policy}\""));
        }
    }

    #[test]
    fn unknown_keys_are_mistakes() {
        for (known, unknown) in [("hit_policy", "policy"), ("note", "comment")] {
            let text = JSON.replace(known, unknown);
            let error = serde_json::from_str::<DecisionTable>(&text).unwrap_err();
            assert!(error.to_string().contains(unknown), "{error}");
        }
    }
}
