//! Beam search over conjunctions.

use super::params::MineParams;
use super::sample::{Counts, Kind, MISSING, Sample, Term, Test};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Conditions that a search hands on, at most.
pub(super) const FOUND: usize = 64;

/// A conjunction, and what it finds among the events that were searched. Terms stand by variable.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) terms: Vec<Term>,
    pub(super) counts: Counts,
}

impl Found {
    fn key(&self) -> Vec<(usize, u8, u64)> {
        self.terms.iter().map(|term| term.key()).collect()
    }

    fn kinds(&self) -> Vec<(usize, u8)> {
        self.terms.iter().map(|term| term.kind()).collect()
    }

    /// Better ones first: more gain, then fewer alerts, then fewer terms.
    pub(super) fn order(&self, other: &Self, base: f64) -> Ordering {
        let gain = |found: &Self| found.counts.gain(base);
        gain(other)
            .total_cmp(&gain(self))
            .then_with(|| self.counts.honest.cmp(&other.counts.honest))
            .then_with(|| self.terms.len().cmp(&other.terms.len()))
            .then_with(|| self.key().cmp(&other.key()))
    }
}

/// A conjunction that is made longer, and the events for which it holds.
#[derive(Debug)]
struct Parent {
    found: Found,
    rows: Vec<u32>,
}

/// A search among some events of a sample.
#[derive(Debug)]
pub(super) struct Search<'a> {
    pub(super) sample: &'a Sample,
    pub(super) params: &'a MineParams,
    /// Conditions that were looked at.
    pub(super) tried: usize,
}

impl Search<'_> {
    /// Conjunctions with support and precision, the best first. O(width x variables x events a term) at most; long
    /// conjunctions hold for few events.
    ///
    /// Source: Lavrac, Kavsek, Flach and Todorovski, "Subgroup Discovery with CN2-SD" (2004), section 3: weighted relative
    /// accuracy. Its base there is the share of frauds, which a rule has to beat. That favours rules that find much; those
    /// wanted here have to beat a precision, so the beam keeps what is best by each of three bases between both.
    pub(super) fn run(&mut self, rows: &[u32]) -> Vec<Found> {
        let all = self.sample.count(rows);
        let share = all.frauds as f64 / rows.len().max(1) as f64;
        let floor = self.params.min_precision;
        let bases = [share, (share * floor).sqrt(), floor];
        let mut parents = vec![Parent {
            found: Found {
                terms: Vec::new(),
                counts: all,
            },
            rows: rows.to_vec(),
        }];
        let mut found = Vec::new();
        for length in 1..=self.params.max_terms {
            let mut longer = Vec::new();
            for (place, parent) in parents.iter().enumerate() {
                self.extend((place, parent), &mut longer);
            }
            self.tried += longer.len();
            let good = longer.iter().filter(|(_, _, counts)| self.good(*counts));
            found.extend(good.map(|child| made(&parents, child)));
            self.thin(&mut found);
            if length < self.params.max_terms {
                parents = self.beam(&parents, &longer, bases);
            }
        }
        found
    }

    /// Whether a condition may become a rule.
    fn good(&self, counts: Counts) -> bool {
        let floor = self.params.min_precision;
        counts.frauds >= self.params.min_support
            && counts.gain(floor) > 0.0
            && counts.sure_precision() >= floor
    }

    /// Leaves the best conditions, and of each kind a few.
    fn thin(&self, found: &mut Vec<Found>) {
        sort(found, self.params.min_precision, FOUND * 64);
        let mut kinds: BTreeMap<Vec<(usize, u8)>, usize> = BTreeMap::new();
        let mut keys = BTreeSet::new();
        found.retain(|found| {
            let of_kind = kinds.entry(found.kinds()).or_default();
            let kept = *of_kind < FOUND / 8 && keys.insert(found.key());
            *of_kind += usize::from(kept);
            kept
        });
        found.truncate(FOUND);
    }

    /// All conjunctions of one term more, with support: parent, term, counts.
    fn extend(&self, (place, parent): (usize, &Parent), longer: &mut Vec<(usize, Term, Counts)>) {
        let mut histogram: Vec<Counts> = Vec::new();
        let taken: Vec<(usize, u8)> = parent.found.kinds();
        for (feature, variable) in self.sample.features.iter().enumerate() {
            // The last one is for missing values.
            let cells = variable.count();
            histogram.clear();
            histogram.resize(cells + 1, Counts::default());
            for row in &parent.rows {
                let cell = variable.cells[*row as usize];
                let cell = if cell == MISSING {
                    cells
                } else {
                    usize::from(cell)
                };
                let fraud = self.sample.fraud[*row as usize];
                let counts = &mut histogram[cell];
                counts.frauds += usize::from(fraud);
                counts.honest += usize::from(!fraud);
            }
            let mut add = |test: Test, counts: Counts| {
                let term = Term { feature, test };
                let adds = counts != parent.found.counts
                    && counts.frauds >= self.params.min_support
                    && variable.allows(test)
                    && !taken.contains(&term.kind());
                if adds {
                    longer.push((place, term, counts));
                }
            };
            let (known, missing) = histogram.split_at(cells);
            for missing in missing {
                add(Test::Missing, *missing);
            }
            let Kind::Number { bounds, .. } = &variable.kind else {
                // What is behind the texts that are known is any other.
                let named = match &variable.kind {
                    Kind::Texts(texts) => texts.len(),
                    _ => cells,
                };
                for (cell, counts) in (0..).zip(&known[..named]) {
                    add(Test::Is(cell), *counts);
                }
                continue;
            };
            let sum = |one: Counts, two: &Counts| Counts {
                frauds: one.frauds + two.frauds,
                honest: one.honest + two.honest,
            };
            let all = known.iter().fold(Counts::default(), sum);
            let mut below = Counts::default();
            for (bound, counts) in bounds.iter().zip(known) {
                below = sum(below, counts);
                add(Test::AtMost(*bound), below);
                let above = Counts {
                    frauds: all.frauds - below.frauds,
                    honest: all.honest - below.honest,
                };
                add(Test::Above(*bound), above);
            }
        }
    }

    /// The conjunctions to make longer next: the best by each base, each set of events once, of each kind an eighth.
    fn beam(
        &self,
        parents: &[Parent],
        longer: &[(usize, Term, Counts)],
        bases: [f64; 3],
    ) -> Vec<Parent> {
        let width = self.params.beam_width;
        let mut next: Vec<Parent> = Vec::new();
        let mut keys = BTreeSet::new();
        for base in bases {
            let mut best: Vec<&(usize, Term, Counts)> = longer.iter().collect();
            let gain = |child: &(usize, Term, Counts)| child.2.gain(base);
            // As many as can matter: the rest would be sorted for nothing.
            let most = width.saturating_mul(64);
            if best.len() > most {
                best.select_nth_unstable_by(most, |one, two| {
                    gain(two)
                        .total_cmp(&gain(one))
                        .then_with(|| (one.0, one.1.key()).cmp(&(two.0, two.1.key())))
                });
                best.truncate(most);
            }
            let mut best: Vec<(usize, Found)> = best
                .into_iter()
                .map(|child| (child.0, made(parents, child)))
                .collect();
            best.sort_by(|one, two| one.1.order(&two.1, base));
            let mut kinds: BTreeMap<Vec<(usize, u8)>, usize> = BTreeMap::new();
            let mut kept = 0;
            for (parent, found) in best {
                if kept == width {
                    break;
                }
                let of_kind = kinds.entry(found.kinds()).or_default();
                if *of_kind >= width.div_ceil(8) {
                    continue;
                }
                *of_kind += 1;
                kept += 1;
                if !keys.insert(found.key()) {
                    continue;
                }
                let rows = self.sample.filter(&parents[parent].rows, &found.terms);
                let same =
                    |other: &Parent| other.found.counts == found.counts && other.rows == rows;
                if !next.iter().any(same) {
                    next.push(Parent { found, rows });
                }
            }
        }
        next
    }
}

/// A parent with one term more.
fn made(parents: &[Parent], (place, term, counts): &(usize, Term, Counts)) -> Found {
    let mut terms = parents[*place].found.terms.clone();
    let at = terms.partition_point(|other| other.kind() < term.kind());
    terms.insert(at, *term);
    Found {
        terms,
        counts: *counts,
    }
}

/// The best first, and no more than so many.
fn sort(found: &mut Vec<Found>, base: f64, most: usize) {
    if found.len() > most {
        found.select_nth_unstable_by(most, |one, two| one.order(two, base));
        found.truncate(most);
    }
    found.sort_by(|one, two| one.order(two, base));
}
