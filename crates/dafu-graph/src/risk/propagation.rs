//! Risk that spreads from those who are known.

use super::RiskGraph;
use crate::GraphError;
use crate::error::parameter;

/// Parameters of label propagation: [`PropagationParams::spread`].
///
/// ```
/// use dafu_graph::{PropagationParams, RiskGraph};
///
/// // Between a fraud and an honest user, without a prior: a share of the way.
/// let path = RiskGraph::new(4, &[(0, 1, 1.0), (1, 2, 1.0), (2, 3, 1.0)])?;
/// let found = PropagationParams::default().prior(0.0, 0.0).spread(&path, &[(0, 1.0), (3, 0.0)])?;
/// assert!((found.risk[1] - 2.0 / 3.0).abs() < 1e-9 && (found.risk[2] - 1.0 / 3.0).abs() < 1e-9);
/// # Ok::<(), dafu_graph::GraphError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct PropagationParams {
    /// Risk of who has nothing to do with anybody, 0 to 1. Default 0.01.
    pub prior: f64,
    /// An edge of this weight leads from every node to the prior: what is far counts less. At least 0; 0 for none. Default 0.1.
    pub prior_weight: f64,
    /// The equation of every node holds within this, above 0. Default 1e-9.
    pub tolerance: f64,
    /// Iterations, at least 1. Default 1000.
    pub max_iterations: u32,
}

impl Default for PropagationParams {
    fn default() -> Self {
        Self {
            prior: 0.01,
            prior_weight: 0.1,
            tolerance: 1e-9,
            max_iterations: 1000,
        }
    }
}

/// Risk by association: [`PropagationParams::spread`].
#[derive(Debug, Clone, PartialEq)]
pub struct PropagatedRisk {
    /// Of each node, 0 to 1. NaN without a prior where nobody known is in reach.
    pub risk: Vec<f64>,
    /// Iterations.
    pub iterations: u32,
    /// Whether the tolerance was reached.
    pub converged: bool,
}

impl PropagationParams {
    /// Sets `prior` and `prior_weight`.
    #[must_use]
    pub const fn prior(mut self, prior: f64, prior_weight: f64) -> Self {
        self.prior = prior;
        self.prior_weight = prior_weight;
        self
    }

    dafu_core::setters! {
        tolerance: f64,
        max_iterations: u32,
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`] for the first that is not.
    pub fn check(&self) -> Result<(), GraphError> {
        let got = self.prior;
        let good = (0.0..=1.0).contains(&got);
        parameter("prior", got, "at least 0 and at most 1", good)?;
        let got = self.prior_weight;
        let good = (0.0..=1e100).contains(&got);
        parameter("prior_weight", got, "at least 0 and at most 1e100", good)?;
        let got = self.tolerance;
        parameter("tolerance", got, "above 0", got > 0.0)?;
        let got = self.max_iterations;
        parameter("max_iterations", got, "at least 1", got >= 1)
    }

    /// Spreads known risks, from 0 to 1 for each node that is known: of a node known twice the last holds.
    ///
    /// Known nodes keep their risk. That of every other node is the mean of its neighbours' and the prior, by the weights of its
    /// edges and `prior_weight`: what label propagation arrives at when labels spread from neighbour to neighbour again and
    /// again. It is also the probability that a walk which takes edges by their weights ends at a fraud.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`], also for known nodes that the graph lacks or risks outside 0 to 1.
    ///
    /// # Complexity
    ///
    /// O(nodes + edges) an iteration. The equations are solved by conjugate gradients, so that the number of iterations grows with
    /// the root of (largest strength + `prior_weight`) / `prior_weight` at most; without a prior with the diameter.
    ///
    /// Source: Zhu and Ghahramani, "Learning from labeled and unlabeled data with label propagation" (2002); Zhu,
    /// Ghahramani and Lafferty, "Semi-supervised learning using Gaussian fields and harmonic functions" (2003), equation 5, where
    /// the prior is what section 5 calls dongles; Hestenes and Stiefel, "Methods of conjugate gradients for solving linear systems"
    /// (1952), with the diagonal as preconditioner.
    pub fn spread(
        &self,
        graph: &RiskGraph,
        known: &[(u32, f64)],
    ) -> Result<PropagatedRisk, GraphError> {
        self.check()?;
        let nodes = graph.node_count();
        let mut risk = vec![self.prior; nodes];
        let mut free = vec![true; nodes];
        for (node, of) in known {
            let good = (*node as usize) < nodes;
            parameter("known", node, "nodes of the graph", good)?;
            parameter("known", of, "risks from 0 to 1", (0.0..=1.0).contains(of))?;
            risk[*node as usize] = *of;
            free[*node as usize] = false;
        }
        if self.prior_weight <= 0.0 {
            for (node, reached) in reached(graph, &free).into_iter().enumerate() {
                if !reached {
                    risk[node] = f64::NAN;
                    free[node] = false;
                }
            }
        }
        let mut system = System {
            params: self,
            graph,
            free,
            left: vec![0.0; nodes],
        };
        let (iterations, converged) = system.solve(&mut risk);
        // What rounding left.
        for risk in risk.iter_mut().filter(|risk| !risk.is_nan()) {
            *risk = risk.clamp(0.0, 1.0);
        }
        Ok(PropagatedRisk {
            risk,
            iterations,
            converged,
        })
    }
}

/// Which nodes are in one component with a known one.
fn reached(graph: &RiskGraph, free: &[bool]) -> Vec<bool> {
    let mut reached: Vec<bool> = free.iter().map(|free| !free).collect();
    let mut next: Vec<usize> = (0..reached.len()).filter(|node| reached[*node]).collect();
    while let Some(node) = next.pop() {
        for (other, _) in graph.arcs.ending_at(node) {
            let other = *other as usize;
            if !reached[other] {
                reached[other] = true;
                next.push(other);
            }
        }
    }
    reached
}

/// For each free node, (strength + prior weight) x risk - sum of weight x risk of neighbours = prior weight x prior.
struct System<'a> {
    params: &'a PropagationParams,
    graph: &'a RiskGraph,
    free: Vec<bool>,
    /// By how much the equations do not hold.
    left: Vec<f64>,
}

impl System<'_> {
    fn diagonal(&self, node: usize) -> f64 {
        self.graph.strengths[node] + self.params.prior_weight
    }

    /// The left side of the equation of a node.
    fn apply(&self, of: &[f64], node: usize) -> f64 {
        let arcs = self.graph.arcs.ending_at(node).iter();
        let near: f64 = arcs
            .map(|(other, weight)| weight * of[*other as usize])
            .sum();
        self.diagonal(node) * of[node] - near
    }

    /// Finds by how much the equations do not hold; the largest, as a change of risk.
    fn look(&mut self, risk: &[f64]) -> f64 {
        let right = self.params.prior_weight * self.params.prior;
        let mut worst = 0.0_f64;
        for node in 0..risk.len() {
            if self.free[node] {
                let left = right - self.apply(risk, node);
                self.left[node] = left;
                let diagonal = self.diagonal(node);
                if diagonal > 0.0 {
                    worst = worst.max(left.abs() / diagonal);
                }
            }
        }
        worst
    }

    /// Iterations, and whether the equations hold.
    fn solve(&mut self, risk: &mut [f64]) -> (u32, bool) {
        let mut iterations = 0;
        loop {
            if self.look(risk) <= self.params.tolerance {
                return (iterations, true);
            }
            // Rounding adds up: then it goes on from what was found.
            let before = iterations;
            self.descend(risk, &mut iterations);
            if iterations >= self.params.max_iterations || iterations == before {
                let converged = self.look(risk) <= self.params.tolerance;
                return (iterations, converged);
            }
        }
    }

    /// Conjugate gradients until the equations seem to hold.
    fn descend(&mut self, risk: &mut [f64], iterations: &mut u32) {
        let nodes = risk.len();
        let scaled = |system: &Self, node: usize| {
            let diagonal = system.diagonal(node);
            if system.free[node] && diagonal > 0.0 {
                system.left[node] / diagonal
            } else {
                0.0
            }
        };
        let mut way: Vec<f64> = (0..nodes).map(|node| scaled(self, node)).collect();
        let mut applied = vec![0.0; nodes];
        let mut size: f64 = (0..nodes).map(|node| self.left[node] * way[node]).sum();
        while *iterations < self.params.max_iterations {
            let mut curve = 0.0;
            for node in 0..nodes {
                if self.free[node] {
                    applied[node] = self.apply(&way, node);
                    curve += way[node] * applied[node];
                }
            }
            let step = size / curve;
            if !(curve > 0.0 && step.is_finite()) {
                return;
            }
            *iterations += 1;
            let mut worst = 0.0_f64;
            let mut next = 0.0;
            for node in 0..nodes {
                if self.free[node] {
                    risk[node] += step * way[node];
                    self.left[node] -= step * applied[node];
                    let scaled = scaled(self, node);
                    worst = worst.max(scaled.abs());
                    next += self.left[node] * scaled;
                }
            }
            if worst <= self.params.tolerance / 2.0 {
                return;
            }
            let share = next / size;
            size = next;
            for (node, way) in way.iter_mut().enumerate() {
                *way = scaled(self, node) + share * *way;
            }
        }
    }
}
