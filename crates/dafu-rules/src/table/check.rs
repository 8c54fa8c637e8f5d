//! Overlaps, gaps, and rows that can never be the answer.

use super::column::Column;
use super::cover::{Boxes, Budget};
use super::segment::Input;
use super::{DecisionTable, HitPolicy, TableCheck, TableExample, TableFinding};
use crate::RuleError;

/// Comparisons of cells that the search for overlaps may take.
const MOST_COMPARISONS: usize = 100_000_000;

/// Steps that the search for gaps may take, and that for covered rows.
const MOST_STEPS: usize = 20_000_000;

/// Pairs of overlapping rows that are told.
const MOST_OVERLAPS: usize = 100;

/// Gaps that are told.
const MOST_GAPS: usize = 16;

/// What is checked.
pub(super) struct Subject<'a> {
    pub(super) table: &'a DecisionTable,
    pub(super) columns: &'a [Column],
    pub(super) boxes: &'a Boxes,
    /// The row at each position in which rows are looked at.
    pub(super) order: &'a [usize],
    /// Whether the row at a position has tests that the boxes do not know.
    pub(super) residual: &'a dyn Fn(usize) -> bool,
    /// Rows of equal outputs have equal numbers.
    pub(super) outputs: &'a [usize],
    /// An event of which nothing is known.
    pub(super) empty: &'a Input,
}

/// What the loop over pairs finds.
#[derive(Default)]
struct Pairs {
    told: Vec<TableFinding>,
    count: usize,
    undecided: bool,
    spent: bool,
    covered: Vec<usize>,
    covered_spent: bool,
    /// The first pair that the policy forbids, and how many there are.
    forbidden: Option<(usize, usize, TableExample)>,
    forbidden_count: usize,
}

impl Subject<'_> {
    /// Everything that there is to tell.
    pub(super) fn findings(&self) -> Result<Vec<TableFinding>, RuleError> {
        let pairs = self.pairs();
        if let Some((first, second, example)) = pairs.forbidden {
            return Err(RuleError::TableOverlap {
                table: self.table.name.clone(),
                policy: self.table.hit_policy,
                first,
                second,
                example: example.to_string(),
                count: pairs.forbidden_count,
            });
        }
        let unchecked = |check, most| TableFinding::Unchecked { check, most };
        let positions = 0..self.order.len();
        let never = positions
            .clone()
            .filter(|position| self.boxes.is_empty(*position));
        let mut rows: Vec<usize> = never.map(|position| self.order[position]).collect();
        rows.sort_unstable();
        let mut findings: Vec<TableFinding> = rows
            .into_iter()
            .map(|row| TableFinding::Never { row })
            .collect();
        let mut covered = pairs.covered;
        covered.sort_unstable();
        findings.extend(covered.into_iter().map(|row| TableFinding::Covered { row }));
        if pairs.covered_spent {
            findings.push(unchecked(TableCheck::Covered, MOST_STEPS));
        }
        let all: Vec<usize> = positions.collect();
        let mut budget = Budget(MOST_STEPS);
        let gaps = self.boxes.gaps(&all, MOST_GAPS, &mut budget);
        let corners = gaps.corners.iter();
        findings.extend(corners.map(|corner| TableFinding::Gap {
            example: self.example(corner),
        }));
        let sure: Vec<usize> = all
            .iter()
            .copied()
            .filter(|row| !(self.residual)(*row))
            .collect();
        if !gaps.finished {
            findings.push(unchecked(TableCheck::Gaps, MOST_STEPS));
        } else if gaps.corners.is_empty() && sure.len() < all.len() {
            let without = self.boxes.gaps(&sure, 1, &mut Budget(MOST_STEPS));
            if !without.finished || !without.corners.is_empty() {
                findings.push(TableFinding::Undecided {
                    check: TableCheck::Gaps,
                });
            }
        }
        let told = pairs.told.len();
        findings.extend(pairs.told);
        if pairs.count > told {
            findings.push(TableFinding::MoreOverlaps {
                count: pairs.count - told,
            });
        }
        if pairs.undecided {
            findings.push(TableFinding::Undecided {
                check: TableCheck::Overlaps,
            });
        }
        if pairs.spent {
            findings.push(unchecked(TableCheck::Overlaps, MOST_COMPARISONS));
        }
        Ok(findings)
    }

    /// Every row with every one before it.
    fn pairs(&self) -> Pairs {
        let in_turn = matches!(
            self.table.hit_policy,
            HitPolicy::First | HitPolicy::Priority
        );
        let mut pairs = Pairs::default();
        let mut budget = Budget(MOST_COMPARISONS);
        let mut cover_budget = Budget(MOST_STEPS);
        let mut before = Vec::new();
        for right in 0..self.order.len() {
            before.clear();
            if self.boxes.is_empty(right) {
                continue;
            }
            for left in 0..right {
                let Ok(corner) = self.boxes.meeting(left, right, &mut budget) else {
                    pairs.spent = true;
                    pairs.covered_spent |= in_turn;
                    return pairs;
                };
                let Some(corner) = corner else {
                    continue;
                };
                if (self.residual)(left) || (self.residual)(right) {
                    pairs.undecided = true;
                } else {
                    self.overlap(&mut pairs, [left, right], &corner);
                }
                if !(self.residual)(left) {
                    before.push(left);
                }
            }
            if in_turn && !before.is_empty() && !pairs.covered_spent {
                let seen = self.boxes.seen(right, &before, &mut cover_budget);
                if seen.corners.is_empty() && seen.finished {
                    pairs.covered.push(self.order[right]);
                }
                pairs.covered_spent = !seen.finished;
            }
        }
        pairs
    }

    fn overlap(&self, pairs: &mut Pairs, positions: [usize; 2], corner: &[usize]) {
        let mut rows = positions.map(|position| self.order[position]);
        rows.sort_unstable();
        let [first, second] = rows;
        let agree = self.outputs.get(first) == self.outputs.get(second);
        let forbidden = match self.table.hit_policy {
            HitPolicy::Unique => true,
            HitPolicy::Any => !agree,
            HitPolicy::First | HitPolicy::Collect | HitPolicy::Priority => false,
        };
        pairs.count += 1;
        pairs.forbidden_count += usize::from(forbidden);
        if forbidden && pairs.forbidden.is_none() {
            pairs.forbidden = Some((first, second, self.example(corner)));
        }
        if pairs.told.len() < MOST_OVERLAPS {
            pairs.told.push(TableFinding::Overlap {
                first,
                second,
                agree,
                example: self.example(corner),
            });
        }
    }

    /// The event at a corner of the boxes.
    fn example(&self, corner: &[usize]) -> TableExample {
        let sides = self.boxes.sides.iter().zip(corner);
        let segments = sides
            .filter_map(|(side, at)| Some((self.columns.get(side.input)?, *side.live.get(*at)?)));
        TableExample::new(self.columns, segments, self.empty)
    }
}
