//! Members who act together.

use super::place::excess;
use crate::NodeId;
use crate::graph::Network;
use dafu_core::EntityKind;
use std::collections::BTreeMap;

/// Payments by day are not spread evenly: chance brings so many times as many of them together.
const CROWDING: f64 = 2.0;

/// What acting together says against chance: logarithm of a probability, turned. An event at a thing counts where another member
/// used it at most `window` before; by chance it would where the others' events fell anywhere between the first and the last.
/// Things of one kind are added up; of the kinds, which see the same events, the clearest counts.
///
/// O(e log e) for the e events at the things.
pub(super) fn together(
    graph: &impl Network,
    members: &[NodeId],
    things: &[(NodeId, usize)],
    window: i64,
) -> f64 {
    if window <= 0 {
        return 0.0;
    }
    let mut of_kind: BTreeMap<EntityKind, (f64, f64)> = BTreeMap::new();
    let mut events: Vec<(i64, u32)> = Vec::new();
    let mut counts: Vec<usize> = Vec::new();
    for (thing, _) in things {
        events.clear();
        counts.clear();
        for (user, moments) in graph.moments(*thing) {
            if members.binary_search(&user).is_ok() {
                events.extend(moments.iter().map(|at| (*at, user.0)));
                counts.push(moments.len());
            }
        }
        events.sort_unstable();
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            continue;
        };
        let span = (last.0 - first.0) as f64;
        if span <= 0.0 {
            continue;
        }
        let sums = of_kind.entry(graph.kind(*thing)).or_default();
        sums.0 += followed(&events, window);
        for own in &counts {
            let others = (events.len() - own) as f64;
            let rate = CROWDING * others * window as f64 / span;
            sums.1 += *own as f64 * (1.0 - (-rate).exp());
        }
    }
    let clearest = of_kind.values().map(|(found, expected)| {
        // One is no pattern.
        if *found < 2.0 {
            0.0
        } else {
            excess(*found, expected.max(0.05))
        }
    });
    clearest.fold(0.0, f64::max)
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
