//! Where a walk from known frauds is found.

use super::RiskGraph;
use super::association::{Arcs, check_edges};
use crate::GraphError;
use crate::error::parameter;

/// Parameters of personalised `PageRank`: [`PageRankParams::rank`].
///
/// ```
/// use dafu_graph::{PageRankParams, RiskGraph};
///
/// // A path: from 0, what is near is found more often.
/// let path = RiskGraph::new(4, &[(0, 1, 1.0), (1, 2, 1.0), (2, 3, 1.0)])?;
/// let found = PageRankParams::default().rank(&path, &[(0, 1.0)])?;
/// assert!(found.converged && found.scores[1] > found.scores[2] && found.scores[2] > found.scores[3]);
/// assert!((found.scores.iter().sum::<f64>() - 1.0).abs() < 1e-12);
/// # Ok::<(), dafu_graph::GraphError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct PageRankParams {
    /// Probability that a walk goes on instead of beginning anew, 0 to below 1. Default 0.85.
    pub damping: f64,
    /// Iterations end when all scores together are within this of the limit, above 0. Default 1e-8.
    pub tolerance: f64,
    /// They end after so many, too, at least 1. Default 1000.
    pub max_iterations: u32,
}

impl Default for PageRankParams {
    fn default() -> Self {
        Self {
            damping: 0.85,
            tolerance: 1e-8,
            max_iterations: 1000,
        }
    }
}

/// Shares of a walk: [`PageRankParams::rank`].
#[derive(Debug, Clone, PartialEq)]
pub struct PageRank {
    /// Of each node; together 1, unless there is none.
    pub scores: Vec<f64>,
    /// Iterations.
    pub iterations: u32,
    /// Whether the tolerance was reached.
    pub converged: bool,
}

impl PageRank {
    /// Scores by the strength of their nodes, 0 for nodes without edges: a walk is found often where there are many ways to,
    /// whoever began it; this is how much closer to its beginnings a node is than another of the same strength.
    ///
    /// Source: Andersen, Chung and Lang, "Local graph partitioning using `PageRank` vectors" (2006).
    pub fn by_strength(&self, graph: &RiskGraph) -> Vec<f64> {
        let both = self.scores.iter().zip(graph.strengths());
        let of = |(score, strength): (&f64, &f64)| {
            if *strength > 0.0 {
                score / strength
            } else {
                0.0
            }
        };
        both.map(of).collect()
    }
}

impl PageRankParams {
    dafu_core::setters! {
        damping: f64,
        tolerance: f64,
        max_iterations: u32,
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`] for the first that is not.
    pub fn check(&self) -> Result<(), GraphError> {
        let got = self.damping;
        let good = (0.0..1.0).contains(&got);
        parameter("damping", got, "at least 0 and below 1", good)?;
        let got = self.tolerance;
        parameter("tolerance", got, "above 0", got > 0.0)?;
        let got = self.max_iterations;
        parameter("max_iterations", got, "at least 1", got >= 1)
    }

    /// Where a walk is found that begins at `seeds`, nodes with weights above 0, takes edges by their weights, and begins anew
    /// at every step with a probability of 1 - `damping`. It begins anew at nodes without edges, too. Without seeds it begins
    /// everywhere.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`], also for seeds that are no nodes or have other weights.
    ///
    /// # Complexity
    ///
    /// O(nodes + edges) an iteration, of which there are at most log(`tolerance` (1 - `damping`)^2 / 2) / log(`damping`): 141 at the
    /// defaults, and about half of that in practice.
    ///
    /// Source: Page, Brin, Motwani and Winograd, "The `PageRank` citation ranking: bringing order to the web" (1999);
    /// Haveliwala, "Topic-sensitive `PageRank`" (2002). Dead ends as networkx has them. The iteration is that of Gauss and Seidel; why dead ends need
    /// no care: Del Corso, Gulli and Romani, "Fast `PageRank` computation via a sparse linear system" (2005).
    pub fn rank(&self, graph: &RiskGraph, seeds: &[(u32, f64)]) -> Result<PageRank, GraphError> {
        self.check()?;
        let start = start(graph.node_count(), seeds)?;
        Ok(self.iterate(&graph.arcs, &graph.strengths, &start))
    }

    /// The same on a directed graph of `nodes` nodes: edges lead from the first to the second.
    ///
    /// # Errors
    ///
    /// Those of [`PageRankParams::rank`] and [`RiskGraph::new`].
    pub fn rank_directed(
        &self,
        nodes: usize,
        edges: &[(u32, u32, f64)],
        seeds: &[(u32, f64)],
    ) -> Result<PageRank, GraphError> {
        self.check()?;
        check_edges(nodes, edges)?;
        let start = start(nodes, seeds)?;
        let mut strengths = vec![0.0; nodes];
        for (from, _, weight) in edges {
            strengths[*from as usize] += weight;
        }
        let arcs = Arcs::new(nodes, edges.iter().copied());
        Ok(self.iterate(&arcs, &strengths, &start))
    }

    /// Where dead ends begin anew as walks do, scores are the solution of x = start + damping x what comes over edges, scaled to a
    /// sum of 1. Later nodes of a sweep use what it found for earlier ones.
    fn iterate(&self, arcs: &Arcs, strengths: &[f64], start: &[f64]) -> PageRank {
        let share = |strength: &f64| {
            if *strength > 0.0 {
                self.damping / strength
            } else {
                0.0
            }
        };
        let shares: Vec<f64> = strengths.iter().map(share).collect();
        let mut scores = start.to_vec();
        let mut given: Vec<f64> = scores
            .iter()
            .zip(&shares)
            .map(|(x, share)| x * share)
            .collect();
        let mut iterations = 0;
        let mut total = 1.0;
        let mut error = if scores.is_empty() {
            0.0
        } else {
            f64::INFINITY
        };
        while iterations < self.max_iterations && error > self.tolerance {
            let mut change = 0.0;
            total = 0.0;
            for (node, (score, start)) in scores.iter_mut().zip(start).enumerate() {
                let arcs = arcs.ending_at(node).iter();
                let came: f64 = arcs
                    .map(|(from, weight)| weight * given[*from as usize])
                    .sum();
                let new = start + came;
                change += (new - *score).abs();
                total += new;
                *score = new;
                given[node] = new * shares[node];
            }
            iterations += 1;
            // What is left is at most damping / (1 - damping) times the change, and scaling doubles it at most.
            error = 2.0 * change * self.damping / (1.0 - self.damping) / total;
        }
        for score in &mut scores {
            *score /= total;
        }
        PageRank {
            scores,
            iterations,
            converged: error <= self.tolerance,
        }
    }
}

/// Shares of seeds among nodes.
fn start(nodes: usize, seeds: &[(u32, f64)]) -> Result<Vec<f64>, GraphError> {
    if seeds.is_empty() {
        return Ok(vec![1.0 / nodes as f64; nodes]);
    }
    let mut start = vec![0.0; nodes];
    let mut total = 0.0;
    for (node, weight) in seeds {
        let good = (*node as usize) < nodes;
        parameter("seeds", node, "nodes of the graph", good)?;
        let good = (1e-100..=1e100).contains(weight);
        parameter("seeds", weight, "of weights from 1e-100 to 1e100", good)?;
        start[*node as usize] += weight;
        total += weight;
    }
    for share in &mut start {
        *share /= total;
    }
    Ok(start)
}
