//! Sentences with values in them: `paid {distance} from home`.

use crate::language::{nearest, window_source};
use crate::program::Row;
use crate::program::level;
use crate::schema::Slot;
use crate::{Condition, RuleSchema, Variable, VariableType};
use dafu_core::{ReasonValue, Timestamp, Unit, WindowRequest};
use std::sync::Arc;

/// A part of a sentence.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Value(Shown),
}

/// A variable as it is shown to people.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown {
    pub(crate) name: Arc<str>,
    slot: Slot,
    variable_type: VariableType,
}

impl Shown {
    pub(crate) fn new(variable: &Variable, slot: Slot) -> Self {
        Self {
            name: Arc::clone(&variable.name),
            slot,
            variable_type: variable.variable_type.clone(),
        }
    }

    /// A window, under its call.
    pub(crate) fn window(window: &WindowRequest, slot: usize) -> Self {
        Self {
            name: window_source(window).into(),
            slot: Slot::Number(slot),
            variable_type: VariableType::Number(window.unit()),
        }
    }

    pub(crate) const fn is_flag(&self) -> bool {
        matches!(self.variable_type, VariableType::Flag)
    }

    pub(crate) const fn is_time(&self) -> bool {
        matches!(self.variable_type, VariableType::Time)
    }

    pub(crate) const fn slot(&self) -> Slot {
        self.slot
    }

    /// The value; `None` where it is missing.
    pub(crate) fn value(&self, row: Row<'_>) -> Option<ReasonValue> {
        match self.slot {
            Slot::Text(slot) => {
                let text = row.texts.get(slot).copied().flatten()?;
                Some(ReasonValue::Text(text.into()))
            }
            Slot::Number(slot) => {
                let number = row
                    .numbers
                    .get(slot)
                    .copied()
                    .filter(|number| !number.is_nan())?;
                Some(match &self.variable_type {
                    VariableType::Category { levels } => {
                        ReasonValue::Text(level(number, levels)?.to_string())
                    }
                    VariableType::Flag => ReasonValue::Text((number != 0.0).to_string()),
                    VariableType::Time => ReasonValue::Text(time(number)?),
                    _ => ReasonValue::Number(number),
                })
            }
        }
    }

    /// The value in words, with its unit.
    pub(crate) fn words(&self, row: Row<'_>) -> String {
        match self.value(row) {
            None => "missing".into(),
            Some(ReasonValue::Number(number)) => {
                let unit = match self.variable_type {
                    VariableType::Number(unit) => unit,
                    _ => Unit::One,
                };
                let number = short(number);
                match unit.symbol() {
                    "" => number,
                    symbol => format!("{number} {symbol}"),
                }
            }
            Some(ReasonValue::Text(text)) => text,
            Some(_) => String::new(),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "times are whole microseconds; others have no words"
)]
pub(crate) fn time(micros: f64) -> Option<String> {
    let at = Timestamp::from_micros(micros as i64).ok()?;
    Some(at.to_string())
}

/// A number with up to four digits behind the point.
pub(crate) fn short(number: f64) -> String {
    let size = number.abs();
    if size >= 1e15 || (size > 0.0 && size < 1e-3) {
        // Four digits, where four decimals would hide it or print all of it.
        let text = format!("{number:.3e}");
        return match text.split_once('e') {
            Some((digits, power)) if digits.contains('.') => {
                let digits = digits.trim_end_matches('0').trim_end_matches('.');
                format!("{digits}e{power}")
            }
            _ => text,
        };
    }
    let text = format!("{number:.4}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').into()
    } else {
        text
    }
}

/// A sentence for people.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

impl Template {
    /// A sentence as it stands.
    pub(crate) fn plain(text: &str) -> Self {
        Self {
            parts: vec![Part::Text(text.into())],
        }
    }

    /// Reads a sentence; `{{` and `}}` stand for braces. It may name variables, and windows that conditions ask for.
    pub(crate) fn parse(
        text: &str,
        schema: &RuleSchema,
        windows: &[WindowRequest],
    ) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            plain.push_str(before);
            if let Some(after) = brace
                .strip_prefix("{{")
                .or_else(|| brace.strip_prefix("}}"))
            {
                plain.extend(brace.chars().next());
                rest = after;
                continue;
            }
            let named = brace
                .strip_prefix('{')
                .and_then(|inner| inner.split_once('}'));
            let Some((name, after)) = named else {
                return Err("a brace stands alone; write {{ or }} for one".into());
            };
            parts.push(Part::Text(std::mem::take(&mut plain)));
            parts.push(Part::Value(found(name, schema, windows)?));
            rest = after;
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        Ok(Self { parts })
    }

    /// The sentence for an event.
    pub(crate) fn text(&self, row: Row<'_>) -> String {
        let words = self.parts.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Value(value) => value.words(row),
        });
        words.collect()
    }
}

/// What stands between braces.
fn found(name: &str, schema: &RuleSchema, windows: &[WindowRequest]) -> Result<Shown, String> {
    if let Some((variable, slot)) = schema.find(name) {
        return Ok(Shown::new(variable, slot));
    }
    let call = Condition::parse(name).ok();
    let request = call.and_then(|call| call.as_window(schema));
    if let Some(request) = request {
        let place = windows.iter().position(|window| *window == request);
        let place = place.ok_or_else(|| format!("no condition asks for `{name}`"))?;
        return Ok(Shown::window(&request, schema.number_slots() + place));
    }
    let near = nearest(name, schema.names());
    let help = near
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default();
    Err(format!("nothing is called `{name}`{help}"))
}
