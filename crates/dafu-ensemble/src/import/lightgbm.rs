//! Models of `LightGBM`, as text.

use super::{ImportProblem, Linked, Room, insert, link, model};
use crate::BoostedTrees;
use crate::tree::{CategorySet, Node, Tree};
use std::collections::BTreeMap;
use std::str::FromStr;

/// In `decision_type`: categories are split.
const CATEGORIES: u8 = 1;
/// In `decision_type`: what is missing goes left.
const DEFAULT_LEFT: u8 = 2;
/// Numbers nearer to 0 than this are 0 for `LightGBM`.
const ZERO: f64 = 1e-35;
/// Answers beyond this are no log odds of any model.
const MOST: f64 = 1e30;

/// Lines `key=value`, up to an empty line.
struct Section<'t> {
    entries: BTreeMap<&'t str, &'t str>,
    tree: usize,
}

impl<'t> Section<'t> {
    fn new(lines: impl Iterator<Item = &'t str>, tree: usize) -> Self {
        let entries = lines.take_while(|line| !line.is_empty());
        let entries = entries.map(|line| line.split_once('=').unwrap_or((line, "")));
        Self {
            entries: entries.collect(),
            tree,
        }
    }

    fn entry(&self, key: &'static str) -> Result<&'t str, ImportProblem> {
        self.entries
            .get(key)
            .copied()
            .ok_or(ImportProblem::Missing { key })
    }

    fn number<T: FromStr>(&self, key: &'static str) -> Result<T, ImportProblem> {
        let tree = self.tree;
        let number = self.entry(key)?.trim().parse();
        number.map_err(|_| ImportProblem::Entry { key, tree })
    }

    /// As many numbers as there have to be.
    fn numbers<T: FromStr>(
        &self,
        key: &'static str,
        count: usize,
    ) -> Result<Vec<T>, ImportProblem> {
        let tree = self.tree;
        let numbers = self.entry(key)?.split_ascii_whitespace();
        let numbers: Result<Vec<T>, _> = numbers.map(str::parse).collect();
        numbers
            .ok()
            .filter(|numbers| numbers.len() == count)
            .ok_or(ImportProblem::Entry { key, tree })
    }
}

fn unsupported(what: &'static str, got: &str, supported: &'static str) -> ImportProblem {
    ImportProblem::Unsupported {
        what,
        got: got.chars().take(100).collect(),
        supported,
    }
}

pub(super) fn read(text: &str) -> Result<BoostedTrees, ImportProblem> {
    let mut lines = text.lines().map(str::trim_end);
    if lines.next() != Some("tree") {
        return Err(ImportProblem::Missing { key: "tree" });
    }
    let head = Section::new(lines.by_ref(), 0);
    for key in ["num_class", "num_tree_per_iteration"] {
        let number = head.entry(key)?;
        if number != "1" {
            return Err(unsupported("the number of outputs", number, "1"));
        }
    }
    let objective = head.entry("objective")?;
    let mut words = objective.split_ascii_whitespace();
    if words.next() != Some("binary") {
        return Err(unsupported("the objective", objective, "binary"));
    }
    let sigmoid = words.find_map(|word| word.strip_prefix("sigmoid:"));
    let sigmoid: f64 = match sigmoid.map(str::parse) {
        None => 1.0,
        Some(Ok(factor)) if factor > 0.0 && factor < MOST => factor,
        Some(_) => return Err(unsupported("the objective", objective, "binary sigmoid:1")),
    };
    let last: usize = head.number("max_feature_idx")?;
    let mut trees = Vec::new();
    let mut room = Room::of(text);
    while let Some(line) = lines.next() {
        if line == "end of trees" {
            break;
        }
        if line.starts_with("Tree=") {
            let section = Section::new(lines.by_ref(), trees.len());
            trees.push(tree(&section, sigmoid, &mut room)?);
        }
    }
    if head.entries.contains_key("average_output") {
        let count = trees.len() as f64;
        for node in trees.iter_mut().flat_map(|tree: &mut Tree| &mut tree.nodes) {
            node.value /= count;
        }
    }
    model(last.saturating_add(1), 0.0, trees)
}

fn tree(section: &Section<'_>, factor: f64, room: &mut Room) -> Result<Tree, ImportProblem> {
    let tree = section.tree;
    let entry = |key| ImportProblem::Entry { key, tree };
    if section
        .entries
        .get("is_linear")
        .is_some_and(|linear| *linear != "0")
    {
        return Err(unsupported(
            "a tree",
            "with linear leaves",
            "constant leaves",
        ));
    }
    let leaves: usize = section.number("num_leaves")?;
    let values: Vec<f64> = section.numbers("leaf_value", leaves)?;
    let leaf = |value: f64, cover: f64| {
        let value = value * factor;
        let sound = value.abs() <= MOST && (0.0..=MOST).contains(&cover);
        sound.then_some(Linked {
            node: Node {
                value,
                cover,
                ..Node::LEAF
            },
            children: None,
        })
    };
    if let [value] = values[..] {
        // A tree without a split has no counts.
        let leaf = leaf(value, 1.0).ok_or(entry("leaf_value"))?;
        return link(&[leaf], Vec::new(), tree);
    }
    let splits = leaves.checked_sub(1).ok_or(entry("num_leaves"))?;
    let columns: Vec<u32> = section.numbers("split_feature", splits)?;
    let gains: Vec<f64> = section.numbers("split_gain", splits)?;
    let thresholds: Vec<f64> = section.numbers("threshold", splits)?;
    let types: Vec<u8> = section.numbers("decision_type", splits)?;
    let lefts: Vec<i64> = section.numbers("left_child", splits)?;
    let rights: Vec<i64> = section.numbers("right_child", splits)?;
    let counts: Vec<f64> = section.numbers("leaf_count", leaves)?;
    let categories = Categories::read(section)?;
    // Splits first, then leaves: a leaf is led to by the negative of its number, less one.
    let place = |child: i64| {
        let leaf = usize::try_from(-1 - child).map(|leaf| splits.saturating_add(leaf));
        usize::try_from(child)
            .or(leaf)
            .map_err(|_| entry("left_child"))
    };
    let mut linked = Vec::with_capacity(splits + leaves);
    let mut sets = Vec::new();
    let mut named = vec![false; categories.len()];
    for at in 0..splits {
        let (threshold, kind) = (thresholds[at], types[at]);
        let mut node = Node {
            column: columns[at],
            gain: gains[at],
            ..Node::LEAF
        };
        if !(threshold.is_finite() && node.gain.abs() <= MOST) {
            return Err(entry("threshold"));
        }
        if kind & CATEGORIES != 0 {
            let set = categories.set(threshold, &mut named, tree)?;
            room.take(&set, tree)?;
            sets.push(set);
            node.set = u32::try_from(sets.len()).unwrap_or_default();
        } else {
            node.threshold = threshold;
            node.missing_left = match kind >> 2 & 3 {
                // What is missing is taken as 0.
                0 => 0.0 <= threshold,
                2 => kind & DEFAULT_LEFT != 0,
                _ => zero_is_missing(threshold, kind)?,
            };
        }
        linked.push(Linked {
            node,
            children: Some([place(lefts[at])?, place(rights[at])?]),
        });
    }
    for (value, count) in values.into_iter().zip(counts) {
        linked.push(leaf(value, count).ok_or(entry("leaf_value"))?);
    }
    link(&linked, sets, tree)
}

/// Which way missing values go where zeros go with them: only if zeros go that way as numbers, too.
fn zero_is_missing(threshold: f64, kind: u8) -> Result<bool, ImportProblem> {
    let left = kind & DEFAULT_LEFT != 0;
    if threshold.abs() > ZERO && left == (0.0 <= threshold) {
        return Ok(left);
    }
    let got = "zero_as_missing";
    Err(unsupported("a split", got, "missing values that are NaN"))
}

/// The sets of categories of a tree.
struct Categories {
    /// Where the words of each set begin, and where the last ones end.
    boundaries: Vec<usize>,
    words: Vec<u32>,
}

impl Categories {
    fn read(section: &Section<'_>) -> Result<Self, ImportProblem> {
        let count: usize = section.number("num_cat")?;
        if count == 0 {
            return Ok(Self {
                boundaries: Vec::new(),
                words: Vec::new(),
            });
        }
        let boundaries: Vec<usize> = section.numbers("cat_boundaries", count.saturating_add(1))?;
        if !boundaries.is_sorted() {
            let (key, tree) = ("cat_boundaries", section.tree);
            return Err(ImportProblem::Entry { key, tree });
        }
        let words = boundaries.last().copied().unwrap_or_default();
        Ok(Self {
            words: section.numbers("cat_threshold", words)?,
            boundaries,
        })
    }

    /// Sets of the tree.
    fn len(&self) -> usize {
        self.boundaries.len().saturating_sub(1)
    }

    /// The set of a number, which stands in the place of a threshold.
    ///
    /// `named` are the sets that splits have named already: each belongs to one, so that a short text makes no large model.
    fn set(
        &self,
        number: f64,
        named: &mut [bool],
        tree: usize,
    ) -> Result<CategorySet, ImportProblem> {
        let key = "cat_threshold";
        if number < 0.0 || number.fract() != 0.0 {
            return Err(ImportProblem::Entry { key, tree });
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "what is too large has no boundaries"
        )]
        let number = number as usize;
        let words = || {
            let [start, end] = *self.boundaries.get(number..number.checked_add(2)?)? else {
                return None;
            };
            self.words.get(start..end)
        };
        let first = named
            .get_mut(number)
            .is_some_and(|named| !std::mem::replace(named, true));
        let words = || words().filter(|_| first);
        let mut set = CategorySet {
            truncates: true,
            ..CategorySet::default()
        };
        let words = words().ok_or(ImportProblem::Entry { key, tree })?;
        for (place, word) in (0_u32..).zip(words) {
            for bit in (0..32).filter(|bit| (word >> bit) & 1 == 1) {
                let code = place.checked_mul(32).and_then(|code| code.checked_add(bit));
                insert(&mut set, code, (key, tree))?;
            }
        }
        Ok(set)
    }
}
