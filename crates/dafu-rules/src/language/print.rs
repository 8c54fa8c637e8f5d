//! From a tree to a source that means the same.

use super::ast::{Expr, ExprKind, SetExpr};
use super::token::{KEYWORDS, NumberLiteral};
use super::window;
use std::fmt::{self, Write};

/// How tightly a part holds together; one that stands inside a tighter one needs parentheses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Or,
    And,
    Not,
    Comparison,
    Sum,
    Product,
    Unary,
    Primary,
}

const fn level(kind: &ExprKind) -> Level {
    match kind {
        ExprKind::Or(_) => Level::Or,
        ExprKind::And(_) => Level::And,
        ExprKind::Not(inner) => match inner.kind {
            ExprKind::Between { .. } | ExprKind::In { .. } | ExprKind::Match { .. } => {
                Level::Comparison
            }
            _ => Level::Not,
        },
        ExprKind::Compare { .. }
        | ExprKind::Between { .. }
        | ExprKind::In { .. }
        | ExprKind::Match { .. } => Level::Comparison,
        ExprKind::Sum { .. } => Level::Sum,
        ExprKind::Product { .. } => Level::Product,
        ExprKind::Negate(_) => Level::Unary,
        _ => Level::Primary,
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Number(number) => write!(f, "{number}"),
            ExprKind::Text(text) => quoted(f, text),
            ExprKind::Flag(flag) => write!(f, "{flag}"),
            ExprKind::Clock(seconds) => clock(f, *seconds),
            ExprKind::Name(name) => named(f, name),
            ExprKind::Not(inner) if level(&self.kind) == Level::Comparison => {
                test(f, inner, " not")
            }
            ExprKind::Not(inner) => {
                f.write_str("not ")?;
                within(f, inner, Level::Not)
            }
            ExprKind::And(parts) => joined(f, parts, (" and ", Level::Not)),
            ExprKind::Or(parts) => joined(f, parts, (" or ", Level::And)),
            ExprKind::Compare { first, rest } => {
                within(f, first, Level::Sum)?;
                for (sign, part) in rest {
                    write!(f, " {} ", sign.sign())?;
                    within(f, part, Level::Sum)?;
                }
                Ok(())
            }
            ExprKind::Between { .. } | ExprKind::In { .. } | ExprKind::Match { .. } => {
                test(f, self, "")
            }
            ExprKind::Negate(inner) => {
                f.write_char('-')?;
                within(f, inner, Level::Unary)
            }
            ExprKind::Sum { first, rest } => series(f, first, rest, (["+", "-"], Level::Product)),
            ExprKind::Product { first, rest } => series(f, first, rest, (["*", "/"], Level::Unary)),
            ExprKind::Call {
                function,
                arguments,
            } => {
                write!(f, "{}(", function.name())?;
                joined(f, arguments, (", ", Level::Sum))?;
                f.write_char(')')
            }
            ExprKind::Window(request) => f.write_str(&window::source(request)),
        }
    }
}

/// A part, in parentheses where it holds together less than this.
fn within(f: &mut fmt::Formatter<'_>, part: &Expr, least: Level) -> fmt::Result {
    if level(&part.kind) < least {
        write!(f, "({part})")
    } else {
        write!(f, "{part}")
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[Expr], (sign, least): (&str, Level)) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(sign)?;
        }
        within(f, part, least)?;
    }
    Ok(())
}

fn series(
    f: &mut fmt::Formatter<'_>,
    first: &Expr,
    rest: &[(bool, Expr)],
    (signs, least): ([&str; 2], Level),
) -> fmt::Result {
    within(f, first, least)?;
    for (second, part) in rest {
        write!(f, " {} ", signs[usize::from(*second)])?;
        within(f, part, least)?;
    }
    Ok(())
}

/// A test of a value, with `not` before its word.
fn test(f: &mut fmt::Formatter<'_>, test: &Expr, not: &str) -> fmt::Result {
    match &test.kind {
        ExprKind::Between { value, low, high } => {
            within(f, value, Level::Sum)?;
            write!(f, "{not} between ")?;
            within(f, low, Level::Sum)?;
            f.write_str(" and ")?;
            within(f, high, Level::Sum)
        }
        ExprKind::In { value, set } => {
            within(f, value, Level::Sum)?;
            write!(f, "{not} in ")?;
            match set {
                SetExpr::List(name) => write!(f, "@{name}"),
                SetExpr::Members(members) => {
                    f.write_char('[')?;
                    joined(f, members, (", ", Level::Sum))?;
                    f.write_char(']')
                }
            }
        }
        ExprKind::Match {
            how,
            value,
            pattern,
        } => {
            within(f, value, Level::Sum)?;
            write!(f, "{not} {} ", how.name())?;
            within(f, pattern, Level::Sum)
        }
        _ => write!(f, "{test}"),
    }
}

impl fmt::Display for NumberLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Digits of a size that people read; all of them read back to the same number.
        if self.value == 0.0 || (1e-5..1e16).contains(&self.value.abs()) {
            write!(f, "{}", self.value)?;
        } else {
            write!(f, "{:e}", self.value)?;
        }
        match self.unit {
            Some(unit) => write!(f, "{unit}"),
            None => Ok(()),
        }
    }
}

fn clock(f: &mut fmt::Formatter<'_>, seconds: u32) -> fmt::Result {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    write!(f, "{hours:02}:{minutes:02}")?;
    if seconds > 0 {
        write!(f, ":{seconds:02}")?;
    }
    Ok(())
}

/// A text in quotes; what is not plain ASCII is written as its number.
pub(crate) fn quoted(f: &mut dyn Write, text: &str) -> fmt::Result {
    f.write_char('\'')?;
    for character in text.chars() {
        match character {
            '\'' => f.write_str("\\'")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            ' '..='~' => f.write_char(character)?,
            other => write!(f, "\\u{{{:x}}}", u32::from(other))?,
        }
    }
    f.write_char('\'')
}

/// A name, in backquotes where it would be read as something else.
pub(crate) fn named(f: &mut dyn Write, name: &str) -> fmt::Result {
    let plain = |part: &str| {
        let mut letters = part.chars();
        letters
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    let keyword = KEYWORDS
        .iter()
        .any(|keyword| keyword.eq_ignore_ascii_case(name));
    if !keyword && name.split('.').all(plain) {
        f.write_str(name)
    } else {
        write!(f, "`{name}`")
    }
}
