//! Conditions and rule sets from any text.

use dafu_core::{Timestamp, Unit};
use dafu_rules::{
    Columns, Condition, Moment, Row, Rule, RuleSchema, RuleSet, TextColumn, Variable, VariableType,
};
use ndarray::Array2;

/// A variable of every kind.
fn schema() -> RuleSchema {
    let levels = ["low", "high"].map(Into::into).into();
    let variables = [
        Variable::number("amount", Unit::Money).nullable(),
        Variable::number("distance", Unit::Kilometre).nullable(),
        Variable::flag("declined").nullable(),
        Variable::new("level", VariableType::Category { levels }).nullable(),
        Variable::time("at").nullable(),
        Variable::text("country").nullable(),
        Variable::ip("ip").nullable(),
    ];
    let schema = RuleSchema::new(variables).expect("different names");
    let schema = schema.currency("EUR".parse().expect("a code"));
    schema
        .rate("USD".parse().expect("a code"), 0.9)
        .expect("a rate")
}

const EVENTS: usize = 8;

/// Numbers and texts of an event: each value is missing for some.
fn event(place: usize, numbers: usize) -> (Vec<f64>, [Option<&'static str>; 2]) {
    let choices = [
        [f64::NAN, 0.0, 100.0, 250.5],
        [1.0, f64::NAN, 1200.0, 0.0],
        [0.0, 1.0, f64::NAN, 1.0],
        [0.0, 1.0, 2.0, f64::NAN],
        [1_772_839_800e6, f64::NAN, 0.0, -1e12],
    ];
    let number = |slot: usize| choices[slot % 5][(place + slot / 5) % 4];
    let countries = [Some("DE"), None, Some("FR"), Some("")];
    let addresses = [Some("10.1.2.3"), Some("::1"), None, Some("x")];
    (
        (0..numbers).map(number).collect(),
        [countries[place % 4], addresses[place / 2 % 4]],
    )
}

/// Any text is a condition that prints and reads back, or an error that can be drawn; what it says of an event is the same
/// by tables, jumps, the tree and columns.
pub fn rules_condition(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else {
        return;
    };
    let condition = match Condition::parse(source) {
        Ok(condition) => condition,
        Err(error) => {
            assert!(error.to_string().is_ascii());
            return;
        }
    };
    let printed = condition.to_string();
    let again = Condition::parse(&printed).map_err(|error| error.to_string());
    assert!(
        again
            .expect("what was printed")
            .means_the_same_as(&condition),
        "{printed}"
    );
    for (place, literal) in condition.literals().iter().enumerate().take(4) {
        let _ = condition.with_literal(place, literal.value + 1.0);
    }
    let set = RuleSet::new([Rule::new("r", source, 0.5)]);
    let engine = match set.compile(&schema()) {
        Ok(engine) => engine,
        Err(error) => {
            assert!(error.to_string().is_ascii());
            return;
        }
    };
    let (numbers, _) = engine.slots();
    let events: Vec<_> = (0..EVENTS).map(|place| event(place, numbers)).collect();
    let matrix = Array2::from_shape_fn((EVENTS, numbers), |(row, slot)| events[row].0[slot]);
    let texts = [0, 1].map(|slot| events.iter().map(|event| event.1[slot]).collect::<Vec<_>>());
    let mut columns = Columns::new(EVENTS);
    for slot in 0..numbers {
        columns = columns.number(matrix.column(slot)).expect("a column");
    }
    for texts in &texts {
        columns = columns.text(TextColumn::Texts(texts)).expect("a column");
    }
    let batch = engine
        .evaluate_columns(&columns)
        .expect("columns of the schema");
    for (place, (numbers, texts)) in events.iter().enumerate() {
        let row = Row { numbers, texts };
        let at = Timestamp::EPOCH;
        let report = engine
            .evaluate(row, &Moment::at(at))
            .expect("a row of the schema");
        assert_eq!(
            report.outcomes,
            [batch.outcome(0, place)],
            "{printed} {row:?}"
        );
        let truth = engine
            .truth_by_tree("r", row, at)
            .expect("a row of the schema");
        let explanation = engine.explain("r", row, at).expect("a row of the schema");
        assert_eq!(explanation.truth, truth, "{printed} {row:?}");
        let _ = (explanation.to_string(), engine.reasons(row, &report));
    }
}

/// Any text is a set of rules that comes back from its own file, or an error.
pub fn rules_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for (set, toml) in [
        (RuleSet::from_json(text), false),
        (RuleSet::from_toml(text), true),
    ] {
        let Ok(set) = set else {
            continue;
        };
        let again = if toml {
            set.to_toml().and_then(|text| RuleSet::from_toml(&text))
        } else {
            set.to_json().and_then(|text| RuleSet::from_json(&text))
        };
        assert_eq!(again.expect("what it wrote"), set);
        let _ = set.compile(&schema()).map_err(|error| error.to_string());
    }
}
