//! Undirected graphs with weights, packed.

use crate::GraphError;
use crate::error::parameter;

/// Neighbours of all nodes one behind the other. Loops count twice in strengths, as condensed edges do.
#[derive(Debug, Clone)]
pub(super) struct WeightedGraph {
    starts: Vec<usize>,
    neighbours: Vec<(u32, f64)>,
    strengths: Vec<f64>,
    loops: Vec<f64>,
    /// Sum of all strengths: twice the weight of all edges.
    total: f64,
}

impl WeightedGraph {
    pub(super) fn new(nodes: usize, edges: &[(u32, u32, f64)]) -> Result<Self, GraphError> {
        let max = u32::MAX - 1;
        if nodes > max as usize {
            return Err(GraphError::TooMany { what: "nodes", max });
        }
        for (one, other, weight) in edges {
            let last = (*one).max(*other);
            parameter(
                "edges",
                last,
                "between nodes below `nodes`",
                (last as usize) < nodes,
            )?;
            let good = *weight > 0.0 && weight.is_finite();
            parameter("edges", weight, "of weights above 0", good)?;
        }
        let largest = edges.iter().map(|edge| edge.2).fold(0.0, f64::max);
        let loops = vec![0.0; nodes];
        match doublings(largest) {
            0 => Ok(Self::packed(nodes, edges, loops)),
            doublings => {
                // In two steps: both factors are finite and exact.
                let (one, two) = (doublings / 2, doublings - doublings / 2);
                let (one, two) = (2.0_f64.powi(one), 2.0_f64.powi(two));
                // What is too small for a number beside the largest still connects.
                let scaled = |weight: f64| (weight * one * two).max(f64::MIN_POSITIVE);
                let edges: Vec<(u32, u32, f64)> = edges
                    .iter()
                    .map(|edge| (edge.0, edge.1, scaled(edge.2)))
                    .collect();
                Ok(Self::packed(nodes, &edges, loops))
            }
        }
    }

    fn packed(nodes: usize, edges: &[(u32, u32, f64)], mut loops: Vec<f64>) -> Self {
        let mut starts = vec![0_usize; nodes + 1];
        for (one, other, _) in edges {
            if one != other {
                starts[*one as usize + 1] += 1;
                starts[*other as usize + 1] += 1;
            }
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let mut neighbours = vec![(0_u32, 0.0); starts.last().copied().unwrap_or(0)];
        for (one, other, weight) in edges {
            if one == other {
                loops[*one as usize] += weight;
                continue;
            }
            for (end, other) in [(one, other), (other, one)] {
                let place = &mut next[*end as usize];
                neighbours[*place] = (*other, *weight);
                *place += 1;
            }
        }
        let strengths: Vec<f64> = (0..nodes)
            .map(|node| {
                let inside: f64 = neighbours[starts[node]..starts[node + 1]]
                    .iter()
                    .map(|(_, weight)| weight)
                    .sum();
                inside + 2.0 * loops[node]
            })
            .collect();
        let total = strengths.iter().sum();
        Self {
            starts,
            neighbours,
            strengths,
            loops,
            total,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.strengths.len()
    }

    pub(super) fn neighbours(&self, node: usize) -> &[(u32, f64)] {
        &self.neighbours[self.starts[node]..self.starts[node + 1]]
    }

    pub(super) fn strength(&self, node: usize) -> f64 {
        self.strengths[node]
    }

    pub(super) const fn total(&self) -> f64 {
        self.total
    }

    /// A node for each part, edges between parts added up.
    pub(super) fn condensed(&self, part: &[u32], parts: usize) -> Self {
        let mut members: Vec<Vec<u32>> = vec![Vec::new(); parts];
        for (node, part) in (0..).zip(part) {
            members[*part as usize].push(node);
        }
        let mut loops = vec![0.0; parts];
        let mut weights = vec![0.0; parts];
        let mut near: Vec<u32> = Vec::new();
        let mut edges = Vec::new();
        for (place, members) in (0_u32..).zip(&members) {
            for node in members {
                loops[place as usize] += self.loops[*node as usize];
                for (other, weight) in self.neighbours(*node as usize) {
                    let to = part[*other as usize];
                    if to < place {
                        continue;
                    }
                    if weights[to as usize] <= 0.0 {
                        near.push(to);
                    }
                    weights[to as usize] += weight;
                }
            }
            for to in near.drain(..) {
                let weight = std::mem::take(&mut weights[to as usize]);
                if to == place {
                    // Both ends were here.
                    loops[place as usize] += weight / 2.0;
                } else {
                    edges.push((place, to, weight));
                }
            }
        }
        Self::packed(parts, &edges, loops)
    }

    /// Sum over communities of e - r (K / 2m)^2, for the share e of the weight inside, the strength K and the resolution r.
    ///
    /// Source: Newman and Girvan, "Finding and evaluating community structure in networks" (2004), equation 5.
    pub(super) fn modularity(&self, of_node: &[u32], count: usize, resolution: f64) -> f64 {
        if self.total <= 0.0 {
            return 0.0;
        }
        let mut inside = vec![0.0; count];
        let mut strengths = vec![0.0; count];
        for (node, community) in of_node.iter().enumerate() {
            let community = *community as usize;
            strengths[community] += self.strengths[node];
            inside[community] += 2.0 * self.loops[node];
            for (other, weight) in self.neighbours(node) {
                if of_node[*other as usize] as usize == community {
                    inside[community] += weight;
                }
            }
        }
        let of = |(inside, strength): (&f64, &f64)| {
            let share = strength / self.total;
            inside / self.total - resolution * share * share
        };
        inside.iter().zip(&strengths).map(of).sum()
    }
}

/// How often a weight is doubled until it is above a half and at most 1; halved, where that is negative. Communities must not
/// depend on the unit of weights, but what counts as a tie does, and large weights would have no sum. No bits are lost that way.
fn doublings(mut largest: f64) -> i32 {
    let mut doublings = 0;
    while largest > 1.0 {
        largest /= 2.0;
        doublings -= 1;
    }
    while largest > 0.0 && largest <= 0.5 {
        largest *= 2.0;
        doublings += 1;
    }
    doublings
}
