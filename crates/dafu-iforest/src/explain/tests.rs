//! Explanations against games, walks and searches worked out without them.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::form::contribution;
use crate::node::Tree;
use crate::way::Way;
use crate::{
    Attribution, Coefficients, HeightLimit, IsolationForest, IsolationForestParams, MissingValues,
    Parallelism, Scoring, SplitRule, UnseenCategories,
};
use dafu_core::random::Stream;
use ndarray::{Array2, ArrayView1, Axis, Slice};

/// Numbers, in the last two columns whole ones; some missing where `missing`.
pub(super) fn random_rows(shape: (usize, usize), seed: u64, missing: bool) -> Array2<f64> {
    let mut stream = Stream::new(seed, 77, 0);
    let columns = shape.1;
    Array2::from_shape_fn(shape, |(_, column)| {
        let value = stream.unit() + stream.unit() * stream.unit();
        let hole = stream.unit() < 0.15;
        if missing && hole {
            f64::NAN
        } else if column + 2 >= columns {
            (value * 6.0).floor()
        } else {
            value * 10.0 - 5.0
        }
    })
}

/// Forests of every kind, whose trees have few players, with rows to explain.
pub(super) fn forests() -> Vec<(&'static str, IsolationForest, Array2<f64>)> {
    let base = || {
        IsolationForestParams::default()
            .trees(6)
            .sample_size(64)
            .seed(3)
    };
    let small = |rule: SplitRule| base().rules([rule]).height_limit(HeightLimit::Levels(3));
    let penalised = |rule: SplitRule| SplitRule {
        penalize_range: true,
        ..rule
    };
    let raw = SplitRule {
        coefficients: Coefficients::Raw,
        ..SplitRule::extended(2)
    };
    let list = [
        ("axis", base(), false),
        (
            "unlimited",
            base().height_limit(HeightLimit::Unlimited),
            false,
        ),
        (
            "one level",
            base().height_limit(HeightLimit::Levels(1)),
            false,
        ),
        (
            "no split",
            base().height_limit(HeightLimit::Levels(0)),
            false,
        ),
        ("categories", base().categorical([3, 4]), false),
        ("pairs", small(SplitRule::extended(1)), false),
        ("all columns", base().rules([SplitRule::extended(4)]), false),
        ("raw", small(raw), false),
        ("guided", base().rules([SplitRule::fair_cut(1)]), false),
        (
            "fair cut",
            small(SplitRule::fair_cut(2)).categorical([4]),
            false,
        ),
        (
            "penalised",
            base().rules([penalised(SplitRule::standard())]),
            false,
        ),
        (
            "penalised pairs",
            small(penalised(SplitRule::sciforest(3))),
            false,
        ),
        (
            "mixed",
            base()
                .rules([SplitRule::standard(), SplitRule::extended(1)])
                .height_limit(HeightLimit::Levels(3)),
            false,
        ),
        ("density", base().scoring(Scoring::Density), false),
        ("adjusted", base().scoring(Scoring::AdjustedDepth), false),
        ("imputed", base().missing(MissingValues::Impute), true),
        ("divided", base().missing(MissingValues::Divide), true),
        (
            "divided, penalised, unseen",
            base()
                .rules([penalised(SplitRule::standard())])
                .missing(MissingValues::Divide)
                .unseen(UnseenCategories::Divide)
                .categorical([3, 4]),
            true,
        ),
        (
            "unseen divided",
            base().unseen(UnseenCategories::Divide).categorical([3, 4]),
            false,
        ),
        (
            "missing pairs",
            small(SplitRule::extended(1))
                .missing(MissingValues::Divide)
                .categorical([4]),
            true,
        ),
    ];
    let made = list.into_iter().map(|(name, params, missing)| {
        let rows = random_rows((150, 5), 9, missing);
        let forest = params.fit(rows.view()).unwrap();
        let mut explained = rows.slice_axis(Axis(0), Slice::from(..12)).to_owned();
        // Out of every range; the last two columns get categories that no node knows.
        explained.row_mut(1).mapv_inplace(|value| value * 3.0 + 7.0);
        explained.row_mut(2).mapv_inplace(|value| -value * 20.0);
        explained[[3, 4]] = 77.0;
        explained[[4, 3]] = 78.0;
        (name, forest, explained)
    });
    made.collect()
}

/// A tree and a row, for a game by the book.
struct Game<'a> {
    forest: &'a IsolationForest,
    tree: Tree<'a>,
    row: &'a [f64],
    players: Vec<Vec<usize>>,
}

impl<'a> Game<'a> {
    fn new(forest: &'a IsolationForest, tree: Tree<'a>, row: &'a [f64]) -> Self {
        let mut game = Self {
            forest,
            tree,
            row,
            players: Vec::new(),
        };
        let splits = (0..tree.nodes.len()).filter(|&at| !tree.nodes[at].is_leaf(at));
        let mut players: Vec<_> = splits.map(|at| game.columns(at)).collect();
        players.sort();
        players.dedup();
        game.players = players;
        game
    }

    fn columns(&self, at: usize) -> Vec<usize> {
        let test = self.tree.nodes[at].test();
        let Some(form) = test.checked_sub(self.row.len()) else {
            return vec![test];
        };
        let terms = &self.tree.terms[self.tree.forms[form].terms()];
        let mut columns: Vec<_> = terms.iter().map(|term| term.column as usize).collect();
        columns.sort_unstable();
        columns
    }

    fn way(&self, at: usize) -> (Way, bool) {
        let step = self
            .tree
            .step(at, &self.forest.way_rule(), |column| self.row[column]);
        (step.way, step.penalized)
    }

    /// The worth of a coalition, from a node on.
    fn worth(&self, at: usize, known: usize) -> f64 {
        let node = self.tree.nodes[at];
        if node.is_leaf(at) {
            return f64::from(self.tree.values[at]);
        }
        let left = node.left as usize;
        let counts = [left, left + 1].map(|child| f64::from(self.tree.counts[child]));
        let mean = || {
            let sides = [left, left + 1].map(|child| self.worth(child, known));
            (sides[0] * counts[0] + sides[1] * counts[1]) / (counts[0] + counts[1])
        };
        let columns = self.columns(at);
        let player = self.players.iter().position(|other| *other == columns);
        if known >> player.unwrap() & 1 == 0 {
            return mean();
        }
        let (way, penalised) = self.way(at);
        let penalty = f64::from(u8::from(penalised)) * f64::from(self.tree.level);
        match way {
            Way::Left => self.worth(left, known) - penalty,
            Way::Right => self.worth(left + 1, known) - penalty,
            Way::Both => mean(),
        }
    }

    /// How much of the row comes to each node.
    fn arrivals(&self) -> Vec<f64> {
        let tree = &self.tree;
        let mut here = vec![0.0; tree.nodes.len()];
        here[0] = 1.0;
        for (at, node) in tree.nodes.iter().enumerate() {
            if node.is_leaf(at) {
                continue;
            }
            let left = node.left as usize;
            let share = f64::from(tree.counts[left]) / f64::from(tree.counts[at]);
            let (a, b) = match self.way(at).0 {
                Way::Left => (1.0, 0.0),
                Way::Right => (0.0, 1.0),
                Way::Both => (share, 1.0 - share),
            };
            here[left] = here[at] * a;
            here[left + 1] = here[at] * b;
        }
        here
    }

    /// How the columns of a set share what it earns.
    fn claims(&self, set: &[usize]) -> Vec<f64> {
        let mut claims = vec![0.0; self.row.len()];
        if set.len() == 1 {
            claims[set[0]] = 1.0;
            return claims;
        }
        let (tree, here) = (&self.tree, self.arrivals());
        let mut all = 0.0;
        for at in (0..tree.nodes.len()).filter(|&at| !tree.nodes[at].is_leaf(at)) {
            if self.columns(at) != set {
                continue;
            }
            let weight = here[at] + f64::from(tree.counts[at]) / f64::from(tree.counts[0]);
            all += weight;
            let form = tree.nodes[at].test() - self.row.len();
            let terms = &tree.terms[tree.forms[form].terms()];
            let far: Vec<f64> = terms
                .iter()
                .map(|term| {
                    let value = self.row[term.column as usize];
                    match contribution(term, tree.codes, value) {
                        Ok(added) => (added - term.absent).abs(),
                        Err(_) => 0.0,
                    }
                })
                .collect();
            let sum: f64 = far.iter().sum();
            for (term, far) in terms.iter().zip(&far) {
                let share = if sum > 0.0 {
                    far / sum
                } else {
                    1.0 / terms.len() as f64
                };
                claims[term.column as usize] += weight * share;
            }
        }
        for claim in &mut claims {
            *claim /= all;
        }
        claims
    }

    /// Shapley's formula over all coalitions.
    fn add_shapley(&self, out: &mut [f64]) {
        let count = self.players.len();
        assert!(count <= 12, "{count} players");
        let worths: Vec<f64> = (0..1 << count).map(|known| self.worth(0, known)).collect();
        for (number, set) in self.players.iter().enumerate() {
            let mut value = 0.0;
            for known in (0..worths.len()).filter(|known| known >> number & 1 == 0) {
                let size = known.count_ones() as usize;
                let mut chance = 1.0 / count as f64;
                for step in 0..size {
                    chance *= (step + 1) as f64 / (count - 1 - step) as f64;
                }
                value += chance * (worths[known | 1 << number] - worths[known]);
            }
            for (out, claim) in out.iter_mut().zip(self.claims(set)) {
                *out -= value * claim;
            }
        }
    }
}

fn by_the_book(forest: &IsolationForest, row: &[f64]) -> (f64, Vec<f64>) {
    let mut values = vec![0.0; row.len()];
    let mut baseline = 0.0;
    for tree in forest.trees.iter() {
        let game = Game::new(forest, tree, row);
        game.add_shapley(&mut values);
        baseline -= game.worth(0, 0);
    }
    let units = forest.explained_units();
    for value in &mut values {
        *value /= units;
    }
    (baseline / units - forest.scale.offset, values)
}

/// What is explained, from the score.
fn explained(forest: &IsolationForest, row: &[f64]) -> f64 {
    let score = forest.score_row(row).unwrap().get();
    match forest.scoring {
        Scoring::Density => (score / (1.0 - score)).log2(),
        _ => score.log2(),
    }
}

#[test]
fn shapley_values_equal_the_formula_over_all_coalitions() {
    for (name, forest, rows) in forests() {
        for row in rows.rows() {
            let row = row.to_vec();
            let (expected_baseline, expected) = by_the_book(&forest, &row);
            let mut values = vec![f64::NAN; row.len()];
            let baseline = forest.shapley_row(&row, &mut values).unwrap();
            assert!((baseline - expected_baseline).abs() < 1e-12, "{name}");
            for (value, expected) in values.iter().zip(&expected) {
                assert!(
                    (value - expected).abs() < 1e-12,
                    "{name}: {value} instead of {expected}"
                );
            }
            let sum = baseline + values.iter().sum::<f64>();
            // Where rows go both ways, the values of trees are rounded.
            let tolerance = if rows.iter().any(|value| value.is_nan()) || name == "unseen divided" {
                2e-9
            } else {
                1e-12
            };
            let off = (sum - explained(&forest, &row)).abs();
            assert!(off < tolerance, "{name}: {off}");
        }
    }
}

#[test]
fn contributions_of_the_way_sum_to_the_score() {
    for (name, forest, rows) in forests() {
        let (values, baseline) = {
            let mut values = vec![f64::NAN; rows.len()];
            let baseline = forest.explain_rows(rows.view(), &mut values).unwrap();
            (values, baseline)
        };
        for (row, values) in rows.rows().into_iter().zip(values.chunks(rows.ncols())) {
            let off = baseline + values.iter().sum::<f64>() - explained(&forest, &row.to_vec());
            assert!(off.abs() < 2e-9, "{name}: {off}");
        }
    }
}

#[test]
fn batches_have_the_bits_of_single_rows() {
    for (name, forest, few) in forests() {
        let rows = Array2::from_shape_fn((150, few.ncols()), |(row, column)| {
            few[[(row * 7) % few.nrows(), column]] + f64::from(u8::from(column == 0)) * row as f64
        });
        for parallelism in [Parallelism::Serial, Parallelism::Pool] {
            let forest = forest.clone().with_parallelism(parallelism);
            let mut of_way = vec![f64::NAN; rows.len()];
            let mut of_shapley = vec![f64::NAN; rows.len()];
            let baselines = [
                forest.explain_rows(rows.view(), &mut of_way).unwrap(),
                forest.shapley_rows(rows.view(), &mut of_shapley).unwrap(),
            ];
            for (at, row) in rows.rows().into_iter().enumerate() {
                let row = row.to_vec();
                let range = at * row.len()..(at + 1) * row.len();
                let mut one = vec![0.0; row.len()];
                let baseline = forest.explain_row(&row, &mut one).unwrap();
                assert_eq!(
                    (baseline, &one[..]),
                    (baselines[0], &of_way[range.clone()]),
                    "{name}"
                );
                let baseline = forest.shapley_row(&row, &mut one).unwrap();
                assert_eq!(
                    (baseline, &one[..]),
                    (baselines[1], &of_shapley[range]),
                    "{name}"
                );
            }
        }
    }
}

/// Every column runs over many powers of two, so that random cuts take off few rows at a time.
fn steep_rows(rows: usize, columns: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, columns), |(row, column)| {
        let place = (row * (2 * column + 1) + 31 * column) % rows;
        (place as f64 * 1900.0 / rows as f64 - 950.0).exp2()
    })
}

#[test]
fn shapley_values_sum_to_the_score_at_any_depth_and_width() {
    let unlimited = |rule: SplitRule| {
        IsolationForestParams::default()
            .trees(4)
            .sample_size(1800)
            .rules([rule])
            .height_limit(HeightLimit::Unlimited)
    };
    let wide = random_rows((256, 300), 4, false);
    for (rows, rule, depth) in [
        (steep_rows(256, 1), SplitRule::standard(), 100),
        (steep_rows(256, 3), SplitRule::standard(), 100),
        (steep_rows(256, 200), SplitRule::standard(), 100),
        (steep_rows(1800, 400), SplitRule::standard(), 500),
        (steep_rows(256, 40), SplitRule::fair_cut(2), 60),
        (wide, SplitRule::extended(1), 12),
    ] {
        let forest = unlimited(rule).fit(rows.view()).unwrap();
        assert!(
            forest.trees.max_depth() >= depth,
            "{}",
            forest.trees.max_depth()
        );
        let rows = rows.slice_axis(Axis(0), Slice::from(..).step_by(43));
        let mut values = vec![0.0; rows.len()];
        let baseline = forest.shapley_rows(rows, &mut values).unwrap();
        for (row, values) in rows.rows().into_iter().zip(values.chunks(rows.ncols())) {
            let off = baseline + values.iter().sum::<f64>() - explained(&forest, &row.to_vec());
            assert!(off.abs() < 1e-9, "{off}");
        }
    }
}

#[test]
fn columns_that_play_the_same_part_get_the_same_and_others_nothing() {
    // A tree asks for either of two equal columns with the same chance; the third is constant.
    let one = random_rows((400, 1), 8, false);
    let rows = Array2::from_shape_fn(
        (400, 3),
        |(row, column)| {
            if column < 2 { one[[row, 0]] } else { 1.0 }
        },
    );
    let params = IsolationForestParams::default().trees(2000);
    let forest = params.fit(rows.view()).unwrap();
    let mut row = rows.row(0).to_vec();
    row[0] = 50.0;
    row[1] = 50.0;
    let mut values = [0.0; 3];
    forest.shapley_row(&row, &mut values).unwrap();
    assert!(
        (values[0] - values[1]).abs() < 0.05 * values[0],
        "{values:?}"
    );
    assert!(values[0] > 0.1);
    assert_eq!(values[2].to_bits(), 0.0_f64.to_bits());
}

#[test]
fn importance_is_the_mean_of_absolute_contributions() {
    let rows = random_rows((200, 4), 1, false);
    let forest = IsolationForestParams::default().fit(rows.view()).unwrap();
    for attribution in [Attribution::Path, Attribution::Shapley] {
        let means = forest
            .mean_absolute_contributions(rows.view(), attribution)
            .unwrap();
        for (column, mean) in means.iter().enumerate() {
            let each = rows.rows().into_iter().map(|row: ArrayView1<'_, f64>| {
                let mut values = [0.0; 4];
                let row = row.to_vec();
                match attribution {
                    Attribution::Path => forest.explain_row(&row, &mut values).unwrap(),
                    Attribution::Shapley => forest.shapley_row(&row, &mut values).unwrap(),
                };
                values[column].abs()
            });
            assert!((each.sum::<f64>() / 200.0 - mean).abs() < 1e-12);
        }
        let none = forest
            .mean_absolute_contributions(rows.slice_axis(Axis(0), Slice::from(..0)), attribution)
            .unwrap();
        assert_eq!(none, [0.0; 4]);
    }
}
