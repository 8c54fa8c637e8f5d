//! Which way a row goes, for trees and rows of every kind.

use crate::average_path::AveragePathTable;
use crate::form::{Absent, value_of};
use crate::node::{Node, Tree};
use crate::{MissingValues, UnseenCategories};

/// What decides where rows go that a node cannot compare.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WayRule {
    pub(crate) width: usize,
    pub(crate) missing: MissingValues,
    pub(crate) unseen: UnseenCategories,
}

/// Where a row goes at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Left,
    Right,
    /// Both ways, each by its share of training rows.
    Both,
}

impl Way {
    const fn right(right: bool) -> Self {
        if right { Self::Right } else { Self::Left }
    }
}

/// A step of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) way: Way,
    /// Whether the value is out of the node's range.
    pub(crate) penalized: bool,
}

impl Tree<'_> {
    /// What a node compares for a row.
    pub(crate) fn compared(
        &self,
        node: &Node,
        width: usize,
        cell: impl Fn(usize) -> f64,
    ) -> Result<f64, Absent> {
        let test = node.test();
        match test.checked_sub(width) {
            None => {
                let value = cell(test);
                if value.is_nan() {
                    Err(Absent::Missing)
                } else {
                    Ok(value)
                }
            }
            Some(form) => value_of(&self.terms[self.forms[form].terms()], self.codes, cell),
        }
    }

    /// The step of a row at a split.
    pub(crate) fn step(&self, at: usize, rule: &WayRule, cell: impl Fn(usize) -> f64) -> Step {
        let node = &self.nodes[at];
        let way = match self.compared(node, rule.width, cell) {
            Ok(value) => {
                let range = self.ranges.get(at);
                return Step {
                    way: Way::right(value > node.threshold),
                    penalized: range.is_some_and(|&[low, high]| value < low || value > high),
                };
            }
            Err(Absent::Missing) if rule.missing == MissingValues::Divide => Way::Both,
            Err(Absent::Missing) => Way::right(node.missing_right()),
            Err(Absent::Unseen) => {
                let left = node.left as usize;
                let right_is_smaller = self.counts[left + 1] < self.counts[left];
                match rule.unseen {
                    UnseenCategories::Smaller => Way::right(right_is_smaller),
                    UnseenCategories::Larger => Way::right(!right_is_smaller),
                    UnseenCategories::Divide => Way::Both,
                }
            }
        };
        Step {
            way,
            penalized: false,
        }
    }

    /// The path length of a row in edges, with c(rows of the leaf); the mean over the leaves that it comes to.
    pub(crate) fn path_length(
        &self,
        table: &AveragePathTable,
        rule: &WayRule,
        cell: impl Fn(usize) -> f64 + Copy,
    ) -> f64 {
        let mut sum = 0.0;
        self.visit(0, rule, cell, |at, weight, depth, _| {
            sum += weight * (f64::from(depth) + table.get(self.counts[at]));
        });
        sum
    }

    /// The value of a row in this tree.
    ///
    /// O(depth); where a row goes both ways, O(nodes) at most.
    pub(crate) fn value(&self, rule: &WayRule, cell: impl Fn(usize) -> f64 + Copy) -> i64 {
        let mut penalty = 0_i64;
        let mut at = 0;
        loop {
            let node = &self.nodes[at];
            if node.is_leaf(at) {
                return i64::from(self.values[at]) - penalty;
            }
            let step = self.step(at, rule, cell);
            penalty += i64::from(step.penalized) * i64::from(self.level);
            at = node.left as usize
                + match step.way {
                    Way::Left => 0,
                    Way::Right => 1,
                    Way::Both => return self.mean_value(at, rule, cell) - penalty,
                };
        }
    }

    /// The mean value from a node on, over all leaves that a row comes to by shares.
    pub(crate) fn mean_value(
        &self,
        from: usize,
        rule: &WayRule,
        cell: impl Fn(usize) -> f64 + Copy,
    ) -> i64 {
        let mut sum = 0.0;
        self.visit(from, rule, cell, |at, weight, _, penalties| {
            let penalty = f64::from(penalties) * f64::from(self.level);
            sum += weight * (f64::from(self.values[at]) - penalty);
        });
        round(sum)
    }

    /// Calls `leaf` with every leaf below a node that a row comes to, the share with which it does, the edges on the
    /// way, and how many values on the way were out of range; from left to right.
    fn visit(
        &self,
        from: usize,
        rule: &WayRule,
        cell: impl Fn(usize) -> f64 + Copy,
        mut leaf: impl FnMut(usize, f64, u32, u32),
    ) {
        let mut waiting = Vec::new();
        let mut next = Some((from, 1.0, 0, 0));
        while let Some((at, weight, depth, penalties)) = next.or_else(|| waiting.pop()) {
            let node = &self.nodes[at];
            next = None;
            if node.is_leaf(at) {
                leaf(at, weight, depth, penalties);
                continue;
            }
            let step = self.step(at, rule, cell);
            let penalties = penalties + u32::from(step.penalized);
            let left = node.left as usize;
            next = Some(match step.way {
                Way::Left => (left, weight, depth + 1, penalties),
                Way::Right => (left + 1, weight, depth + 1, penalties),
                Way::Both => {
                    let share = f64::from(self.counts[left]) / f64::from(self.counts[at]);
                    waiting.push((left + 1, weight * (1.0 - share), depth + 1, penalties));
                    (left, weight * share, depth + 1, penalties)
                }
            });
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a mean of numbers below 2^49"
)]
fn round(number: f64) -> i64 {
    number.round() as i64
}
