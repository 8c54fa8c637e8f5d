//! The same conditions and events for all engines.

use crate::Outcome;
use serde_json::json;
use zen_expression::variable::Variable;

/// Numbers of an event; the last variable is a text.
pub const NAMES: [&str; 9] = [
    "amount",
    "transactions_per_hour",
    "distance_from_home",
    "account_age_days",
    "merchant_risk",
    "hour",
    "failed_logins",
    "avg_amount_30d",
    "device_age_days",
];

#[derive(Clone)]
pub struct Event {
    pub numbers: [f64; 9],
    pub country: &'static str,
}

pub fn zen_source(source: &str) -> String {
    source
        .replace("&&", "and")
        .replace("||", "or")
        .replace("!(", "not (")
}

pub fn zen_context(event: &Event) -> Variable {
    let mut object = serde_json::Map::new();
    for (name, number) in NAMES.iter().zip(event.numbers) {
        object.insert((*name).into(), json!(number));
    }
    object.insert("country".into(), json!(event.country));
    serde_json::Value::Object(object).into()
}

pub fn cel_context<'a>(
    root: &'a cel::Context<'a, 'a>,
    event: &Event,
) -> Outcome<cel::Context<'a, 'a>> {
    let mut context = root.new_inner_scope();
    for (name, number) in NAMES.iter().zip(event.numbers) {
        context.add_variable_from_value(*name, number);
    }
    context.add_variable_from_value("country", event.country);
    Ok(context)
}

pub fn rhai_scope(event: &Event) -> rhai::Scope<'static> {
    let mut scope = rhai::Scope::new();
    for (name, number) in NAMES.iter().zip(event.numbers) {
        scope.push(*name, number);
    }
    scope.push("country", event.country.to_owned());
    scope
}

pub fn schema() -> Outcome<dafu_rules::RuleSchema> {
    use dafu_core::Unit;
    use dafu_rules::Variable;
    let mut schema = dafu_rules::RuleSchema::default();
    for name in NAMES {
        schema = schema.variable(Variable::number(name, Unit::One))?;
    }
    Ok(schema.variable(Variable::text("country"))?)
}
