//! Parameters and what follows from them: thresholds, depths, bounds.

use crate::params::{count, fraction};
use crate::{IsolationForestError, MAX_TREES, MAX_WIDTH};

/// Most rows of a window.
pub const MAX_WINDOW: usize = 1 << 24;
/// Most children of a node.
pub const MAX_BRANCHING: usize = 16;

/// How many points a leaf must hold before it splits, seen from the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum LeafGrowth {
    /// `max_leaf_samples` times 2^depth, the paper's choice: the deeper, the more points ask for one more level.
    #[default]
    Adaptive,
    /// `max_leaf_samples` at every depth.
    Fixed,
}

/// Whether a tree is grown anew from time to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Renewal {
    /// Never: trees change by splits and merges alone, as in the paper. The upper splits, drawn when the first
    /// points came, then stay for ever, also when all points of the window lie on one side of them.
    Never,
    /// Each tree once a window, one after the other: it forgets all and learns the rows of the window anew. After
    /// two windows nothing is left of what was before, splits included.
    #[default]
    EveryWindow,
}

/// Parameters of an online isolation forest.
///
/// ```
/// use dafu_iforest::OnlineIsolationForestParams;
/// let params = OnlineIsolationForestParams::default().window(512).seed(7);
/// assert!(params.check().is_ok());
/// // A leaf that asks for more points than the window holds would never split.
/// let wrong = params.max_leaf_samples(1000);
/// assert_eq!(
///     wrong.check().unwrap_err().to_string(),
///     "`max_leaf_samples` must be between 1 and 511, got 1000"
/// );
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct OnlineIsolationForestParams {
    /// Number of trees, 1 to [`MAX_TREES`]. Default 32.
    pub trees: usize,
    /// Rows that the forest remembers (omega), 2 to [`MAX_WINDOW`]. Default 2048.
    pub window: usize,
    /// Points from which a root splits (eta), at least 1 and less than `window` times `subsample`. Default 32.
    pub max_leaf_samples: usize,
    /// How this number grows with the depth. Default adaptive.
    pub growth: LeafGrowth,
    /// Share of the rows that a tree learns, in (0, 1]; which ones is drawn for each tree. Default 1.
    pub subsample: f64,
    /// Children of a split, 2 to [`MAX_BRANCHING`]. Default 2.
    pub branching: usize,
    /// Whether trees are grown anew from the window. Default once a window; the paper does not.
    pub renewal: Renewal,
    /// Seed of all randomness. Default 0.
    pub seed: u64,
}

impl Default for OnlineIsolationForestParams {
    fn default() -> Self {
        Self {
            trees: 32,
            window: 2048,
            max_leaf_samples: 32,
            growth: LeafGrowth::Adaptive,
            subsample: 1.0,
            branching: 2,
            renewal: Renewal::EveryWindow,
            seed: 0,
        }
    }
}

/// Parameters that passed [`OnlineIsolationForestParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedOnlineIsolationForestParams(OnlineIsolationForestParams);

impl CheckedOnlineIsolationForestParams {
    /// The parameters.
    pub const fn params(&self) -> &OnlineIsolationForestParams {
        &self.0
    }

    /// Most nodes that a tree can ever have, leaves included; 31 for the defaults.
    ///
    /// A split at depth k asks for at least eta (2 b)^k rows in the tree and for eta 2^k points in the node (eta
    /// with [`LeafGrowth::Fixed`]), and is taken back as soon as the node holds fewer. Counts of children add up to
    /// their parent's, so all nodes of one depth hold at most omega points together; and there are at most b^k of
    /// them. So at most min(b^k, omega / (eta 2^k)) of them are split, and none with eta (2 b)^k > omega. The bound
    /// is 1 + b times the sum of these numbers over all k: below 1 + 4 sqrt(omega / eta) for b = 2.
    ///
    /// # Complexity
    ///
    /// O(levels).
    pub fn max_nodes_per_tree(&self) -> u64 {
        let rules = Rules::new(&self.0);
        let window = self.0.window as u64;
        let (mut width, mut splits) = (1_u64, 0_u64);
        for depth in 0.. {
            if !rules.is_depth_open(depth, rules.window) {
                break;
            }
            splits += width.min(window / rules.points_to_split(depth).max(1));
            width = width.saturating_mul(u64::from(rules.branching));
        }
        1 + splits * u64::from(rules.branching)
    }
}

impl OnlineIsolationForestParams {
    /// Sets the number of trees.
    #[must_use]
    pub fn trees(mut self, trees: usize) -> Self {
        self.trees = trees;
        self
    }

    /// Sets the rows that the forest remembers.
    #[must_use]
    pub fn window(mut self, window: usize) -> Self {
        self.window = window;
        self
    }

    /// Sets the points from which a root splits.
    #[must_use]
    pub fn max_leaf_samples(mut self, max_leaf_samples: usize) -> Self {
        self.max_leaf_samples = max_leaf_samples;
        self
    }

    /// Sets how the points that a split asks for grow with the depth.
    #[must_use]
    pub fn growth(mut self, growth: LeafGrowth) -> Self {
        self.growth = growth;
        self
    }

    /// Sets the share of the rows that a tree learns.
    #[must_use]
    pub fn subsample(mut self, subsample: f64) -> Self {
        self.subsample = subsample;
        self
    }

    /// Sets the children of a split.
    #[must_use]
    pub fn branching(mut self, branching: usize) -> Self {
        self.branching = branching;
        self
    }

    /// Sets whether trees are grown anew from the window.
    #[must_use]
    pub fn renewal(mut self, renewal: Renewal) -> Self {
        self.renewal = renewal;
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Checks every parameter.
    ///
    /// # Errors
    ///
    /// [`IsolationForestError::CountOutOfRange`] or [`IsolationForestError::FractionOutOfRange`]; among them that
    /// `max_leaf_samples` is so large that a full window would not split a tree.
    pub fn check(&self) -> Result<CheckedOnlineIsolationForestParams, IsolationForestError> {
        count("trees", self.trees, 1, MAX_TREES)?;
        count("window", self.window, 2, MAX_WINDOW)?;
        fraction("subsample", self.subsample, false, 1.0)?;
        let rows = self.window as f64 * self.subsample;
        count(
            "max_leaf_samples",
            self.max_leaf_samples,
            1,
            largest_below(rows),
        )?;
        count("branching", self.branching, 2, MAX_BRANCHING)?;
        Ok(CheckedOnlineIsolationForestParams(self.clone()))
    }
}

/// The largest whole number below a positive one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number up to `MAX_WINDOW`"
)]
fn largest_below(number: f64) -> usize {
    (number.ceil() as usize).saturating_sub(1)
}

pub(super) fn check_width(width: usize) -> Result<u32, IsolationForestError> {
    match u32::try_from(width) {
        Ok(0) => Err(IsolationForestError::NoColumns),
        Ok(columns) if width <= MAX_WIDTH => Ok(columns),
        _ => Err(IsolationForestError::TooManyColumns {
            max: MAX_WIDTH,
            got: width,
        }),
    }
}

/// When a leaf may split and an inner node must merge, in whole numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rules {
    pub(super) window: u32,
    pub(super) eta: u32,
    pub(super) growth: LeafGrowth,
    pub(super) branching: u32,
}

impl Rules {
    /// Of checked parameters, which fit.
    pub(super) fn new(params: &OnlineIsolationForestParams) -> Self {
        let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            window: number(params.window),
            eta: number(params.max_leaf_samples),
            growth: params.growth,
            branching: number(params.branching),
        }
    }

    /// Points from which a node of this depth splits and below which it merges.
    pub(super) fn points_to_split(&self, depth: u32) -> u64 {
        match self.growth {
            LeafGrowth::Adaptive => u64::from(self.eta) << depth.min(32),
            LeafGrowth::Fixed => u64::from(self.eta),
        }
    }

    /// Whether nodes of this depth may split in a tree of `rows` rows: depth <= log(rows / eta) / log(2 b).
    pub(super) fn is_depth_open(&self, depth: u32, rows: u32) -> bool {
        u64::from(2 * self.branching)
            .checked_pow(depth)
            .and_then(|power| power.checked_mul(u64::from(self.eta)))
            .is_some_and(|needed| needed <= u64::from(rows))
    }
}
