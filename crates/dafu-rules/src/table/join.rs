//! Columns that are looked up together.

use super::index::{Builder, Index, RowSet};
use std::collections::HashMap;

/// Sets of joined columns for each row of the table, at most.
const MOST_SETS: usize = 4;

/// Groups of columns, with a set for each combination of what their values may mean.
///
/// Alone, the sets of a column may spread over all blocks of rows, so that every block would have to be read. Joined sets
/// hold few rows, and these in few blocks.
#[derive(Debug)]
pub(super) struct Joined {
    /// For each column its group, and how much each of its segments adds to the number of the set.
    pub(super) columns: Vec<(usize, Vec<u32>)>,
    pub(super) groups: Vec<Vec<RowSet>>,
    pub(super) index: Index,
}

/// The different sets of a column, and which one each segment has.
struct Classes {
    sets: Vec<RowSet>,
    of_segment: Vec<u32>,
}

impl Classes {
    fn new(segments: &[RowSet]) -> Self {
        let mut numbers: HashMap<u32, u32> = HashMap::new();
        let mut sets = Vec::new();
        let class = |set: &RowSet| {
            let next = narrow(sets.len());
            let class = *numbers.entry(set.from).or_insert(next);
            if class == next {
                sets.push(*set);
            }
            class
        };
        let of_segment = segments.iter().map(class).collect();
        Self { sets, of_segment }
    }
}

/// Joins columns, those of few sets first, as long as there are at most four sets for each row.
/// O(sets x columns x rows / 64).
pub(super) fn join(columns: &[Vec<RowSet>], alone: &Index, rows: usize) -> Joined {
    let classes: Vec<Classes> = columns.iter().map(|sets| Classes::new(sets)).collect();
    let mut order: Vec<usize> = (0..classes.len()).collect();
    order.sort_by_key(|column| classes[*column].sets.len());
    let most = MOST_SETS * rows;
    let mut members: Vec<(usize, Vec<usize>)> = Vec::new();
    for column in order {
        let sets = classes[column].sets.len();
        match members.last_mut() {
            Some((product, group)) if *product * sets <= most => {
                *product *= sets;
                group.push(column);
            }
            _ => members.push((sets, vec![column])),
        }
    }
    let mut builder = Builder::new(rows);
    let mut joined = vec![(0, Vec::new()); classes.len()];
    let mut groups = Vec::with_capacity(members.len());
    for (group, (product, columns)) in members.iter().enumerate() {
        let mut stride = 1;
        for column in columns {
            let Classes { sets, of_segment } = &classes[*column];
            let steps = of_segment.iter().map(|class| class * stride).collect();
            joined[*column] = (group, steps);
            stride *= narrow(sets.len());
        }
        let mut parts = Vec::with_capacity(columns.len());
        let set = |number: usize| {
            parts.clear();
            let mut rest = number;
            for column in columns {
                let sets = &classes[*column].sets;
                parts.push(sets[rest % sets.len()]);
                rest /= sets.len();
            }
            builder.common(alone, &parts)
        };
        groups.push((0..*product).map(set).collect());
    }
    Joined {
        columns: joined,
        groups,
        index: builder.finish(),
    }
}

/// Segments and sets are counted in 32 bits: the size of the index is checked before.
fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
