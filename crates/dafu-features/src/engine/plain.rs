//! The short way of an event into a log: in order, and where windows keep nothing but sums.
//!
//! What comes out is what [`Log::advance`] and [`Log::push`] leave. Here each window is looked at once, and no event is
//! unpacked.

use super::event::EventView;
use super::log::{Cursor, Log, NEVER, set_wide, wide};
use super::log_plan::{LogPlan, SumPart, WindowPlan};
use super::plan::Rules;
use super::ring::Narrow;

impl LogPlan {
    /// Whether the short way is open to events that pass the gate.
    pub(super) fn is_plain(&self) -> bool {
        !self.shuns_event && self.is_of_sums()
    }

    /// Whether nothing is kept but events and sums.
    pub(super) fn is_of_sums(&self) -> bool {
        self.keeps_events()
            && self.held.is_empty()
            && self.decays.is_empty()
            && self.tiled.is_empty()
            && self.windows.iter().all(|window| window.parts.is_empty())
    }
}

impl Log {
    /// Moves all windows on to the time of an event that is not before the newest, and takes the event. Returns whether it
    /// did: where room has to be made or a label may have to go, windows are moved on at most.
    #[inline]
    pub(super) fn take_plain(
        &mut self,
        plan: &LogPlan,
        event: &EventView<'_>,
        rules: &Rules,
    ) -> bool {
        let now = event.head.time;
        if self.ring.len() >= rules.most_events || self.may_let_go_of_labels(plan, now) {
            return false;
        }
        if self.ring.is_full() {
            // What may be let go of has to have left all windows before.
            self.advance(plan, now, rules);
            self.prune(plan, now);
        }
        let (words, ring) = self.words_and_ring(plan);
        let (numbers, codes) = (plan.numbers_of(event), plan.codes_of(event));
        let Some(own) = ring.push_narrow(plan.shape, now, numbers, codes) else {
            return false;
        };
        let Some(events) = ring.narrow(plan.shape) else {
            return false;
        };
        for window in &plan.windows {
            window.pass(words, &events, (own, now));
        }
        true
    }
}

impl WindowPlan {
    /// Moves the window on to the newest event.
    #[inline]
    fn pass(&self, words: &mut [u64], events: &Narrow<'_>, (own, now): (u32, i64)) {
        let mut cursor = Cursor::read(words, self);
        let latest = now.saturating_sub(self.delay);
        if self.delay == 0 {
            // The event itself enters; that it does so before others leave makes no difference.
            add::<true>(words, &self.sums, events, own);
            if cursor.left == own {
                cursor.next_leaves = now;
            }
            cursor.entered = own.wrapping_add(1);
        } else {
            if cursor.entered == own {
                cursor.next_enters = now;
            }
            while cursor.next_enters <= latest {
                add::<true>(words, &self.sums, events, cursor.entered);
                if cursor.left == cursor.entered {
                    cursor.next_leaves = cursor.next_enters;
                }
                cursor.entered = cursor.entered.wrapping_add(1);
                cursor.next_enters = events.time(cursor.entered);
            }
        }
        let gone = latest.saturating_sub(self.within);
        while cursor.next_leaves <= gone {
            add::<false>(words, &self.sums, events, cursor.left);
            cursor.left = cursor.left.wrapping_add(1);
            cursor.next_leaves = if cursor.left == cursor.entered {
                NEVER
            } else {
                events.time(cursor.left)
            };
        }
        cursor.write(words, self);
    }
}

/// An event enters the sums of a window, or leaves them.
#[inline]
fn add<const ENTERS: bool>(words: &mut [u64], sums: &[SumPart], events: &Narrow<'_>, ordinal: u32) {
    for sum in sums {
        let number = events.number(ordinal, sum.number);
        let number = if sum.squares {
            i128::from(number) * i128::from(number)
        } else {
            i128::from(number)
        };
        let before = wide(words, sum.word);
        let after = if ENTERS {
            before + number
        } else {
            before - number
        };
        set_wide(words, sum.word, after);
    }
}
