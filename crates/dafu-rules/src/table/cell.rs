//! From a cell to the condition that it stands for.

use crate::check::WEEKDAYS;
use crate::language::{
    Code, ConditionError, Diagnostic, NumberLiteral, Span, Token, TokenKind, tokens,
};

/// How a value that stands alone is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// `flag == true`: flags are not looked for in sets.
    Flag,
    /// `value == 5`.
    Value,
}

/// The condition of a cell about `subject`; `None` where anything will do.
pub(super) fn condition(
    subject: &str,
    plain: Plain,
    cell: &str,
) -> Result<Option<String>, ConditionError> {
    let cell = cell.trim();
    if cell.is_empty() || cell == "-" {
        return Ok(None);
    }
    let wrong = |diagnostic| ConditionError::new(cell, vec![diagnostic]);
    let words = tokens(cell).map_err(wrong)?;
    let writer = Writer {
        subject,
        plain,
        cell,
    };
    writer.list(&words).map(Some).map_err(wrong)
}

/// A part of a cell between commas.
enum Part<'a> {
    /// A value that stands alone.
    Value(&'a str),
    /// A condition.
    Test(String),
}

struct Writer<'a> {
    subject: &'a str,
    plain: Plain,
    cell: &'a str,
}

impl<'a> Writer<'a> {
    /// Tests with commas between them: one of them holds.
    fn list(&self, words: &[Token]) -> Result<String, Diagnostic> {
        let parts = split(words);
        let mut values = Vec::new();
        let mut tests = Vec::new();
        for part in &parts {
            if let (true, Some(not)) = (parts.len() > 1, part.first().filter(|word| is_not(word))) {
                let message = "`not` in a list may mean one part, or all of them";
                let diagnostic = Diagnostic::new(Code::Syntax, not.span, message);
                return Err(diagnostic.help("write `not in [...]`, or `not (...)` around the list"));
            }
            match self.part(part)? {
                Part::Value(value) => values.push(value),
                Part::Test(test) => tests.push(test),
            }
        }
        let subject = self.subject;
        match (self.plain, values.as_slice()) {
            (_, []) => {}
            (Plain::Flag, values) => {
                tests.extend(values.iter().map(|value| format!("{subject} == {value}")));
            }
            (Plain::Value, [value]) => tests.push(format!("{subject} == {value}")),
            (_, values) => tests.push(format!("{subject} in [{}]", values.join(", "))),
        }
        Ok(match tests.as_slice() {
            [only] => only.clone(),
            several => format!("({})", several.join(") or (")),
        })
    }

    fn part(&self, words: &[Token]) -> Result<Part<'a>, Diagnostic> {
        let subject = self.subject;
        let Some((first, rest)) = words.split_first() else {
            let end = self.cell.len();
            let span = Span { start: end, end };
            let message = "expected a test, found none";
            let diagnostic = Diagnostic::new(Code::Syntax, span, message);
            return Err(diagnostic.help("write `-` where anything will do, and no comma at an end"));
        };
        if let Some(interval) = self.interval(words) {
            return Ok(Part::Test(interval));
        }
        if is_not(first) && !rest.first().is_some_and(is_test) {
            let inner = match rest {
                [_, inner @ .., _] if is_enclosed(rest) && dots(inner).is_none() => inner,
                rest => rest,
            };
            if let Some(twice) = inner.first().filter(|word| is_not(word)) {
                let message = "`not` stands twice";
                return Err(Diagnostic::new(Code::Syntax, twice.span, message));
            }
            return Ok(Part::Test(format!("not ({})", self.list(inner)?)));
        }
        let text = self.text(words);
        Ok(if is_not(first) || is_sign(first) || is_test(first) {
            Part::Test(format!("{subject} {text}"))
        } else {
            Part::Value(text)
        })
    }

    /// `[low..high)` and its like.
    fn interval(&self, words: &[Token]) -> Option<String> {
        let subject = self.subject;
        let (open, inner, close) = match words {
            [first, inner @ .., last] if is_enclosed(words) => {
                (is(first, "["), inner, is(last, "]"))
            }
            words => (true, words, true),
        };
        let at = dots(inner)?;
        let (low, high) = (inner.get(..at)?, inner.get(at + 1..)?);
        let from = if open { ">=" } else { ">" };
        let to = if close { "<=" } else { "<" };
        let join = match (low, high) {
            // Times of day and hours go past midnight, days past the end of the week.
            ([low], [high]) => match (&low.kind, &high.kind) {
                (TokenKind::Clock(low), TokenKind::Clock(high)) if low > high => "or",
                (TokenKind::Name(low), TokenKind::Name(high)) if past_sunday(low, high) => "or",
                (TokenKind::Number(low), TokenKind::Number(high))
                    if subject.starts_with("hour(") && past_midnight(low, high) =>
                {
                    "or"
                }
                _ => "and",
            },
            _ => "and",
        };
        let (low, high) = (self.text(low), self.text(high));
        Some(format!(
            "{subject} {from} {low} {join} {subject} {to} {high}"
        ))
    }

    /// Words as they stand in the cell.
    fn text(&self, words: &[Token]) -> &'a str {
        let span = words.first().zip(words.last());
        let text = span.and_then(|(first, last)| self.cell.get(first.span.start..last.span.end));
        text.unwrap_or_default()
    }
}

/// Whether both are days, of which the second comes before the first.
fn past_sunday(low: &str, high: &str) -> bool {
    let place = |name: &str| WEEKDAYS.iter().position(|weekday| *weekday == name);
    place(low)
        .zip(place(high))
        .is_some_and(|(low, high)| low > high)
}

/// From an hour of the evening to one of the morning.
fn past_midnight(low: &NumberLiteral, high: &NumberLiteral) -> bool {
    let hour =
        |number: &NumberLiteral| number.unit.is_none() && (0.0..24.0).contains(&number.value);
    hour(low) && hour(high) && low.value > high.value
}

fn is(word: &Token, symbol: &'static str) -> bool {
    word.kind == TokenKind::Symbol(symbol)
}

fn is_not(word: &Token) -> bool {
    is(word, "not") || is(word, "!")
}

/// Whether a word compares what stands before it.
fn is_sign(word: &Token) -> bool {
    const SIGNS: [&str; 7] = ["<", "<=", ">", ">=", "==", "!=", "is"];
    matches!(word.kind, TokenKind::Symbol(symbol) if SIGNS.contains(&symbol))
}

/// Whether a word tests what stands before it, and may itself stand behind `not`.
fn is_test(word: &Token) -> bool {
    const SYMBOLS: [&str; 6] = [
        "between",
        "in",
        "contains",
        "starts_with",
        "ends_with",
        "matches",
    ];
    const NAMES: [&str; 3] = ["starts", "ends", "includes"];
    match &word.kind {
        TokenKind::Symbol(symbol) => SYMBOLS.contains(symbol),
        TokenKind::Name(name) => NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)),
        _ => false,
    }
}

/// By how much a word opens or closes.
fn step(word: &Token) -> i32 {
    match word.kind {
        TokenKind::Symbol("(" | "[") => 1,
        TokenKind::Symbol(")" | "]") => -1,
        _ => 0,
    }
}

/// Words between commas that stand in no brackets.
fn split(words: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0;
    let comma = |word: &Token| {
        depth += step(word);
        depth == 0 && is(word, ",")
    };
    words.split(comma).collect()
}

/// Whether the first word is a bracket that the last one closes; both need not be of one kind.
fn is_enclosed(words: &[Token]) -> bool {
    let mut depth = 0;
    let last = words.len().saturating_sub(1);
    let closed = words.iter().position(|word| {
        depth += step(word);
        depth <= 0
    });
    words.first().is_some_and(|first| step(first) > 0) && closed == Some(last)
}

/// Where `..` stands in no brackets.
fn dots(words: &[Token]) -> Option<usize> {
    let mut depth = 0;
    words.iter().position(|word| {
        depth += step(word);
        depth == 0 && is(word, "..")
    })
}
