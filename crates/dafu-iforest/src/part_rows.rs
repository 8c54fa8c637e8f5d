//! Walking many rows through trees of every kind: the rows at a node are parted together.

use crate::form::Term;
use crate::node::{Node, Tree, Trees};
use crate::way::{Way, WayRule};

/// Cells of a block of rows.
const BLOCK_CELLS: usize = 1 << 14;
/// Most rows of a block.
const MAX_ROWS: usize = 1024;

/// Rows in one block for data of this width.
pub(crate) fn block_rows(width: usize) -> usize {
    (BLOCK_CELLS / width.max(1)).clamp(16, MAX_ROWS)
}

/// Buffers of one thread; they grow once.
#[derive(Debug, Default)]
pub(crate) struct Parter {
    /// Column after column.
    cells: Vec<f64>,
    rows: usize,
    /// The rows of the nodes that wait, each with a range of its own.
    order: Vec<u16>,
    aside: Vec<u16>,
    waiting: Vec<Waiting>,
    sums: Vec<i64>,
}

/// A node with the places of its rows.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    node: usize,
    start: usize,
    end: usize,
}

impl Parter {
    /// Begins a block: room for the rows, which the caller fills in by [`set`](Self::set).
    pub(crate) fn start(&mut self, rows: usize, width: usize) {
        self.rows = rows;
        self.cells.clear();
        self.cells.resize(rows * width, 0.0);
    }

    pub(crate) fn set(&mut self, row: usize, values: impl Iterator<Item = f64>) {
        let cells = self.cells.iter_mut().skip(row).step_by(self.rows.max(1));
        for (cell, value) in cells.zip(values) {
            *cell = value;
        }
    }

    /// Sums the values of the rows over all trees; `special` where comparing numbers is not enough.
    pub(crate) fn sums(
        &mut self,
        trees: &Trees,
        rule: &WayRule,
        special: bool,
    ) -> impl Iterator<Item = u64> + '_ {
        self.sums.clear();
        self.sums.resize(self.rows, 0);
        for tree in trees.iter() {
            self.order.clear();
            self.order.extend((0_u16..).take(self.rows));
            self.waiting.push(Waiting {
                node: 0,
                start: 0,
                end: self.rows,
            });
            while let Some(waiting) = self.waiting.pop() {
                self.part(&tree, rule, special, waiting);
            }
        }
        self.sums.iter().map(|&sum| sum.max(0).cast_unsigned())
    }

    /// Parts the rows of a node, or adds the value of a leaf to them.
    fn part(&mut self, tree: &Tree<'_>, rule: &WayRule, special: bool, waiting: Waiting) {
        let Waiting { node, start, end } = waiting;
        let rows = &mut self.order[start..end];
        let split = &tree.nodes[node];
        if split.is_leaf(node) {
            let value = i64::from(tree.values[node]);
            for &row in &*rows {
                self.sums[usize::from(row)] += value;
            }
            return;
        }
        self.aside.clear();
        let cells = Cells {
            values: &self.cells,
            rows: self.rows,
        };
        let left = if special {
            let sums = &mut self.sums;
            let level = i64::from(tree.level);
            part_each(rows, &mut self.aside, |row| {
                let row = usize::from(row);
                let cell = |column: usize| cells.column(column)[row];
                let step = tree.step(node, rule, cell);
                sums[row] -= i64::from(step.penalized) * level;
                if step.way == Way::Both {
                    sums[row] += tree.mean_value(node, rule, cell);
                }
                step.way
            })
        } else {
            part_numbers(rows, &mut self.aside, (tree, split), (&cells, rule.width))
        };
        let child = split.left as usize;
        let right = left + self.aside.len();
        rows[left..right].copy_from_slice(&self.aside);
        for (node, range) in [(child + 1, left..right), (child, 0..left)] {
            if !range.is_empty() {
                self.waiting.push(Waiting {
                    node,
                    start: start + range.start,
                    end: start + range.end,
                });
            }
        }
    }
}

/// A block of rows, column after column.
#[derive(Debug, Clone, Copy)]
struct Cells<'a> {
    values: &'a [f64],
    rows: usize,
}

impl<'a> Cells<'a> {
    fn column(&self, column: usize) -> &'a [f64] {
        &self.values[column * self.rows..(column + 1) * self.rows]
    }
}

/// Moves the rows that go left to the front, puts those that go right aside, and says how many go left; rows that go
/// both ways are left out.
fn part_each(rows: &mut [u16], aside: &mut Vec<u16>, mut way: impl FnMut(u16) -> Way) -> usize {
    let mut front = 0;
    for at in 0..rows.len() {
        let row = rows[at];
        match way(row) {
            Way::Left => {
                rows[front] = row;
                front += 1;
            }
            Way::Right => aside.push(row),
            Way::Both => {}
        }
    }
    front
}

/// As [`part_each`] where nothing is missing and all columns are numbers.
fn part_numbers(
    rows: &mut [u16],
    aside: &mut Vec<u16>,
    (tree, node): (&Tree<'_>, &Node),
    (cells, width): (&Cells<'_>, usize),
) -> usize {
    let threshold = node.threshold;
    let Some(form) = node.test().checked_sub(width) else {
        let column = cells.column(node.test());
        return part_by(rows, aside, |row| column[row] > threshold);
    };
    match tree.terms[tree.forms[form].terms()] {
        [a, b] => {
            let (x, y) = (
                cells.column(a.column as usize),
                cells.column(b.column as usize),
            );
            let (a, b) = (a.coefficient, b.coefficient);
            part_by(rows, aside, |row| a * x[row] + b * y[row] > threshold)
        }
        ref terms => part_by(rows, aside, |row| sum_of(terms, cells, row) > threshold),
    }
}

fn sum_of(terms: &[Term], cells: &Cells<'_>, row: usize) -> f64 {
    let added = terms
        .iter()
        .map(|term| term.coefficient * cells.column(term.column as usize)[row]);
    added.fold(0.0, |sum, added| sum + added)
}

/// As [`part_each`] without a branch for each row.
fn part_by(rows: &mut [u16], aside: &mut Vec<u16>, right: impl Fn(usize) -> bool) -> usize {
    aside.resize(rows.len(), 0);
    let aside_rows = &mut aside[..rows.len()];
    let (mut front, mut back) = (0, 0);
    for at in 0..rows.len() {
        let row = rows[at];
        let right = right(usize::from(row));
        rows[front] = row;
        aside_rows[back] = row;
        front += usize::from(!right);
        back += usize::from(right);
    }
    aside.truncate(back);
    front
}
