//! Tables that were checked.

use super::answer::{Rows, TableAnswer};
use super::check::Subject;
use super::column::Column;
use super::cover::{Boxes, Side};
use super::form::{MOST_COLUMNS, check_form, check_size, columns, output_numbers};
use super::index::{Builder, Index, RowSet};
use super::join::join;
use super::read::{Cell, Reader};
use super::segment::{Input, Test, truth};
use super::{DecisionTable, HitPolicy, TableFinding};
use crate::language::ConditionError;
use crate::program::{Logic, Predicates, Row, Truth};
use crate::{RuleError, RuleSchema};

/// An input column that is looked up.
#[derive(Debug, Clone)]
struct Lookup {
    column: Column,
    /// The columns with which it is looked up.
    group: usize,
    /// What each segment adds to the number of the set in the group.
    steps: Vec<u32>,
    /// Whether a cell needs the value.
    needed: bool,
    /// What different cells test where the index does not tell; `None` where it does.
    tests: Vec<Option<Logic>>,
}

/// A decision table over the rows of a schema, with its index. Immutable: it can be shared by threads.
///
/// # The index
///
/// The numbers, texts and addresses that stand in the cells of a column cut its values into segments, within which every
/// cell holds of all values or of none. For each segment there is a set of the rows that may match there, as bits. Sets of
/// columns are joined beforehand, as long as there are at most four joined sets for each row. A decision looks up the
/// segment of each column and the set of each group of joined columns, and joins these sets, 256 rows at a time, skipping
/// blocks that are empty in one of them; the lowest bit is the answer, whose place in the table hardly matters. Cells
/// that tell more values apart, such as `contains`, are tested row by row among what is left.
#[derive(Debug, Clone)]
pub struct CompiledTable {
    table: DecisionTable,
    lookups: Vec<Lookup>,
    /// The sets of each group of columns.
    groups: Vec<Vec<RowSet>>,
    index: Index,
    /// The row at each position of the index.
    order: Vec<usize>,
    /// Rows of equal outputs have equal numbers.
    outputs: Vec<usize>,
    /// Column and cell of each residual test of the row at a position; empty where there are none at all.
    residual: Vec<Vec<(usize, usize)>>,
    predicates: Predicates,
    slots: (usize, usize),
    findings: Vec<TableFinding>,
    warnings: Vec<ConditionError>,
}

impl CompiledTable {
    pub(super) fn new(table: &DecisionTable, schema: &RuleSchema) -> Result<Self, RuleError> {
        check_form(table)?;
        // A table has no lists to look into, so no cell may name one.
        let schema = schema.clone().without_lists();
        let mut columns = columns(table, &schema)?;
        let mut order: Vec<usize> = (0..table.rows.len()).collect();
        if table.hit_policy == HitPolicy::Priority {
            order.sort_by_key(|row| std::cmp::Reverse(table.rows[*row].priority));
        }
        let mut reader = Reader::new(table, &schema);
        let read: Vec<(Vec<Cell>, Vec<usize>)> = (columns.iter().enumerate())
            .map(|(at, column)| reader.column(at, column, &order))
            .collect();
        let (predicates, warnings) = reader.finish()?;
        for (column, (cells, _)) in columns.iter_mut().zip(&read) {
            column.cut(cells.iter().map(|cell| &cell.cuts));
        }
        check_size(table, &columns)?;
        let empty = Input::new(&schema);
        let mut builder = Builder::new(order.len());
        let mut residual = vec![Vec::new(); order.len()];
        let (mut sets, mut tests, mut sides) = (Vec::new(), Vec::new(), Vec::new());
        for (at, (column, (cells, of_row))) in columns.iter().zip(read).enumerate() {
            let mut input = empty.clone();
            let mut needed = false;
            let mut ranges_of = |cell: &Cell| match &cell.logic {
                None => vec![(0, column.segments())],
                Some(logic) => {
                    let test = Test {
                        logic,
                        cuts: &cell.cuts,
                        predicates: predicates.all(),
                    };
                    needed |= column.needs(&test, &mut input);
                    column.ranges(&test, &mut input)
                }
            };
            let ranges: Vec<Vec<(usize, usize)>> = cells.iter().map(&mut ranges_of).collect();
            let of_rows = of_row.iter().map(|cell| ranges[*cell].as_slice());
            sets.push(builder.column(column.segments(), of_rows));
            for (tests, cell) in residual.iter_mut().zip(&of_row) {
                if cells[*cell].cuts.residual {
                    tests.push((at, *cell));
                }
            }
            let live = column.live(&empty);
            sides.push(Side::new(at, live, ranges.into_iter(), of_row));
            let of_cells: Vec<_> = cells.into_iter().map(Cell::into_residual).collect();
            tests.push((needed, of_cells));
        }
        let outputs = output_numbers(&table.rows);
        let subject = Subject {
            table,
            columns: &columns,
            boxes: &Boxes::new(sides),
            order: &order,
            residual: &|position| {
                residual
                    .get(position)
                    .is_some_and(|tests| !tests.is_empty())
            },
            outputs: &outputs,
            empty: &empty,
        };
        let findings = subject.findings()?;
        let joined = join(&sets, &builder.finish(), order.len());
        let parts = columns.into_iter().zip(joined.columns).zip(tests);
        let lookups = parts.map(|((column, (group, steps)), (needed, tests))| Lookup {
            column,
            group,
            steps,
            needed,
            tests,
        });
        if residual.iter().all(Vec::is_empty) {
            residual.clear();
        }
        Ok(Self {
            table: table.clone(),
            lookups: lookups.collect(),
            groups: joined.groups,
            index: joined.index,
            order,
            outputs,
            residual,
            predicates,
            slots: (schema.number_slots(), schema.text_slots()),
            findings,
            warnings,
        })
    }

    /// The table as it was given.
    pub const fn table(&self) -> &DecisionTable {
        &self.table
    }

    /// Overlaps, gaps, and rows that can never be the answer.
    pub fn findings(&self) -> &[TableFinding] {
        &self.findings
    }

    /// Cells that can be used, but hardly mean what they say.
    pub fn warnings(&self) -> &[ConditionError] {
        &self.warnings
    }

    /// Bytes that the sets of the index take.
    pub const fn index_bytes(&self) -> usize {
        self.index.bytes()
    }

    /// What the table says of an event.
    ///
    /// # Errors
    ///
    /// [`RuleError::Row`] for a row of another size; [`RuleError::TableConflict`] where several rows match a
    /// [`HitPolicy::Unique`] table, or rows with different outputs a [`HitPolicy::Any`] table.
    ///
    /// # Complexity
    ///
    /// One lookup for each input, and one step for each input and each block of 256 rows that no input rules out.
    /// Allocates only for [`HitPolicy::Collect`] and for errors.
    pub fn decide(&self, row: Row<'_>) -> Result<TableAnswer<'_>, RuleError> {
        row.check(self.slots)?;
        let mut places = [0_u32; MOST_COLUMNS];
        let mut missing = 0_u64;
        for (at, lookup) in self.lookups.iter().enumerate() {
            let segment = lookup.column.locate(row);
            let is_missing = lookup.needed && segment == lookup.column.missing();
            missing |= u64::from(is_missing) << at;
            let step = lookup.steps.get(segment);
            if let (Some(place), Some(step)) = (places.get_mut(lookup.group), step) {
                *place += step;
            }
        }
        let all = self.index.all();
        let mut sets = [all.from; MOST_COLUMNS];
        let mut used = 0;
        let mut blocks = all.summary;
        for (group, place) in self.groups.iter().zip(&places) {
            let set = group.get(*place as usize).copied().unwrap_or(all);
            // Of groups that rule nothing out nothing has to be read.
            if set.from != all.from {
                blocks &= set.summary;
                if let Some(from) = sets.get_mut(used) {
                    *from = set.from;
                }
                used += 1;
            }
        }
        let sets = sets.get(..used.max(1)).unwrap_or_default();
        let common = self.index.common(sets, blocks);
        let mut found = common
            .filter(|position| self.residual.is_empty() || self.holds(*position, row))
            .filter_map(|position| self.order.get(position).copied());
        let rows = match self.table.hit_policy {
            HitPolicy::First | HitPolicy::Priority => Rows::One(found.next()),
            HitPolicy::Unique => {
                let first = found.next();
                if let (Some(first), Some(second)) = (first, found.next()) {
                    return Err(self.conflict([first, second].into_iter().chain(found)));
                }
                Rows::One(first)
            }
            HitPolicy::Any => {
                let first = found.next();
                let output = |row: usize| self.outputs.get(row);
                if let Some(first) = first
                    && let Some(other) = found.find(|row| output(*row) != output(first))
                {
                    return Err(self.conflict([first, other].into_iter()));
                }
                Rows::One(first)
            }
            HitPolicy::Collect => Rows::Many(found.collect()),
        };
        Ok(TableAnswer {
            table: &self.table,
            rows,
            missing,
        })
    }

    fn conflict(&self, rows: impl Iterator<Item = usize>) -> RuleError {
        RuleError::TableConflict {
            table: self.table.name.clone(),
            policy: self.table.hit_policy,
            rows: rows.collect(),
        }
    }

    /// Whether the tests of a row hold that the index does not know.
    fn holds(&self, position: usize, row: Row<'_>) -> bool {
        let tests = self.residual.get(position).map_or(&[][..], Vec::as_slice);
        tests.iter().all(|(column, cell)| {
            let test = self
                .lookups
                .get(*column)
                .and_then(|lookup| lookup.tests.get(*cell));
            let logic = test.and_then(Option::as_ref);
            logic.is_none_or(|logic| truth(logic, self.predicates.all(), row) == Truth::True)
        })
    }
}
