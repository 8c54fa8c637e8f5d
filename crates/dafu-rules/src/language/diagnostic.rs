//! What is wrong with a rule: where, why, and what to do about it.

use std::fmt;

/// A part of a source: bytes from `start` to before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// From the start of this part to the end of another.
    #[must_use]
    pub const fn to(self, other: Self) -> Self {
        Self {
            start: self.start,
            end: other.end,
        }
    }
}

/// Whether a rule can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It can, but hardly means what it says.
    Warning,
    /// It cannot.
    Error,
}

/// The kinds of mistakes; the codes never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Code {
    /// `E001`: a character, text or number that cannot be read.
    Token,
    /// `E002`: something else is expected here.
    Syntax,
    /// `E003`: a name that nothing has.
    UnknownName,
    /// `E004`: values of different types.
    Type,
    /// `E005`: numbers of different dimensions, or a unit that nobody knows.
    Unit,
    /// `E006`: an amount in a currency for which there is no rate.
    Rate,
    /// `E007`: wrong arguments of a function.
    Arguments,
    /// `E008`: a pattern that is no regular expression.
    Pattern,
    /// `E009`: too long, too deep, too many, or a pattern that takes too much memory.
    Limit,
    /// `E010`: the whole condition always holds, or never.
    Constant,
    /// `W101`: a part always holds, or never.
    ConstantPart,
    /// `W102`: a value that the variable never has.
    Level,
}

impl Code {
    /// The code, such as `E003`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "E001",
            Self::Syntax => "E002",
            Self::UnknownName => "E003",
            Self::Type => "E004",
            Self::Unit => "E005",
            Self::Rate => "E006",
            Self::Arguments => "E007",
            Self::Pattern => "E008",
            Self::Limit => "E009",
            Self::Constant => "E010",
            Self::ConstantPart => "W101",
            Self::Level => "W102",
        }
    }

    /// Whether a rule with it can be used.
    pub const fn severity(self) -> Severity {
        match self {
            Self::ConstantPart | Self::Level => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// Where.
    pub span: Span,
    /// What.
    pub message: String,
    /// What stands there, in a few words; may be empty.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    pub(crate) fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            span,
            message: message.into(),
            label: String::new(),
            help: None,
        }
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A drawing of the mistake in plain ASCII; `title` names the rule. Other characters of the source are drawn as `?`.
    ///
    /// ```text
    /// error[rules::E003]: nothing is called `amout`
    ///  --> high_amount:1:1
    ///   |
    /// 1 | amout > 10000
    ///   | ^^^^^ unknown
    ///   = help: did you mean `amount`?
    /// ```
    pub fn render(&self, title: &str, source: &str) -> String {
        let severity = match self.code.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let start = floor_boundary(source, self.span.start);
        let before = source.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let number = before.matches('\n').count() + 1;
        let column = source.get(line_start..start).unwrap_or_default();
        let column = column.chars().count();
        let line = source.get(line_start..).unwrap_or_default();
        let line = line.lines().next().unwrap_or_default();
        let marked = source.get(start..floor_boundary(source, self.span.end));
        let marked = marked.unwrap_or_default().lines().next();
        let width = marked.map_or(0, |text| text.chars().count()).max(1);
        let (line, indent, width) = window(line, column, width);
        let gutter = number.to_string().len();
        let mut out = format!(
            "{severity}[rules::{}]: {}\n{:gutter$}--> {}:{number}:{}\n{:gutter$} |\n{number} | {line}\n{:gutter$} | {:indent$}{}",
            self.code,
            ascii(&self.message),
            "",
            ascii(title),
            column + 1,
            "",
            "",
            "",
            "^".repeat(width),
        );
        if !self.label.is_empty() {
            out.push(' ');
            out.push_str(&ascii(&self.label));
        }
        if let Some(help) = &self.help {
            out.push('\n');
            out.push_str(&" ".repeat(gutter));
            out.push_str(" = help: ");
            out.push_str(&ascii(help));
        }
        out
    }
}

/// The part of a line that is drawn, and where the mark stands in it: long lines are cut around it.
fn window(line: &str, column: usize, width: usize) -> (String, usize, usize) {
    const WIDEST: usize = 100;
    const BEFORE: usize = 40;
    let length = line.chars().count();
    let first = if length <= WIDEST {
        0
    } else {
        column.saturating_sub(BEFORE)
    };
    let mut drawn = ascii(&line.chars().skip(first).take(WIDEST).collect::<String>());
    let width = width.min(drawn.len().saturating_sub(column - first)).max(1);
    if first + WIDEST < length {
        drawn.push_str("...");
    }
    if first == 0 {
        return (drawn, column, width);
    }
    (format!("...{drawn}"), column - first + 3, width)
}

/// The text with one plain character for each of its own.
fn ascii(text: &str) -> String {
    let plain = |character: char| match character {
        '\t' => ' ',
        ' '..='~' => character,
        _ => '?',
    };
    text.chars().map(plain).collect()
}

/// The byte, or the one before it where a character begins.
fn floor_boundary(text: &str, byte: usize) -> usize {
    let mut byte = byte.min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

/// Mistakes that are drawn: more help nobody, and a set may have very many.
const MOST_DRAWN: usize = 100;

/// Drawings of the mistakes of all conditions, one after the other; of very many the first.
pub(crate) fn drawings(errors: &[ConditionError]) -> String {
    let all = errors.iter().flat_map(|error| {
        let diagnostics = error.diagnostics.iter();
        diagnostics.map(move |diagnostic| (error, diagnostic))
    });
    let drawn = all
        .clone()
        .take(MOST_DRAWN)
        .map(|(error, diagnostic)| diagnostic.render(&error.title, &error.source));
    let mut drawn: Vec<String> = drawn.collect();
    let left = all.count().saturating_sub(drawn.len());
    if left > 0 {
        drawn.push(format!("and {left} more mistakes"));
    }
    drawn.join("\n\n")
}

/// A condition that cannot be used, with everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionError {
    /// What the condition is called in drawings; by default `condition`.
    pub title: String,
    /// Its source, or the first 16 KiB of it.
    pub source: String,
    /// What is wrong, errors and warnings, in order of the source.
    pub diagnostics: Vec<Diagnostic>,
}

impl ConditionError {
    pub(crate) fn new(source: &str, mut diagnostics: Vec<Diagnostic>) -> Self {
        // Of a source that is too long the beginning is enough.
        let end = floor_boundary(source, super::parser::LONGEST);
        diagnostics.sort_by_key(|diagnostic| diagnostic.span);
        Self {
            title: "condition".into(),
            source: source.get(..end).unwrap_or_default().into(),
            diagnostics,
        }
    }

    /// The same about a condition of this name.
    #[must_use]
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }
}

impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&drawings(std::slice::from_ref(self)))
    }
}

impl std::error::Error for ConditionError {}

/// Of the known names the one that was most likely meant: at most a third of its letters differ.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer ones are nobody's slip of the pen, and cost the square of their length.
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let distance = |other: &str| edits(&name.to_ascii_lowercase(), &other.to_ascii_lowercase());
    let near = known.into_iter().filter(|other| other.len() <= LONGEST);
    let near = near.map(|other| (distance(other), other));
    let near =
        near.filter(|(edits, other)| *edits <= usize::max(other.len(), name.len()).div_ceil(3));
    near.min().map(|(_, other)| other)
}

/// Insertions, deletions, changes and swaps of neighbours between two texts.
///
/// Source: Wagner and Fischer, "The String-to-String Correction Problem" (1974), with the swaps of Damerau (1964) between
/// letters that are changed once (optimal string alignment).
fn edits(left: &str, right: &str) -> usize {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut rows = [
        vec![0; right.len() + 1],
        (0..=right.len()).collect(),
        Vec::new(),
    ];
    for i in 1..=left.len() {
        let mut row = vec![i; right.len() + 1];
        for j in 1..=right.len() {
            let change = usize::from(left[i - 1] != right[j - 1]);
            let mut best = (rows[1][j] + 1)
                .min(row[j - 1] + 1)
                .min(rows[1][j - 1] + change);
            let swapped =
                i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
            if swapped {
                best = best.min(rows[0][j - 2] + 1);
            }
            row[j] = best;
        }
        rows.rotate_left(1);
        rows[1] = row;
    }
    rows[1][right.len()]
}

#[cfg(test)]
mod tests {
    use super::{edits, nearest};

    #[test]
    fn counts_slips_of_the_pen() {
        let known = [
            ("amout", "amount", 1),
            ("ammount", "amount", 1),
            ("amuont", "amount", 1),
        ];
        for (left, right, expected) in known {
            assert_eq!(edits(left, right), expected, "{left}");
            assert_eq!(edits(right, left), expected, "{left}");
        }
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("kitten", "sitting"), 3);
    }

    #[test]
    fn suggests_only_what_is_near() {
        let known = ["amount", "country", "hour"];
        assert_eq!(nearest("amout", known), Some("amount"));
        assert_eq!(nearest("Country", known), Some("country"));
        assert_eq!(nearest("velocity", known), None);
        assert_eq!(nearest(&"x".repeat(1000), known), None);
    }
}
