//! Trees laid out for games.

use crate::node::Tree;

/// What a tree is to all rows.
///
/// Edges have the number of the node that they lead to; 0 stands for no edge, which acts as one that every row takes.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// For each edge its player: a column, or the width plus the number of a set of columns.
    pub(super) players: Vec<u32>,
    /// For each edge the next above it that has the same player.
    pub(super) above: Vec<u32>,
    /// For each edge the share of training rows that it takes.
    pub(super) shares: Vec<f64>,
    /// For each edge the share that it and those above it of the same player take.
    pub(super) unknown: Vec<f64>,
    /// The mean value of the training rows: taken off all values, as it changes nothing but rounding.
    pub(super) mean: f64,
    /// Most players on one way.
    pub(super) most: usize,
    pub(super) sets: Sets,
    /// For each player its edge that was passed last.
    current: Vec<u32>,
    waiting: Vec<Task>,
}

/// A step of a walk in depth.
#[derive(Debug, Clone, Copy)]
enum Task {
    /// Players on the way so far.
    Enter {
        edge: u32,
        players: u32,
        silent: bool,
    },
    Leave {
        player: u32,
        above: u32,
    },
}

/// The sets of columns that splits over several columns ask about.
#[derive(Debug, Default)]
pub(super) struct Sets {
    /// For each form its player.
    of_form: Vec<u32>,
    /// For each term the place of its column among `columns`.
    pub(super) of_term: Vec<u32>,
    pub(super) columns: Vec<u32>,
    /// Where the columns of each set begin, and the end of the last.
    pub(super) starts: Vec<usize>,
    /// Forms in the order of their columns, and those columns.
    order: Vec<u32>,
    sorted: Vec<u32>,
}

fn to_u32(number: usize) -> u32 {
    // Trees have fewer than 2^32 nodes and terms.
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Plan {
    /// Lays out a tree; nodes where `both` holds say nothing, so that their edges have no player.
    pub(super) fn prepare(&mut self, tree: &Tree<'_>, width: usize, both: impl Fn(usize) -> bool) {
        let len = tree.nodes.len();
        self.sets.find(tree, width);
        self.players.clear();
        self.players.resize(len, 0);
        self.above.clear();
        self.above.resize(len, 0);
        self.shares.clear();
        self.shares.resize(len, 1.0);
        self.unknown.clear();
        self.unknown.resize(len, 1.0);
        self.current.resize(width + self.sets.len(), 0);
        self.most = 0;
        self.mean = tree.mean_of_training();
        for (at, node) in tree.nodes.iter().enumerate() {
            let test = node.test();
            let player = match test.checked_sub(width) {
                None => to_u32(test),
                Some(form) => self.sets.of_form[form],
            };
            if !node.is_leaf(at) {
                for child in [node.left as usize, node.left as usize + 1] {
                    self.players[child] = player;
                    self.shares[child] = f64::from(tree.counts[child]) / f64::from(tree.counts[at]);
                }
            }
        }
        self.enter_below(tree, (0, 0), &both);
        while let Some(task) = self.waiting.pop() {
            match task {
                Task::Leave { player, above } => self.current[player as usize] = above,
                Task::Enter {
                    edge,
                    mut players,
                    silent,
                } => {
                    let at = edge as usize;
                    let player = self.players[at];
                    let above = self.current[player as usize];
                    self.above[at] = above;
                    self.unknown[at] = self.unknown[above as usize] * self.shares[at];
                    if !silent {
                        self.current[player as usize] = edge;
                        self.waiting.push(Task::Leave { player, above });
                        players += u32::from(above == 0);
                        self.most = self.most.max(players as usize);
                    }
                    self.enter_below(tree, (at, players), &both);
                }
            }
        }
    }

    fn enter_below(
        &mut self,
        tree: &Tree<'_>,
        (at, players): (usize, u32),
        both: impl Fn(usize) -> bool,
    ) {
        let node = &tree.nodes[at];
        if node.is_leaf(at) {
            return;
        }
        let silent = both(at);
        for edge in [node.left + 1, node.left] {
            self.waiting.push(Task::Enter {
                edge,
                players,
                silent,
            });
        }
    }
}

impl Sets {
    pub(super) fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Finds which forms of a tree ask about the same columns.
    fn find(&mut self, tree: &Tree<'_>, width: usize) {
        self.of_form.clear();
        self.columns.clear();
        self.starts.clear();
        if tree.forms.is_empty() {
            return;
        }
        self.starts.push(0);
        self.of_form.resize(tree.forms.len(), 0);
        self.of_term.clear();
        self.of_term.resize(tree.terms.len(), 0);
        self.sorted.clear();
        self.sorted
            .extend(tree.terms.iter().map(|term| term.column));
        for form in tree.forms {
            self.sorted[form.terms()].sort_unstable();
        }
        self.order.clear();
        self.order.extend((0_u32..).take(tree.forms.len()));
        let columns_of = |form: u32| &self.sorted[tree.forms[form as usize].terms()];
        self.order.sort_unstable_by_key(|&form| columns_of(form));
        for same in self.order.chunk_by(|&a, &b| columns_of(a) == columns_of(b)) {
            let columns = columns_of(same[0]);
            let player = if let [column] = columns {
                *column
            } else {
                self.columns.extend_from_slice(columns);
                self.starts.push(self.columns.len());
                to_u32(width + self.starts.len() - 2)
            };
            for &form in same {
                self.of_form[form as usize] = player;
                let Some(set) = (player as usize).checked_sub(width) else {
                    continue;
                };
                let start = self.starts[set];
                for at in tree.forms[form as usize].terms() {
                    let column = tree.terms[at].column;
                    let place = columns.partition_point(|&other| other < column);
                    self.of_term[at] = to_u32(start + place);
                }
            }
        }
    }
}

impl Tree<'_> {
    /// The mean value of the training rows.
    pub(super) fn mean_of_training(&self) -> f64 {
        let leaves = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(at, node)| node.is_leaf(*at));
        // At most 2^32 times the rows of the root, fewer than 2^32.
        let sum: u64 = leaves
            .map(|(at, _)| u64::from(self.values[at]) * u64::from(self.counts[at]))
            .sum();
        sum as f64 / f64::from(self.counts[0])
    }
}
