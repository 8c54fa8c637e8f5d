//! Shapley values of trees.

use crate::learner::check_width;
use crate::tree::Tree;
use crate::{BoostedTrees, EnsembleError, RandomForest, threads};
use dafu_core::Explain;
use ndarray::ArrayView2;
use std::ops::Range;

/// Rows that are explained at once.
const LANES: usize = 8;
/// Rows that a thread takes at a time.
const CHUNK: usize = 32;

/// What a row has to do at one node to come to a leaf.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Place among the splits of the tree.
    split: u32,
    left: bool,
}

/// A column on the way to a leaf, all its splits together.
#[derive(Debug, Clone, Copy)]
struct Element {
    column: u32,
    /// Share of the training rows that would go on if the column were not known.
    share: f64,
    /// End of its steps; they begin where those of the element before end.
    steps_end: u32,
}

#[derive(Debug, Clone)]
struct Leaf {
    value: f64,
    elements: Range<usize>,
    /// Where the steps of the first element begin.
    steps_start: u32,
}

/// A tree, laid out by its leaves.
#[derive(Debug, Clone)]
struct Plan {
    /// Places of the splits among the nodes.
    splits: Vec<u32>,
    leaves: Range<usize>,
}

/// Says what each column adds to the answer of boosted trees (log odds) or of a random forest (share of frauds).
///
/// Exact Shapley values of the path-dependent kind: what a column would be if it were not known is taken from the training
/// rows that came to a node. Baseline and contributions add up to the answer.
///
/// Source: Lundberg et al., "From Local Explanations to Global Understanding with Explainable AI for Trees" (2020), the
/// algorithm Tree SHAP, laid out leaf by leaf as by Mitchell, Frank and Holmes, "`GPUTreeShap`" (2022): several rows go
/// through the same arithmetic at once.
///
/// ```
/// use dafu_core::Explain;
/// use dafu_ensemble::{BoostedTreesParams, Samples};
/// use ndarray::Array2;
///
/// let rows = Array2::from_shape_fn((500, 2), |(row, column)| [row * 37 % 100, row * 7 % 50][column] as f64);
/// let frauds: Vec<bool> = rows.rows().into_iter().map(|row| row[0] > 80.0).collect();
/// let model = BoostedTreesParams::default().fit(&Samples::new(rows.view(), &frauds)?)?;
///
/// let mut contributions = [0.0; 2];
/// let baseline = model.explainer().explain_row(&[90.0, 10.0], &mut contributions)?;
/// assert!(contributions[0] > 3.0 && contributions[1].abs() < 1.0);
/// let sum = baseline + contributions.iter().sum::<f64>();
/// assert!((sum - model.log_odds_row(&[90.0, 10.0])?).abs() < 1e-9);
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
#[derive(Debug, Clone)]
pub struct TreeExplainer {
    width: usize,
    baseline: f64,
    trees: Vec<Tree>,
    plans: Vec<Plan>,
    leaves: Vec<Leaf>,
    elements: Vec<Element>,
    steps: Vec<Step>,
    /// Columns on one way at most.
    longest: usize,
    most_splits: usize,
}

impl BoostedTrees {
    /// An explainer of the log odds of this model.
    ///
    /// # Complexity
    ///
    /// O(t l h) time and memory for t trees of l leaves and h levels: make it once, not for every row.
    pub fn explainer(&self) -> TreeExplainer {
        TreeExplainer::new((self.width, self.base), &self.trees, 1.0)
    }
}

impl RandomForest {
    /// An explainer of the share of frauds that this forest answers.
    ///
    /// # Complexity
    ///
    /// O(t l h) time and memory for t trees of l leaves and h levels: make it once, not for every row.
    pub fn explainer(&self) -> TreeExplainer {
        let factor = 1.0 / self.trees.len().max(1) as f64;
        TreeExplainer::new((self.width, 0.0), &self.trees, factor)
    }
}

/// Room for one group of rows.
#[derive(Debug)]
struct Room<const N: usize> {
    /// Whether rows go left, by split of the tree.
    left: Vec<[bool; N]>,
    /// Whether rows do what an element asks for: 1 or 0.
    ones: Vec<[f64; N]>,
    weights: Vec<[f64; N]>,
}

impl TreeExplainer {
    pub(crate) fn new((width, base): (usize, f64), trees: &[Tree], factor: f64) -> Self {
        let mut explainer = Self {
            width,
            baseline: base,
            trees: trees.to_vec(),
            plans: Vec::with_capacity(trees.len()),
            leaves: Vec::new(),
            elements: Vec::new(),
            steps: Vec::new(),
            longest: 0,
            most_splits: 0,
        };
        for tree in trees {
            explainer.plan(tree, factor);
        }
        explainer
    }

    fn plan(&mut self, tree: &Tree, factor: f64) {
        let mut number = vec![0_u32; tree.nodes.len()];
        let mut above = vec![None; tree.nodes.len()];
        let mut splits = Vec::new();
        for (at, node) in (0_u32..).zip(&tree.nodes) {
            if !node.is_leaf() {
                number[at as usize] = u32::try_from(splits.len()).unwrap_or_default();
                splits.push(at);
                for child in [node.left, node.left + 1] {
                    above[child as usize] = Some(at);
                }
            }
        }
        let first = self.leaves.len();
        let root = tree.nodes.first().map_or(0.0, |node| node.cover);
        for (at, node) in tree.nodes.iter().enumerate() {
            if !node.is_leaf() {
                continue;
            }
            let value = node.value * factor;
            if root > 0.0 {
                self.baseline += value * node.cover / root;
            }
            // From the leaf upwards; then by column, so that all splits on one lie together.
            let mut way = Vec::new();
            let mut below = at;
            while let Some(parent) = above[below] {
                let node = &tree.nodes[parent as usize];
                let step = Step {
                    split: number[parent as usize],
                    left: node.left as usize == below,
                };
                let share = if node.cover > 0.0 {
                    tree.nodes[below].cover / node.cover
                } else {
                    0.5
                };
                way.push((node.column, step, share));
                below = parent as usize;
            }
            way.sort_by_key(|(column, step, _)| (*column, step.split));
            let start = self.elements.len();
            let steps_start = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
            for of_column in way.chunk_by(|one, next| one.0 == next.0) {
                self.steps
                    .extend(of_column.iter().map(|(_, step, _)| *step));
                self.elements.push(Element {
                    column: of_column.first().map_or(0, |step| step.0),
                    share: of_column.iter().map(|(_, _, share)| share).product(),
                    steps_end: u32::try_from(self.steps.len()).unwrap_or(u32::MAX),
                });
            }
            self.longest = self.longest.max(self.elements.len() - start);
            self.leaves.push(Leaf {
                value,
                elements: start..self.elements.len(),
                steps_start,
            });
        }
        self.most_splits = self.most_splits.max(splits.len());
        self.plans.push(Plan {
            splits,
            leaves: first..self.leaves.len(),
        });
    }

    /// What the contributions of a row are added to: the mean answer over the training rows.
    pub const fn baseline(&self) -> f64 {
        self.baseline
    }

    /// Writes the contributions of each row, `rows x columns`, row after row.
    ///
    /// # Errors
    ///
    /// When rows have another width than the training rows, or `out` is not as long as there are values.
    ///
    /// # Complexity
    ///
    /// O(n t l h^2) for n rows, t trees, l leaves and h levels.
    pub fn explain_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), EnsembleError> {
        check_width(self.width, rows.ncols())?;
        if out.len() != rows.len() {
            return Err(EnsembleError::WrongOutputLength {
                expected: rows.len(),
                got: out.len(),
            });
        }
        out.fill(0.0);
        threads::each_chunk(out, CHUNK * self.width, |number, out| {
            let mut room = self.room::<LANES>();
            let (groups, rest) = split_groups(out, self.width);
            let mut row = number * CHUNK;
            for out in groups {
                self.add(|lane, column| rows[[row + lane, column]], &mut room, out);
                row += LANES;
            }
            let mut room = self.room::<1>();
            for out in rest {
                self.add(|_, column| rows[[row, column]], &mut room, out);
                row += 1;
            }
        });
        Ok(())
    }

    fn room<const N: usize>(&self) -> Room<N> {
        Room {
            left: vec![[false; N]; self.most_splits],
            ones: vec![[0.0; N]; self.longest],
            weights: vec![[0.0; N]; self.longest + 1],
        }
    }

    /// Adds the contributions of `N` rows.
    fn add<const N: usize>(
        &self,
        row: impl Fn(usize, usize) -> f64,
        room: &mut Room<N>,
        out: &mut [f64],
    ) {
        for (tree, plan) in self.trees.iter().zip(&self.plans) {
            for (split, left) in plan.splits.iter().zip(&mut room.left) {
                let node = &tree.nodes[*split as usize];
                *left = std::array::from_fn(|lane| {
                    tree.goes_left(node, row(lane, node.column as usize))
                });
            }
            for leaf in &self.leaves[plan.leaves.clone()] {
                self.add_leaf(leaf, room, out);
            }
        }
    }

    fn add_leaf<const N: usize>(&self, leaf: &Leaf, room: &mut Room<N>, out: &mut [f64]) {
        let elements = &self.elements[leaf.elements.clone()];
        let mut steps = &self.steps[leaf.steps_start as usize..];
        let mut done = leaf.steps_start;
        for (element, ones) in elements.iter().zip(&mut room.ones) {
            let (own, others) = steps.split_at((element.steps_end - done) as usize);
            (steps, done) = (others, element.steps_end);
            let mut all = [true; N];
            for step in own {
                let left = &room.left[step.split as usize];
                for (all, left) in all.iter_mut().zip(left) {
                    *all &= *left == step.left;
                }
            }
            *ones = all.map(|all| f64::from(u8::from(all)));
        }
        let weights = &mut room.weights[..=elements.len()];
        weights.fill([0.0; N]);
        weights[0] = [1.0; N];
        // EXTEND of the algorithm: weights of the sets of columns known, by their size.
        for (number, (element, ones)) in elements.iter().zip(&room.ones).enumerate() {
            let all = number as f64 + 2.0;
            for size in (0..=number).rev() {
                let up = (size as f64 + 1.0) / all;
                let stay = element.share * (number as f64 + 1.0 - size as f64) / all;
                for lane in 0..N {
                    let weight = weights[size][lane];
                    weights[size + 1][lane] += ones[lane] * weight * up;
                    weights[size][lane] = weight * stay;
                }
            }
        }
        // The sum of UNWIND, for each column.
        let count = elements.len();
        let all = count as f64 + 1.0;
        for (element, ones) in elements.iter().zip(&room.ones) {
            // Of rows that do what the column asks for, and of the others.
            let (mut with, mut without) = ([0.0; N], [0.0; N]);
            let mut next = weights[count];
            for size in (0..count).rev() {
                let of_with = all / (size as f64 + 1.0);
                let back = element.share * (count as f64 - size as f64) / all;
                let of_without = all / (count as f64 - size as f64);
                for lane in 0..N {
                    let part = next[lane] * of_with;
                    with[lane] += part;
                    next[lane] = weights[size][lane] - part * back;
                    without[lane] += weights[size][lane] * of_without;
                }
            }
            let column = element.column as usize;
            for lane in 0..N {
                // Without the column, the share cancels: -share * (sum / share).
                let sum = if ones[lane] > 0.0 {
                    with[lane] * (1.0 - element.share)
                } else {
                    -without[lane]
                };
                out[lane * self.width + column] += sum * leaf.value;
            }
        }
    }
}

/// Parts of a slice for full groups of rows, and for single ones.
fn split_groups(
    out: &mut [f64],
    width: usize,
) -> (
    std::slice::ChunksExactMut<'_, f64>,
    std::slice::ChunksExactMut<'_, f64>,
) {
    let of_group = width * LANES;
    let full = out.len() / of_group * of_group;
    let (groups, rest) = out.split_at_mut(full);
    (
        groups.chunks_exact_mut(of_group),
        rest.chunks_exact_mut(width),
    )
}

impl Explain for TreeExplainer {
    type Error = EnsembleError;

    fn explain_row(&self, row: &[f64], out: &mut [f64]) -> Result<f64, EnsembleError> {
        check_width(self.width, row.len())?;
        check_width(self.width, out.len())?;
        out.fill(0.0);
        self.add(|_, column| row[column], &mut self.room::<1>(), out);
        Ok(self.baseline)
    }
}

#[cfg(test)]
mod tests;
