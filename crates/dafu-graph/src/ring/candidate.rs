//! Groups that may be rings, looked at again as members come and act.

use super::group::Group;
use super::lockstep::{Together, excess_of, together};
use super::params::RingParams;
use crate::NodeId;
use crate::graph::Network;

/// A group, and what it does together at each thing that it shares.
#[derive(Debug, Clone)]
struct Acting {
    group: Group,
    together: Vec<Together>,
}

/// A group without its hangers-on.
#[derive(Debug, Clone)]
enum Core {
    /// It is looked for where the whole group is suspect.
    Unknown,
    /// Nobody leaves.
    Whole,
    Part(Acting),
}

/// A group that may be a ring.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    whole: Acting,
    core: Core,
}

impl Acting {
    fn new(params: &RingParams, graph: &impl Network, members: Vec<NodeId>) -> Self {
        let group = Group::new(params, graph, members);
        let of_thing =
            |(thing, _): &(NodeId, usize)| together(graph, &group.members, *thing, params.window());
        Self {
            together: group.things.iter().map(of_thing).collect(),
            group,
        }
    }

    /// What [`new`](Self::new) gives for the members by now: those that were, and more. Things that others used, or where
    /// something happened, are among those `touched`. None where a member is gone.
    fn grown(
        &self,
        params: &RingParams,
        graph: &impl Network,
        members: &[NodeId],
        touched: &[NodeId],
    ) -> Option<Self> {
        let before = &self.group.members;
        let came = members
            .iter()
            .filter(|user| before.binary_search(user).is_err());
        let came: Vec<NodeId> = came.copied().collect();
        if before.len() + came.len() != members.len() {
            return None;
        }
        let mut again: Vec<NodeId> = touched.to_vec();
        again.extend(came.iter().flat_map(|user| graph.things(*user)));
        again.sort_unstable();
        again.dedup();
        let known = self.group.things.iter().zip(&self.together);
        let mut things: Vec<((NodeId, usize), Together)> = known
            .filter(|((thing, _), _)| again.binary_search(thing).is_err())
            .map(|(thing, together)| (*thing, *together))
            .collect();
        for thing in again {
            if params.counts(graph, thing) {
                let users = graph.moments(thing);
                let count = users
                    .filter(|(user, _)| members.binary_search(user).is_ok())
                    .count();
                if count > 1 {
                    things.push((
                        (thing, count),
                        together(graph, members, thing, params.window()),
                    ));
                }
            }
        }
        things.sort_unstable_by_key(|((thing, _), _)| *thing);
        let (things, together) = things.into_iter().unzip();
        let members = members.to_vec();
        Some(Self {
            group: Group { members, things },
            together,
        })
    }

    /// What a part of the members does together.
    fn of_part(&self, params: &RingParams, graph: &impl Network, part: Group) -> Self {
        let of_thing = |(thing, count): &(NodeId, usize)| match self.group.place(*thing) {
            // All who use it stay.
            Some(place) if self.group.things[place].1 == *count => self.together[place],
            _ => together(graph, &part.members, *thing, params.window()),
        };
        Self {
            together: part.things.iter().map(of_thing).collect(),
            group: part,
        }
    }

    /// Members acted at a thing.
    fn look_again(&mut self, params: &RingParams, graph: &impl Network, thing: NodeId) {
        if let Some(place) = self.group.place(thing) {
            self.together[place] = together(graph, &self.group.members, thing, params.window());
        }
    }

    /// How likely that is where everybody lives or works in one place.
    fn p_value(&self, params: &RingParams, graph: &impl Network) -> f64 {
        let things = self.group.things.iter().zip(&self.together);
        let together =
            excess_of(things.map(|((thing, _), together)| (graph.kind(*thing), *together)));
        let members = self.group.members.len();
        params
            .places
            .p_value(members, &self.group.links(graph), together)
    }
}

impl Candidate {
    pub(super) fn new(params: &RingParams, graph: &impl Network, members: Vec<NodeId>) -> Self {
        Self {
            whole: Acting::new(params, graph, members),
            core: Core::Unknown,
        }
    }

    /// The same for these members, of whom some may be new; none where one is gone.
    pub(super) fn grown(
        &self,
        params: &RingParams,
        graph: &impl Network,
        members: &[NodeId],
        touched: &[NodeId],
    ) -> Option<Self> {
        Some(Self {
            whole: self.whole.grown(params, graph, members, touched)?,
            core: Core::Unknown,
        })
    }

    /// Whether members share a thing.
    pub(crate) fn shares(&self, thing: NodeId) -> bool {
        self.whole.group.place(thing).is_some()
    }

    /// Members acted at a thing that they shared already. O(e log e) for its e events.
    pub(crate) fn acted(&mut self, params: &RingParams, graph: &impl Network, thing: NodeId) {
        self.whole.look_again(params, graph, thing);
        if let Core::Part(core) = &mut self.core {
            core.look_again(params, graph, thing);
        }
    }

    /// The ring, where it is one: its p-value and the group.
    pub(crate) fn ring(
        &mut self,
        params: &RingParams,
        graph: &impl Network,
    ) -> Option<(f64, &Group)> {
        let p_value = self.whole.p_value(params, graph);
        if p_value > params.max_p_value {
            return None;
        }
        if matches!(self.core, Core::Unknown) {
            let part = self.whole.group.trimmed(params, graph);
            self.core = part.map_or(Core::Whole, |part| {
                Core::Part(self.whole.of_part(params, graph, part))
            });
        }
        let Core::Part(core) = &self.core else {
            return Some((p_value, &self.whole.group));
        };
        let p_value = core.p_value(params, graph);
        (p_value <= params.max_p_value).then_some((p_value, &core.group))
    }
}

impl RingParams {
    /// The time within which acting counts as together, in microseconds.
    fn window(&self) -> i64 {
        i64::try_from(self.lockstep_window.as_micros()).unwrap_or(i64::MAX)
    }
}
