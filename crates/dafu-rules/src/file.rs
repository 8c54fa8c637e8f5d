//! Rule sets and decision tables as files: reading with the places of mistakes, writing.

use crate::RuleError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of the largest file.
const LARGEST: usize = 4 * 1024 * 1024;

/// Reads JSON.
pub(crate) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, RuleError> {
    check_size(text)?;
    read_json(text)
}

/// Reads JSON of any length, of which the caller knows that it is not too long.
pub(crate) fn read_json<T: DeserializeOwned>(text: &str) -> Result<T, RuleError> {
    serde_json::from_str(text).map_err(|error| RuleError::File {
        place: format!("line {}, column {}", error.line(), error.column()),
        why: without_place(&error.to_string()),
    })
}

/// Reads TOML.
pub(crate) fn from_toml<T: DeserializeOwned>(text: &str) -> Result<T, RuleError> {
    check_size(text)?;
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before
            .chars()
            .rev()
            .take_while(|character| *character != '\n')
            .count()
            + 1;
        RuleError::File {
            place: format!("line {line}, column {column}"),
            why: error.message().into(),
        }
    })
}

/// Writes JSON that can be read back.
pub(crate) fn to_json(value: &impl Serialize) -> Result<String, RuleError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| written(error.to_string()))?;
    check_size(&text).map(|()| text)
}

/// Writes JSON without blanks, of any length.
pub(crate) fn write_json(value: &impl Serialize) -> Result<String, RuleError> {
    serde_json::to_string(value).map_err(|error| written(error.to_string()))
}

/// Writes TOML that can be read back.
pub(crate) fn to_toml(value: &impl Serialize) -> Result<String, RuleError> {
    let text = toml::to_string_pretty(value).map_err(|error| written(error.to_string()))?;
    check_size(&text).map(|()| text)
}

/// What is wrong where something is written.
pub(crate) fn written(why: String) -> RuleError {
    RuleError::File {
        place: "writing".into(),
        why,
    }
}

/// Errors for a version of the form that nobody knows yet.
pub(crate) fn check_version(version: u32) -> Result<(), RuleError> {
    match version {
        1 => Ok(()),
        version => Err(RuleError::File {
            place: "version".into(),
            why: format!("only version 1 is known, got {version}"),
        }),
    }
}

fn check_size(text: &str) -> Result<(), RuleError> {
    if text.len() <= LARGEST {
        return Ok(());
    }
    Err(RuleError::File {
        place: "the whole file".into(),
        why: format!(
            "a file has at most {LARGEST} bytes, this one {}",
            text.len()
        ),
    })
}

/// The message without the place, which is told apart.
fn without_place(message: &str) -> String {
    let end = message.rfind(" at line ").unwrap_or(message.len());
    message.get(..end).unwrap_or(message).into()
}
