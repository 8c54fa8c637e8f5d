//! Members who act together.

use super::place::excess;
use crate::NodeId;
use crate::graph::Network;
use dafu_core::EntityKind;
use std::collections::BTreeMap;

/// Payments by day are not spread evenly: chance brings so many times as many of them together.
const CROWDING: f64 = 2.0;
/// The most that acting together says, a factor of 100: families shop on Saturdays, and colleagues order lunch together. Who
/// shares no more than they do is no ring, whatever the clock says.
const MOST: f64 = 4.605_170_185_988_091;

/// What members do together at a thing: events that count, and how many would by chance.
///
/// An event counts where another member used the thing at most a window before; by chance it would where the others' events fell
/// anywhere between the first and the last.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Together {
    found: f64,
    by_chance: f64,
}

/// What that says against chance: logarithm of a probability, turned, up to [`MOST`]. Things of one kind are added up; of the kinds, which see
/// the same events, the clearest counts.
pub(super) fn excess_of(things: impl Iterator<Item = (EntityKind, Together)>) -> f64 {
    let mut of_kind: BTreeMap<EntityKind, Together> = BTreeMap::new();
    for (kind, together) in things {
        let sums = of_kind.entry(kind).or_default();
        sums.found += together.found;
        sums.by_chance += together.by_chance;
    }
    let clearest = of_kind.values().map(|sums| {
        // One is no pattern.
        if sums.found < 2.0 {
            0.0
        } else {
            excess(sums.found, sums.by_chance.max(0.05))
        }
    });
    clearest.fold(0.0, f64::max).min(MOST)
}

/// What members do together at a thing. O(e log e) for its e events.
pub(super) fn together(
    graph: &impl Network,
    members: &[NodeId],
    thing: NodeId,
    window: i64,
) -> Together {
    if window <= 0 {
        return Together::default();
    }
    let mut events: Vec<(i64, u32)> = Vec::new();
    let mut counts: Vec<usize> = Vec::new();
    for (user, moments) in graph.moments(thing) {
        if members.binary_search(&user).is_ok() {
            events.extend(moments.iter().map(|at| (*at, user.0)));
            counts.push(moments.len());
        }
    }
    events.sort_unstable();
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return Together::default();
    };
    let span = (last.0 - first.0) as f64;
    if span <= 0.0 {
        return Together::default();
    }
    // The same sum in whatever order users come.
    counts.sort_unstable();
    let by_chance = counts.iter().map(|own| {
        let others = (events.len() - own) as f64;
        let rate = CROWDING * others * window as f64 / span;
        *own as f64 * (1.0 - (-rate).exp())
    });
    Together {
        found: followed(&events, window),
        by_chance: by_chance.sum(),
    }
}

/// Events that follow one of somebody else within a time, or come at the same moment.
fn followed(events: &[(i64, u32)], window: i64) -> f64 {
    let mut count = 0.0;
    // The last event before, and the last before it of somebody else.
    let (mut last, mut other): (Option<(i64, u32)>, Option<i64>) = (None, None);
    for moment in events.chunk_by(|one, two| one.0 == two.0) {
        let several = moment.iter().any(|event| event.1 != moment[0].1);
        for (at, user) in moment {
            let before = match last {
                Some((last, who)) if who != *user => Some(last),
                _ => other,
            };
            let near = before.is_some_and(|before| at - before <= window);
            count += f64::from(u8::from(several || near));
        }
        for (at, user) in moment {
            match last {
                Some((before, who)) if who != *user => {
                    other = Some(before);
                    last = Some((*at, *user));
                }
                _ => last = Some((*at, *user)),
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::followed;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn events_follow_those_of_others(mut events in proptest::collection::vec((0..40_i64, 0..4_u32), 0..30), window in 0..9_i64) {
            events.sort_unstable();
            let follows = |event: &&(i64, u32)| {
                events.iter().any(|other| other.1 != event.1 && (0..=window).contains(&(event.0 - other.0)))
            };
            let expected = events.iter().filter(follows).count() as f64;
            prop_assert!((followed(&events, window) - expected).abs() < 0.5);
        }
    }
}
