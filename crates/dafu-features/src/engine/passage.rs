//! What changes as events enter and leave a window.

use super::count_map::CountMap;
use super::log::{Log, pair_at, second_of_day, set_wide, wide};
use super::log_plan::{LogPlan, Part, WindowPlan};
use super::plan::Rules;
use super::ring::Ring;
use crate::measure::{first_digit, unit_vector};

impl Log {
    /// An event enters a window at its end, or leaves it at its beginning; `others` tells whether there are others in
    /// it.
    #[inline]
    pub(super) fn pass<const ENTERS: bool>(
        &mut self,
        plan: &LogPlan,
        window: &WindowPlan,
        (ordinal, others): (u32, bool),
        rules: &Rules,
    ) {
        let (words, ring, _) = self.split(plan);
        for sum in &window.sums {
            let number = i128::from(ring.number(plan.shape, ordinal, sum.number));
            let number = if sum.squares { number * number } else { number };
            let before = wide(words, sum.word);
            set_wide(words, sum.word, add::<ENTERS>(before, number));
        }
        if !window.parts.is_empty() {
            self.pass_parts::<ENTERS>(plan, window, (ordinal, others), rules);
        }
    }

    fn pass_parts<const ENTERS: bool>(
        &mut self,
        plan: &LogPlan,
        window: &WindowPlan,
        (ordinal, others): (u32, bool),
        rules: &Rules,
    ) {
        let shape = plan.shape;
        let (words, ring, extras) = self.split(plan);
        let (maps, buckets, deques) = extras.unwrap_or_default();
        for part in &window.parts {
            match *part {
                Part::Gaps { word } if others => {
                    // The gap between the event and the one before it, or the one after it that stays.
                    let later = if ENTERS {
                        ordinal
                    } else {
                        ordinal.wrapping_add(1)
                    };
                    let gap = gap_before(ring, plan, later);
                    set_wide(words, word, add::<ENTERS>(wide(words, word), gap * gap));
                }
                Part::Gaps { .. } => {}
                Part::Hours { word } => {
                    let (cos, sin) = unit_vector(second_of_day(ring.time(shape, ordinal), rules));
                    let (cosines, sines) = pair_at(words, word);
                    let sign = if ENTERS { 1 } else { -1 };
                    words[word] = (cosines + sign * cos).cast_unsigned();
                    words[word + 1] = (sines + sign * sin).cast_unsigned();
                }
                Part::Least { number, deque } => {
                    let value = ring.number(shape, ordinal, number);
                    let beaten = |at: u32| ring.number(shape, at, number) >= value;
                    extreme::<ENTERS>(&mut deques[deque], ordinal, beaten);
                }
                Part::Most { number, deque } => {
                    let value = ring.number(shape, ordinal, number);
                    let beaten = |at: u32| ring.number(shape, at, number) <= value;
                    extreme::<ENTERS>(&mut deques[deque], ordinal, beaten);
                }
                Part::Values { code, map } => {
                    let value = ring.code(shape, ordinal, code);
                    if value != 0 {
                        count::<ENTERS>(&mut maps[map], value);
                    }
                }
                Part::Buckets { number, list } => {
                    let value = ring.number(shape, ordinal, number);
                    if ENTERS {
                        buckets[list].add(value);
                    } else {
                        buckets[list].remove(value);
                    }
                }
                Part::Digits { number, map } => {
                    if let Some(digit) = first_digit(ring.number(shape, ordinal, number)) {
                        count::<ENTERS>(&mut maps[map], u32::from(digit));
                    }
                }
            }
        }
    }
}

#[inline]
const fn add<const ENTERS: bool>(sum: i128, number: i128) -> i128 {
    if ENTERS { sum + number } else { sum - number }
}

fn count<const ENTERS: bool>(map: &mut CountMap, key: u32) {
    if ENTERS {
        map.add(key);
    } else {
        map.remove(key);
    }
}

/// Keeps a queue whose front is the extreme of the window: each event in it is beaten by none that came later.
///
/// Source: Lemire, "Streaming maximum-minimum filter using no more than three comparisons per element" (2006), the
/// monotonic queue of section 3.
fn extreme<const ENTERS: bool>(
    queue: &mut std::collections::VecDeque<u32>,
    ordinal: u32,
    beaten: impl Fn(u32) -> bool,
) {
    if ENTERS {
        while queue.back().is_some_and(|&at| beaten(at)) {
            queue.pop_back();
        }
        queue.push_back(ordinal);
    } else if queue.front() == Some(&ordinal) {
        queue.pop_front();
    }
}

fn gap_before(ring: &Ring, plan: &LogPlan, ordinal: u32) -> i128 {
    let earlier = ring.time(plan.shape, ordinal.wrapping_sub(1));
    i128::from(ring.time(plan.shape, ordinal) - earlier)
}
