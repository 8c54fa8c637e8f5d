//! What is wrong with conditions, and how it is told.
#![allow(
    clippy::cast_possible_wrap,
    clippy::expect_used,
    clippy::float_cmp,
    clippy::items_after_statements,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use dafu_rules::{Code, Condition, ConditionError};
use support::schema;

fn mistakes(source: &str) -> ConditionError {
    match Condition::parse(source) {
        Err(error) => error,
        Ok(condition) => match condition.compile(&schema()) {
            Err(error) => error,
            Ok(_) => panic!("nothing is wrong with {source}"),
        },
    }
}

/// Source, code, what is marked, and a part of message and help.
const CASES: [(&str, Code, &str, &str); 63] = [
    ("amount > \u{a7}", Code::Token, "\u{a7}", "means nothing"),
    ("amount > 3 & declined", Code::Token, "&", "write `&&`"),
    ("country == 'DE", Code::Token, "'", "has no end"),
    ("`amount > 3", Code::Token, "`", "has no end"),
    (r"country == 'a\d'", Code::Token, r"\d", r"r'...'"),
    (
        r"country == '\u{d800}'",
        Code::Token,
        r"\u{d800}",
        r"\u{...}",
    ),
    ("amount > 1e999", Code::Token, "1e999", "too large"),
    (
        "time_of_day(timestamp) > 25:00",
        Code::Token,
        "25:00",
        "23:59:59",
    ),
    (
        "distance > 3 parsec",
        Code::Syntax,
        "parsec",
        "expected an operator",
    ),
    (
        "distance > 3parsec",
        Code::Unit,
        "parsec",
        "there is no unit",
    ),
    ("distance > 3kn", Code::Unit, "kn", "did you mean `km`"),
    (
        "amount >",
        Code::Syntax,
        "",
        "expected a value, found the end",
    ),
    ("", Code::Syntax, "", "expected a value, found the end"),
    ("and amount > 3", Code::Syntax, "and", "expected a value"),
    (
        "(amount > 3",
        Code::Syntax,
        "",
        "expected `)`, found the end",
    ),
    ("amount > 3)", Code::Syntax, ")", "expected an operator"),
    ("amount not 3", Code::Syntax, "3", "`between`"),
    ("amount is 3", Code::Syntax, "3", "`missing`"),
    ("amount in 3", Code::Syntax, "3", "`[`"),
    ("1 < amount > 3", Code::Syntax, ">", "one direction"),
    ("1 != amount != 3", Code::Syntax, "!=", "one direction"),
    (
        "amout > 3",
        Code::UnknownName,
        "amout",
        "did you mean `amount`",
    ),
    (
        "velocity > 3",
        Code::UnknownName,
        "velocity",
        "name a variable",
    ),
    (
        "bas(amount) > 3",
        Code::UnknownName,
        "bas",
        "did you mean `abs`",
    ),
    (
        "country in @blocke",
        Code::UnknownName,
        "country in @blocke",
        "did you mean `@blocked`",
    ),
    ("@blocked", Code::Syntax, "@blocked", "in @name"),
    (
        "amount == 'x'",
        Code::Type,
        "amount == 'x'",
        "without quotes",
    ),
    ("country > 'DE'", Code::Type, "country > 'DE'", "no order"),
    ("amount", Code::Type, "amount", "compare it with something"),
    (
        "amount and declined",
        Code::Type,
        "amount",
        "expected a condition",
    ),
    (
        "declined > 3",
        Code::Type,
        "declined > 3",
        "cannot be compared",
    ),
    (
        "declined + 1 > 3",
        Code::Type,
        "declined",
        "cannot be added",
    ),
    (
        "timestamp > 22:00",
        Code::Type,
        "timestamp > 22:00",
        "time_of_day",
    ),
    ("timestamp > 3", Code::Type, "timestamp > 3", "'2026-03-01'"),
    (
        "timestamp > 'yesterday'",
        Code::Type,
        "'yesterday'",
        "no time",
    ),
    ("timestamp + 3 > '2026-03-01'", Code::Type, "3", "duration"),
    (
        "weekday(timestamp) == friday",
        Code::UnknownName,
        "friday",
        "unknown",
    ),
    (
        "weekday(country) == fri",
        Code::Type,
        "country",
        "expected a time",
    ),
    (
        "ip == 'somewhere'",
        Code::Type,
        "'somewhere'",
        "internet address",
    ),
    (
        "ip in ['10.0.0.0/33']",
        Code::Type,
        "'10.0.0.0/33'",
        "internet address",
    ),
    ("ip contains '10.'", Code::Type, "ip", "cidr_match"),
    (
        "amount contains 'x'",
        Code::Type,
        "amount",
        "expected a text",
    ),
    (
        "coalesce(amount, 'x') > 3",
        Code::Type,
        "coalesce(amount, 'x')",
        "different types",
    ),
    (
        "distance > 10min",
        Code::Unit,
        "10min",
        "length does not go with time",
    ),
    (
        "amount > 3km",
        Code::Unit,
        "3km",
        "money does not go with length",
    ),
    ("amount > 10%", Code::Unit, "10%", "a pure number"),
    (
        "amount > distance",
        Code::Unit,
        "distance",
        "this is length",
    ),
    (
        "amount + distance > 3",
        Code::Unit,
        "distance",
        "this is length",
    ),
    (
        "speed > distance * gap",
        Code::Unit,
        "distance * gap",
        "this is length * time",
    ),
    (
        "amount > 3 GBP",
        Code::Rate,
        "3 GBP",
        "no rate from GBP to EUR",
    ),
    ("abs(1, 2) > 3", Code::Arguments, "abs(1, 2)", "abs(number)"),
    (
        "hour(timestamp, 'Berlin') > 3",
        Code::Arguments,
        "'Berlin'",
        "'+02:00'",
    ),
    (
        "count(tx, by=card) > 3",
        Code::Arguments,
        "count(tx, by=card)",
        "`within=`",
    ),
    (
        "count(tx, by=cart, within=1h) > 3",
        Code::UnknownName,
        "cart",
        "did you mean `card`",
    ),
    (
        "count(tx, by=card, within=1km) > 3",
        Code::Arguments,
        "1km",
        "30min",
    ),
    (
        "sum(count_1h, by=card, within=1h) > 3",
        Code::Arguments,
        "count_1h",
        "`amount`",
    ),
    (
        "merchant matches '('",
        Code::Pattern,
        "'('",
        "unclosed group",
    ),
    (
        "merchant matches 'a{999}{999}'",
        Code::Limit,
        "'a{999}{999}'",
        "repeat less",
    ),
    ("1 > 2", Code::Constant, "1 > 2", "never holds"),
    (
        "amount > 5 and amount < 3",
        Code::Constant,
        "amount > 5 and amount < 3",
        "no value meets",
    ),
    (
        "amount > 5 or amount <= 7",
        Code::Constant,
        "amount > 5 or amount <= 7",
        "always holds",
    ),
    (
        "amount > 1e308 * 10 - 1e308 * 10",
        Code::Constant,
        "1e308 * 10",
        "no value",
    ),
    ("gap / 0 > 3", Code::Constant, "gap / 0", "divided by zero"),
];

#[test]
fn mistakes_say_where_and_what_to_do() {
    for (source, code, marked, text) in CASES {
        let error = mistakes(source);
        let found = error
            .diagnostics
            .iter()
            .find(|diagnostic| diagnostic.code == code);
        let Some(diagnostic) = found else {
            panic!("{source}: {error}");
        };
        assert_eq!(
            &source[diagnostic.span.start..diagnostic.span.end],
            marked,
            "{source}: {error}"
        );
        let told = format!(
            "{}\n{}\n{:?}",
            diagnostic.message, diagnostic.label, diagnostic.help
        );
        assert!(told.contains(text), "{source}: {told}");
        assert!(error.to_string().is_ascii(), "{source}");
    }
}

#[test]
fn a_drawing_marks_the_place_in_its_line() {
    let error = mistakes("amount > 100\n  and amout < 3\n  and velocity > 2").titled("high_amount");
    let expected = "\
error[rules::E003]: nothing is called `amout`
 --> high_amount:2:7
  |
2 |   and amout < 3
  |       ^^^^^ unknown
  = help: did you mean `amount`?

error[rules::E003]: nothing is called `velocity`
 --> high_amount:3:7
  |
3 |   and velocity > 2
  |       ^^^^^^^^ unknown
  = help: name a variable of the schema, or put a text into quotes";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn places_are_counted_in_characters() {
    let error = mistakes("country == '\u{e4}\u{f6}' and amout > 3");
    let text = error.to_string();
    assert!(text.contains("1:21\n"), "{text}");
    assert!(
        text.contains("1 | country == '??' and amout > 3\n"),
        "{text}"
    );
    assert!(
        text.contains(&format!("\n  | {}^^^^^ unknown", " ".repeat(20))),
        "{text}"
    );
}

#[test]
fn long_lines_are_cut_around_the_mark() {
    let source = format!(
        "{}amout > 3 or {}",
        "declined or ".repeat(100),
        "declined or ".repeat(100)
    );
    let text = mistakes(&format!("{source}declined")).to_string();
    assert!(text.lines().all(|line| line.len() < 120), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    let mark = lines[4].find('^').unwrap();
    assert_eq!(&lines[3][mark..mark + 5], "amout", "{text}");
    assert!(mistakes(&"(".repeat(1_000_000)).to_string().len() < 500);
}

#[test]
fn warnings_do_not_forbid_a_condition() {
    let cases = [
        ("amount > 3 and (true or declined)", Code::ConstantPart),
        (
            "declined or (amount > 5 and amount < 3)",
            Code::ConstantPart,
        ),
        ("gap is missing or amount > 3", Code::ConstantPart),
        ("category == 'traval'", Code::Level),
    ];
    for (source, code) in cases {
        let compiled = Condition::parse(source)
            .unwrap()
            .compile(&schema())
            .unwrap();
        let codes: Vec<Code> = compiled
            .warnings()
            .iter()
            .map(|warning| warning.code)
            .collect();
        assert_eq!(codes, [code], "{source}");
    }
}

/// In a thread with a small stack, as those of servers are.
fn in_a_small_thread(check: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new()
        .stack_size(512 * 1024)
        .spawn(check)
        .unwrap();
    thread.join().unwrap();
}

#[test]
fn deep_nesting_is_an_error() {
    in_a_small_thread(|| {
        for (open, close) in [
            ("(", ")"),
            ("!", ""),
            ("-", ""),
            ("not ", ""),
            ("abs(", ")"),
            ("(1 + ", ")"),
        ] {
            for depth in [65, 1000, 100_000] {
                let source = format!("{}amount{} > 3", open.repeat(depth), close.repeat(depth));
                let error = Condition::parse(&source).unwrap_err();
                assert_eq!(error.diagnostics[0].code, Code::Limit, "{open} {depth}");
            }
        }
        let chain = "declined and ".repeat(100_000) + "declined";
        assert_eq!(
            Condition::parse(&chain).unwrap_err().diagnostics[0].code,
            Code::Limit
        );
    });
}

#[test]
fn the_deepest_and_longest_conditions_work() {
    in_a_small_thread(|| {
        let sources = [
            format!("{}amount > 3{}", "(".repeat(64), ")".repeat(64)),
            format!("{}declined", "!".repeat(63)),
            format!("{}amount > 3", "-".repeat(62)),
            format!("{}declined", "not ".repeat(63)),
            format!("{}amount{} > 3", "abs(".repeat(62), ")".repeat(62)),
            format!(
                "{}amount{} > 3",
                "(1km/1km + 2 * ".repeat(31),
                ")".repeat(31)
            )
            .replace("amount", "gap"),
            format!(
                "{}declined{}",
                "(declined or (gap > 3 and ".repeat(31),
                "))".repeat(31)
            ),
            "declined or ".repeat(1300) + "declined",
            "gap + ".repeat(1400) + "gap > 3",
            format!("{}gap", "1 < ".repeat(3000)),
        ];
        for source in sources {
            let source = source
                .replace("(1km/1km + 2 * ", "(1 + 2 * ")
                .replace("gap", "count_1h");
            let compiled = Condition::parse(&source).unwrap_or_else(|error| panic!("{error}"));
            let printed = compiled.to_string();
            assert_eq!(Condition::parse(&printed).unwrap().to_string(), printed);
            if let Ok(compiled) = compiled.compile(&schema()) {
                let row = dafu_rules::Row {
                    numbers: &support::NUMBERS,
                    texts: &support::TEXTS,
                };
                compiled.truth(row).unwrap();
            }
        }
    });
}

#[test]
fn habits_of_other_languages_are_told_what_to_write() {
    for (source, marked, message, help) in [
        ("amount \u{2265} 5", "\u{2265}", "U+2265", "write `>=`"),
        (
            "country == \u{2018}DE\u{2019}",
            "\u{2018}",
            "U+2018",
            "straight quotes",
        ),
        ("amount\u{a0}> 5", "\u{a0}", "U+00A0", "a plain blank"),
        ("amount > $500", "$", "'$'", "`500 USD`"),
        (
            "distance > 1000 km",
            "km",
            "found `km`",
            "write `1000km` without",
        ),
        (
            "distance > 5 miles",
            "miles",
            "found `miles`",
            "write `5mi` without",
        ),
        (
            "distance between 1 km and 5",
            "km",
            "expected `and`",
            "write `1km` without",
        ),
        ("distance > 5miles", "miles", "no unit", "did you mean `mi`"),
        ("amount > 1,000", ",", "found `,`", "`1_000`"),
        (
            "country is null",
            "null",
            "expected `missing`",
            "write `is missing`",
        ),
        (
            "country is not NULL",
            "NULL",
            "expected `missing`",
            "is not missing",
        ),
        (
            "country = null",
            "null",
            "nothing is called",
            "write `x is missing`",
        ),
        ("country in blocked", "blocked", "`@list`", "`@blocked`"),
        ("amount => 5", ">", "found `>`", "write `>=`"),
        ("amount =< 5", "<", "found `<`", "write `<=`"),
        ("amount > = 5", "=", "found `==`", "write `>=` without"),
        (
            "count(tx, by=card, within=60) > 5",
            "60",
            "needs a unit",
            "write 60s",
        ),
    ] {
        let error = mistakes(source);
        let diagnostic = &error.diagnostics[0];
        let span = diagnostic.span;
        assert_eq!(&source[span.start..span.end], marked, "{error}");
        assert!(diagnostic.message.contains(message), "{error}");
        assert!(
            diagnostic
                .help
                .as_ref()
                .is_some_and(|got| got.contains(help)),
            "{error}"
        );
        assert!(error.to_string().is_ascii());
    }
}
