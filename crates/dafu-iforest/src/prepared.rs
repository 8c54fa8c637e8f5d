//! What is prepared of a forest when it is first asked for scores.

use crate::masks::{self, Masks};
use crate::node::Trees;
use crate::one_row::OneRow;
use std::sync::OnceLock;

/// Fewest rows of a batch for which sets of rows are prepared: that takes as long as walking some thousand rows.
const SETS_FROM: usize = 2048;

/// Forms of a forest that are made for speed.
///
/// They follow from the trees and make no difference to any result, so that they count for nothing in comparisons.
#[derive(Debug, Clone, Default)]
pub(crate) struct Prepared {
    masks: OnceLock<Option<Masks>>,
    one_row: OnceLock<Option<OneRow>>,
}

impl Prepared {
    /// For batches of so many rows, if sets of rows are the way to score them.
    pub(crate) fn masks(&self, trees: &Trees, width: usize, rows: usize) -> Option<&Masks> {
        if rows >= SETS_FROM {
            let new = || Masks::new(trees, width);
            self.masks.get_or_init(new).as_ref()
        } else if rows >= masks::FEWEST_ROWS {
            self.masks.get()?.as_ref()
        } else {
            None
        }
    }

    /// For single rows.
    pub(crate) fn one_row(&self, trees: &Trees, width: usize) -> Option<&OneRow> {
        let new = || OneRow::new(trees, width);
        self.one_row.get_or_init(new).as_ref()
    }

    /// For a few rows, if there is nothing to gain from walking several side by side.
    pub(crate) fn small(&self, trees: &Trees, width: usize) -> Option<&OneRow> {
        let one_row = self.one_row(trees, width);
        one_row.filter(|one_row| one_row.is_by_ranks())
    }
}

impl PartialEq for Prepared {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
