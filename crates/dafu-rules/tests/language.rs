//! What conditions mean.
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

use dafu_rules::{Condition, Row, Truth};
use support::{NUMBERS, TEXTS, schema};

fn truth(source: &str) -> Truth {
    let condition = Condition::parse(source).unwrap_or_else(|error| panic!("{error}"));
    let compiled = condition
        .compile(&schema())
        .unwrap_or_else(|error| panic!("{error}"));
    let row = Row {
        numbers: &NUMBERS,
        texts: &TEXTS,
    };
    let printed: Condition = condition.to_string().parse().unwrap();
    assert_eq!(printed.to_string(), condition.to_string());
    assert_eq!(
        printed.compile(&schema()).unwrap().truth(row),
        compiled.truth(row),
        "{printed}"
    );
    compiled.truth(row).unwrap()
}

#[test]
fn conditions_mean_what_they_say() {
    let cases = [
        ("amount > 100", true),
        ("amount>100&&distance>2000||declined", true),
        ("amount > 100 and distance > 2000 or not declined", false),
        ("not amount > 100 or distance > 5", true),
        ("!declined || !(amount < 3)", true),
        ("100 < amount <= 250", true),
        ("100 < amount < 250", false),
        ("300 > amount >= 250 >= 2", true),
        ("amount between 250 and 300", true),
        ("amount not between 0 and 249.99", true),
        ("amount in [1, 250]", true),
        ("amount not in (1, 2, 3)", true),
        ("amount = 250", true),
        ("amount <> 250", false),
        ("-amount < -200", true),
        ("2 * amount + 1 - 0.5 == 500.5", true),
        ("amount / count_1h > 83 and amount / count_1h < 84", true),
        ("amount / (count_1h - 3) > 0", false),
        ("min(amount, 5) == 5", true),
        ("max(amount, 5) == 250", true),
        ("abs(amount - 300) < 51", true),
        ("distance > 1000km", true),
        ("distance > 621mi", true),
        ("distance > 1300000m", false),
        ("gap == 30min", true),
        ("gap < 1800s", false),
        ("gap <= 1d", true),
        ("distance / gap > 2399km/h", true),
        ("speed > 200m/s", true),
        ("speed < distance / gap", true),
        ("share == 25%", true),
        ("share < 10%", false),
        ("per_hour > 10", true),
        ("per_hour > 10/h", true),
        ("per_hour > 287/d", true),
        ("per_hour > 289/d", false),
        ("amount > 499 USD", true),
        ("amount > 501USD", false),
        ("amount == 250 EUR", true),
        ("country == 'DE'", true),
        ("country != \"DE\"", false),
        ("country in ['FR', 'DE']", true),
        ("country not in ['FR', 'IT']", true),
        ("lower(country) == 'de'", true),
        ("length(country) == 2", true),
        ("merchant contains 'Shop'", true),
        ("merchant starts with 'Book'", true),
        ("merchant starts_with 'book'", false),
        ("lower(merchant) starts_with 'book'", true),
        ("merchant ends with '24'", true),
        ("merchant not contains 'x'", true),
        (r"merchant matches r'\d+$'", true),
        (r"merchant matches '^\\d+$'", false),
        ("category == 'travel'", true),
        ("category in ['grocery', 'gaming']", false),
        ("category matches '^t'", true),
        ("ip in ['10.0.0.0/8', '192.168.0.0/16']", true),
        ("cidr_match(ip, '10.2.0.0/16')", false),
        ("cidr_match(ip, '0.0.0.0/0')", true),
        ("ip == '10.1.2.3'", true),
        ("ip != '10.1.2.4'", true),
        ("time_of_day(timestamp) >= 22:00", true),
        ("time_of_day(timestamp) between 22:00 and 06:00", true),
        (
            "time_of_day(timestamp, '+02:00') between 01:00 and 01:30",
            true,
        ),
        ("weekday(timestamp) == fri", true),
        ("weekday(timestamp, '+02:00') in [sat, sun]", true),
        ("hour(timestamp) == 23", true),
        ("timestamp > '2026-03-06'", true),
        ("timestamp >= '2026-03-06T23:30:00Z'", true),
        ("timestamp + 30min >= '2026-03-07'", true),
        ("timestamp - 1d > '2026-03-06'", false),
        ("declined == true", true),
        ("declined != true", false),
        ("declined == (amount > 100)", true),
        ("amount is not missing", true),
        ("is_missing(country)", false),
        ("coalesce(amount, 0) > 3", true),
        (
            "AMOUNT_OK or amount > 3".trim_start_matches("AMOUNT_OK or "),
            true,
        ),
        ("amount > 3 AND country = 'DE'", true),
        ("amount > 1_000 or amount > 2.5e1", true),
    ];
    for (source, expected) in cases {
        let expected = if source.contains("count_1h - 3") {
            Truth::Unknown
        } else {
            expected.into()
        };
        assert_eq!(truth(source), expected, "{source}");
    }
}
