//! Odds of pairs.

use super::sharing::{Sharing, Span, Uses};
use super::{Link, LinkParams, probability};
use crate::EntityGraph;

/// How much less it counts what was shared at other times, or long ago.
struct Fading<'a> {
    graph: &'a EntityGraph,
    /// In microseconds.
    max_gap: Option<i64>,
    /// In microseconds; infinite for none.
    half_life: f64,
    newest: i64,
}

impl<'a> Fading<'a> {
    fn new(params: &LinkParams, graph: &'a EntityGraph, sharing: &Sharing) -> Option<Self> {
        if sharing.spans.is_empty() {
            return None;
        }
        let micros =
            |time: std::time::Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        Some(Self {
            graph,
            max_gap: params.max_gap.map(micros),
            half_life: params
                .half_life
                .map_or(f64::INFINITY, |time| time.as_secs_f64() * 1e6),
            newest: sharing.newest,
        })
    }

    /// The part that is left of a weight; `None` for what was not shared.
    #[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
    fn of(&self, one: Span, other: Span) -> Option<f32> {
        if let Some(max_gap) = self.max_gap {
            let gap = one
                .first
                .max(other.first)
                .saturating_sub(one.last.min(other.last));
            // Where one began after the other ended, nothing is nearer than that. Else the moments decide, also for a single one
            // within the time of the other.
            let moments = || [one, other].map(|span| self.graph.events_of(span.edge));
            if gap > max_gap || (gap <= 0 && !near(moments(), max_gap)) {
                return None;
            }
        }
        let age = self.newest.saturating_sub(one.last.min(other.last)) as f64;
        Some((-age / self.half_life).exp2() as f32)
    }
}

/// Whether a moment of one is within that of a moment of the other; both rise.
fn near([mut one, mut other]: [&[i64]; 2], max_gap: i64) -> bool {
    while let (Some(first), Some(second)) = (one.first(), other.first()) {
        if first.abs_diff(*second) <= max_gap.unsigned_abs() {
            return true;
        }
        if first > second {
            (one, other) = (other, one);
            continue;
        }
        // Skips what is too early for all that is left of the other.
        let early = second.saturating_sub(max_gap);
        one = &one[one.partition_point(|moment| *moment < early)..];
    }
    false
}

/// All pairs that have something in common.
pub(super) fn exact(
    params: &LinkParams,
    (graph, sharing): (&EntityGraph, &Sharing),
    threshold: f64,
) -> Vec<Link> {
    let uses = sharing.uses();
    let fading = Fading::new(params, graph, sharing);
    let users = sharing.users.len();
    let (prior, wanted) = params.wanted(threshold, params.strangers(users));
    let mut odds = vec![0.0_f32; users];
    let mut shared = vec![0_u32; users];
    let mut touched: Vec<u32> = Vec::new();
    let mut links = Vec::new();
    for user in 0..users {
        for (entity, place) in uses.of(user) {
            let weight = sharing.weights[*entity as usize];
            let behind = *place as usize + 1..sharing.starts[*entity as usize + 1] as usize;
            for (other, at) in sharing.members[behind.clone()].iter().zip(behind) {
                let factor = match &fading {
                    None => Some(1.0),
                    Some(fading) => fading.of(sharing.spans[*place as usize], sharing.spans[at]),
                };
                let Some(factor) = factor else {
                    continue;
                };
                let other_place = *other as usize;
                if shared[other_place] == 0 {
                    touched.push(*other);
                }
                shared[other_place] += 1;
                odds[other_place] += weight * factor;
            }
        }
        touched.sort_unstable();
        for other in touched.drain(..) {
            let place = other as usize;
            if odds[place] >= wanted {
                links.push(Link {
                    one: sharing.users[user],
                    other: sharing.users[place],
                    probability: probability(f64::from(odds[place]) + prior),
                    shared: shared[place],
                });
            }
            odds[place] = 0.0;
            shared[place] = 0;
        }
    }
    links
}

/// Only these pairs, the smaller number first, in their order.
pub(super) fn of_pairs(
    params: &LinkParams,
    (graph, sharing): (&EntityGraph, &Sharing),
    pairs: &[(u32, u32)],
    threshold: f64,
) -> Vec<Link> {
    let uses = sharing.uses();
    let fading = Fading::new(params, graph, sharing);
    let (prior, wanted) = params.wanted(threshold, params.strangers(sharing.users.len()));
    let mut links = Vec::new();
    for (one, other) in pairs {
        let (odds, shared) = odds(sharing, (&uses, &fading), (*one as usize, *other as usize));
        if shared > 0 && odds >= wanted {
            links.push(Link {
                one: sharing.users[*one as usize],
                other: sharing.users[*other as usize],
                probability: probability(f64::from(odds) + prior),
                shared,
            });
        }
    }
    links
}

fn odds(
    sharing: &Sharing,
    (uses, fading): (&Uses, &Option<Fading<'_>>),
    (one, other): (usize, usize),
) -> (f32, u32) {
    let (mut mine, mut theirs) = (uses.of(one), uses.of(other));
    let (mut sum, mut shared) = (0.0, 0);
    while let (Some(first), Some(second)) = (mine.first(), theirs.first()) {
        match first.0.cmp(&second.0) {
            std::cmp::Ordering::Less => mine = &mine[1..],
            std::cmp::Ordering::Greater => theirs = &theirs[1..],
            std::cmp::Ordering::Equal => {
                let span = |place: u32| sharing.spans[place as usize];
                let factor = match fading {
                    None => Some(1.0),
                    Some(fading) => fading.of(span(first.1), span(second.1)),
                };
                if let Some(factor) = factor {
                    sum += sharing.weights[first.0 as usize] * factor;
                    shared += 1;
                }
                (mine, theirs) = (&mine[1..], &theirs[1..]);
            }
        }
    }
    (sum, shared)
}
