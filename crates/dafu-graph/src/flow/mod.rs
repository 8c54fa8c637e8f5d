//! Money that moves in patterns.

mod chain;
mod cycle;
mod fan;
mod gather;
mod graph;
mod layer;
mod merge;
mod params;
mod report;
mod scatter;
mod work;

use crate::GraphError;
pub use cycle::Cycles;
use cycle::Shape;
use fan::Way;
pub use graph::{TransferGraph, TransferIndex};
pub use params::FlowParams;
use report::Pairs;
pub use report::{Flow, FlowReport};
use std::cmp::Reverse;
use std::fmt;
pub use work::CutOff;
use work::Work;

/// Transfers of found flows, each flow in the order of time.
type Sets = Vec<Vec<u32>>;

/// The patterns of money laundering that are looked for, the eight of `AMLworld`.
///
/// In all of them, *enough* are at least [`FlowParams::min_fan`] different accounts, a *window* is a time of
/// [`FlowParams::window`] that begins with a transfer, both ends included, and *later* means a later moment: transfers of the same
/// moment do not follow each other. Money is *passed on* from one transfer to a later one of the account that was paid where the
/// amount did not grow and did not fall by more than [`FlowParams::amount_tolerance`].
///
/// Windows in which a pattern is found and that have a transfer in common are one flow: what goes on for weeks is one find, and
/// whatever fits into one window lies in one flow. Cycles and chains are found one by one. Patterns are found in each other: a
/// gather-scatter is a fan-in and a fan-out, too, and each layer of a stack is bipartite.
///
/// Source: the names and shapes are those of Altman, Blanusa, von Niederhausern, Egressy, Anghel and Atasu, "Realistic Synthetic
/// Financial Transactions for Anti-Money Laundering Models" (`NeurIPS` 2023), section 3 and figure 2. They generate patterns and
/// do not define what is one among other transfers: the definitions, windows and tolerances are this crate's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum FlowPattern {
    /// One account pays enough others in a window.
    FanOut,
    /// One account is paid by enough others in a window.
    FanIn,
    /// An account is paid by enough others up to some moment, and after that pays enough up to another, within a window that
    /// begins with the first of these payments: all that it is paid before the one moment and all that it pays from there to the
    /// other, whose sums differ by at most [`FlowParams::sum_tolerance`] of the larger.
    GatherScatter,
    /// Enough accounts are paid by one and pass that money on to another, the same for all, in a window.
    ScatterGather,
    /// Money is passed on in a window by [`FlowParams::min_length`] to [`FlowParams::max_length`] transfers, through as many
    /// different accounts, and comes back to where it began.
    Cycle,
    /// Money is passed on in a window by so many transfers through different accounts, and no transfer before the first or after
    /// the last would make a longer chain or a cycle of it. The random walk of `AMLworld`.
    Chain,
    /// Accounts of which each pays enough of some others, each of which is paid by enough of them, in a window: not every one must
    /// pay every other. The largest such set, by parts that hang together; the (a, b)-core of Ahmed, Batagelj, Fu, Hong, Merrick
    /// and Mrvar, "Visualisation and analysis of the Internet movie database" (APVIS 2007).
    Bipartite,
    /// A bipartite pattern whose receivers pay a third layer in the same way, in a window: each account between is later paid on to
    /// enough others after each transfer that it is paid, and was paid by enough before each that it pays. The largest such set,
    /// by parts that hang together.
    Stack,
}

impl FlowPattern {
    /// All patterns.
    pub const ALL: [Self; 8] = [
        Self::FanOut,
        Self::FanIn,
        Self::GatherScatter,
        Self::ScatterGather,
        Self::Cycle,
        Self::Chain,
        Self::Bipartite,
        Self::Stack,
    ];

    /// The name: `fan_out`, `fan_in`, ...
    pub const fn name(self) -> &'static str {
        match self {
            Self::FanOut => "fan_out",
            Self::FanIn => "fan_in",
            Self::GatherScatter => "gather_scatter",
            Self::ScatterGather => "scatter_gather",
            Self::Cycle => "cycle",
            Self::Chain => "chain",
            Self::Bipartite => "bipartite",
            Self::Stack => "stack",
        }
    }
}

impl fmt::Display for FlowPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a search looks at.
struct Scope<'a> {
    graph: &'a TransferGraph,
    params: &'a FlowParams,
    /// The last rank of the window that begins at each rank.
    ends: Vec<u32>,
}

impl<'a> Scope<'a> {
    fn new(graph: &'a TransferGraph, params: &'a FlowParams) -> Self {
        let ends = graph.window_ends(params.micros());
        Self {
            graph,
            params,
            ends,
        }
    }

    fn accounts(&self) -> std::ops::Range<u32> {
        0..graph::number(self.graph.account_count())
    }

    /// Accounts from one on.
    fn remaining(&self, account: u32) -> usize {
        self.graph.account_count() - account as usize
    }

    /// Whether an amount may be what is left of one before.
    fn passes(&self, before: i64, next: i64) -> bool {
        next <= before && next as f64 >= before as f64 * (1.0 - self.params.amount_tolerance)
    }

    /// Whether two sums may be of the same money.
    fn balances(&self, one: i128, other: i128) -> bool {
        let (less, more) = (one.min(other), one.max(other));
        less as f64 >= more as f64 * (1.0 - self.params.sum_tolerance)
    }

    fn search(&self, pattern: FlowPattern, work: &mut Work) -> Sets {
        match pattern {
            FlowPattern::FanOut => fan::fans(self, Way::Out, work),
            FlowPattern::FanIn => fan::fans(self, Way::In, work),
            FlowPattern::GatherScatter => gather::gather_scatters(self, work),
            FlowPattern::ScatterGather => scatter::scatter_gathers(self, work),
            FlowPattern::Cycle => {
                let shape = Shape {
                    shortest: self.params.min_length,
                    longest: self.params.max_length,
                    amounts: true,
                };
                let cycles = cycle::cycles(self, shape, work);
                let transfers = |cycle: &[TransferIndex]| cycle.iter().map(|one| one.0).collect();
                cycles.iter().map(transfers).collect()
            }
            FlowPattern::Chain => chain::chains(self, work),
            FlowPattern::Bipartite => layer::layers(self, 2, work),
            FlowPattern::Stack => layer::layers(self, 3, work),
        }
    }
}

impl FlowParams {
    /// Finds the patterns in transfers: [`FlowPattern`] says what they are.
    ///
    /// Honest business makes patterns, too, fans above all: wages, shops. A larger `min_fan`, a shorter window and a `min_amount`
    /// hold them down.
    ///
    /// ```
    /// use dafu_graph::{FlowParams, FlowPattern, TransferGraph};
    /// use dafu_sim::FlowWorldParams;
    ///
    /// let world = FlowWorldParams::default().accounts(1_000).seed(7).simulate()?;
    /// let transfers: Vec<_> = world.transfers().collect();
    /// let graph = TransferGraph::from_transfers(&transfers)?;
    /// let report = FlowParams::default().detect(&graph)?;
    /// assert!(report.cut.is_empty());
    /// let cycles: Vec<_> = report.of(FlowPattern::Cycle).collect();
    /// assert_eq!(cycles.len(), 3);
    /// println!("{}", cycles[0].explanation);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`].
    ///
    /// # Complexity
    ///
    /// O(n) for fans of n transfers. For m transfers of an account, or of all accounts, in a window: O(n m) for gather-scatter,
    /// at most that for bipartite patterns and stacks, O(passes) for scatter-gather; cycles and chains may be exponential in
    /// `max_length`. Each pattern takes at most `work_limit` steps: half of them go to the accounts, or stretches of time, that need
    /// most, at most an eighth of what is left of them to one, and half evenly to all; so one hub does not use up all.
    /// [`FlowReport::cut`] says what was left out. Memory is O(n + `work_limit`), up to about 5 bytes a
    /// step for scatter-gather and half a byte for others, beside what is reported.
    pub fn detect(&self, graph: &TransferGraph) -> Result<FlowReport, GraphError> {
        self.check()?;
        let minor = self.min_amount * graph.currency().minor_per_major() as f64;
        // Up to the largest number; amounts below a cent are whole cents.
        #[expect(clippy::cast_possible_truncation, reason = "saturating is meant")]
        let minor = minor.ceil() as i64;
        let filtered = (minor > 1).then(|| graph.at_least(minor));
        let scope = Scope::new(filtered.as_ref().unwrap_or(graph), self);
        let pairs = Pairs::new(scope.graph);
        let mut report = FlowReport {
            flows: Vec::new(),
            cut: Vec::new(),
            work: 0,
        };
        for pattern in &self.patterns {
            let mut work = Work::new(self.work_limit);
            let mut found = scope.search(*pattern, &mut work);
            report.work += work.used();
            let name = |account| scope.graph.account(account).clone();
            report.cut.extend(work.cut_off(*pattern, name));
            found.sort_unstable();
            let mut flows: Vec<Flow> = found
                .iter()
                .map(|transfers| report::flow(scope.graph, &pairs, *pattern, transfers))
                .collect();
            flows.sort_by_key(|flow| (flow.regular > 0.5, Reverse(flow.amount.minor())));
            report.flows.extend(flows);
        }
        Ok(report)
    }

    /// All cycles in the order of time, whatever their amounts: each transfer is later than the one before, the last within
    /// `window` of the first, at most `max_length` transfers, and no account twice. Parallel transfers make different cycles. Of
    /// all other parameters only `work_limit` has a say, but all must be within their intervals.
    ///
    /// ```
    /// use dafu_graph::{FlowParams, TransferGraph};
    /// use dafu_sim::FlowWorldParams;
    ///
    /// let world = FlowWorldParams::default().accounts(1_000).seed(7).simulate()?;
    /// let transfers: Vec<_> = world.transfers().collect();
    /// let graph = TransferGraph::from_transfers(&transfers)?;
    /// let cycles = FlowParams::default().cycles(&graph)?;
    /// assert!(cycles.cut.is_none());
    /// for cycle in cycles.iter() {
    ///     assert_eq!(graph.from(cycle[0]), graph.to(cycle[cycle.len() - 1]));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`].
    ///
    /// # Complexity
    ///
    /// At most `work_limit` steps, and 4 bytes for each 16 of them: the number of cycles may be exponential in `max_length`. From
    /// each account, accounts are labelled with the first arrival within so many transfers and the last departure that comes back
    /// within so many, which leaves hardly a path that does not.
    ///
    /// Source: simple temporal cycles as in Kumar and Calders, "2SCENT: An Efficient Algorithm for Enumerating All Simple Temporal
    /// Cycles" (VLDB 2018), with a limit of length. They prune by summaries of what comes back, from the last
    /// transfer on; here labels by length serve, and cycles are not bundled.
    pub fn cycles(&self, graph: &TransferGraph) -> Result<Cycles, GraphError> {
        self.check()?;
        let scope = Scope::new(graph, self);
        let shape = Shape {
            shortest: 2,
            longest: self.max_length,
            amounts: false,
        };
        let mut work = Work::new(self.work_limit);
        let mut cycles = cycle::cycles(&scope, shape, &mut work);
        cycles.cut = work.cut_off(FlowPattern::Cycle, |account| graph.account(account).clone());
        cycles.work = work.used();
        Ok(cycles)
    }
}
