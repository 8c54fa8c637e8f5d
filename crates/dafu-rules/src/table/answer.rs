//! What tables say.

use super::{DecisionTable, TableRow, TableValue};
use std::fmt;

/// Rows that count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rows {
    One(Option<usize>),
    Many(Vec<usize>),
}

/// What a table says of an event.
#[derive(Clone)]
pub struct TableAnswer<'a> {
    pub(super) table: &'a DecisionTable,
    pub(super) rows: Rows,
    /// One bit for each input.
    pub(super) missing: u64,
}

impl fmt::Debug for TableAnswer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing: Vec<&str> = self.missing().collect();
        f.debug_struct("TableAnswer")
            .field("rows", &self.rows())
            .field("missing", &missing)
            .finish_non_exhaustive()
    }
}

impl<'a> TableAnswer<'a> {
    /// Places of the rows that count, from 0, in the order of the table: several only where all are collected.
    pub fn rows(&self) -> &[usize] {
        match &self.rows {
            Rows::One(row) => row.as_slice(),
            Rows::Many(rows) => rows,
        }
    }

    /// The place of the first row that counts.
    pub fn row(&self) -> Option<usize> {
        self.rows().first().copied()
    }

    /// The first row that counts, as it stands in the table.
    pub fn table_row(&self) -> Option<&'a TableRow> {
        self.table.rows.get(self.row()?)
    }

    /// What the first row that counts says, in the order of the outputs.
    pub fn outputs(&self) -> Option<&'a [TableValue]> {
        self.table_row().map(|row| row.outputs.as_slice())
    }

    /// What the first row that counts says in one output column. O(outputs).
    pub fn output(&self, name: &str) -> Option<&'a TableValue> {
        self.all(name).next()
    }

    /// What all rows that count say in one output column. O(outputs).
    pub fn all(&self, name: &str) -> impl Iterator<Item = &'a TableValue> {
        let table = self.table;
        let place = table.outputs.iter().position(|output| output == name);
        let rows = self.rows().iter();
        rows.filter_map(move |row| table.rows.get(*row)?.outputs.get(place?))
    }

    /// How many rows count: the aggregator `#` of DMN's collect policy.
    pub fn count(&self) -> usize {
        self.rows().len()
    }

    /// The sum of what all rows that count say in one output column: the aggregator `+` of DMN's collect policy. `None` where
    /// no row counts, or one says no number.
    ///
    /// Source: Object Management Group, "Decision Model and Notation" (1.3, 2021), chapter 8, hit policies.
    ///
    /// ```
    /// use dafu_core::Unit;
    /// use dafu_rules::{DecisionTable, HitPolicy, Row, RuleSchema, TableRow, Variable};
    ///
    /// let schema = RuleSchema::new([Variable::number("amount", Unit::Money)])?;
    /// let table = DecisionTable::new("points", ["amount"], ["points"])
    ///     .hit_policy(HitPolicy::Collect)
    ///     .row(TableRow::new(["> 100"], [10.0]))
    ///     .row(TableRow::new(["> 1000"], [25.0]));
    /// let compiled = table.compile(&schema)?;
    /// let answer = compiled.decide(Row { numbers: &[2000.0], texts: &[] })?;
    /// assert_eq!((answer.count(), answer.sum("points")), (2, Some(35.0)));
    /// assert_eq!((answer.min("points"), answer.max("points")), (Some(10.0), Some(25.0)));
    /// let answer = compiled.decide(Row { numbers: &[50.0], texts: &[] })?;
    /// assert_eq!((answer.count(), answer.sum("points")), (0, None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sum(&self, name: &str) -> Option<f64> {
        self.folded(name, |sum, number| sum + number)
    }

    /// The least number that a row that counts says in one output column: the aggregator `<`. `None` as for
    /// [`sum`](Self::sum).
    pub fn min(&self, name: &str) -> Option<f64> {
        self.folded(name, f64::min)
    }

    /// The greatest number that a row that counts says in one output column: the aggregator `>`. `None` as for
    /// [`sum`](Self::sum).
    pub fn max(&self, name: &str) -> Option<f64> {
        self.folded(name, f64::max)
    }

    fn folded(&self, name: &str, fold: fn(f64, f64) -> f64) -> Option<f64> {
        let mut numbers = self.all(name).map(TableValue::as_number);
        let first = numbers.next()??;
        numbers.try_fold(first, |folded, number| Some(fold(folded, number?)))
    }

    /// Inputs that were missing although cells test them: rows with such cells did not match.
    pub fn missing(&self) -> impl Iterator<Item = &'a str> {
        let missing = self.missing;
        let inputs = self.table.inputs.iter().enumerate();
        inputs.filter_map(move |(at, input)| (missing >> at & 1 == 1).then_some(input.as_str()))
    }
}
