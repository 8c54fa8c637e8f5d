//! Scoring a block of rows.

use super::column::Column;
use super::part::{MAKE_PLANE, Part, Step};
use super::plane::Cells;
use super::set::{ROWS, Set, transpose};
use super::{CODES, Group, Masks};
use crate::IsolationForestError;
use crate::input::{Accepted, Value};
use ndarray::{ArrayView2, Axis};

/// Columns that are copied together, so that room does not grow with the width of the data.
const COLUMNS: usize = 16;
/// Rows that are copied together: a line of the cache of each column.
const LANES: usize = 8;
/// Trees whose codes are looked up together, so that sums are loaded and stored less often.
const TOGETHER: usize = 8;
/// Slots of sets, more than a tree has nodes that are no leaves.
const SLOTS: usize = 256;

/// Codes of all rows for one tree: a byte a row, once transposed.
type Codes = [Set; 8];

/// Room for the blocks of one thread; it grows once, to two thirds of a mebibyte at most.
#[derive(Debug)]
pub(crate) struct Room {
    /// For each threshold the rows with a value up to it.
    table: Vec<Set>,
    /// The empty set, then for each column of a group the rows without a value.
    missing: Vec<Set>,
    /// Rows that come to the nodes of a tree.
    slots: Vec<Set>,
    /// Some columns of the block.
    cells: Vec<[f64; ROWS]>,
    codes: Vec<Codes>,
    sums: Vec<[u64; LANES]>,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            table: Vec::new(),
            missing: Vec::new(),
            slots: vec![Set::EMPTY; SLOTS],
            cells: Vec::new(),
            codes: vec![[Set::EMPTY; 8]; TOGETHER],
            sums: vec![[0; LANES]; ROWS / LANES],
        }
    }
}

impl Room {
    /// Bytes on the heap.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let sets = self.table.capacity() + self.missing.capacity() + self.slots.capacity();
        sets * size_of::<Set>()
            + self.cells.capacity() * size_of::<[f64; ROWS]>()
            + self.codes.capacity() * size_of::<Codes>()
            + self.sums.capacity() * size_of::<[u64; LANES]>()
    }

    /// Sums the path lengths of up to [`ROWS`] rows over all trees.
    ///
    /// `first_row` is the number of the first row in the caller's data, for messages. Missing values, where they are
    /// accepted, go where each node says.
    pub(crate) fn sums<'r, T: Value>(
        &'r mut self,
        masks: &Masks,
        (rows, first_row): (ArrayView2<'_, T>, usize),
        accepted: &Accepted<'_>,
    ) -> Result<impl Iterator<Item = u64> + use<'r, T>, IsolationForestError> {
        self.sums.fill([0; LANES]);
        let mut all_finite = true;
        for group in &masks.groups {
            self.table.resize(group.sets + group.planes, Set::EMPTY);
            if self.compare(group, rows) {
                self.add::<false>(group);
            } else {
                if all_finite {
                    accepted.check_rows(rows, first_row)?;
                    all_finite = false;
                }
                self.add::<true>(group);
            }
        }
        Ok(self.sums.as_flattened().iter().copied().take(rows.nrows()))
    }

    /// Fills the table of a group. False when a value of any column is not finite.
    fn compare<T: Value>(&mut self, group: &Group, rows: ArrayView2<'_, T>) -> bool {
        let width = rows.ncols();
        let mut left = &group.columns[..];
        let mut all_finite = true;
        // Planes need all columns at once.
        let together = if group.planes > 0 { width } else { COLUMNS };
        self.cells.resize(together.min(width), [0.0; ROWS]);
        self.missing.clear();
        self.missing.resize(group.columns.len() + 1, Set::EMPTY);
        let mut missing = self.missing.iter_mut().skip(1);
        for start in (0..width).step_by(together) {
            let end = (start + together).min(width);
            let finite = copy_columns(rows, start, &mut self.cells[..end - start]);
            all_finite &= finite;
            let now = left.partition_point(|column| column.index < end);
            let (now, later) = left.split_at(now);
            left = later;
            for (column, missing) in now.iter().zip(&mut missing) {
                let cells = &self.cells[column.index - start];
                if !finite {
                    find_missing(cells, missing);
                }
                let sets = &mut self.table[column.first..][..column.sets()];
                fill_sets(column, cells, missing, sets);
            }
        }
        all_finite
    }

    /// Adds the path lengths of a group's trees.
    fn add<const MISSING: bool>(&mut self, group: &Group) {
        let eights = group.parts.chunks_exact(TOGETHER);
        let rest = eights.remainder();
        for parts in eights {
            self.add_parts::<TOGETHER, MISSING>(parts);
        }
        let fours = rest.chunks_exact(TOGETHER / 2);
        let rest = fours.remainder();
        for parts in fours {
            self.add_parts::<{ TOGETHER / 2 }, MISSING>(parts);
        }
        for parts in rest.chunks_exact(1) {
            self.add_parts::<1, MISSING>(parts);
        }
    }

    fn add_parts<const PARTS: usize, const MISSING: bool>(&mut self, parts: &[Part]) {
        let mut values = [&[0; CODES]; PARTS];
        for ((part, values), codes) in parts.iter().zip(&mut values).zip(&mut self.codes) {
            *values = &part.values;
            let sets = (&mut self.table[..], &self.missing[..]);
            if part.planes.is_empty() {
                find_codes::<MISSING, false>(part, sets, (&self.cells, &mut self.slots), codes);
            } else {
                find_codes::<MISSING, true>(part, sets, (&self.cells, &mut self.slots), codes);
            }
        }
        if let Some(codes) = self.codes.first_chunk() {
            look_up::<PARTS>(codes, &values, &mut self.sums);
        }
    }
}

/// The sets of a column: for each threshold the rows with a value up to it, and one that is not used.
fn fill_sets(column: &Column, cells: &[f64; ROWS], missing: &Set, sets: &mut [Set]) {
    sets.fill(Set::EMPTY);
    column.scatter(cells, sets);
    // Where there is no value, no threshold was less than it.
    sets[0].and_not(missing);
    let mut all = Set::EMPTY;
    for set in sets {
        all.or(set);
        *set = all;
    }
}

fn find_missing(cells: &[f64; ROWS], missing: &mut Set) {
    for (row, value) in cells.iter().enumerate() {
        if value.is_nan() {
            missing.insert(row);
        }
    }
}

/// Takes the block through a tree.
fn find_codes<const MISSING: bool, const PLANES: bool>(
    part: &Part,
    (table, missing): (&mut [Set], &[Set]),
    (cells, slots): (&Cells, &mut [Set]),
    codes: &mut Codes,
) {
    let Some(slots) = slots.first_chunk_mut::<SLOTS>() else {
        return;
    };
    let low_of = |table: &[Set], step: &Step| {
        let mut low = table[usize::from(step.low)];
        // Planes have stand-ins for what is missing.
        if !PLANES || step.missing != MAKE_PLANE {
            low.or(&missing[usize::from(step.missing)]);
        }
        low
    };
    let compare = |table: &mut [Set], step: &Step, here: &Set| {
        if PLANES && step.missing == MAKE_PLANE {
            let plane = &part.planes[usize::from(step.low) - part.first_plane];
            plane.left_of::<MISSING>(cells, here, &mut table[usize::from(step.low)]);
        }
    };
    let (forks, ends) = part.steps();
    *codes = [Set::EMPTY; 8];
    slots[0] = Set::ALL;
    for step in forks {
        let here = slots[usize::from(step.here)];
        compare(table, step, &here);
        let left = &mut slots[usize::from(step.left)];
        if MISSING {
            left.set_and(&here, &low_of(table, step));
        } else {
            left.set_and(&here, &table[usize::from(step.low)]);
        }
        let left = *left;
        let right = &mut slots[usize::from(step.right)];
        right.set_xor(&here, &left);
        let right = *right;
        codes[usize::from(step.bit) % 8].xor(&right);
    }
    for step in ends {
        let here = &slots[usize::from(step.here)];
        compare(table, step, here);
        let code = &mut codes[usize::from(step.bit) % 8];
        if MISSING {
            code.xor_and_not(here, &low_of(table, step));
        } else {
            code.xor_and_not(here, &table[usize::from(step.low)]);
        }
    }
    transpose(codes);
}

/// Adds to the sums of the rows what their codes stand for in some trees.
fn look_up<const PARTS: usize>(
    codes: &[Codes; PARTS],
    values: &[&[u32; CODES]; PARTS],
    sums: &mut [[u64; LANES]],
) {
    for (at, sums) in sums.iter_mut().enumerate() {
        let mut local = *sums;
        for (codes, values) in codes.iter().zip(values) {
            let words = &codes[at / 8 % 8].0;
            for (sum, code) in local.iter_mut().zip(words[at % 8].to_le_bytes()) {
                *sum += u64::from(values[usize::from(code)]);
            }
        }
        *sums = local;
    }
}

/// Copies columns from number `start` on. False when a value is not finite.
fn copy_columns<T: Value>(
    rows: ArrayView2<'_, T>,
    start: usize,
    cells: &mut [[f64; ROWS]],
) -> bool {
    let (count, width) = rows.dim();
    // Zero times a finite number is zero; NaN and infinity give NaN.
    let mut witness = [0.0; LANES];
    let mut copied = 0;
    if let Some(slice) = rows.as_slice() {
        for rows in slice.chunks_exact(LANES * width) {
            for (column, cells) in cells.iter_mut().enumerate() {
                let cells = &mut cells[copied..copied + LANES];
                for (lane, (cell, witness)) in cells.iter_mut().zip(&mut witness).enumerate() {
                    let value = rows[lane * width + start + column].into();
                    *witness += value * 0.0;
                    *cell = value;
                }
            }
            copied += LANES;
        }
    }
    if copied < count {
        for (cells, column) in cells.iter_mut().zip(rows.axis_iter(Axis(1)).skip(start)) {
            for (cell, &value) in cells.iter_mut().zip(column).skip(copied) {
                let value = value.into();
                witness[0] += value * 0.0;
                *cell = value;
            }
        }
    }
    witness.iter().sum::<f64>() == 0.0
}
