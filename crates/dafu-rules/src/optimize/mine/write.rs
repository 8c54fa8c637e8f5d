//! From terms to a condition in the language.

use super::sample::{Kind, Sample, Term, Test};
use crate::language::{named, quoted};
use dafu_core::Unit;
use std::fmt::Write;

/// The condition that says what all terms say.
pub(super) fn condition(sample: &Sample, terms: &[Term]) -> String {
    let mut text = String::new();
    for (place, term) in terms.iter().enumerate() {
        if place > 0 {
            text.push_str(" and ");
        }
        let feature = &sample.features[term.feature];
        let mut name = String::new();
        // Writing to a string does not fail.
        let _ = named(&mut name, &feature.name);
        if let (Test::Above(number), Some(over)) = (term.test, &feature.over) {
            let _ = write!(text, "{name} > {} * ", digits(number));
            let _ = named(&mut text, over);
            continue;
        }
        let _ = match (term.test, &feature.kind) {
            (Test::Above(number), Kind::Number { unit, .. }) => {
                write!(text, "{name} > {}", with_unit(number, *unit))
            }
            (Test::AtMost(number), Kind::Number { unit, .. }) => {
                write!(text, "{name} <= {}", with_unit(number, *unit))
            }
            (Test::Missing, _) => write!(text, "{name} is missing"),
            (Test::Is(cell), Kind::Texts(texts)) => {
                let _ = write!(text, "{name} == ");
                let level = texts.get(usize::from(cell)).map_or("", |level| level);
                quoted(&mut text, level)
            }
            (Test::Is(0), _) => write!(text, "not {name}"),
            _ => write!(text, "{name}"),
        };
    }
    text
}

/// A number in the unit of its variable.
fn with_unit(number: f64, unit: Unit) -> String {
    let symbol = match unit {
        Unit::Second => "s",
        Unit::Hour => "h",
        Unit::Day => "d",
        Unit::PerHour => "/h",
        Unit::Kilometre => "km",
        Unit::KilometrePerHour => "km/h",
        Unit::Degree => "deg",
        Unit::Share => return percent(number),
        _ => "",
    };
    format!("{}{symbol}", digits(number))
}

/// As percent where that is the same number in no more digits than it has itself.
fn percent(number: f64) -> String {
    let plain = digits(number);
    // The decimal point two places to the right.
    let shifted = format!("{number:e}");
    let hundredfold = shifted.split_once('e').and_then(|(digits, power)| {
        let power: i32 = power.parse().ok()?;
        format!("{digits}e{}", power + 2).parse::<f64>().ok()
    });
    match hundredfold.map(|hundredfold| (hundredfold, hundredfold / 100.0)) {
        Some((hundredfold, same)) if same.to_bits() == number.to_bits() => {
            format!("{}%", digits(hundredfold))
        }
        _ => plain,
    }
}

/// As [`Condition`](crate::Condition) prints numbers.
fn digits(number: f64) -> String {
    if number == 0.0 {
        "0".into()
    } else if (1e-5..1e16).contains(&number.abs()) {
        format!("{number}")
    } else {
        format!("{number:e}")
    }
}
