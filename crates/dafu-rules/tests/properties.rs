//! What holds of all conditions.
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

use dafu_core::{RuleOutcome, Timestamp};
use dafu_rules::{
    Columns, Combination, Condition, ListKind, Moment, OnMissing, Row, Rule, RuleList, RuleSet,
    RuleState, TextColumn, Truth,
};
use ndarray::Array2;
use proptest::prelude::*;
use std::sync::Arc;
use support::random::{Event, condition, event};
use support::schema;

fn texts(event: &Event) -> Vec<Option<&str>> {
    event.1.iter().map(|text| text.as_deref()).collect()
}

/// The set with the rules that the schema understands.
fn understood(sources: &[String]) -> RuleSet {
    let list = RuleList::new("blocked", ListKind::Block).entry("m-1", Some(moment(1)));
    let mut set = RuleSet::new([])
        .list(list)
        .combination(Combination::WeightedSum);
    for (place, source) in sources.iter().enumerate() {
        let rule = Rule::new(place.to_string(), source, 0.5);
        let rule = match place % 5 {
            1 => rule.on_missing(OnMissing::Fire),
            2 => rule.state(RuleState::Shadow).on_missing(OnMissing::Error),
            3 => rule.effective(Some(moment(1)), None),
            _ => rule,
        };
        if Condition::parse(source).unwrap().compile(&schema()).is_ok() {
            set = set.rule(rule);
        }
    }
    set
}

fn moment(hours: i64) -> Timestamp {
    Timestamp::from_seconds(1_772_839_800 + hours * 3600).unwrap()
}

proptest! {
    #[test]
    fn printed_conditions_read_back_the_same(source in condition()) {
        let condition = Condition::parse(&source).unwrap();
        let printed = condition.to_string();
        let again = Condition::parse(&printed).unwrap();
        prop_assert_eq!(again.to_string(), printed);
        prop_assert!(again.means_the_same_as(&condition), "{} {}", source, again);
    }

    #[test]
    fn batches_say_what_rows_say(
        sources in proptest::collection::vec(condition(), 1..8),
        events in proptest::collection::vec(event(), 1..200),
    ) {
        let set = understood(&sources);
        let engine = set.compile(&schema()).unwrap();
        let (numbers, _) = engine.slots();
        // Windows are numbered as they are met, so any two numbers do.
        let matrix = Array2::from_shape_fn((events.len(), numbers), |(row, slot)| events[row].0[slot]);
        let times: Vec<Timestamp> = (0..events.len()).map(|row| moment((row % 3) as i64)).collect();
        let by_row: Vec<Vec<Option<&str>>> = events.iter().map(texts).collect();
        let column = |slot: usize| by_row.iter().map(|texts| texts[slot]).collect::<Vec<_>>();
        let (countries, merchants, addresses) = (column(0), column(1), column(2));
        let levels: Vec<Arc<str>> = ["Book-Shop 24", "m-1", ""].map(Arc::from).into();
        let code = |text: Option<&str>| {
            let place = text.and_then(|text| levels.iter().position(|level| &**level == text));
            place.map_or(u32::MAX, |place| u32::try_from(place).unwrap())
        };
        let codes: Vec<u32> = merchants.iter().copied().map(code).collect();
        let mut columns = Columns::new(events.len()).times(&times).unwrap();
        for slot in 0..numbers {
            columns = columns.number(matrix.column(slot)).unwrap();
        }
        let columns = columns
            .text(TextColumn::Texts(&countries)).unwrap()
            .text(TextColumn::Codes { codes: &codes, levels: &levels }).unwrap()
            .text(TextColumn::Texts(&addresses)).unwrap();
        let batch = engine.evaluate_columns(&columns).unwrap();
        let scores = engine.decisions(&batch).risk_scores;
        for (row, texts) in by_row.iter().enumerate() {
            let values = matrix.row(row).to_vec();
            let values = Row { numbers: &values, texts };
            let report = engine.evaluate(values, &Moment::at(times[row])).unwrap();
            prop_assert_eq!(scores[row], report.risk_score.get());
            let outcomes: Vec<RuleOutcome> = (0..batch.rules()).map(|rule| batch.outcome(rule, row)).collect();
            prop_assert_eq!(&outcomes, &report.outcomes, "{:?} {:?}", values, set.rules);
            // The jumps and the tree agree.
            for (rule, outcome) in set.rules.iter().zip(outcomes) {
                let truth = engine.truth_by_tree(&rule.id, values, times[row]).unwrap();
                let expected = match truth {
                    _ if !rule.in_force(times[row]) => RuleOutcome::Inactive,
                    Truth::False => RuleOutcome::NotFired,
                    Truth::Unknown if rule.on_missing != OnMissing::Fire => RuleOutcome::NotEvaluated,
                    _ if rule.state == RuleState::Shadow => RuleOutcome::Shadow,
                    _ => RuleOutcome::Fired,
                };
                prop_assert_eq!(outcome, expected, "{}", rule.condition);
                // What is not known says why, and nothing else does.
                let missing = engine.missing(&rule.id, values, times[row]).unwrap();
                prop_assert_eq!(missing.is_empty(), truth != Truth::Unknown, "{}", rule.condition);
            }
        }
    }

    #[test]
    fn no_source_panics(source in "[a-z0-9 <>=!&|()'\\[\\],.@`/%+*:-]{0,60}") {
        if let Ok(condition) = Condition::parse(&source) {
            let printed = condition.to_string();
            prop_assert!(Condition::parse(&printed).unwrap().means_the_same_as(&condition), "{} {}", source, printed);
            let _ = condition.compile(&schema()).map_err(|error| error.to_string());
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let source = String::from_utf8_lossy(&bytes);
        if let Err(error) = Condition::parse(&source) {
            prop_assert!(error.to_string().is_ascii());
        }
    }
}

/// Two-valued logic would say that this never holds, whatever is missing.
#[test]
fn what_contradicts_itself_is_not_known_where_values_are_missing() {
    let sources = [
        "count_1h < 3 or (not country in ['DE'] and country in ['DE'])",
        "count_1h >= 3 and not (country == 'DE' and country != 'DE')",
    ];
    let (numbers, texts) = (support::NUMBERS, [None, Some("m"), None]);
    let row = Row {
        numbers: &numbers,
        texts: &texts,
    };
    for source in sources {
        let compiled = Condition::parse(source)
            .unwrap()
            .compile(&schema())
            .unwrap();
        assert_eq!(compiled.truth(row).unwrap(), Truth::Unknown, "{source}");
    }
}

#[test]
fn truth_tables_are_those_of_kleene() {
    use Truth::{False, True, Unknown};
    let table = [
        (True, True, True, True),
        (True, False, False, True),
        (True, Unknown, Unknown, True),
        (False, True, False, True),
        (False, False, False, False),
        (False, Unknown, False, Unknown),
        (Unknown, True, Unknown, True),
        (Unknown, False, False, Unknown),
        (Unknown, Unknown, Unknown, Unknown),
    ];
    let schema = || {
        dafu_rules::RuleSchema::new(
            ["a", "b"].map(|name| dafu_rules::Variable::flag(name).nullable()),
        )
        .unwrap()
    };
    let number = |truth| match truth {
        True => 1.0,
        False => 0.0,
        Unknown => f64::NAN,
    };
    let truth = |source: &str, a, b| {
        let numbers = [number(a), number(b)];
        let row = Row {
            numbers: &numbers,
            texts: &[],
        };
        Condition::parse(source)
            .unwrap()
            .compile(&schema())
            .unwrap()
            .truth(row)
            .unwrap()
    };
    for (a, b, and, or) in table {
        assert_eq!((a.and(b), a.or(b)), (and, or));
        assert_eq!(
            (truth("a and b", a, b), truth("a or b", a, b)),
            (and, or),
            "{a:?} {b:?}"
        );
        assert_eq!(truth("not (a and b)", a, b), !and);
        assert_eq!(truth("not a or not b", a, b), !and);
        assert_eq!(truth("not (a or b)", a, b), !or);
        let same = if a == Unknown || b == Unknown {
            Unknown
        } else {
            (a == b).into()
        };
        assert_eq!(truth("a == b", a, b), same);
        assert_eq!(truth("a != b", a, b), !same);
    }
    assert_eq!([!True, !False, !Unknown], [False, True, Unknown]);
}
