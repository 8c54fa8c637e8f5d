//! Models that other libraries have learned.

mod lightgbm;
mod xgboost;

use crate::params::{MAX_CATEGORIES, MAX_COLUMNS, MAX_TREES};
use crate::tree::{CategorySet, MAX_LEVELS, Node, Tree};
use crate::{BoostedTrees, EnsembleError};

/// What is wrong with a model file of another library.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportProblem {
    /// The text is no JSON of such a model.
    #[error("the JSON does not hold at line {line}, column {column}")]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// An entry is not there.
    #[error("`{key}` is missing")]
    Missing {
        /// The entry.
        key: &'static str,
    },
    /// An entry has no number, not as many as there have to be, or one out of range.
    #[error("`{key}` of tree {tree} cannot be used")]
    Entry {
        /// The entry.
        key: &'static str,
        /// The tree, from 0; for entries of the whole model 0.
        tree: usize,
    },
    /// Nodes of a tree do not make a tree.
    #[error("the nodes of tree {tree} do not make a tree of at most {MAX_LEVELS} levels")]
    Shape {
        /// The tree, from 0.
        tree: usize,
    },
    /// The model has something that has no counterpart here.
    #[error("{what} `{got}` is not supported; supported: {supported}")]
    Unsupported {
        /// What it is.
        what: &'static str,
        /// What the file says.
        got: String,
        /// What it could be.
        supported: &'static str,
    },
}

/// A node whose children may lie anywhere.
#[derive(Debug, Clone, Copy)]
struct Linked {
    /// What it is, without its children.
    node: Node,
    /// `None` for a leaf.
    children: Option<[usize; 2]>,
}

/// A tree of linked nodes, the first of which is the root.
fn link(linked: &[Linked], sets: Vec<CategorySet>, tree: usize) -> Result<Tree, ImportProblem> {
    let shape = ImportProblem::Shape { tree };
    let mut found = Tree {
        nodes: Vec::with_capacity(linked.len()),
        sets,
    };
    let mut order = vec![0];
    let mut next = 0;
    while let Some(place) = order.get(next).copied() {
        let Linked { mut node, children } = *linked.get(place).ok_or(shape.clone())?;
        node.left = 0;
        if let Some(children) = children {
            node.left = u32::try_from(order.len()).map_err(|_| shape.clone())?;
            order.extend(children);
            // A node that is led to twice, or leads above itself, has the list grow beyond all nodes.
            if order.len() > linked.len() {
                return Err(shape);
            }
        }
        found.nodes.push(node);
        next += 1;
    }
    if found.levels() > MAX_LEVELS {
        return Err(shape);
    }
    Ok(found.level_by_level())
}

/// A model of trees that were read.
fn model(width: usize, base: f64, trees: Vec<Tree>) -> Result<BoostedTrees, ImportProblem> {
    let entry = |key| ImportProblem::Entry { key, tree: 0 };
    if width == 0 || width > MAX_COLUMNS {
        return Err(entry("number of features"));
    }
    if trees.len() > MAX_TREES {
        return Err(entry("number of trees"));
    }
    for (number, tree) in trees.iter().enumerate() {
        for node in &tree.nodes {
            if node.column as usize >= width {
                return Err(ImportProblem::Entry {
                    key: "feature of a split",
                    tree: number,
                });
            }
        }
    }
    Ok(BoostedTrees::new(width, base, trees))
}

/// Words that the sets of a model may have beside as many as its text is long: a category far up takes many.
const MOST_WORDS: usize = 1 << 22;

/// Words of sets of categories that a model may still have, so that a short text makes no large model.
struct Room(usize);

impl Room {
    const fn of(text: &str) -> Self {
        Self(MOST_WORDS.saturating_add(text.len()))
    }

    fn take(&mut self, set: &CategorySet, tree: usize) -> Result<(), ImportProblem> {
        let key = "categories";
        let left = self.0.checked_sub(set.words.len());
        self.0 = left.ok_or(ImportProblem::Entry { key, tree })?;
        Ok(())
    }
}

/// Adds a category to a set.
fn insert(
    set: &mut CategorySet,
    code: Option<u32>,
    (key, tree): (&'static str, usize),
) -> Result<(), ImportProblem> {
    let code = code.filter(|code| *code < MAX_CATEGORIES);
    set.insert(code.ok_or(ImportProblem::Entry { key, tree })?);
    Ok(())
}

impl BoostedTrees {
    /// A model that `XGBoost` saved as JSON (`save_model` with a name that ends in `.json`): boosters `gbtree` and `dart`, the
    /// objectives `binary:logistic` and `reg:logistic`.
    ///
    /// Its log odds are those of `XGBoost` up to the rounding of its 32 bit sums. Values are compared as `XGBoost` does, which takes
    /// them to 32 bits first. Categories that it has not seen go the way of those that are not in the set of a split.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Import`] for a text that is no such model, or one with something that has no counterpart here.
    ///
    /// # Complexity
    ///
    /// O(length of the text) time and memory.
    pub fn from_xgboost_json(text: &str) -> Result<Self, EnsembleError> {
        xgboost::read(text).map_err(|problem| EnsembleError::Import {
            library: "XGBoost",
            problem,
        })
    }

    /// A model that `LightGBM` saved as text (`save_model`, `model_to_string`), of the objective `binary`; random forests
    /// (`boosting=rf`) too.
    ///
    /// Its log odds are those of `LightGBM` (its raw scores times its parameter `sigmoid`). Categories that are no whole number lose
    /// what is behind the point, as there: -0.5 is category 0, -1 is none.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Import`] for a text that is no such model, or one with something that has no counterpart here: linear
    /// leaves, more than two classes, splits for which zeros are missing values.
    ///
    /// # Complexity
    ///
    /// O(length of the text) time and memory.
    pub fn from_lightgbm_text(text: &str) -> Result<Self, EnsembleError> {
        lightgbm::read(text).map_err(|problem| EnsembleError::Import {
            library: "LightGBM",
            problem,
        })
    }
}
