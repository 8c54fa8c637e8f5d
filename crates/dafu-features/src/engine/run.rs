//! Many events of one entity at once, where windows keep nothing but sums.
//!
//! The sum of a window is a difference of two running sums, and each feature is one loop over the events. What comes out
//! is what [`super::table::Entity::take`] gives for one event after the other, to the bit: sums are whole numbers.

use super::event::{EventView, FIXED, MISSING};
use super::events::Events;
use super::log::{Cursor, Log, NEVER, set_wide, short};
use super::log_plan::{FOREVER, LogPlan, Op, Read, WindowPlan};
use super::mark::{LEAST, Word};
use super::plan::{Rules, TablePlan};
use super::read::{burst, gap_mean, mean, number_of, rate_of, ratio, trend, variance, z_score};
use super::ring::Entry;

/// Events that are held are gathered anew for each run: at most so many for each new one.
const MOST_HELD: usize = 8;

impl TablePlan {
    /// Whether many events of an entity can be taken at once.
    pub(super) fn is_of_runs(&self) -> bool {
        let [log] = self.logs.as_slice() else {
            return false;
        };
        self.reads.is_empty() && log.gate.is_none() && log.is_of_sums() && {
            let lasting = log.windows.iter().any(|window| window.within == FOREVER);
            let mut reads = log.before.iter().chain(&log.after);
            !lasting && reads.all(|read| read.op.is_of_windows())
        }
    }
}

/// New events of one entity, in order: what windows look at lies side by side.
#[derive(Clone, Copy)]
pub(super) struct Arrivals<'a> {
    pub(super) times: &'a [i64],
    /// For each number of the log one an event, and how far apart those of two numbers are.
    pub(super) numbers: &'a [i64],
    pub(super) apart: usize,
    pub(super) frauds: &'a [bool],
    /// Places of the events in the batch.
    pub(super) members: &'a [u32],
    pub(super) events: &'a Events,
}

impl<'a> Arrivals<'a> {
    const fn len(&self) -> usize {
        self.times.len()
    }

    fn event(&self, at: usize) -> EventView<'a> {
        self.events.view(self.members[at] as usize)
    }

    /// Hash of the id of the first, cut to 32 bits.
    pub(super) fn first_id(&self) -> u32 {
        short(self.event(0).head.id)
    }

    fn numbers(&self, number: usize) -> &'a [i64] {
        &self.numbers[number * self.apart..][..self.times.len()]
    }

    /// A number as the ring holds it.
    fn kept(&self, number: usize) -> impl Iterator<Item = i64> {
        let numbers = self.numbers(number).iter();
        numbers.map(|number| if *number == MISSING { 0 } else { *number })
    }
}

/// Where a window begins, and where it ends before the event itself enters: places among the events of a run.
type Bounds = (u32, u32);

/// The events of a run. Kept from run to run for its room.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// Times of the events that were held before, and of the new ones.
    times: Vec<i64>,
    /// How many were held before.
    held: usize,
    /// Running sums: for each kind of sum one more than events.
    sums: Vec<i128>,
    /// Number, and whether it is squared, of each kind of sum.
    kinds: Vec<(usize, bool)>,
    /// For each window, one for each new event.
    bounds: Vec<Bounds>,
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "an entity holds less than 2^32 events"
)]
const fn place(at: usize) -> u32 {
    at as u32
}

/// Times compared at once.
const STEP: usize = 4;

/// Place of the first time after an instant, from a place on. Few events pass between two events, but how many is
/// anybody's guess: comparing some more than needed costs less than a wrong guess.
#[inline]
fn first_after(times: &[i64], from: usize, instant: i64) -> usize {
    let mut at = from;
    while let Some(some) = times[at..].first_chunk::<STEP>() {
        let passed: usize = some.iter().map(|time| usize::from(*time <= instant)).sum();
        at += passed;
        if passed < STEP {
            break;
        }
    }
    at
}

impl Run {
    const fn new_events(&self) -> usize {
        self.times.len() - self.held
    }

    fn gather(&mut self, log: &Log, plan: &LogPlan, new: &Arrivals<'_>) {
        let (ring, shape) = (&log.ring, plan.shape);
        let held = || (0..ring.len()).map(|at| ring.first().wrapping_add(at));
        let narrow = ring.narrow(shape);
        self.held = ring.len() as usize;
        self.times.clear();
        match &narrow {
            Some(ring) => self.times.extend(held().map(|at| ring.time(at))),
            None => self.times.extend(held().map(|at| ring.time(shape, at))),
        }
        self.times.extend_from_slice(new.times);
        self.sums.clear();
        for &(number, squared) in &self.kinds {
            let mut sum = 0;
            self.sums.push(sum);
            let mut add = |number: i64| {
                let number = i128::from(number);
                sum += if squared { number * number } else { number };
                sum
            };
            if let Some(ring) = &narrow {
                let held = held().map(|at| ring.number(at, number));
                self.sums.extend(held.map(&mut add));
            } else {
                let held = held().map(|at| ring.number(shape, at, number));
                self.sums.extend(held.map(&mut add));
            }
            self.sums.extend(new.kept(number).map(add));
        }
    }

    /// Moves all windows over the new events.
    fn slide(&mut self, log: &Log, plan: &LogPlan) {
        self.bounds.clear();
        // So that a step may look past the last event.
        let events = self.times.len();
        self.times.extend([NEVER; STEP]);
        let times = self.times.as_slice();
        for window in &plan.windows {
            let cursor = log.cursor(plan, window);
            let at = |ordinal: u32| ordinal.wrapping_sub(log.ring.first()) as usize;
            let (mut left, mut entered) = (at(cursor.left), at(cursor.entered));
            let new = times[..events].iter().enumerate().skip(self.held);
            self.bounds.extend(new.map(|(own, now)| {
                let latest = now.saturating_sub(window.delay);
                entered = if window.delay == 0 {
                    own
                } else {
                    first_after(times, entered, latest)
                };
                left = first_after(times, left, latest.saturating_sub(window.within));
                (place(left), place(entered))
            }));
        }
        self.times.truncate(events);
    }

    fn bounds_of(&self, window: usize) -> &[Bounds] {
        let new = self.new_events();
        &self.bounds[window * new..(window + 1) * new]
    }

    /// Where the window of a plan stands after the last event, which is in it.
    fn last_bounds(&self, at: usize, window: &WindowPlan) -> Bounds {
        let last = self.bounds_of(at).last().copied().unwrap_or_default();
        (last.0, last.1 + u32::from(window.delay == 0))
    }

    /// Running sums of a sum of a window.
    fn sums_of(&self, plan: &LogPlan, window: usize, word: usize) -> &[i128] {
        let sum = plan.windows[window]
            .sums
            .iter()
            .find(|sum| sum.word == word);
        let kind = sum.map(|sum| (sum.number, sum.squares));
        let at = self
            .kinds
            .iter()
            .position(|other| Some(*other) == kind)
            .unwrap_or_default();
        let events = self.times.len() + 1;
        &self.sums[at * events..(at + 1) * events]
    }
}

/// A window while a feature is read: bounds of each new event, and whether the event itself is in it.
struct Sight<'a> {
    bounds: &'a [Bounds],
    own: u32,
}

impl Sight<'_> {
    #[inline]
    const fn range(&self, at: usize) -> (usize, usize) {
        let (left, entered) = self.bounds[at];
        (left as usize, (entered + self.own) as usize)
    }

    #[inline]
    const fn count(&self, at: usize) -> u32 {
        let (left, entered) = self.bounds[at];
        entered + self.own - left
    }

    #[inline]
    fn sum(&self, sums: &[i128], at: usize) -> i128 {
        let (left, end) = self.range(at);
        sums[end] - sums[left]
    }
}

impl Log {
    /// Takes events that are in order and not before the newest. Their features go into `values`, one event after the
    /// other. Returns whether it did; if not, nothing is done.
    pub(super) fn take_run(
        &mut self,
        (plan, rules): (&LogPlan, &Rules),
        new: &Arrivals<'_>,
        run: &mut Run,
        values: &mut [f64],
    ) -> bool {
        let (held, count) = (self.ring.len() as usize, new.len());
        let frauds = if plan.labels.is_some() && rules.known_after.is_some() {
            new.frauds.iter().filter(|fraud| **fraud).count()
        } else {
            0
        };
        // Where labels may have to go, or are known at once, the order of what happens matters.
        let labels_matter = self.marks().len() + frauds > LEAST || rules.known_after == Some(0);
        if held > MOST_HELD * count
            || held + count > rules.most_events as usize
            || (frauds > 0 && labels_matter)
        {
            return false;
        }
        run.kinds.clear();
        for sum in plan.windows.iter().flat_map(|window| &window.sums) {
            if !run.kinds.contains(&(sum.number, sum.squares)) {
                run.kinds.push((sum.number, sum.squares));
            }
        }
        run.gather(self, plan, new);
        run.slide(self, plan);
        if let (Some(after), true) = (rules.known_after, frauds > 0) {
            // Known after the last event of the run, or not before the event that the label is of: in either case no
            // event sees a label that it would not see if labels came one after the other.
            for at in (0..count).filter(|at| new.frauds[*at]) {
                let (time, id) = (new.times[at], short(new.event(at).head.id));
                let label = (Word::Fraud, time.saturating_add(after));
                self.put_mark((time, id), label, (true, rules.most_events));
            }
        }
        let width = plan.before.len() + plan.after.len();
        for (reads, own) in [(&plan.before, false), (&plan.after, true)] {
            for read in reads {
                let to = values
                    .chunks_exact_mut(width)
                    .map(|values| &mut values[read.target.part]);
                self.read_run(plan, (read, own), (run, new), to);
            }
        }
        self.settle_run(plan, run, new);
        true
    }

    /// Reads one feature of all events.
    fn read_run<'v>(
        &self,
        plan: &LogPlan,
        (read, with_own): (&Read, bool),
        (run, new): (&Run, &Arrivals<'_>),
        to: impl Iterator<Item = &'v mut f64>,
    ) {
        let see = |window: usize| Sight {
            bounds: run.bounds_of(window),
            own: u32::from(with_own && plan.windows[window].delay == 0),
        };
        // The number of the log that an own number of an event is.
        let own_numbers = |own: usize| {
            let number = plan.numbers.iter().position(|place| *place == own);
            new.numbers(number.unwrap_or_default()).iter().copied()
        };
        match read.op {
            Op::Count { window } => {
                let sight = see(window);
                fill(to, |at| f64::from(sight.count(at)));
            }
            Op::Rate { window, hours } => {
                let sight = see(window);
                fill(to, |at| f64::from(sight.count(at)) / hours);
            }
            Op::Sum { window, word } => {
                let (sight, sums) = (see(window), run.sums_of(plan, window, word));
                fill(to, |at| number_of(sight.sum(sums, at)) / FIXED);
            }
            Op::Mean { window, word } => {
                let (sight, sums) = (see(window), run.sums_of(plan, window, word));
                fill(to, |at| {
                    mean(number_of(sight.sum(sums, at)), f64::from(sight.count(at)))
                });
            }
            Op::Variance {
                window,
                sum,
                squares,
                root,
            } => {
                let sums = run.sums_of(plan, window, sum);
                let (sight, squares) = (see(window), run.sums_of(plan, window, squares));
                fill(to, |at| {
                    let n = u64::from(sight.count(at));
                    variance(n, sight.sum(sums, at), sight.sum(squares, at), root)
                });
            }
            Op::Burst {
                short,
                long,
                factor,
            } => {
                let (short, long) = (see(short), see(long));
                fill(to, |at| {
                    burst(
                        f64::from(short.count(at)),
                        f64::from(long.count(at)),
                        factor,
                    )
                });
            }
            Op::GapMean { window } => {
                let sight = see(window);
                fill(to, |at| {
                    let ((left, end), count) = (sight.range(at), sight.count(at));
                    if count < 2 {
                        return f64::NAN;
                    }
                    gap_mean(run.times[end - 1] - run.times[left], count)
                });
            }
            Op::Ratio { window, sum, own } => {
                let (sight, sums) = (see(window), run.sums_of(plan, window, sum));
                fill_by(to, own_numbers(own), |at, own| {
                    let sum = number_of(sight.sum(sums, at));
                    ratio(own, (sum, f64::from(sight.count(at))))
                });
            }
            Op::ZScore {
                window,
                sum,
                squares,
                own,
            } => {
                let sums = run.sums_of(plan, window, sum);
                let (sight, squares) = (see(window), run.sums_of(plan, window, squares));
                fill_by(to, own_numbers(own), |at, own| {
                    let sums = (sight.sum(sums, at), sight.sum(squares, at));
                    z_score(own, sight.count(at), sums)
                });
            }
            _ => self.read_labels(plan, &read.op, (new.times, see), to),
        }
    }

    /// Reads one feature that asks for labels.
    fn read_labels<'b, 'v>(
        &self,
        plan: &LogPlan,
        op: &Op,
        (times, see): (&[i64], impl Fn(usize) -> Sight<'b>),
        to: impl Iterator<Item = &'v mut f64>,
    ) {
        let frauds = |window: usize, sight: &Sight<'_>, at: usize| {
            let count = sight.count(at);
            (
                self.frauds(&plan.windows[window], times[at]).min(count),
                count,
            )
        };
        match *op {
            Op::FraudCount { window } => fill(to, |at| {
                f64::from(self.frauds(&plan.windows[window], times[at]))
            }),
            Op::FraudRate {
                window,
                frauds: prior,
                events,
            } => {
                let sight = see(window);
                fill(to, |at| {
                    rate_of(frauds(window, &sight, at), (prior, events))
                });
            }
            Op::FraudQuantile { window, table } => {
                let sight = see(window);
                fill(to, |at| {
                    let (known, count) = frauds(window, &sight, at);
                    plan.rates[table].at(known, count)
                });
            }
            Op::FraudTrend {
                short,
                long,
                frauds: prior,
                events,
            } => {
                let (near, far) = (see(short), see(long));
                fill(to, |at| {
                    let near = rate_of(frauds(short, &near, at), (prior, events));
                    trend(near, rate_of(frauds(long, &far, at), (prior, events)))
                });
            }
            _ => {}
        }
    }

    /// Holds what is to be held after a run.
    fn settle_run(&mut self, plan: &LogPlan, run: &Run, new: &Arrivals<'_>) {
        let (first, times) = (self.ring.first(), run.times.as_slice());
        let last = times.last().copied().unwrap_or(NEVER);
        for (at, window) in plan.windows.iter().enumerate() {
            let (left, entered) = run.last_bounds(at, window);
            let sums = window.sums.iter().map(|sum| {
                let sums = run.sums_of(plan, at, sum.word);
                (sum.word, sums[entered as usize] - sums[left as usize])
            });
            let words = self.words_mut(plan);
            for (word, sum) in sums {
                set_wide(words, word, sum);
            }
            let cursor = Cursor {
                left: first.wrapping_add(left),
                entered: first.wrapping_add(entered),
                next_leaves: if left == entered {
                    NEVER
                } else {
                    times[left as usize]
                },
                next_enters: times.get(entered as usize).copied().unwrap_or(NEVER),
            };
            cursor.write(words, window);
        }
        let gone = last.saturating_sub(plan.retention);
        let let_go = times.iter().take_while(|time| **time <= gone).count();
        for _ in 0..let_go.min(run.held) {
            self.ring.pop();
        }
        let unseen = let_go.saturating_sub(run.held);
        self.ring.skip(place(unseen));
        let number = |number: usize, at: usize| match new.numbers(number)[unseen + at] {
            MISSING => 0,
            number => number,
        };
        let bulk = if plan.codes.is_empty() {
            self.ring
                .extend_narrow(plan.shape, &new.times[unseen..], number)
        } else {
            0
        };
        for at in unseen + bulk..new.len() {
            self.ring.push(plan.shape, &Entry::of(&new.event(at), plan));
        }
        if self.may_let_go_of_labels(plan, last) {
            self.prune(plan, last);
        }
    }
}

#[inline]
fn fill<'v>(to: impl Iterator<Item = &'v mut f64>, value: impl Fn(usize) -> f64) {
    for (at, to) in to.enumerate() {
        *to = value(at);
    }
}

/// As [`fill`], where the event's own number counts; missing without one.
#[inline]
fn fill_by<'v>(
    to: impl Iterator<Item = &'v mut f64>,
    own: impl Iterator<Item = i64>,
    value: impl Fn(usize, i64) -> f64,
) {
    for ((at, to), own) in to.enumerate().zip(own) {
        *to = if own == MISSING {
            f64::NAN
        } else {
            value(at, own)
        };
    }
}
