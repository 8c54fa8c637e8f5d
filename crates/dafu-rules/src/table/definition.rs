//! Tables as people write them.

use super::CompiledTable;
use crate::{RuleError, RuleSchema};
use std::fmt;

/// Which of the rows that match counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum HitPolicy {
    /// The first in the order of the table.
    #[default]
    First,
    /// There is at most one; several are an error.
    Unique,
    /// Any: those that match have the same outputs; different ones are an error.
    Any,
    /// All, in the order of the table.
    Collect,
    /// The one of the highest priority; of equal ones the first.
    Priority,
}

impl HitPolicy {
    /// As it is written in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Unique => "unique",
            Self::Any => "any",
            Self::Collect => "collect",
            Self::Priority => "priority",
        }
    }
}

impl fmt::Display for HitPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a row says in one output column.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(untagged))]
pub enum TableValue {
    /// Yes or no.
    Flag(bool),
    /// A finite number.
    Number(f64),
    /// A text.
    Text(String),
}

impl TableValue {
    /// The number, where it is one.
    pub const fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The text, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Yes or no, where it is that.
    pub const fn as_flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            _ => None,
        }
    }
}

impl From<f64> for TableValue {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for TableValue {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<&str> for TableValue {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for TableValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// One row: when it matches, and what it says then.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct TableRow {
    /// One test for each input; all have to hold.
    pub cells: Vec<String>,
    /// One value for each output.
    pub outputs: Vec<TableValue>,
    /// Higher ones come first where the policy is [`HitPolicy::Priority`]; others do not look at it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub priority: i32,
    /// A name; where rows have one, it is unique in the table.
    #[cfg_attr(feature = "serde", serde(default))]
    pub id: Option<String>,
    /// Why the row is there, for people.
    #[cfg_attr(feature = "serde", serde(default))]
    pub note: Option<String>,
}

impl TableRow {
    /// A row of priority 0 without a name.
    pub fn new<C, V>(
        cells: impl IntoIterator<Item = C>,
        outputs: impl IntoIterator<Item = V>,
    ) -> Self
    where
        C: Into<String>,
        V: Into<TableValue>,
    {
        Self {
            cells: cells.into_iter().map(Into::into).collect(),
            outputs: outputs.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Sets the priority.
    #[must_use]
    pub const fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Sets the name.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

/// A decision table: inputs, outputs, and rows of tests and values.
///
/// # Cells
///
/// A cell is a condition without its left side, which is the input of the column. Numbers may have units, as anywhere in
/// the language.
///
/// | cell | holds of |
/// |---|---|
/// | `-`, or empty | anything, missing values too |
/// | `> 1000km`, `<= 5`, `!= 'DE'` | what compares so |
/// | `5`, `'DE'`, `true`, `sat` | that value |
/// | `'DE', 'FR'` or `in ['DE', 'FR']` | one of these |
/// | `[10..20)`, `(10..20]`, `10..20` | an interval; `[` and `]` include their end, as do both ends without brackets |
/// | `between 10 and 20` | an interval with both ends; times of day may go past midnight |
/// | `< 10, > 20, 15` | what one of the tests holds of |
/// | `not 'DE'`, `not ('DE', 'FR')`, `not in ['DE', 'FR']`, `not contains 'x'` | what the test does not hold of |
/// | `is missing`, `is not missing` | missing values, others |
/// | `starts with 'Book'`, `contains 'x'`, `matches '^a'` | texts like this; not indexed but for categories |
/// | `'10.0.0.0/8', '192.168.0.1'` | addresses of these blocks |
///
/// A test of a missing value is unknown, and its row does not match: only `-` and `is missing` match there. The answer
/// tells [which values were missing](super::TableAnswer::missing).
///
/// # Inputs
///
/// An input is a variable of the schema, or for times `weekday(at)`, `time_of_day(at)` or `hour(at)`, with a distance
/// from UTC where one is wanted: `weekday(at, '+02:00')`. A variable stands in one column; a time that is never missing
/// may stand in two, one for the weekday and one for the time of day or the hour.
///
/// # Example
///
/// ```
/// use dafu_core::Unit;
/// use dafu_rules::{DecisionTable, HitPolicy, Row, RuleSchema, TableFinding, TableRow, Variable};
///
/// let schema = RuleSchema::new([
///     Variable::number("amount", Unit::Money),
///     Variable::number("distance", Unit::Kilometre).nullable(),
///     Variable::text("country"),
/// ])?;
/// // | U | amount      | distance | country    || fee | route    |
/// // | 1 | < 100       | -        | 'DE', 'FR' || 0.0 | approve  |
/// // | 2 | [100..1000) | <= 500mi | 'DE', 'FR' || 0.5 | approve  |
/// // | 3 | [100..1000) | > 500mi  | 'DE', 'FR' || 1.0 | review   |
/// // | 4 | >= 1000     | -        | 'DE', 'FR' || 2.0 | review   |
/// // | 5 | -           | -        | not in ... || 5.0 | decline  |
/// let table = DecisionTable::new("fees", ["amount", "distance", "country"], ["fee"])
///     .hit_policy(HitPolicy::Unique)
///     .row(TableRow::new(["< 100", "-", "'DE', 'FR'"], [0.0]))
///     .row(TableRow::new(["[100..1000)", "<= 500mi", "'DE', 'FR'"], [0.5]))
///     .row(TableRow::new(["[100..1000)", "> 500mi", "'DE', 'FR'"], [1.0]))
///     .row(TableRow::new([">= 1000", "-", "'DE', 'FR'"], [2.0]))
///     .row(TableRow::new(["-", "-", "not in ['DE', 'FR']"], [5.0]).id("abroad"));
/// let compiled = table.compile(&schema)?;
///
/// let answer = compiled.decide(Row { numbers: &[250.0, 900.0], texts: &[Some("FR")] })?;
/// assert_eq!(answer.row(), Some(2));
/// assert_eq!(answer.output("fee").and_then(|fee| fee.as_number()), Some(1.0));
///
/// // The distance may be missing, and no row says what then.
/// let [TableFinding::Gap { example }] = compiled.findings() else { panic!() };
/// assert_eq!(example.to_string(), "amount = 100, distance is missing, country = \"DE\"");
/// let answer = compiled.decide(Row { numbers: &[250.0, f64::NAN], texts: &[Some("FR")] })?;
/// assert_eq!(answer.row(), None);
/// assert_eq!(answer.missing().collect::<Vec<_>>(), ["distance"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct DecisionTable {
    /// Version of the form in which the table is written: 1.
    pub version: u32,
    /// Its name, as errors tell it.
    pub name: String,
    /// Which of the rows that match counts.
    pub hit_policy: HitPolicy,
    /// What the columns of cells test.
    pub inputs: Vec<String>,
    /// Names of what rows say.
    pub outputs: Vec<String>,
    /// The rows.
    pub rows: Vec<TableRow>,
}

impl Default for DecisionTable {
    fn default() -> Self {
        Self {
            version: 1,
            name: String::new(),
            hit_policy: HitPolicy::default(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            rows: Vec::new(),
        }
    }
}

impl DecisionTable {
    /// A table without rows, of which the first that matches counts.
    pub fn new<I, O>(
        name: impl Into<String>,
        inputs: impl IntoIterator<Item = I>,
        outputs: impl IntoIterator<Item = O>,
    ) -> Self
    where
        I: Into<String>,
        O: Into<String>,
    {
        Self {
            name: name.into(),
            inputs: inputs.into_iter().map(Into::into).collect(),
            outputs: outputs.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Sets which of the rows that match counts.
    #[must_use]
    pub const fn hit_policy(mut self, hit_policy: HitPolicy) -> Self {
        self.hit_policy = hit_policy;
        self
    }

    /// Adds a row.
    #[must_use]
    pub fn row(mut self, row: TableRow) -> Self {
        self.rows.push(row);
        self
    }

    /// Checks everything against a schema, builds the index, and looks for overlaps and gaps.
    ///
    /// # Errors
    ///
    /// - [`RuleError::Table`] for a table whose form is wrong, for outputs that are not finite, and for inputs that
    ///   cannot stand beside each other.
    /// - [`RuleError::Conditions`] with the mistakes of the first 100 cells that have some.
    /// - [`RuleError::TableTooLarge`] beyond 10,000 rows, 64 inputs, 64 outputs, or 256 MiB of index.
    /// - [`RuleError::TableOverlap`] for rows that match together where the policy forbids it: all of a
    ///   [`HitPolicy::Unique`] table, those with different outputs of a [`HitPolicy::Any`] table.
    ///
    /// # Complexity
    ///
    /// With r rows, and s segments of all columns (about two for every number and one for every text that stands in
    /// cells): O(r s) bits of index, counted before equal sets are merged, and up to 4 r^2 bits of joined sets; O(r^2) comparisons of cells for overlaps, at
    /// most 100 million; at most 20 million steps each for gaps and for rows that earlier ones cover. Where a bound is
    /// reached, [`TableFinding::Unchecked`](super::TableFinding::Unchecked) says so.
    pub fn compile(&self, schema: &RuleSchema) -> Result<CompiledTable, RuleError> {
        CompiledTable::new(self, schema)
    }
}
