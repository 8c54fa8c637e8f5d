//! Members who act together.

use super::place::excess;
use crate::NodeId;
use crate::graph::Network;
use dafu_core::EntityKind;
use std::collections::BTreeMap;

/// Payments by day are not spread evenly: chance brings so many times as many of them together.
const CROWDING: f64 = 2.0;

/// What acting together says against chance: logarithm of a probability, turned. Events at a thing, one after the other, by
/// different members, count where they lie within `window`; by chance they would where they fell anywhere between the first and
/// the last. Things of one kind are added up; of the kinds, which see the same events, the clearest counts.
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
    for (thing, _) in things {
        events.clear();
        for user in members {
            if let Some((_, moments)) = graph.usage(*thing, *user) {
                events.extend(moments.iter().map(|at| (*at, user.0)));
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
        let changes = events.windows(2).filter(|pair| pair[0].1 != pair[1].1);
        let (mut found, mut of) = (0.0, 0.0);
        for pair in changes {
            of += 1.0;
            found += f64::from(u8::from(pair[1].0 - pair[0].0 <= window));
        }
        // Between n even events the next is at least t away with a probability of about exp(-n t / span).
        let rate = events.len() as f64 * window as f64 / span * CROWDING;
        let sums = of_kind.entry(graph.kind(*thing)).or_default();
        sums.0 += found;
        sums.1 += of * (1.0 - (-rate).exp());
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
