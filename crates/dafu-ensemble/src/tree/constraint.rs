//! What trees have to keep to, whatever the data says.

use crate::EnsembleError;
use crate::learner::check_column;
use crate::params::BoostedTreesParams;

/// Which way the log odds may go when a column rises and all others stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Monotone {
    /// They never fall.
    Rising,
    /// They never rise.
    Falling,
}

/// The constraints of a model of so many columns.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Constraints {
    /// By column; empty where none is constrained.
    monotone: Vec<Option<Monotone>>,
    /// Columns that may stand on one way from a root to a leaf, sorted; empty where all may.
    interactions: Vec<Vec<usize>>,
}

impl Constraints {
    pub(crate) fn new(params: &BoostedTreesParams, width: usize) -> Result<Self, EnsembleError> {
        let of_monotone = params.monotone.iter().map(|(column, _)| *column);
        let of_interactions = params.interactions.iter().flatten().copied();
        let named = (of_monotone.map(|column| ("monotone", column)))
            .chain(of_interactions.map(|column| ("interactions", column)));
        for (name, column) in named {
            check_column(name, column, width)?;
        }
        let mut monotone = Vec::new();
        if !params.monotone.is_empty() {
            monotone.resize(width, None);
            for (column, way) in &params.monotone {
                if params.categorical.contains(column) {
                    return Err(EnsembleError::MonotoneCategories { column: *column });
                }
                monotone[*column] = Some(*way);
            }
        }
        let mut interactions = params.interactions.clone();
        if !interactions.is_empty() {
            let mut free = vec![true; width];
            for column in interactions.iter().flatten() {
                free[*column] = false;
            }
            let free: Vec<usize> = (0..width).filter(|column| free[*column]).collect();
            interactions.push(free);
            for group in &mut interactions {
                group.sort_unstable();
            }
        }
        Ok(Self {
            monotone,
            interactions,
        })
    }

    pub(crate) fn monotone(&self, column: usize) -> Option<Monotone> {
        self.monotone.get(column).copied().flatten()
    }

    pub(crate) const fn limits_interactions(&self) -> bool {
        !self.interactions.is_empty()
    }

    /// Of some columns, those that may follow others on one way.
    pub(crate) fn allowed(&self, columns: &[usize], used: &[usize]) -> Vec<usize> {
        let holds = |group: &&Vec<usize>| {
            let mut used = used.iter();
            used.all(|column| group.binary_search(column).is_ok())
        };
        let open: Vec<&Vec<usize>> = self.interactions.iter().filter(holds).collect();
        let in_one = |column: &&usize| {
            let mut open = open.iter();
            open.any(|group| group.binary_search(column).is_ok())
        };
        columns.iter().filter(in_one).copied().collect()
    }
}

/// Between which numbers the answers below a node have to lie, so that constraints hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) lower: f64,
    pub(crate) upper: f64,
}

impl Bounds {
    pub(crate) const OPEN: Self = Self {
        lower: f64::NEG_INFINITY,
        upper: f64::INFINITY,
    };

    pub(crate) const fn clamp(&self, answer: f64) -> f64 {
        answer.max(self.lower).min(self.upper)
    }

    /// The bounds of two children, whose best answers are given.
    ///
    /// Their subtrees may not cross the middle: else answers further down could turn the order round.
    pub(crate) fn of_children(
        self,
        monotone: Option<Monotone>,
        (left, right): (f64, f64),
    ) -> (Self, Self) {
        let middle = self.clamp(left / 2.0 + right / 2.0);
        let lower = Self {
            upper: middle,
            ..self
        };
        let upper = Self {
            lower: middle,
            ..self
        };
        match monotone {
            None => (self, self),
            Some(Monotone::Rising) => (lower, upper),
            Some(Monotone::Falling) => (upper, lower),
        }
    }
}
