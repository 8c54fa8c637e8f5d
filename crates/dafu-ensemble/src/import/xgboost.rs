//! Models of `XGBoost`, as JSON.

use super::{ImportProblem, Linked, Room, insert, link, model};
use crate::BoostedTrees;
use crate::tree::{CategorySet, Node, Tree};
use serde::Deserialize;

/// Answers beyond this are no log odds of any model.
const MOST: f32 = 1e30;

#[derive(Debug, Deserialize)]
struct File {
    learner: Learner,
}

#[derive(Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "names of the file")]
struct Learner {
    gradient_booster: Booster,
    learner_model_param: ModelParam,
    objective: Objective,
}

#[derive(Debug, Deserialize)]
struct ModelParam {
    base_score: String,
    num_class: String,
    num_feature: String,
    #[serde(default)]
    num_target: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Objective {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Booster {
    name: String,
    model: Option<Trees>,
    /// Of `dart`, with the factors of its trees.
    gbtree: Option<Inner>,
    weight_drop: Option<Vec<f32>>,
}

#[derive(Debug, Deserialize)]
struct Inner {
    model: Trees,
}

#[derive(Debug, Deserialize)]
struct Trees {
    trees: Vec<SavedTree>,
}

/// Written as a number by newer versions.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Flag {
    Truth(bool),
    Number(u8),
}

impl Flag {
    const fn holds(self) -> bool {
        match self {
            Self::Truth(holds) => holds,
            Self::Number(number) => number != 0,
        }
    }
}

#[derive(Debug, Deserialize)]
struct SavedTree {
    left_children: Vec<i64>,
    right_children: Vec<i64>,
    split_indices: Vec<u32>,
    split_conditions: Vec<f32>,
    default_left: Vec<Flag>,
    sum_hessian: Vec<f32>,
    loss_changes: Vec<f32>,
    #[serde(default)]
    split_type: Vec<u8>,
    #[serde(default)]
    categories: Vec<u32>,
    #[serde(default)]
    categories_nodes: Vec<usize>,
    #[serde(default)]
    categories_segments: Vec<usize>,
    #[serde(default)]
    categories_sizes: Vec<usize>,
}

fn unsupported(what: &'static str, got: &str, supported: &'static str) -> ImportProblem {
    ImportProblem::Unsupported {
        what,
        got: got.chars().take(100).collect(),
        supported,
    }
}

pub(super) fn read(text: &str) -> Result<BoostedTrees, ImportProblem> {
    let file: File = serde_json::from_str(text).map_err(|error| ImportProblem::Json {
        line: error.line(),
        column: error.column(),
    })?;
    let Learner {
        gradient_booster: booster,
        learner_model_param: param,
        objective,
    } = file.learner;
    if !["binary:logistic", "reg:logistic"].contains(&objective.name.as_str()) {
        let supported = "binary:logistic, reg:logistic";
        return Err(unsupported("the objective", &objective.name, supported));
    }
    for number in [Some(param.num_class), param.num_target]
        .into_iter()
        .flatten()
    {
        if !["0", "1"].contains(&number.as_str()) {
            return Err(unsupported("the number of outputs", &number, "1"));
        }
    }
    let (saved, factors) = match (booster.name.as_str(), booster.model, booster.gbtree) {
        ("gbtree", Some(model), _) => (model.trees, None),
        ("dart", _, Some(inner)) => (inner.model.trees, booster.weight_drop),
        ("gbtree" | "dart", ..) => return Err(ImportProblem::Missing { key: "model" }),
        _ => return Err(unsupported("the booster", &booster.name, "gbtree, dart")),
    };
    let entry = |key| ImportProblem::Entry { key, tree: 0 };
    let width = param
        .num_feature
        .parse()
        .map_err(|_| entry("num_feature"))?;
    // A list of one since version 3.1.
    let base = param.base_score.trim_matches(['[', ']']);
    let base: f64 = base.parse().map_err(|_| entry("base_score"))?;
    if !(base > 0.0 && base < 1.0) {
        return Err(entry("base_score"));
    }
    let mut trees = Vec::with_capacity(saved.len());
    let mut room = Room::of(text);
    for (number, saved) in saved.iter().enumerate() {
        let factor = match &factors {
            None => 1.0,
            Some(factors) => *factors.get(number).ok_or(entry("weight_drop"))?,
        };
        trees.push(saved.tree(number, factor, &mut room)?);
    }
    model(width, (base / (1.0 - base)).ln(), trees)
}

impl SavedTree {
    fn tree(&self, tree: usize, factor: f32, room: &mut Room) -> Result<Tree, ImportProblem> {
        let entry = |key| ImportProblem::Entry { key, tree };
        let mut linked = Vec::with_capacity(self.left_children.len());
        let mut sets = Vec::new();
        let mut taken = 0;
        for at in 0..self.left_children.len() {
            let number = |key, values: &[f32]| {
                let value = values.get(at).filter(|value| value.is_finite());
                value.copied().ok_or(entry(key))
            };
            let child = |key, children: &[i64]| {
                let child = children.get(at).ok_or(entry(key))?;
                Ok(usize::try_from(*child).ok())
            };
            let left = child("left_children", &self.left_children)?;
            let right = child("right_children", &self.right_children)?;
            let condition = number("split_conditions", &self.split_conditions)?;
            let mut node = Node {
                cover: f64::from(number("sum_hessian", &self.sum_hessian)?.max(0.0)),
                ..Node::LEAF
            };
            let (Some(left), Some(right)) = (left, right) else {
                let value = condition * factor;
                if value.is_nan() || value.abs() > MOST {
                    return Err(entry("split_conditions"));
                }
                node.value = f64::from(value);
                linked.push(Linked {
                    node,
                    children: None,
                });
                continue;
            };
            node.column = *self.split_indices.get(at).ok_or(entry("split_indices"))?;
            node.gain = f64::from(number("loss_changes", &self.loss_changes)?);
            let default_left = self.default_left.get(at).ok_or(entry("default_left"))?;
            node.missing_left = default_left.holds();
            let mut children = [left, right];
            if self.split_type.get(at).is_some_and(|kind| *kind == 1) {
                // The categories of a split go right.
                children.reverse();
                node.missing_left = !node.missing_left;
                let set = self.set(at, &mut taken, tree)?;
                room.take(&set, tree)?;
                sets.push(set);
                node.set = u32::try_from(sets.len()).unwrap_or_default();
            } else {
                node.threshold = below(condition);
            }
            linked.push(Linked {
                node,
                children: Some(children),
            });
        }
        link(&linked, sets, tree)
    }

    /// `taken` counts the categories of all splits: a file cannot name those it has more than once.
    fn set(
        &self,
        node: usize,
        taken: &mut usize,
        tree: usize,
    ) -> Result<CategorySet, ImportProblem> {
        let key = "categories";
        let entry = ImportProblem::Entry { key, tree };
        let part = || {
            let place = self.categories_nodes.binary_search(&node).ok()?;
            let start = *self.categories_segments.get(place)?;
            let end = start.checked_add(*self.categories_sizes.get(place)?)?;
            self.categories.get(start..end)
        };
        let codes = part().ok_or(entry.clone())?;
        *taken += codes.len();
        if *taken > self.categories.len() {
            return Err(entry);
        }
        let mut set = CategorySet::default();
        for code in codes {
            insert(&mut set, Some(*code), (key, tree))?;
        }
        Ok(set)
    }
}

/// The largest number that is below a 32 bit one when taken to 32 bits itself: `XGBoost` asks whether a value is less.
fn below(condition: f32) -> f64 {
    let wide = |number: f32| f64::from(number);
    let under = if condition > f32::MIN {
        wide(condition.next_down())
    } else {
        // Nothing finite is below. What is further down than half a step is infinite in 32 bits, and less.
        2.0 * wide(condition) - wide(condition.next_up())
    };
    let middle = f64::midpoint(under, wide(condition));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what XGBoost does with values"
    )]
    let rounded = middle as f32;
    if rounded < condition {
        middle
    } else {
        middle.next_down()
    }
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "what XGBoost does with values"
)]
mod tests {
    use super::below;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_number_up_to_the_threshold_is_less_in_32_bits(condition in -1e30_f32..1e30) {
            let threshold = below(condition);
            prop_assert!((threshold as f32) < condition);
            prop_assert!((threshold.next_up() as f32) >= condition);
        }
    }

    #[test]
    fn zero_one_and_the_ends_are_no_exception() {
        for condition in [
            0.0_f32,
            -0.0,
            1.0,
            f32::MIN_POSITIVE,
            1e-45,
            f32::MIN,
            f32::MIN.next_up(),
            f32::MAX,
        ] {
            assert!(below(condition).is_finite());
            assert!((below(condition) as f32) < condition);
            assert!((below(condition).next_up() as f32) >= condition);
        }
    }
}
