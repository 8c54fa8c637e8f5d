//! Dense blocks of bipartite graphs: FRAUDAR.

mod heap;

use crate::GraphError;
use crate::error::parameter;
use heap::Heap;

/// Parameters of the search for dense blocks: [`DenseParams::run`].
///
/// ```
/// use dafu_graph::DenseParams;
///
/// // Three users who rate the same three things, and one popular thing that everybody rates.
/// let mut edges: Vec<(u32, u32)> = (0..20).map(|user| (user, 0)).collect();
/// edges.extend((0..3).flat_map(|user| (1..4).map(move |thing| (user, thing))));
/// let blocks = DenseParams::default().run(20, 4, &edges)?;
/// assert_eq!(blocks[0].users, [0, 1, 2]);
/// assert_eq!(blocks[0].objects, [0, 1, 2, 3]);
/// # Ok::<(), dafu_graph::GraphError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct DenseParams {
    /// The c of a weight of 1 / ln(d + c) for an edge to an object of d users: camouflage on popular objects adds little. Above 1,
    /// default 5.
    pub column_constant: f64,
    /// Blocks, at most; each without the edges of those before. Default 1.
    pub blocks: usize,
    /// The search ends before a block whose score is less than this share of the first one's, 0 to 1. Without it later blocks
    /// swallow everything. Default 0.5.
    pub stop_share: f64,
}

impl Default for DenseParams {
    fn default() -> Self {
        Self {
            column_constant: 5.0,
            blocks: 1,
            stop_share: 0.5,
        }
    }
}

/// Users and objects with many edges between them.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseBlock {
    /// Users, rising.
    pub users: Vec<u32>,
    /// Objects, rising.
    pub objects: Vec<u32>,
    /// Weight of all edges inside, for each user and object.
    pub score: f64,
}

impl DenseParams {
    dafu_core::setters! {
        column_constant: f64,
        blocks: usize,
        stop_share: f64,
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`].
    pub fn check(&self) -> Result<(), GraphError> {
        let got = self.column_constant;
        let good = got > 1.0 && got.is_finite();
        parameter("column_constant", got, "above 1", good)?;
        let got = self.stop_share;
        let good = (0.0..=1.0).contains(&got);
        parameter("stop_share", got, "at least 0 and at most 1", good)
    }

    /// Finds the densest blocks of edges between users below `users` and objects below `objects`; an edge that comes twice counts
    /// once. Of each the score is at least half of the best there is.
    ///
    /// Users and objects are taken away one after the other, each time the one with the least weight; the block is what was left
    /// when the weight for each was largest. Of equal ones the first user goes before the first object.
    ///
    /// Source: Hooi, Song, Beutel, Shah, Shin and Faloutsos, "FRAUDAR: Bounding Graph Fraud in the Face of Camouflage" (2016),
    /// algorithm 1 with the logarithmic weights of section 4.3. The stop rule is ours.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`], also for an edge to a user or an object that there is not; [`GraphError::TooMany`].
    ///
    /// # Complexity
    ///
    /// O(edges log nodes) for each block; memory O(edges + nodes).
    pub fn run(
        &self,
        users: usize,
        objects: usize,
        edges: &[(u32, u32)],
    ) -> Result<Vec<DenseBlock>, GraphError> {
        self.check()?;
        let max = u32::MAX - 1;
        if users.saturating_add(objects) > max as usize {
            let what = "users and objects";
            return Err(GraphError::TooMany { what, max });
        }
        for (user, object) in edges {
            let good = (*user as usize) < users && (*object as usize) < objects;
            parameter(
                "edges",
                format_args!("({user}, {object})"),
                "between users below `users` and objects below `objects`",
                good,
            )?;
        }
        let mut edges = edges.to_vec();
        edges.sort_unstable();
        edges.dedup();
        let mut blocks: Vec<DenseBlock> = Vec::new();
        while blocks.len() < self.blocks && !edges.is_empty() {
            let block = densest(self, (users, objects), &edges, f64::NEG_INFINITY);
            let first = blocks.first().map_or(block.score, |first| first.score);
            if block.users.is_empty() || block.score < first * self.stop_share {
                break;
            }
            edges.retain(|(user, object)| {
                block.users.binary_search(user).is_err()
                    || block.objects.binary_search(object).is_err()
            });
            blocks.push(block);
        }
        Ok(blocks)
    }
}

/// Neighbours of users, then of objects, packed.
struct Sides {
    starts: Vec<u32>,
    neighbours: Vec<u32>,
}

impl Sides {
    /// Nodes are users, then objects.
    fn new((users, objects): (usize, usize), edges: &[(u32, u32)]) -> Self {
        let shift = u32::try_from(users).unwrap_or(u32::MAX);
        let mut starts = vec![0_u32; users + objects + 1];
        for (user, object) in edges {
            starts[*user as usize + 1] += 1;
            starts[(*object + shift) as usize + 1] += 1;
        }
        for node in 0..users + objects {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let mut neighbours = vec![0; edges.len() * 2];
        for (user, object) in edges {
            for (from, to) in [(*user, *object + shift), (*object + shift, *user)] {
                neighbours[next[from as usize] as usize] = to;
                next[from as usize] += 1;
            }
        }
        Self { starts, neighbours }
    }

    fn of(&self, node: usize) -> &[u32] {
        &self.neighbours[self.starts[node] as usize..self.starts[node + 1] as usize]
    }
}

/// The densest block, whatever the order of users and objects: who has as little as the least is taken away with it.
pub(crate) fn core(sizes: (usize, usize), edges: &[(u32, u32)]) -> DenseBlock {
    densest(&DenseParams::default(), sizes, edges, 1e-9)
}

/// Takes away the least, and whatever has hardly more (`tie`), then looks whether what is left is denser.
fn densest(
    params: &DenseParams,
    (users, objects): (usize, usize),
    edges: &[(u32, u32)],
    tie: f64,
) -> DenseBlock {
    let sides = Sides::new((users, objects), edges);
    let weights: Vec<f64> = (users..users + objects)
        .map(|object| 1.0 / (sides.of(object).len() as f64 + params.column_constant).ln())
        .collect();
    let of_user = |user: usize| -> f64 {
        let objects = sides.of(user).iter();
        objects
            .map(|object| weights[*object as usize - users])
            .sum()
    };
    let of_object = |object: usize| -> f64 {
        let weight = weights[object - users];
        sides.of(object).iter().map(|_| weight).sum()
    };
    // Who has no edge only makes a block thinner.
    let nodes: Vec<(u32, f64)> = (0..users + objects)
        .filter(|node| !sides.of(*node).is_empty())
        .map(|node| {
            let weight = if node < users {
                of_user(node)
            } else {
                of_object(node)
            };
            (u32::try_from(node).unwrap_or(u32::MAX), weight)
        })
        .collect();
    let mut heap = Heap::new(users + objects, &nodes);
    let mut left = nodes.len();
    let mut weight: f64 = nodes
        .iter()
        .take_while(|(node, _)| (*node as usize) < users)
        .map(|(_, weight)| weight)
        .sum();
    let mut order: Vec<u32> = Vec::with_capacity(left);
    let (mut best, mut gone) = (weight / left.max(1) as f64, 0);
    while let Some(least) = heap.least() {
        while let Some((node, own)) = heap.pop() {
            weight -= own;
            left -= 1;
            order.push(node);
            let at = node as usize;
            for other in sides.of(at) {
                let object = if at < users { *other as usize } else { at };
                heap.lower(*other, weights[object - users]);
            }
            if heap.least().is_none_or(|next| next > least + tie) {
                break;
            }
        }
        if left > 0 && weight / left as f64 > best + tie.max(0.0) {
            best = weight / left as f64;
            gone = order.len();
        }
    }
    let shift = u32::try_from(users).unwrap_or(u32::MAX);
    let mut kept = order.split_off(gone);
    kept.sort_unstable();
    let objects = kept.split_off(kept.partition_point(|node| *node < shift));
    DenseBlock {
        users: kept,
        objects: objects.iter().map(|object| object - shift).collect(),
        score: best,
    }
}
