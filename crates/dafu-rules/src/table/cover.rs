//! Boxes of segments: which of them meet, and what they leave uncovered.

use std::collections::{BTreeSet, HashSet};

/// Segments of a column in ascending ranges that do not touch, from a first to before a last.
pub(super) type Ranges = Vec<(usize, usize)>;

/// One column of the boxes: only segments to which values belong, counted without the others.
#[derive(Debug)]
pub(super) struct Side {
    /// The input column.
    pub(super) input: usize,
    /// The segment of the column that each one is.
    pub(super) live: Vec<usize>,
    /// Ranges of each cell.
    cells: Vec<Ranges>,
    /// The cell of each row.
    of_row: Vec<usize>,
}

impl Side {
    pub(super) fn new(
        input: usize,
        live: Vec<usize>,
        cells: impl Iterator<Item = Ranges>,
        of_row: Vec<usize>,
    ) -> Self {
        let counted = |segment: usize| live.partition_point(|live| *live < segment);
        let of_live = |ranges: Ranges| {
            let mut counts: Ranges = Vec::with_capacity(ranges.len());
            for (from, to) in ranges {
                let (from, to) = (counted(from), counted(to));
                match counts.last_mut() {
                    _ if from == to => {}
                    Some((_, last)) if *last == from => *last = to,
                    _ => counts.push((from, to)),
                }
            }
            counts
        };
        let cells = cells.map(of_live).collect();
        Self {
            input,
            live,
            cells,
            of_row,
        }
    }

    fn ranges(&self, row: usize) -> &[(usize, usize)] {
        let cell = self.of_row.get(row).and_then(|cell| self.cells.get(*cell));
        cell.map_or(&[], Vec::as_slice)
    }
}

/// What rows match, as boxes; the columns that cut most come first.
#[derive(Debug)]
pub(super) struct Boxes {
    pub(super) sides: Vec<Side>,
}

/// How far a check may go.
#[derive(Debug)]
pub(super) struct Budget(pub(super) usize);

impl Budget {
    /// Takes steps from what is left; `None` where that is not enough.
    fn spend(&mut self, steps: usize) -> Option<()> {
        let left = self.0.checked_sub(steps);
        self.0 = left.unwrap_or(0);
        left.map(|_| ())
    }
}

impl Boxes {
    pub(super) fn new(mut sides: Vec<Side>) -> Self {
        sides.sort_by_key(|side| std::cmp::Reverse(side.cells.len()));
        Self { sides }
    }

    /// Whether nothing at all meets a row.
    pub(super) fn is_empty(&self, row: usize) -> bool {
        self.sides.iter().any(|side| side.ranges(row).is_empty())
    }

    /// Segments, one for each side, where two rows meet. `Err` where the budget ends.
    pub(super) fn meeting(
        &self,
        left: usize,
        right: usize,
        budget: &mut Budget,
    ) -> Result<Option<Vec<usize>>, Spent> {
        // Most pairs do not meet: look before anything is kept.
        for side in &self.sides {
            let ranges = [side.ranges(left), side.ranges(right)];
            if common(ranges, budget)?.is_none() {
                return Ok(None);
            }
        }
        let mut found = Vec::with_capacity(self.sides.len());
        for side in &self.sides {
            let ranges = [side.ranges(left), side.ranges(right)];
            found.extend(common(ranges, budget)?);
        }
        Ok(Some(found))
    }

    /// Up to `most` corners of the whole that no row covers.
    pub(super) fn gaps(&self, rows: &[usize], most: usize, budget: &mut Budget) -> Uncovered {
        let domain = |side: &Side| match side.live.len() {
            0 => Vec::new(),
            segments => vec![(0, segments)],
        };
        let domains: Vec<Ranges> = self.sides.iter().map(domain).collect();
        self.uncovered(&domains, rows, most, budget)
    }

    /// A corner of a row's box that no other one covers, where there is one.
    pub(super) fn seen(&self, row: usize, others: &[usize], budget: &mut Budget) -> Uncovered {
        let domains = self.sides.iter().map(|side| side.ranges(row).to_vec());
        self.uncovered(&domains.collect::<Vec<_>>(), others, 1, budget)
    }

    fn uncovered(
        &self,
        domains: &[Ranges],
        rows: &[usize],
        most: usize,
        budget: &mut Budget,
    ) -> Uncovered {
        let sides = || self.sides.iter().zip(domains);
        // From this depth on a row covers everything.
        let depth = |row: &usize| {
            let partial = |(side, domain): (&Side, &Ranges)| !contains(side.ranges(*row), domain);
            sides().rposition(partial).map_or(0, |last| last + 1)
        };
        let most_rows = rows.iter().max().map_or(0, |most| most + 1);
        let mut from = vec![usize::MAX; most_rows];
        for row in rows {
            from[*row] = depth(row);
        }
        let mut search = Search {
            boxes: self,
            domains,
            from: &from,
            most,
            corners: Vec::new(),
            kept: 0,
        };
        let finished = if domains.iter().any(Vec::is_empty) {
            Some(())
        } else {
            search.visit(rows, &mut Vec::new(), budget)
        };
        Uncovered {
            corners: search.corners,
            finished: finished.is_some(),
        }
    }
}

/// The budget has ended.
#[derive(Debug)]
pub(super) struct Spent;

/// What was found uncovered, and whether that is all of it, up to as many as were wanted.
#[derive(Debug)]
pub(super) struct Uncovered {
    /// One segment for each side.
    pub(super) corners: Vec<Vec<usize>>,
    pub(super) finished: bool,
}

/// Looks for what no row covers.
///
/// The values of the first side are cut wherever a cell of one of the rows begins or ends. Of each piece only the rows
/// that hold there are kept, and the search goes on with them and the next side. It goes no deeper where no row is left,
/// which is a gap; where one of them covers everything that is to come; and where the same rows are left as at another
/// piece of the same side. Tables whose rows exclude each other take about rows times sides steps; others may take far
/// more, so the steps are bounded. Memory: O(rows x sides), and what is remembered of pieces, at most [`MOST_KEPT`].
struct Search<'a> {
    boxes: &'a Boxes,
    domains: &'a [Ranges],
    from: &'a [usize],
    most: usize,
    corners: Vec<Vec<usize>>,
    kept: usize,
}

/// Rows that are remembered, over all lists of them; beyond it nothing is wrong, but some work is done twice.
const MOST_KEPT: usize = 1 << 20;

/// Stands for the domain among rows.
const DOMAIN: usize = usize::MAX;

impl Search<'_> {
    fn visit(&mut self, rows: &[usize], path: &mut Vec<usize>, budget: &mut Budget) -> Option<()> {
        if self.corners.len() >= self.most {
            return Some(());
        }
        budget.spend(rows.len() + 1)?;
        if rows.is_empty() {
            let rest = self.domains.iter().skip(path.len());
            let rest = rest.filter_map(|domain| domain.first().map(|(first, _)| *first));
            self.corners
                .push(path.iter().copied().chain(rest).collect());
            return Some(());
        }
        let depth = path.len();
        if rows.iter().any(|row| self.from[*row] <= depth) {
            return Some(());
        }
        let (boxes, domains) = (self.boxes, self.domains);
        let (Some(side), Some(domain)) = (boxes.sides.get(depth), domains.get(depth)) else {
            return Some(());
        };
        let mut always = Vec::new();
        let mut turns: Vec<(usize, usize)> = Vec::new();
        let mut turn = |row: usize, ranges: &[(usize, usize)]| {
            for (from, to) in ranges {
                turns.extend([(*from, row), (*to, row)]);
            }
        };
        turn(DOMAIN, domain);
        for row in rows {
            let ranges = side.ranges(*row);
            if contains(ranges, domain) {
                always.push(*row);
            } else {
                turn(*row, ranges);
            }
        }
        turns.sort_unstable();
        budget.spend(turns.len())?;
        let mut inside = false;
        let mut active = BTreeSet::new();
        let mut seen: HashSet<Vec<usize>> = HashSet::new();
        let mut turns = turns.into_iter().peekable();
        while let Some((at, row)) = turns.next() {
            if row == DOMAIN {
                inside = !inside;
            } else if !active.remove(&row) {
                active.insert(row);
            }
            let more = turns.peek().is_some_and(|(next, _)| *next == at);
            if more || !inside {
                continue;
            }
            let left: Vec<usize> = active.iter().chain(&always).copied().collect();
            budget.spend(left.len() + 1)?;
            if self.corners.len() >= self.most || seen.contains(&left) {
                continue;
            }
            path.push(at);
            let finished = self.visit(&left, path, budget);
            path.pop();
            finished?;
            if self.kept + left.len() <= MOST_KEPT {
                self.kept += left.len();
                seen.insert(left);
            }
        }
        self.kept -= seen.into_iter().map(|left| left.len()).sum::<usize>();
        Some(())
    }
}

/// The first segment of both.
fn common(
    [left, right]: [&[(usize, usize)]; 2],
    budget: &mut Budget,
) -> Result<Option<usize>, Spent> {
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    let mut steps = 1;
    let mut found = None;
    while let (Some((left_from, left_to)), Some((right_from, right_to))) =
        (left.peek(), right.peek())
    {
        let from = usize::max(*left_from, *right_from);
        if from < usize::min(*left_to, *right_to) {
            found = Some(from);
            break;
        }
        steps += 1;
        if left_to <= right_to {
            left.next();
        } else {
            right.next();
        }
    }
    budget.spend(steps).ok_or(Spent)?;
    Ok(found)
}

/// Whether all of `inner` is in `outer`.
fn contains(outer: &[(usize, usize)], inner: &[(usize, usize)]) -> bool {
    inner.iter().all(|(from, to)| {
        // Ranges do not touch, so one of them has to hold all of it.
        let at = outer.partition_point(|(first, _)| first <= from);
        let before = at.checked_sub(1).and_then(|at| outer.get(at));
        before.is_some_and(|(_, last)| to <= last)
    })
}
