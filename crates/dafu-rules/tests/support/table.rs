//! What decision tables are checked against: their rows as conditions, one after the other.

use dafu_core::Unit;
use dafu_rules::{CompiledCondition, Condition, Row, RuleSchema, Truth, Variable, VariableType};
use std::sync::Arc;

/// Five inputs of different kinds, of which some may be missing.
pub(crate) fn schema() -> RuleSchema {
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

pub(crate) fn compile(source: &str, schema: &RuleSchema) -> Option<CompiledCondition> {
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
pub(crate) fn brute(conditions: &[Option<CompiledCondition>], row: Row<'_>) -> Vec<usize> {
    let holds = |condition: &Option<CompiledCondition>| match condition {
        Some(condition) => condition.truth(row).unwrap() == Truth::True,
        None => true,
    };
    let rows = conditions.iter().enumerate();
    rows.filter(|(_, condition)| holds(condition))
        .map(|(row, _)| row)
        .collect()
}

pub(crate) fn conditions(
    sources: &[String],
    schema: &RuleSchema,
) -> Vec<Option<CompiledCondition>> {
    let compile = |source: &String| match source.as_str() {
        "" => None,
        source => compile(source, schema),
    };
    sources.iter().map(compile).collect()
}
