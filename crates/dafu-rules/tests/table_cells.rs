//! Cells of decision tables, mistakes in them, forms, limits and files.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests: what fails is a failure of the test"
)]

mod support;

use dafu_core::Unit;
use dafu_rules::{
    DecisionTable, HitPolicy, Row, RuleError, RuleSchema, TableFinding, TableRow, TableValue,
    Variable,
};
use support::table::{brute, compile, conditions, schema};

fn mistake(table: &DecisionTable) -> RuleError {
    match table.compile(&support::schema()) {
        Err(error) => error,
        Ok(_) => panic!("nothing is wrong with {table:?}"),
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
        ("ip", "== '10.0.0.0/8'", true),
        ("ip", "!= '10.0.0.0/8'", false),
        ("ip", "'10.1.2.2', '10.1.2.4/30'", false),
        ("timestamp", "> '2026-03-06'", true),
        ("timestamp", "['2026-03-06'..'2026-03-07')", true),
        ("weekday(timestamp)", "fri", true),
        ("weekday(timestamp)", "sat, sun", false),
        ("weekday(timestamp, '+02:00')", "sat, sun", true),
        ("weekday(timestamp)", "[mon..fri]", true),
        ("weekday(timestamp)", "fri..mon", true),
        ("weekday(timestamp)", "(fri..mon]", false),
        ("weekday(timestamp)", "between sat and tue", false),
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
