//! The Leiden algorithm.

use super::weighted::WeightedGraph;
use crate::GraphError;
use crate::error::parameter;
use dafu_core::random::Stream;
use std::collections::VecDeque;

/// Purposes of random numbers.
const ORDER: u64 = 1;
const REFINE: u64 = 2;
/// Rounds over the whole graph, at most.
const ROUNDS: u64 = 20;

/// Parameters of the search for communities: [`LeidenParams::run`].
///
/// ```
/// use dafu_graph::LeidenParams;
///
/// // Two triangles, and a bridge between them.
/// let edges = [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (2, 3)].map(|(one, other)| (one, other, 1.0));
/// let found = LeidenParams::default().run(6, &edges)?;
/// assert_eq!(found.of_node, [0, 0, 0, 1, 1, 1]);
/// assert!((found.modularity - 5.0 / 14.0).abs() < 1e-12);
/// # Ok::<(), dafu_graph::GraphError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct LeidenParams {
    /// Larger ones give smaller communities: a community has more weight inside than `resolution` times what chance gives.
    /// Above 0, default 1.
    pub resolution: f64,
    /// How often refinement takes less than the best: 0 for never. Default 0.01.
    pub randomness: f64,
    /// Seed of all randomness. Default 0.
    pub seed: u64,
}

impl Default for LeidenParams {
    fn default() -> Self {
        Self {
            resolution: 1.0,
            randomness: 0.01,
            seed: 0,
        }
    }
}

/// Communities of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Communities {
    /// The community of each node, numbered in the order of their first nodes.
    pub of_node: Vec<u32>,
    /// Number of communities.
    pub count: usize,
    /// Modularity at the resolution: weight within communities above what chance gives, as a share of all weight. 0 without edges.
    pub modularity: f64,
}

impl LeidenParams {
    dafu_core::setters! {
        resolution: f64,
        randomness: f64,
        seed: u64,
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`].
    pub fn check(&self) -> Result<(), GraphError> {
        let got = self.resolution;
        let good = got > 0.0 && got.is_finite();
        parameter("resolution", got, "above 0", good)?;
        let got = self.randomness;
        let good = got >= 0.0 && got.is_finite();
        parameter("randomness", got, "at least 0", good)
    }

    /// Finds communities of an undirected graph of `nodes` nodes: edges with their weights, parallel ones added up. Each community
    /// is connected.
    ///
    /// Source: Traag, Waltman and van Eck, "From Louvain to Leiden: guaranteeing well-connected communities" (2019), algorithms
    /// A.1 and A.2, with modularity for quality. The same seed gives the same communities.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`], also for a node that is not below `nodes` and for a weight that is not above 0 and finite.
    ///
    /// # Complexity
    ///
    /// About O(edges) a round, of which there are few (20 at most); memory O(nodes + edges).
    pub fn run(&self, nodes: usize, edges: &[(u32, u32, f64)]) -> Result<Communities, GraphError> {
        self.check()?;
        let graph = WeightedGraph::new(nodes, edges)?;
        let mut of_node: Vec<u32> = (0..).take(nodes).collect();
        for round in 0..ROUNDS {
            let before = of_node.clone();
            of_node = self.round(&graph, of_node, round);
            if same(&before, &of_node) {
                break;
            }
        }
        let count = renumber(&mut of_node);
        let modularity = graph.modularity(&of_node, count, self.resolution);
        Ok(Communities {
            of_node,
            count,
            modularity,
        })
    }

    /// One round: nodes move, communities are refined, and what belongs together moves as one.
    fn round(&self, graph: &WeightedGraph, start: Vec<u32>, round: u64) -> Vec<u32> {
        // What each node of the whole graph is by now in the condensed graph.
        let mut place: Vec<u32> = (0..).take(graph.len()).collect();
        let mut of_node = start;
        renumber(&mut of_node);
        let mut condensed: Option<WeightedGraph> = None;
        for level in 0.. {
            let graph_now = condensed.as_ref().unwrap_or(graph);
            let stream = |purpose: u64| Stream::new(self.seed, purpose + 8 * level, round);
            self.move_nodes(graph_now, &mut of_node, &mut stream(ORDER));
            let count = renumber(&mut of_node);
            if count == graph_now.len() {
                break;
            }
            let mut refined = self.refine(graph_now, (&of_node, count), &mut stream(REFINE));
            let parts = renumber(&mut refined);
            let mut next = vec![0; parts];
            for (node, part) in refined.iter().enumerate() {
                next[*part as usize] = of_node[node];
            }
            for node in &mut place {
                *node = refined[*node as usize];
            }
            if parts == graph_now.len() {
                // Nothing was joined: the communities are what they will be at this level.
                of_node = next;
                break;
            }
            condensed = Some(graph_now.condensed(&refined, parts));
            of_node = next;
        }
        place.iter().map(|node| of_node[*node as usize]).collect()
    }

    /// Moves nodes to where they add most, until none gains.
    fn move_nodes(&self, graph: &WeightedGraph, of_node: &mut [u32], stream: &mut Stream) {
        let nodes = graph.len();
        let mut order: Vec<u32> = (0..).take(nodes).collect();
        stream.shuffle_first(&mut order, nodes);
        let mut queue: VecDeque<u32> = order.into();
        let mut queued = vec![true; nodes];
        let mut strengths = vec![0.0; nodes];
        let mut sizes = vec![0_u32; nodes];
        for (node, community) in of_node.iter().enumerate() {
            strengths[*community as usize] += graph.strength(node);
            sizes[*community as usize] += 1;
        }
        let mut empty: Vec<u32> = (0..)
            .zip(&sizes)
            .filter(|(_, size)| **size == 0)
            .map(|(place, _)| place)
            .collect();
        let mut weights = vec![0.0; nodes];
        let mut near: Vec<u32> = Vec::new();
        let scale = self.resolution / graph.total().max(f64::MIN_POSITIVE);
        while let Some(node) = queue.pop_front() {
            let at = node as usize;
            queued[at] = false;
            let own = of_node[at];
            for (other, weight) in graph.neighbours(at) {
                let community = of_node[*other as usize];
                if weights[community as usize] <= 0.0 {
                    near.push(community);
                }
                weights[community as usize] += weight;
            }
            let strength = graph.strength(at);
            let gain = |community: u32, strengths: &[f64], weights: &[f64]| {
                let others = if community == own {
                    strengths[community as usize] - strength
                } else {
                    strengths[community as usize]
                };
                weights[community as usize] - scale * strength * others
            };
            let stays = gain(own, &strengths, &weights);
            let mut best = (own, stays);
            for community in &near {
                let gain = gain(*community, &strengths, &weights);
                // A tie goes to the smaller number, so that the order of edges does not matter.
                let better = gain > best.1 + 1e-12
                    || (gain > best.1 - 1e-12 && best.0 != own && *community < best.0);
                if better && *community != own {
                    best = (*community, gain.max(best.1));
                }
            }
            if best.1 < -1e-12
                && sizes[own as usize] > 1
                && let Some(fresh) = empty.last()
            {
                best = (*fresh, 0.0);
            }
            for community in near.drain(..) {
                weights[community as usize] = 0.0;
            }
            let to = best.0;
            if to == own {
                continue;
            }
            strengths[own as usize] -= strength;
            sizes[own as usize] -= 1;
            if sizes[own as usize] == 0 {
                strengths[own as usize] = 0.0;
                empty.push(own);
            }
            if sizes[to as usize] == 0 {
                empty.retain(|community| *community != to);
            }
            strengths[to as usize] += strength;
            sizes[to as usize] += 1;
            of_node[at] = to;
            for (other, _) in graph.neighbours(at) {
                let other = *other as usize;
                if of_node[other] != to && !queued[other] {
                    queued[other] = true;
                    queue.push_back(u32::try_from(other).unwrap_or(0));
                }
            }
        }
    }

    /// Well connected parts of communities: each node of its own first, then joined at random, the better the likelier.
    fn refine(
        &self,
        graph: &WeightedGraph,
        (of_node, count): (&[u32], usize),
        stream: &mut Stream,
    ) -> Vec<u32> {
        let nodes = graph.len();
        let scale = self.resolution / graph.total().max(f64::MIN_POSITIVE);
        let mut whole = vec![0.0; count];
        for (node, community) in of_node.iter().enumerate() {
            whole[*community as usize] += graph.strength(node);
        }
        let mut part: Vec<u32> = (0..).take(nodes).collect();
        let mut strengths: Vec<f64> = (0..nodes).map(|node| graph.strength(node)).collect();
        let mut sizes = vec![1_u32; nodes];
        // Weight from a part to the rest of its community.
        let mut outwards: Vec<f64> = (0..nodes)
            .map(|node| {
                let inside = graph.neighbours(node).iter();
                let inside = inside.filter(|(other, _)| of_node[*other as usize] == of_node[node]);
                inside.map(|(_, weight)| weight).sum()
            })
            .collect();
        let mut order: Vec<u32> = (0..).take(nodes).collect();
        stream.shuffle_first(&mut order, nodes);
        let mut weights = vec![0.0; nodes];
        let mut near: Vec<u32> = Vec::new();
        let mut chances: Vec<(u32, f64)> = Vec::new();
        for node in order {
            let at = node as usize;
            let own = part[at];
            let community = whole[of_node[at] as usize];
            let strength = graph.strength(at);
            let well = outwards[at] >= scale * strength * (community - strength) - 1e-12;
            if sizes[own as usize] > 1 || own != node || !well {
                continue;
            }
            for (other, weight) in graph.neighbours(at) {
                let other = *other as usize;
                if of_node[other] == of_node[at] {
                    let to = part[other];
                    if weights[to as usize] <= 0.0 {
                        near.push(to);
                    }
                    weights[to as usize] += weight;
                }
            }
            near.sort_unstable();
            chances.clear();
            let (mut sum, mut best) = (0.0, 0.0_f64);
            for to in &near {
                let place = *to as usize;
                let others = strengths[place];
                let connected = outwards[place] >= scale * others * (community - others) - 1e-12;
                let gain = weights[place] - scale * strength * others;
                if connected && gain >= 0.0 {
                    best = best.max(gain);
                    chances.push((*to, gain));
                }
            }
            let total = graph.total();
            for (_, gain) in &mut chances {
                // Gains as shares of all weight, as in the paper; the best has 1, so that nothing overflows.
                let below = (*gain - best) / total.max(f64::MIN_POSITIVE);
                let chance = if self.randomness > 0.0 {
                    (below / self.randomness).exp()
                } else {
                    f64::from(u8::from(below >= 0.0))
                };
                sum += chance;
                *gain = sum;
            }
            let draw = stream.unit() * sum;
            let to = chances
                .iter()
                .find(|(_, below)| draw < *below)
                .or(chances.last());
            if let Some((to, _)) = to.copied() {
                let place = to as usize;
                outwards[place] += outwards[at] - 2.0 * weights[place];
                strengths[place] += strength;
                sizes[place] += 1;
                sizes[own as usize] = 0;
                part[at] = to;
            }
            for to in near.drain(..) {
                weights[to as usize] = 0.0;
            }
        }
        part
    }
}

/// Whether two numberings say the same.
fn same(one: &[u32], two: &[u32]) -> bool {
    let (mut one, mut two) = (one.to_vec(), two.to_vec());
    renumber(&mut one);
    renumber(&mut two);
    one == two
}

/// Numbers communities in the order of their first nodes, and counts them. All numbers are below the number of nodes.
fn renumber(of_node: &mut [u32]) -> usize {
    let mut names = vec![u32::MAX; of_node.len()];
    let mut count = 0_u32;
    for community in of_node {
        let name = &mut names[*community as usize];
        if *name == u32::MAX {
            *name = count;
            count += 1;
        }
        *community = *name;
    }
    count as usize
}
