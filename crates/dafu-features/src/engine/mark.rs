//! Known frauds among the events of an entity.

use super::log::Log;
use super::log_plan::{LogPlan, WindowPlan};

/// Known frauds that are held of an entity however old they are.
const HELD: usize = 8;
/// Labels of an entity that are held however low its cap of events is.
pub(super) const LEAST: usize = 64;
/// Never.
const NEVER: i64 = i64::MAX;

/// The label of an event: a fraud from an instant on, and until another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Mark {
    /// Time of the event.
    pub(crate) time: i64,
    /// When the fraud became known.
    pub(crate) known_at: i64,
    /// When it became known to be none after all.
    pub(crate) cleared_at: i64,
    /// Hash of the transaction id, cut to 32 bits.
    pub(crate) id: u32,
    /// Whether windows still count its event.
    pub(crate) counted: bool,
}

impl Mark {
    /// A fraud that is known from an instant on.
    pub(crate) const fn fraud(time: i64, id: u32, known_at: i64) -> Self {
        Self {
            time,
            known_at,
            cleared_at: NEVER,
            id,
            counted: true,
        }
    }

    /// Whether the fraud is known at an instant.
    pub(crate) const fn known(&self, now: i64) -> bool {
        self.known_at <= now && now < self.cleared_at
    }

    /// Whether its event was taken back, so that no label counts any more.
    const fn reversed(&self) -> bool {
        self.cleared_at == i64::MIN
    }
}

impl Log {
    /// The mark of an event, made where there is none.
    fn mark_of(&mut self, plan: &LogPlan, (time, id): (i64, u32), most: u32) -> &mut Mark {
        let counted = self.holds(plan, time, id);
        let marks = &mut self.extras_mut().marks;
        let same = |mark: &Mark| mark.id == id && mark.time == time;
        let at = if let Some(at) = marks.iter().position(same) {
            at
        } else {
            if marks.len() >= (most as usize).max(LEAST) {
                marks.remove(0);
            }
            let at = marks.partition_point(|other| other.time <= time);
            let mut mark = Mark::fraud(time, id, NEVER);
            mark.counted = counted;
            marks.insert(at, mark);
            at
        };
        &mut marks[at]
    }

    /// Whether an event is among those held; without ids, whether one of its time is.
    fn holds(&self, plan: &LogPlan, time: i64, id: u32) -> bool {
        let ring = &self.ring;
        let ordinals = (0..ring.len()).map(|place| ring.first().wrapping_add(place));
        let same_id = |at: u32| {
            plan.id
                .is_none_or(|column| ring.code(plan.shape, at, column) == id)
        };
        let mut same_time = ordinals.filter(|at| ring.time(plan.shape, *at) == time);
        same_time.any(same_id)
    }

    /// Takes a fraud that is known from an instant on. Of labels that contradict each other, the one that became known
    /// last holds.
    pub(crate) fn mark_fraud(&mut self, plan: &LogPlan, fraud: &Mark, most: u32) {
        let mark = self.mark_of(plan, (fraud.time, fraud.id), most);
        if mark.reversed() {
            return;
        }
        if mark.cleared_at <= fraud.known_at {
            (mark.known_at, mark.cleared_at) = (fraud.known_at, NEVER);
        } else {
            mark.known_at = mark.known_at.min(fraud.known_at);
        }
    }

    /// Takes it that an event is known to be honest from an instant on.
    pub(crate) fn mark_honest(&mut self, plan: &LogPlan, event: (i64, u32), at: i64, most: u32) {
        let mark = self.mark_of(plan, event, most);
        if mark.known_at == NEVER || at >= mark.known_at {
            mark.cleared_at = mark.cleared_at.min(at);
        }
    }

    /// Takes it that an event was taken back.
    pub(crate) fn mark_reversed(&mut self, plan: &LogPlan, event: (i64, u32), most: u32) {
        self.mark_of(plan, event, most).cleared_at = i64::MIN;
    }

    /// Forgets labels of events at an instant that are not held: for an event that comes again, those that came with it
    /// or after it.
    pub(super) fn hide(&mut self, plan: &LogPlan, now: i64) {
        let unseen = |mark: &Mark| mark.time == now && !self.holds(plan, mark.time, mark.id);
        let marks: Vec<Mark> = self
            .marks()
            .iter()
            .copied()
            .filter(|mark| !unseen(mark))
            .collect();
        self.set_marks(marks);
    }

    /// An event that the cap dropped is in no window any more, and neither is its label.
    pub(super) fn uncount(&mut self, time: i64, id: Option<u32>) {
        let mut marks = self.marks_mut().iter_mut();
        let its = |mark: &&mut Mark| {
            mark.counted && mark.time == time && id.is_none_or(|id| id == mark.id)
        };
        if let Some(mark) = marks.find(its) {
            mark.counted = false;
        }
    }

    /// Forgets marks that are older than what labels are asked for and than every event held, but not the newest few
    /// that are known.
    pub(super) fn prune_marks(&mut self, plan: &LogPlan, now: i64, age: i64) {
        let oldest = self.time_before(plan, self.ring.first(), self.ring.end());
        let gone = now.saturating_sub(age).min(oldest.saturating_sub(1));
        let marks = &mut self.extras_mut().marks;
        let known = marks.iter().filter(|mark| mark.known(gone)).count();
        let mut spare = known.saturating_sub(HELD);
        marks.retain(|mark| {
            let waits = gone < mark.known_at && mark.known_at < NEVER;
            if mark.time > gone || waits {
                return true;
            }
            let keep = mark.known(gone) && spare == 0;
            spare = spare.saturating_sub(usize::from(mark.known(gone)));
            keep
        });
    }

    /// Frauds among the events of a window that are known at an instant.
    #[inline]
    pub(super) fn frauds(&self, window: &WindowPlan, now: i64) -> u32 {
        let marks = self.marks();
        if marks.is_empty() {
            return 0;
        }
        let until = now.saturating_sub(window.delay);
        let from = until.saturating_sub(window.within);
        let end = marks.partition_point(|mark| mark.time <= until);
        let inside = marks[..end]
            .iter()
            .rev()
            .take_while(|mark| mark.time > from);
        let known = inside.filter(|mark| mark.counted && mark.known(now));
        u32::try_from(known.count()).unwrap_or(u32::MAX)
    }
}
