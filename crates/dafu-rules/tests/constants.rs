//! Conditions that always hold, or never, and what else is told about them.
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

use dafu_rules::{Code, Condition, ConditionError, Row, Rule, RuleSet, Truth};
use support::{NUMBERS, TEXTS, schema};

fn mistakes(source: &str) -> ConditionError {
    match Condition::parse(source) {
        Err(error) => error,
        Ok(condition) => match condition.compile(&schema()) {
            Err(error) => error,
            Ok(_) => panic!("nothing is wrong with {source}"),
        },
    }
}

fn warnings(source: &str) -> Vec<(Code, &str)> {
    let compiled = Condition::parse(source).unwrap().compile(&schema());
    let compiled = compiled.unwrap_or_else(|error| panic!("{error}"));
    let marked = compiled.warnings().iter();
    marked
        .map(|warning| (warning.code, &source[warning.span.start..warning.span.end]))
        .collect()
}

/// What the schema has: amounts, categories of three levels, a time, a country, a flag.
const NEVER: [&str; 17] = [
    "amount > 5 and amount < 3",
    "amount > amount",
    "country != country",
    "country == 'DE' and country == 'FR'",
    "country in ['DE', 'FR'] and country in ['AT']",
    "country == 'DE' and not (country == 'DE' or declined)",
    "category == 'travel' and category == 'gaming'",
    "amount in [1, 2] and amount > 5",
    "amount == 1 and amount != 1",
    "declined and not declined",
    "hour(timestamp) > 30",
    "22:00 <= time_of_day(timestamp) <= 06:00",
    "time_of_day(timestamp) >= 22:00 and time_of_day(timestamp) <= 06:00",
    "length(country) < 0",
    "abs(amount) < 0",
    "count(tx, by=card, within=1h) < 0",
    "not (hour(timestamp) >= 0)",
];

const ALWAYS: [&str; 6] = [
    "amount > 5 or amount <= 7",
    "country != 'DE' or country != 'FR'",
    "amount >= amount",
    "not (amount > 5 and amount < 3)",
    "hour(timestamp) in [1, 2] or hour(timestamp) <= 23",
    "weekday(timestamp) <= sun",
];

#[test]
fn conditions_that_say_nothing_are_mistakes() {
    for (sources, says) in [(&NEVER[..], "never holds"), (&ALWAYS[..], "always holds")] {
        for source in sources {
            let error = mistakes(source);
            let diagnostic = &error.diagnostics[0];
            assert_eq!(diagnostic.code, Code::Constant, "{source}: {error}");
            assert!(diagnostic.message.contains(says), "{source}: {error}");
            // As a part it is only a warning, and stays what it is where values are missing.
            let part = if says == "never holds" {
                format!("amount > 3 and (distance > 2 or ({source}))")
            } else {
                format!("amount > 3 or (distance > 2 and ({source}))")
            };
            let found = warnings(&part);
            assert_eq!(found, [(Code::ConstantPart, *source)], "{part}");
        }
    }
    let help = mistakes("22:00 <= time_of_day(timestamp) <= 06:00").to_string();
    assert!(help.contains("goes past midnight"), "{help}");
}

#[test]
fn conditions_that_say_something_are_none() {
    let sources = [
        "amount > 5 and amount < 7",
        "amount > 5 or amount < 3",
        "country == 'DE' or country == 'FR'",
        "country != 'DE' and country != 'FR'",
        "category == 'travel' or category == 'gaming'",
        "category in ['grocery', 'travel', 'gaming']",
        "amount in [1, 7] and amount > 5",
        "hour(timestamp) >= 23",
        "time_of_day(timestamp) between 22:00 and 06:00",
        "weekday(timestamp) between sat and mon",
        "length(country) < 1",
        "amount - amount * share > 5 and amount < 3",
    ];
    for source in sources {
        assert_eq!(warnings(source), [], "{source}");
    }
    // Naming all of a few values asks whether one is known.
    let all = "category == 'grocery' or category == 'travel' or category == 'gaming'";
    assert_eq!(warnings(all), [(Code::ConstantPart, all)]);
}

#[test]
fn flags_are_compared_with_constants_without_a_warning() {
    let row = Row {
        numbers: &NUMBERS,
        texts: &TEXTS,
    };
    for (source, expected) in [
        ("declined == true", Truth::True),
        ("declined != false", Truth::True),
        ("false == declined", Truth::False),
        ("declined != true", Truth::False),
    ] {
        let compiled = Condition::parse(source)
            .unwrap()
            .compile(&schema())
            .unwrap();
        assert_eq!(compiled.warnings(), [], "{source}");
        assert_eq!(compiled.truth(row).unwrap(), expected, "{source}");
    }
}

#[test]
fn ranges_of_days_go_past_the_end_of_the_week() {
    // The event is on a Friday.
    let row = Row {
        numbers: &NUMBERS,
        texts: &TEXTS,
    };
    for (source, expected) in [
        ("weekday(timestamp) between fri and mon", true),
        ("weekday(timestamp) between sat and mon", false),
        ("weekday(timestamp) between mon and fri", true),
        ("weekday(timestamp) not between sun and fri", false),
        ("ip == '10.0.0.0/8'", true),
        ("ip != '10.0.0.0/8'", false),
        ("'10.1.0.0/24' == ip", false),
        ("24h + timestamp > '2026-03-07T23:00:00Z'", true),
        ("1h + timestamp - 2h < timestamp", true),
    ] {
        let compiled = Condition::parse(source).unwrap().compile(&schema());
        let compiled = compiled.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            compiled.truth(row).unwrap(),
            Truth::from(expected),
            "{source}"
        );
    }
}

#[test]
fn help_knows_what_was_meant() {
    let cases = [
        ("gap > 5 min", Code::Syntax, "write `5min` without a blank"),
        ("amount > 500 usd", Code::Syntax, "`500 USD`"),
        ("share > 10 %", Code::Token, "write `10%`"),
        ("share > .5", Code::Token, "write `0.5`"),
        ("amount != null", Code::UnknownName, "is not missing"),
        ("weekday(timestamp) == Sat", Code::UnknownName, "`sat`"),
        ("timestamp - '2026-03-01' > 3600", Code::Type, "a duration"),
    ];
    for (source, code, help) in cases {
        let error = mistakes(source);
        assert_eq!(error.diagnostics[0].code, code, "{error}");
        assert!(error.to_string().contains(help), "{error}");
    }
    let two = dafu_rules::RuleSchema::new(["at", "seen"].map(dafu_rules::Variable::time)).unwrap();
    let compile = |source: &str| Condition::parse(source).unwrap().compile(&two);
    let bare = compile("at - seen > 3600").unwrap_err();
    assert_eq!(bare.diagnostics[0].code, Code::Unit, "{bare}");
    assert!(bare.to_string().contains("write 30min"), "{bare}");
    assert!(compile("at - seen > 1h or at - seen < 0 or abs(at - seen) * 2 > 3d").is_ok());
    assert!(compile("coalesce(at - seen, 5) > 1h").is_err());
}

#[test]
fn parts_in_parentheses_are_marked_with_them() {
    let error = mistakes("(amount + 1) > (distance)");
    let span = error.diagnostics[0].span;
    assert_eq!(&error.source[span.start..span.end], "distance");
    let error = mistakes("(amount + 1) == 'x'");
    let span = error.diagnostics[0].span;
    assert_eq!(&error.source[span.start..span.end], "(amount + 1) == 'x'");
}

#[test]
fn what_was_read_is_never_too_long_to_be_read_again() {
    let short = "amount<1".to_owned() + &"||amount<1".repeat(1000);
    let printed = Condition::parse(&short).unwrap().to_string();
    assert!(Condition::parse(&printed).is_ok());
    let long = "b<1".to_owned() + &"||b<1".repeat(1990);
    assert!(long.len() < 10_000);
    let umlauts = format!("country == '{}'", "\u{e4}".repeat(4000));
    for source in [long, umlauts] {
        let Err(error) = Condition::parse(&source) else {
            panic!("{} bytes are read", source.len());
        };
        assert_eq!(error.diagnostics[0].code, Code::Limit);
        assert!(error.to_string().contains("written out"), "{error}");
    }
}

#[test]
fn very_many_mistakes_are_not_all_drawn() {
    let wrong = "velocity > 1".to_owned() + &" or velocity > 1".repeat(900);
    let rules = (0..20).map(|id| Rule::new(id.to_string(), &wrong, 0.5));
    let error = RuleSet::new(rules)
        .compile(&schema())
        .unwrap_err()
        .to_string();
    assert!(error.len() < 100_000, "{}", error.len());
    assert!(error.ends_with("and 17920 more mistakes"), "{error}");
}

#[test]
fn hours_between_go_past_midnight_as_times_of_day_do() {
    // It is half past eleven.
    let row = Row {
        numbers: &NUMBERS,
        texts: &TEXTS,
    };
    for (source, expected) in [
        ("hour(timestamp) between 22 and 6", Truth::True),
        ("hour(timestamp, '+02:00') between 22 and 6", Truth::True),
        ("hour(timestamp) not between 22 and 6", Truth::False),
        ("hour(timestamp, '+09:00') between 22 and 6", Truth::False),
        ("hour(timestamp) between 6 and 22", Truth::False),
    ] {
        let compiled = Condition::parse(source).unwrap().compile(&schema());
        let compiled = compiled.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(compiled.warnings(), [], "{source}");
        assert_eq!(compiled.truth(row).unwrap(), expected, "{source}");
    }
    // Two comparisons say what they say.
    let help = mistakes("22 <= hour(timestamp) <= 6").to_string();
    assert!(help.contains("goes past midnight"), "{help}");
    mistakes("hour(timestamp) between 30 and 6");
}

#[test]
fn shares_are_from_0_to_1() {
    for source in ["share > 70", "share < 0", "share in [2, 3]", "share == 80"] {
        let error = mistakes(source);
        assert_eq!(error.diagnostics[0].code, Code::Constant, "{error}");
        assert!(error.to_string().contains("from 0 to 1"), "{error}");
    }
    // What holds for every share says whether one is known.
    for source in ["share >= 0", "share <= 1"] {
        assert_eq!(warnings(source), [(Code::ConstantPart, source)]);
    }
    for source in ["share > 70%", "share >= 1", "share > 0", "share * 100 > 70"] {
        assert_eq!(warnings(source), [], "{source}");
    }
}

#[test]
fn the_status_of_a_payment_is_one_of_four() {
    use dafu_core::TransactionStatus::{Approved, ChargedBack, Declined};

    let schema = dafu_rules::RuleSchema::transaction();
    let compile = |source: &str| Condition::parse(source).unwrap().compile(&schema).unwrap();
    let wrong = compile("status == 'decline'");
    let [warning] = wrong.warnings() else {
        panic!("one warning: {:?}", wrong.warnings());
    };
    assert_eq!(warning.code, Code::Level);
    assert_eq!(warning.help.as_deref(), Some("did you mean \"declined\"?"));
    let mut payment = dafu_core::Transaction::new(
        "t-1".parse().unwrap(),
        "u-1".parse().unwrap(),
        dafu_core::Money::from_minor(100, "EUR".parse().unwrap()),
        "m-1".parse().unwrap(),
        "2026-03-01T02:00:00Z".parse().unwrap(),
    );
    let right = compile("status in ['declined', 'charged_back']");
    let missing = compile("status is missing");
    let mut buffer = String::new();
    for (status, expected) in [
        (None, [Truth::Unknown, Truth::True]),
        (Some(Approved), [Truth::False, Truth::False]),
        (Some(Declined), [Truth::True, Truth::False]),
        (Some(ChargedBack), [Truth::True, Truth::False]),
    ] {
        payment.status = status;
        let row = dafu_rules::TransactionRow::new(&payment, &schema, &mut buffer);
        let truths = [&right, &missing].map(|condition| condition.truth(row.row()).unwrap());
        assert_eq!(truths, expected, "{status:?}");
    }
}
