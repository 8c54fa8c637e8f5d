//! Labels of the events of an entity, and when they became known.

use super::log::Log;
use super::log_plan::{LogPlan, WindowPlan};

/// Known frauds that are held of an entity however old they are.
const HELD: usize = 8;
/// Labels of an entity that are held however low its cap of events is.
pub(super) const LEAST: usize = 64;

/// What a label says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Word {
    Fraud,
    Honest,
    /// The event was taken back: no label of it counts any more.
    Reversed,
}

/// One label of an event. Of several, the one that became known last holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Mark {
    /// Time of the event.
    pub(crate) time: i64,
    /// Hash of its transaction id, cut to 32 bits.
    pub(crate) id: u32,
    pub(crate) word: Word,
    /// Whether windows still count the event.
    pub(crate) counted: bool,
    /// When the label became known.
    pub(crate) known_at: i64,
}

impl Mark {
    /// The event that it is about.
    pub(crate) const fn event(&self) -> (i64, u32) {
        (self.time, self.id)
    }
}

/// Whether an event is known to be a fraud at an instant, by its labels in the order in which they became known.
pub(crate) fn is_known_fraud(labels: &[Mark], now: i64) -> bool {
    if labels.iter().any(|mark| mark.word == Word::Reversed) {
        return false;
    }
    let mut known = labels.iter().rev().filter(|mark| mark.known_at <= now);
    known.next().is_some_and(|mark| mark.word == Word::Fraud)
}

/// The labels of each event, in order of their times.
fn by_event(marks: &[Mark]) -> impl DoubleEndedIterator<Item = &[Mark]> {
    marks.chunk_by(|one, next| one.event() == next.event())
}

impl Log {
    /// Takes a label. Returns how many labels were dropped, those of the oldest event, because there
    /// were too many.
    pub(crate) fn label(
        &mut self,
        plan: &LogPlan,
        event: (i64, u32),
        (word, known_at): (Word, i64),
        most: u32,
    ) -> u64 {
        let held = self.holds(plan, event);
        self.put_mark(event, (word, known_at), (held, most))
    }

    /// As [`Log::label`], where it is known whether the event is held.
    pub(super) fn put_mark(
        &mut self,
        event: (i64, u32),
        (word, known_at): (Word, i64),
        (held, most): (bool, u32),
    ) -> u64 {
        let same =
            |mark: &Mark| mark.event() == event && mark.word == word && mark.known_at == known_at;
        let marks = &mut self.extras_mut().marks;
        // The same word again takes the place of the first: of words of one instant, the last holds.
        let again = marks.iter().position(same).map(|at| marks.remove(at));
        let counted = again.map_or(held, |mark| mark.counted);
        let mut dropped = 0;
        if marks.len() >= (most as usize).max(LEAST) {
            dropped = by_event(marks).next().map_or(0, <[Mark]>::len);
            marks.drain(..dropped);
        }
        let place = (event, known_at);
        let at = marks.partition_point(|other| (other.event(), other.known_at) <= place);
        let (time, id) = event;
        let mark = Mark {
            time,
            id,
            word,
            counted,
            known_at,
        };
        marks.insert(at, mark);
        dropped as u64
    }

    /// Whether a label is there.
    pub(crate) fn has_label(&self, event: (i64, u32), (word, known_at): (Word, i64)) -> bool {
        let mut marks = self.marks().iter();
        marks.any(|mark| mark.event() == event && mark.word == word && mark.known_at == known_at)
    }

    /// Whether an event is among those held; without ids, whether one of its time is.
    fn holds(&self, plan: &LogPlan, (time, id): (i64, u32)) -> bool {
        let ring = &self.ring;
        let ordinals = (0..ring.len()).map(|place| ring.first().wrapping_add(place));
        let same_id = |at: u32| {
            plan.id
                .is_none_or(|column| ring.code(plan.shape, at, column) == id)
        };
        let mut same_time = ordinals.filter(|at| ring.time(plan.shape, *at) == time);
        same_time.any(same_id)
    }

    /// Forgets labels of events at an instant that are not held: for an event that comes again, those that came with it
    /// or after it.
    pub(super) fn hide(&mut self, plan: &LogPlan, now: i64) {
        let unseen = |mark: &&Mark| mark.time != now || self.holds(plan, mark.event());
        let marks: Vec<Mark> = self.marks().iter().filter(unseen).copied().collect();
        self.set_marks(marks);
    }

    /// An event that the cap dropped is in no window any more, and neither are its labels. Without ids, those of one
    /// event of its time.
    pub(super) fn uncount(&mut self, time: i64, id: Option<u32>) {
        let first = self
            .marks()
            .iter()
            .find(|mark| mark.counted && mark.time == time && id.is_none_or(|id| id == mark.id));
        let Some(event) = first.map(Mark::event) else {
            return;
        };
        let marks = self.marks_mut().iter_mut();
        for mark in marks.filter(|mark| mark.event() == event) {
            mark.counted = false;
        }
    }

    /// Forgets labels of events that are older than what labels are asked for and than every event held, but not those
    /// of the newest few known frauds, nor those that are not known yet.
    pub(super) fn prune_marks(&mut self, plan: &LogPlan, now: i64, age: i64) {
        let oldest = self.time_before(plan, self.ring.first(), self.ring.end());
        let gone = now.saturating_sub(age).min(oldest.saturating_sub(1));
        let marks = &mut self.extras_mut().marks;
        let mut kept: Vec<Mark> = Vec::with_capacity(marks.len());
        let mut frauds = 0;
        for labels in by_event(marks).rev() {
            let young = labels
                .iter()
                .any(|mark| mark.time > gone || mark.known_at > gone);
            let fraud = is_known_fraud(labels, gone);
            frauds += usize::from(fraud);
            if young || (fraud && frauds <= HELD) {
                kept.extend(labels.iter().rev());
            }
        }
        if kept.len() < marks.len() {
            kept.reverse();
            *marks = kept;
        }
    }

    /// Frauds among the events of a window that are known at an instant.
    #[inline]
    pub(super) fn frauds(&self, window: &WindowPlan, now: i64) -> u32 {
        let marks = self.marks();
        let (Some(oldest), Some(newest)) = (marks.first(), marks.last()) else {
            return 0;
        };
        let until = now.saturating_sub(window.delay);
        let from = until.saturating_sub(window.within);
        // Frauds come together: mostly all labels are of other times than those of the window.
        if oldest.time > until || newest.time <= from {
            return 0;
        }
        let end = marks.partition_point(|mark| mark.time <= until);
        let inside = by_event(&marks[..end])
            .rev()
            .take_while(|labels| labels.first().is_some_and(|mark| mark.time > from));
        let counted = |labels: &&[Mark]| labels.first().is_some_and(|mark| mark.counted);
        let known = inside
            .filter(counted)
            .filter(|labels| is_known_fraud(labels, now));
        u32::try_from(known.count()).unwrap_or(u32::MAX)
    }

    /// Time of the newest event up to an instant that is known by then to be a fraud.
    pub(super) fn last_fraud(&self, now: i64) -> Option<i64> {
        let marks = self.marks();
        let end = marks.partition_point(|mark| mark.time <= now);
        let mut known = by_event(&marks[..end])
            .rev()
            .filter(|labels| is_known_fraud(labels, now));
        known
            .next()
            .and_then(|labels| labels.first())
            .map(|mark| mark.time)
    }

    /// Whether an event is known at an instant to be a fraud.
    pub(super) fn is_fraud(&self, event: (i64, u32), now: i64) -> bool {
        let mut all = by_event(self.marks());
        all.any(|labels| labels[0].event() == event && is_known_fraud(labels, now))
    }
}
