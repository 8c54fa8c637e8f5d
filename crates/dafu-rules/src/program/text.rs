//! Texts over slots.

use super::Row;
use crate::Slot;
use crate::language::TextMatch;
use regex::Regex;
use std::borrow::Cow;
use std::sync::Arc;

/// A text; `None` where something it needs is missing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TextExpr {
    Slot(usize),
    /// The level whose place stands in a slot of numbers.
    Level(usize, Arc<[Arc<str>]>),
    Constant(Arc<str>),
    Lower(Box<Self>),
    FirstKnown(Vec<Self>),
}

impl TextExpr {
    pub(crate) const fn constant(&self) -> Option<&Arc<str>> {
        match self {
            Self::Constant(text) => Some(text),
            _ => None,
        }
    }

    /// Tells of every slot that is read.
    pub(crate) fn for_slots(&self, visit: &mut dyn FnMut(Slot)) {
        match self {
            Self::Slot(slot) => visit(Slot::Text(*slot)),
            Self::Level(slot, _) => visit(Slot::Number(*slot)),
            Self::Constant(_) => {}
            Self::Lower(inner) => inner.for_slots(visit),
            Self::FirstKnown(parts) => parts.iter().for_each(|part| part.for_slots(visit)),
        }
    }

    /// The levels of the only slot it reads, where that is one of levels.
    pub(crate) fn levels(&self) -> Option<(usize, &Arc<[Arc<str>]>)> {
        match self {
            Self::Level(slot, levels) => Some((*slot, levels)),
            Self::Lower(inner) => inner.levels(),
            _ => None,
        }
    }

    /// The text for an event.
    pub(crate) fn value<'a>(&'a self, row: Row<'a>) -> Option<Cow<'a, str>> {
        match self {
            Self::Slot(slot) => row.texts.get(*slot).copied().flatten().map(Cow::Borrowed),
            Self::Level(slot, levels) => {
                let code = row.numbers.get(*slot).copied().unwrap_or(f64::NAN);
                level(code, levels).map(|text| Cow::Borrowed(&**text))
            }
            Self::Constant(text) => Some(Cow::Borrowed(text)),
            Self::Lower(inner) => inner.value(row).map(|text| Cow::Owned(text.to_lowercase())),
            Self::FirstKnown(parts) => parts.iter().find_map(|part| part.value(row)),
        }
    }
}

/// The level of a code; `None` for missing and for what is no code.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked: a whole number from 0 to less than the number of levels"
)]
pub(crate) fn level(code: f64, levels: &[Arc<str>]) -> Option<&Arc<str>> {
    let whole = code >= 0.0 && code < levels.len() as f64 && code.fract() == 0.0;
    if whole {
        levels.get(code as usize)
    } else {
        None
    }
}

/// What a text is searched for.
#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    Text(TextMatch, TextExpr),
    Regex(Regex),
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(how, text), Self::Text(other_how, other)) => {
                how == other_how && text == other
            }
            (Self::Regex(regex), Self::Regex(other)) => regex.as_str() == other.as_str(),
            _ => false,
        }
    }
}

impl Pattern {
    /// Whether it is found; `None` where it is missing itself.
    pub(crate) fn found(&self, text: &str, row: Row<'_>) -> Option<bool> {
        match self {
            Self::Regex(regex) => Some(regex.is_match(text)),
            Self::Text(how, pattern) => {
                let pattern = pattern.value(row)?;
                Some(match how {
                    TextMatch::Contains | TextMatch::Matches => text.contains(&*pattern),
                    TextMatch::StartsWith => text.starts_with(&*pattern),
                    TextMatch::EndsWith => text.ends_with(&*pattern),
                })
            }
        }
    }
}
