//! What the log of an entity keeps, and what is read from it.

use super::gate::Gate;
use super::plan::Target;
use super::rate_table::RateTable;
use super::ring::Shape;

/// Length of a window that nothing leaves.
pub(crate) const FOREVER: i64 = i64::MAX;

/// One log: the events of an entity that meet a filter.
#[derive(Debug)]
pub(crate) struct LogPlan {
    pub(crate) gate: Option<Gate>,
    pub(crate) shape: Shape,
    /// Places of the ring's numbers among those of the event.
    pub(crate) numbers: Vec<usize>,
    pub(crate) codes: Vec<CodeSource>,
    pub(crate) windows: Vec<WindowPlan>,
    pub(crate) decays: Vec<DecayPlan>,
    /// Word with the time of the last event that is no longer held, for what decays.
    pub(crate) decay_time: usize,
    pub(crate) tiled: Vec<TiledPlan>,
    /// Read before the event is in the log, and after.
    pub(crate) before: Vec<Read>,
    pub(crate) after: Vec<Read>,
    /// Events older than this are forgotten, except those that are held.
    pub(crate) retention: i64,
    /// Windows that nothing leaves, of whose events the newest few are held.
    pub(crate) held: Vec<(usize, u32)>,
    /// Quantiles of fraud rates.
    pub(crate) rates: Vec<RateTable>,
    /// Column of the ring with ids, where they are kept.
    pub(crate) id: Option<usize>,
    /// Whether labels are kept, and for how long.
    pub(crate) labels: Option<i64>,
    /// Whether anything is read that would come out otherwise if the event were in the log already.
    pub(crate) shuns_event: bool,
    /// Whether events mostly go the short way, see [`super::plain`].
    pub(crate) plain: bool,
    pub(crate) words: usize,
    pub(crate) maps: usize,
    pub(crate) buckets: usize,
    pub(crate) deques: usize,
}

/// Where a code of the ring comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeSource {
    /// The hash of a field, cut to 32 bits.
    Field(usize),
    /// The hash of the transaction id, cut to 32 bits.
    Id,
    Latitude,
    Longitude,
}

#[derive(Debug, Clone)]
pub(crate) struct WindowPlan {
    pub(crate) within: i64,
    pub(crate) delay: i64,
    /// Words of the cursor.
    pub(crate) cursor: usize,
    pub(crate) sums: Vec<SumPart>,
    pub(crate) parts: Vec<Part>,
}

/// A sum that is kept up to date as events enter and leave a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SumPart {
    pub(crate) number: usize,
    pub(crate) word: usize,
    /// Whether squares are added up.
    pub(crate) squares: bool,
}

/// What else is kept up to date so. Numbers, codes, words, maps and deques by place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Squares of times between neighbouring events.
    Gaps {
        word: usize,
    },
    /// Sums of cosines and sines of the time of day.
    Hours {
        word: usize,
    },
    Least {
        number: usize,
        deque: usize,
    },
    Most {
        number: usize,
        deque: usize,
    },
    Values {
        code: usize,
        map: usize,
    },
    Buckets {
        number: usize,
        list: usize,
    },
    Digits {
        number: usize,
        map: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DecayPlan {
    /// Microseconds.
    pub(crate) half_life: f64,
    /// What is added up; events are counted without.
    pub(crate) number: Option<usize>,
    /// The sum at the newest event, and what it was before the oldest event held.
    pub(crate) word: usize,
}

/// A window of tiles.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TiledPlan {
    pub(crate) within: i64,
    pub(crate) tiles: u16,
    /// Places among the event's numbers, if a quantity is kept.
    pub(crate) number: Option<usize>,
    pub(crate) squares: bool,
    pub(crate) buckets: bool,
    /// Place among the event's codes, if different values are counted.
    pub(crate) code: Option<usize>,
}

/// One number to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Read {
    pub(crate) target: Target,
    pub(crate) op: Op,
}

/// How a number is read. `window` is the place of the window, `own` the place of the event's own number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Op {
    Count {
        window: usize,
    },
    Rate {
        window: usize,
        hours: f64,
    },
    Sum {
        window: usize,
        word: usize,
    },
    Mean {
        window: usize,
        word: usize,
    },
    Variance {
        window: usize,
        sum: usize,
        squares: usize,
        root: bool,
    },
    Least {
        deque: usize,
        number: usize,
    },
    Most {
        deque: usize,
        number: usize,
    },
    Quantile {
        list: usize,
        permille: u16,
    },
    Distinct {
        map: usize,
    },
    Entropy {
        map: usize,
    },
    ModeShare {
        map: usize,
    },
    TopShare {
        map: usize,
        k: u8,
    },
    Surprise {
        map: usize,
        own: usize,
    },
    Growth {
        short: usize,
        long: usize,
    },
    Last {
        k: u8,
        number: usize,
    },
    SinceLast,
    GapMean {
        window: usize,
    },
    GapVariation {
        window: usize,
        word: usize,
    },
    Burst {
        short: usize,
        long: usize,
        factor: f64,
    },
    Decayed {
        decay: usize,
    },
    Ratio {
        window: usize,
        sum: usize,
        own: usize,
    },
    ZScore {
        window: usize,
        sum: usize,
        squares: usize,
        own: usize,
    },
    Rank {
        window: usize,
        number: usize,
        own: usize,
    },
    Same {
        window: usize,
        number: usize,
        own: usize,
    },
    Benford {
        map: usize,
    },
    HourMean {
        window: usize,
        word: usize,
    },
    HourConcentration {
        window: usize,
        word: usize,
    },
    HourSurprise {
        window: usize,
        word: usize,
    },
    FraudCount {
        window: usize,
    },
    FraudRate {
        window: usize,
        frauds: f64,
        events: f64,
    },
    /// `table`: place among the tables of quantiles.
    FraudQuantile {
        window: usize,
        table: usize,
    },
    FraudTrend {
        short: usize,
        long: usize,
        frauds: f64,
        events: f64,
    },
    SinceFraud,
    LastLabel {
        window: usize,
        k: u8,
        id: usize,
    },
    Home {
        window: usize,
        latitude: usize,
        longitude: usize,
    },
    FromLast {
        latitude: usize,
        longitude: usize,
    },
    Speed {
        latitude: usize,
        longitude: usize,
    },
    Impossible {
        latitude: usize,
        longitude: usize,
    },
    Tiled {
        tiled: usize,
        measure: TiledOp,
    },
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum TiledOp {
    Count,
    Rate { hours: f64 },
    Sum,
    Mean,
    Variance { root: bool },
    Least,
    Most,
    Quantile { permille: u16 },
    Distinct,
}

impl Op {
    /// Whether a feature follows from counts, sums and labels of windows.
    pub(super) const fn is_of_windows(&self) -> bool {
        matches!(
            self,
            Op::Count { .. }
                | Op::Rate { .. }
                | Op::Sum { .. }
                | Op::Mean { .. }
                | Op::Variance { .. }
                | Op::Burst { .. }
                | Op::GapMean { .. }
                | Op::Ratio { .. }
                | Op::ZScore { .. }
                | Op::FraudCount { .. }
                | Op::FraudRate { .. }
                | Op::FraudQuantile { .. }
                | Op::FraudTrend { .. }
        )
    }
}
