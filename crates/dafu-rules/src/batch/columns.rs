//! Values of many events, column by column.

use crate::RuleError;
use crate::program::Row;
use dafu_core::{Dataset, Timestamp};
use ndarray::{ArrayView1, Axis};
use std::borrow::Cow;
use std::sync::Arc;

/// A column of texts.
#[derive(Debug, Clone, Copy)]
pub enum TextColumn<'a> {
    /// One text a row; `None` is missing.
    Texts(&'a [Option<&'a str>]),
    /// The place of a text among all that there are; a place beyond them is missing. Tests of texts are then made once
    /// for each text instead of once for each row.
    Codes {
        /// One place a row.
        codes: &'a [u32],
        /// The texts.
        levels: &'a [Arc<str>],
    },
}

impl<'a> TextColumn<'a> {
    pub(super) const fn len(self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Codes { codes, .. } => codes.len(),
        }
    }

    /// The text of a row.
    pub(super) fn get(self, row: usize) -> Option<&'a str> {
        match self {
            Self::Texts(texts) => texts.get(row).copied().flatten(),
            Self::Codes { codes, levels } => {
                let code = usize::try_from(*codes.get(row)?).ok()?;
                levels.get(code).map(|text| &**text)
            }
        }
    }
}

/// The values of many events: columns in the order of the slots of a schema, windows behind its numbers.
#[derive(Debug, Clone, Default)]
pub struct Columns<'a> {
    rows: usize,
    pub(super) numbers: Vec<ArrayView1<'a, f64>>,
    pub(super) texts: Vec<TextColumn<'a>>,
    times: Option<Cow<'a, [Timestamp]>>,
}

impl<'a> Columns<'a> {
    /// So many events, of which nothing is known yet.
    pub const fn new(rows: usize) -> Self {
        Self {
            rows,
            numbers: Vec::new(),
            texts: Vec::new(),
            times: None,
        }
    }

    /// The features of a dataset, with its times: for a schema made by [`RuleSchema::from_features`](crate::RuleSchema::from_features).
    pub fn from_dataset(dataset: &'a Dataset) -> Self {
        let values = dataset.values();
        let rows = values.nrows();
        let numbers = (0..values.ncols()).map(|column| values.index_axis_move(Axis(1), column));
        Self {
            rows,
            numbers: numbers.collect(),
            texts: Vec::new(),
            times: dataset.times().map(Cow::Borrowed),
        }
    }

    /// The next column of numbers.
    ///
    /// # Errors
    ///
    /// [`RuleError::Row`] for another length.
    pub fn number(mut self, column: ArrayView1<'a, f64>) -> Result<Self, RuleError> {
        self.check("numbers a column", column.len())?;
        self.numbers.push(column);
        Ok(self)
    }

    /// The next column of texts.
    ///
    /// # Errors
    ///
    /// [`RuleError::Row`] for another length.
    pub fn text(mut self, column: TextColumn<'a>) -> Result<Self, RuleError> {
        self.check("texts a column", column.len())?;
        self.texts.push(column);
        Ok(self)
    }

    /// When the events happen: needed for rules with dates, and for lists whose members leave.
    ///
    /// # Errors
    ///
    /// [`RuleError::Row`] for another length.
    pub fn times(mut self, times: &'a [Timestamp]) -> Result<Self, RuleError> {
        self.check("times", times.len())?;
        self.times = Some(Cow::Borrowed(times));
        Ok(self)
    }

    const fn check(&self, what: &'static str, got: usize) -> Result<(), RuleError> {
        if got == self.rows {
            return Ok(());
        }
        Err(RuleError::Row {
            what,
            expected: self.rows,
            got,
        })
    }

    /// How many events there are.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// When an event happens; the first moment of 1970 where nobody said.
    pub(crate) fn time(&self, row: usize) -> Timestamp {
        let known = self.known_times().and_then(|times| times.get(row)).copied();
        known.unwrap_or(Timestamp::EPOCH)
    }

    /// When the events happen, where that is known.
    pub fn known_times(&self) -> Option<&[Timestamp]> {
        self.times.as_deref()
    }

    /// The same with times of its own, one a row.
    pub(crate) fn own_times(mut self, times: Vec<Timestamp>) -> Self {
        self.times = Some(Cow::Owned(times));
        self
    }

    /// The number of an event in a slot.
    pub(crate) fn number_at(&self, slot: usize, row: usize) -> f64 {
        let column = self.numbers.get(slot);
        column
            .and_then(|column| column.get(row))
            .copied()
            .unwrap_or(f64::NAN)
    }

    /// The text of an event in a slot.
    pub(crate) fn text_at(&self, slot: usize, row: usize) -> Option<&'a str> {
        self.texts.get(slot)?.get(row)
    }

    /// Errors unless there are so many columns of numbers and of texts.
    pub(crate) fn check_widths(&self, numbers: usize, texts: usize) -> Result<(), RuleError> {
        for (what, expected, got) in [
            ("columns of numbers", numbers, self.numbers.len()),
            ("columns of texts", texts, self.texts.len()),
        ] {
            if expected != got {
                return Err(RuleError::Row {
                    what,
                    expected,
                    got,
                });
            }
        }
        Ok(())
    }

    /// Reads an event into a row.
    pub fn read<'r>(
        &self,
        row: usize,
        numbers: &'r mut Vec<f64>,
        texts: &'r mut Vec<Option<&'a str>>,
    ) -> Row<'r> {
        numbers.clear();
        texts.clear();
        numbers.extend((0..self.numbers.len()).map(|slot| self.number_at(slot, row)));
        texts.extend(self.texts.iter().map(|column| column.get(row)));
        Row { numbers, texts }
    }
}
