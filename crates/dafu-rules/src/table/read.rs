//! Cells as tests.

use super::DecisionTable;
use super::cell::condition;
use super::column::Column;
use super::segment::Cuts;
use crate::check::check;
use crate::language::{Code, ConditionError, Diagnostic};
use crate::program::{Logic, Predicates};
use crate::{Condition, RuleError, RuleSchema};
use std::collections::HashMap;

/// Cells whose mistakes are told.
const MOST_MISTAKES: usize = 100;

/// A cell that was checked.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    /// `None` where anything will do.
    pub(super) logic: Option<Logic>,
    pub(super) cuts: Cuts,
}

impl Cell {
    /// The test, where segments do not tell whether it holds.
    pub(super) fn into_residual(self) -> Option<Logic> {
        self.logic.filter(|_| self.cuts.residual)
    }
}

/// Reads cells, each text of a column once.
pub(super) struct Reader<'a> {
    table: &'a DecisionTable,
    schema: &'a RuleSchema,
    predicates: Predicates,
    mistakes: Vec<ConditionError>,
    warnings: Vec<ConditionError>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(table: &'a DecisionTable, schema: &'a RuleSchema) -> Self {
        Self {
            table,
            schema,
            predicates: Predicates::default(),
            mistakes: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The different cells of a column, and which of them the row at each position has.
    pub(super) fn column(
        &mut self,
        at: usize,
        column: &Column,
        order: &[usize],
    ) -> (Vec<Cell>, Vec<usize>) {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut cells = Vec::new();
        let mut of_row = Vec::with_capacity(self.table.rows.len());
        for (row, number) in self.table.rows.iter().zip(1..) {
            let text = row.cells.get(at).map_or("", |cell| cell.trim());
            let place = *places.entry(text).or_insert(cells.len());
            if place == cells.len() {
                cells.push(self.cell(column, text, number));
            }
            of_row.push(place);
        }
        let in_order = order.iter().map(|row| of_row[*row]).collect();
        (cells, in_order)
    }

    fn cell(&mut self, column: &Column, text: &str, number: usize) -> Cell {
        let name = &self.table.name;
        let title = match name.as_str() {
            "" => format!("table row {number}, column {}", column.name),
            name => format!("table {name} row {number}, column {}", column.name),
        };
        match self.test(column, text) {
            Ok(None) => Cell::default(),
            Ok(Some((logic, warning))) => {
                if self.warnings.len() < MOST_MISTAKES {
                    self.warnings
                        .extend(warning.map(|warning| warning.titled(title)));
                }
                Cell {
                    cuts: column.cuts(&logic, self.predicates.all()),
                    logic: Some(logic),
                }
            }
            Err(error) => {
                if self.mistakes.len() < MOST_MISTAKES {
                    self.mistakes.push(error.titled(title));
                }
                Cell::default()
            }
        }
    }

    fn test(
        &mut self,
        column: &Column,
        text: &str,
    ) -> Result<Option<(Logic, Option<ConditionError>)>, ConditionError> {
        let Some(source) = condition(&column.source, column.plain(), text)? else {
            return Ok(None);
        };
        let parsed = Condition::parse(&source)?;
        let told = |diagnostics| ConditionError::new(&source, diagnostics);
        let checked = check(parsed.expr(), self.schema, &mut self.predicates).map_err(told)?;
        let mut foreign = None;
        checked.logic.for_tests(&mut |place, span| {
            let predicate = self.predicates.all().get(place);
            if let Some(predicate) = predicate {
                predicate.for_slots(&mut |slot| {
                    if slot != column.slot {
                        foreign = foreign.or(Some(span));
                    }
                });
            }
        });
        if let Some(span) = foreign {
            let message = format!("a cell of the column {} tests nothing else", column.name);
            let diagnostic = Diagnostic::new(Code::UnknownName, span, message);
            let help = "give the other variable a column of its own";
            return Err(told(vec![diagnostic.help(help)]));
        }
        let warning = (!checked.warnings.is_empty()).then(|| told(checked.warnings));
        Ok(Some((checked.logic, warning)))
    }

    /// The tests of all cells, and what hardly means what it says.
    pub(super) fn finish(self) -> Result<(Predicates, Vec<ConditionError>), RuleError> {
        if self.mistakes.is_empty() {
            Ok((self.predicates, self.warnings))
        } else {
            Err(RuleError::Conditions(self.mistakes))
        }
    }
}
