//! Trees that compare sums over columns.

use super::{Group, Sums, splits};
use crate::node::Trees;

/// Columns that a node can tell apart.
pub(super) const COLUMNS: usize = 256;

/// A node with all that it compares in one place.
#[derive(Debug, Clone, Copy)]
struct Plane<const TERMS: usize> {
    threshold: f64,
    /// 0 for terms that are not there: they add nothing.
    coefficients: [f64; TERMS],
    /// How far behind the node its left child lies; 0 for a leaf.
    way: u16,
    columns: [u8; TERMS],
}

/// The nodes of all trees, for sums of so many terms at most.
#[derive(Debug, Clone)]
pub(super) struct Planes<const TERMS: usize> {
    nodes: Vec<Plane<TERMS>>,
    groups: Vec<Group>,
    width: usize,
}

impl<const TERMS: usize> Planes<TERMS> {
    const LEAF: Plane<TERMS> = Plane {
        threshold: f64::INFINITY,
        coefficients: [0.0; TERMS],
        way: 0,
        columns: [0; TERMS],
    };

    /// Prepares trees of numbers, none that is too large.
    pub(super) fn new(trees: &Trees, width: usize) -> Option<Self> {
        let mut nodes = Vec::with_capacity(trees.node_count());
        for tree in trees.iter() {
            let start = nodes.len();
            nodes.resize(start + tree.nodes.len(), Self::LEAF);
            for (at, node) in splits(&tree) {
                let plane = &mut nodes[start + at];
                plane.threshold = node.threshold;
                plane.way = u16::try_from(node.left as usize - at).ok()?;
                let Some(form) = node.test().checked_sub(width) else {
                    // Once the value is the value, to the bit.
                    plane.coefficients[0] = 1.0;
                    plane.columns[0] = u8::try_from(node.test()).ok()?;
                    continue;
                };
                for (place, term) in tree.terms[tree.forms[form].terms()].iter().enumerate() {
                    plane.coefficients[place] = term.coefficient;
                    plane.columns[place] = u8::try_from(term.column).ok()?;
                }
            }
        }
        Some(Self {
            nodes,
            groups: Group::all_of(trees)?,
            width,
        })
    }
}

impl<const TERMS: usize> Sums for Planes<TERMS> {
    fn width(&self) -> usize {
        self.width
    }

    fn sum(&self, values: &[u32], row: &[f64; COLUMNS]) -> u64 {
        let sum = |group: &Group| {
            group.sum(values, |_, at| {
                let plane = &self.nodes[at as usize];
                // The terms in their order, as everywhere.
                let mut compared = 0.0;
                for (coefficient, column) in plane.coefficients.iter().zip(plane.columns) {
                    compared += coefficient * row[usize::from(column)];
                }
                u32::from(plane.way) + u32::from(compared > plane.threshold)
            })
        };
        self.groups.iter().map(sum).sum()
    }
}
