//! A feature engine that keeps every event and computes each feature from the whole list again: the definitions, not an
//! algorithm.
//!
//! What it holds to, in the words of the documentation:
//!
//! - An event at `t` reads the events that arrived before it with a time of at most `t`. Of two events of one time, the one
//!   that arrived first is the earlier.
//! - A window is `(t - delay - within, t - delay]`. The event itself counts where its measure allows it, the window
//!   reaches it and it passes the filter.
//! - A label is visible from its `known_at` on; of several, the one that became known last holds.
//! - A reversed event counts no more, nor does its label, but it was seen: first times stay.
//! - Of one entity under one filter the newest events count, as many as the limit says; those dropped never come back.
//!   How long ago a fraud was is known of them as well, and decaying sums keep them.
//! - An event of an entity of which nothing was heard for longer than the time to live finds nothing, and what was before
//!   never comes back.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    unreachable_pub,
    reason = "tests; not every test file uses every part"
)]

pub mod event;
pub mod measure;
pub mod scenario;

use dafu_core::{Label, Transaction};
use dafu_features::measure::Calendar;
use dafu_features::{Definition, FeatureSet, Field, Labels, LatePolicy, Measure, Outcome, Window};
use measure::{Answer, Reading};
use std::collections::{BTreeMap, BTreeSet};

/// The texts of the fields of a key.
type Entity = Vec<String>;

/// An event that arrived, and what became of it.
#[derive(Debug, Clone)]
pub struct Event {
    pub tx: Transaction,
    pub time: i64,
    pub arrival: usize,
    pub reversed: bool,
    /// What was said of it later: label and the instant from which it is known, in the order of arrival.
    pub labels: Vec<(Label, i64)>,
}

impl Event {
    /// Whether it is known at an instant to be a fraud.
    pub fn is_fraud_at(&self, now: i64) -> bool {
        let known = self.labels.iter().filter(|(_, known_at)| *known_at <= now);
        // The last of the greatest: of one instant, the later word.
        let word = known.max_by_key(|(_, known_at)| *known_at);
        word.is_some_and(|(label, _)| *label == Label::Fraud)
    }
}

/// The naive engine.
#[derive(Debug, Clone)]
pub struct Oracle {
    set: FeatureSet,
    events: Vec<Event>,
    /// For each feature, what it no longer holds.
    losses: Vec<Losses>,
    newest: Option<i64>,
}

/// What a feature no longer holds.
#[derive(Debug, Clone, Default)]
struct Losses {
    /// Events (by arrival) of entities that were forgotten.
    forgotten: BTreeSet<usize>,
    /// Events dropped because there were too many; of a decaying sum, those that are in it and no longer held by
    /// themselves.
    capped: BTreeSet<usize>,
    /// How many events of an entity were reversed.
    reversals: BTreeMap<Entity, usize>,
    /// Entities of which an event was reversed or labelled that was no longer held by itself.
    unsure: BTreeSet<Entity>,
}

impl Losses {
    fn holds(&self, event: &Event) -> bool {
        !self.forgotten.contains(&event.arrival) && !self.capped.contains(&event.arrival)
    }

    /// Whether an event counts, held by itself or in a sum.
    fn counts(&self, window: &Window, event: &Event) -> bool {
        let summed = is_decaying(&window.measure) && !self.forgotten.contains(&event.arrival);
        summed || self.holds(event)
    }
}

/// What the engine should do with an event, and the row that it should give.
#[derive(Debug)]
pub struct Expected {
    pub outcome: Outcome,
    /// `None` where the documentation does not say what is still known.
    pub row: Option<Vec<Answer>>,
}

impl Oracle {
    pub fn new(set: &FeatureSet) -> Self {
        Self {
            set: set.clone(),
            events: Vec::new(),
            losses: vec![Losses::default(); set.features.len()],
            newest: None,
        }
    }

    pub fn events(&self) -> &[Event] {
        &self.events
    }

    pub fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// Whether the entity of an event was forgotten by some feature.
    pub fn is_forgotten(&self, arrival: usize) -> bool {
        let mut losses = self.losses.iter();
        losses.any(|losses| losses.forgotten.contains(&arrival))
    }

    /// Whether an event is no longer held by some feature.
    pub fn is_gone(&self, arrival: usize) -> bool {
        let event = &self.events[arrival];
        event.reversed || self.losses.iter().any(|losses| !losses.holds(event))
    }

    /// Takes an event that was never taken before.
    pub fn observe(&mut self, tx: &Transaction) -> Expected {
        let time = tx.timestamp.as_micros();
        let late = self.newest.map_or(0, |newest| newest - time);
        let bound = self.set.lateness.bound.as_micros();
        let outcome = match self.set.lateness.policy {
            _ if late <= 0 => Outcome::Recorded,
            LatePolicy::Insert if late <= bound => Outcome::Inserted,
            _ => {
                return Expected {
                    outcome: Outcome::TooLate,
                    row: None,
                };
            }
        };
        let mut event = Event {
            tx: tx.clone(),
            time,
            arrival: self.events.len(),
            reversed: false,
            labels: Vec::new(),
        };
        if let Labels::AfterDelay(delay) = self.set.labels
            && tx.is_fraud != Label::Unknown
        {
            event.labels.push((tx.is_fraud, time + delay.as_micros()));
        }
        self.expire(&event, time);
        let row = self.row(&event);
        self.events.push(event);
        self.newest = Some(self.newest.map_or(time, |newest| newest.max(time)));
        self.cap(tx);
        Expected {
            outcome,
            row: Some(row),
        }
    }

    /// Takes an event again that was taken before. Where a window does not hold it, nothing tells which events of its
    /// own time came before it. Entities that are stale for all events that may still come are new to it.
    pub fn repeat(&self, arrival: usize) -> Expected {
        let oldest = self.newest.map_or(i64::MIN, |newest| newest - self.bound());
        let mut expired = self.clone();
        let event = &self.events[arrival];
        expired.expire(event, event.time.max(oldest));
        expired.repeat_of_known(arrival)
    }

    fn repeat_of_known(&self, arrival: usize) -> Expected {
        let event = &self.events[arrival];
        let mut row = self.row(event);
        for (place, window) in windows(&self.set) {
            let log = self.log(place, window, &event.tx);
            let mut tied = log.iter().filter(|other| other.time == event.time);
            let (others, later) = (
                tied.clone().any(|other| other.arrival != arrival),
                tied.any(|other| other.arrival > arrival),
            );
            let out = later && !remembers(window, &self.set.calendar, event);
            // No events are held for this measure alone.
            let bare = others && window.measure == Measure::SinceFraud;
            // Where no event may be late, few of the newest time are held.
            let few = later && looks_back(&window.measure) && self.bound() == 0;
            let summed = is_decaying(&window.measure) && !self.surely_held(place, window, event);
            if out || bare || few || summed {
                row[place] = Answer::ANY;
            }
        }
        Expected {
            outcome: Outcome::Duplicate,
            row: Some(row),
        }
    }

    pub fn label(&mut self, arrival: usize, label: Label, known_at: i64) {
        if label == Label::Unknown {
            return;
        }
        let event = &mut self.events[arrival];
        let overruled = event.labels.iter().any(|(_, other)| *other > known_at);
        event.labels.push((label, known_at));
        let event = &self.events[arrival];
        let old = self.newest.unwrap_or(event.time) - event.time >= self.bound();
        for (place, window) in windows(&self.set) {
            // That an event was reversed, or known to be honest, is remembered no longer than events may be late.
            let gone = old && (event.reversed || overruled);
            if gone && window.measure == Measure::SinceFraud {
                self.losses[place].unsure.extend(entity(window, &event.tx));
            }
        }
    }

    /// How late events are inserted.
    fn bound(&self) -> i64 {
        match self.set.lateness.policy {
            LatePolicy::Insert => self.set.lateness.bound.as_micros(),
            _ => 0,
        }
    }

    pub fn reverse(&mut self, arrival: usize) {
        let event = &self.events[arrival];
        if event.reversed {
            return;
        }
        for (place, window) in windows(&self.set) {
            let Some(entity) = entity(window, &event.tx) else {
                continue;
            };
            let (mine, losses) = (
                remembers(window, &self.set.calendar, event),
                &self.losses[place],
            );
            if !mine || !losses.counts(window, event) {
                continue;
            }
            let unsure = is_decaying(&window.measure) && !self.surely_held(place, window, event);
            let losses = &mut self.losses[place];
            *losses.reversals.entry(entity.clone()).or_default() += 1;
            if unsure {
                losses.unsure.insert(entity);
            }
        }
        self.events[arrival].reversed = true;
    }

    /// Forgets whatever is kept under a value of a field, alone or in a pair.
    pub fn forget(&mut self, field: &Field, value: &str) {
        for (place, window) in windows(&self.set) {
            let fields = kept_by(window);
            let Some(at) = fields.iter().position(|other| other == field) else {
                continue;
            };
            let losses = &mut self.losses[place];
            let of_it = |event: &&Event| event::text(&event.tx, field).as_deref() == Some(value);
            let gone = self.events.iter().filter(of_it).map(|event| event.arrival);
            losses.forgotten.extend(gone);
            losses.reversals.retain(|entity, _| entity[at] != value);
            losses.unsure.retain(|entity| entity[at] != value);
        }
    }

    /// Forgets the entities of an event of which nothing was heard for longer than the time to live, as of a time.
    fn expire(&mut self, event: &Event, now: i64) {
        let Some(ttl) = self.set.limits.ttl else {
            return;
        };
        for (place, window) in windows(&self.set) {
            let Some(entity) = entity(window, &event.tx) else {
                continue;
            };
            let losses = &mut self.losses[place];
            let held: Vec<&Event> = self
                .events
                .iter()
                .filter(|other| !losses.forgotten.contains(&other.arrival))
                .filter(|other| self::entity(window, &other.tx).as_ref() == Some(&entity))
                .collect();
            let last = held.iter().map(|other| other.time).max();
            if last.is_some_and(|last| now - last > ttl.as_micros()) {
                losses
                    .forgotten
                    .extend(held.iter().map(|other| other.arrival));
                losses.reversals.remove(&entity);
                losses.unsure.remove(&entity);
            }
        }
    }

    /// Drops the oldest events of the entities of an event where they are too many.
    fn cap(&mut self, tx: &Transaction) {
        let most = self.set.limits.events_per_entity as usize;
        for (place, window) in windows(&self.set) {
            if is_first_time(&window.measure) || window.measure == Measure::SinceFraud {
                continue;
            }
            let mut held = self.log(place, window, tx);
            held.retain(|other| self.losses[place].holds(other));
            let over = held.len().saturating_sub(most);
            let over: Vec<usize> = held[..over].iter().map(|other| other.arrival).collect();
            self.losses[place].capped.extend(over);
        }
    }

    /// The events that count of the entity of a transaction, in order of time and arrival.
    fn log(&self, place: usize, window: &Window, tx: &Transaction) -> Vec<&Event> {
        self.log_with(place, window, tx, is_first_time(&window.measure))
    }

    fn log_with(
        &self,
        place: usize,
        window: &Window,
        tx: &Transaction,
        reversed: bool,
    ) -> Vec<&Event> {
        let Some(entity) = entity(window, tx) else {
            return Vec::new();
        };
        let mut held: Vec<&Event> = self
            .events
            .iter()
            .filter(|other| reversed || !other.reversed)
            .filter(|other| self.losses[place].counts(window, other))
            .filter(|other| self::entity(window, &other.tx).as_ref() == Some(&entity))
            .filter(|other| remembers(window, &self.set.calendar, other))
            .collect();
        held.sort_by_key(|other| (other.time, other.arrival));
        held
    }

    /// Whether a decaying sum surely holds an event by itself: it is younger than events may be late, or among the two
    /// newest that are not, and the limit did not drop it.
    fn surely_held(&self, place: usize, window: &Window, event: &Event) -> bool {
        // Events that were reversed since may have pushed it out before.
        let log = self.log_with(place, window, &event.tx, true);
        let later = log.iter().rev();
        let later: Vec<_> = later.take_while(|e| e.arrival != event.arrival).collect();
        let newest = log.last().map_or(event.time, |last| last.time);
        let old = |event: &Event| newest - event.time >= self.bound();
        let kept = !old(event) || later.iter().filter(|later| old(later)).count() < 2;
        kept && self.losses[place].holds(event)
    }

    /// The features of an event as of its own time and arrival.
    fn row(&self, event: &Event) -> Vec<Answer> {
        let mut row: Vec<Answer> = Vec::new();
        for (place, feature) in self.set.features.iter().enumerate() {
            let answer = match &feature.definition {
                Definition::Window(window) => self.window(place, window, event),
                Definition::Event(fact) => event::fact(fact, &event.tx, &self.set.calendar),
                Definition::Derived(derived) => event::derived(derived, |name| {
                    let named = |other: &dafu_features::Feature| other.full_name() == name;
                    row[self.set.features.iter().position(named).unwrap()]
                }),
            };
            row.push(answer);
        }
        row
    }

    fn window(&self, place: usize, window: &Window, event: &Event) -> Answer {
        let Some(entity) = entity(window, &event.tx) else {
            return Answer::MISSING;
        };
        let order = |event: &Event| (event.time, event.arrival);
        let losses = &self.losses[place];
        let log = self.log(place, window, &event.tx);
        let (before, since): (Vec<&Event>, Vec<&Event>) = log
            .into_iter()
            .partition(|other| order(other) < order(event));
        // A decaying sum cannot go back before an event that it no longer holds by itself.
        if losses.unsure.contains(&entity) || since.iter().any(|other| !losses.holds(other)) {
            return Answer::ANY;
        }
        let reading = Reading {
            window,
            calendar: &self.set.calendar,
            event,
            before: &before,
            passes: remembers(window, &self.set.calendar, event),
            most: self.set.limits.events_per_entity as usize,
        };
        let reversals = losses.reversals.get(&entity).copied().unwrap_or(0);
        if reversals > 1 && looks_back(&window.measure) {
            return reading.answer().or_missing();
        }
        reading.answer()
    }
}

/// The windows of a set, with their places.
fn windows(set: &FeatureSet) -> impl Iterator<Item = (usize, &Window)> {
    let features = set.features.iter().enumerate();
    features.filter_map(|(place, feature)| match &feature.definition {
        Definition::Window(window) => Some((place, window)),
        _ => None,
    })
}

/// Whether a window remembers an event: it passes the filter and has what the measure looks back to.
fn remembers(window: &Window, calendar: &Calendar, event: &Event) -> bool {
    event::passes(&event.tx, window.filter.as_ref(), calendar) && measure::is_about(window, event)
}

/// Measures that say when something was first seen.
fn is_first_time(measure: &Measure) -> bool {
    matches!(
        measure,
        Measure::SinceFirst | Measure::IsNew { .. } | Measure::Age { .. }
    )
}

fn is_decaying(measure: &Measure) -> bool {
    matches!(
        measure,
        Measure::DecayedCount { .. } | Measure::DecayedSum { .. }
    )
}

/// Measures that ask for the k-th last event, of which only a few more than k are held.
fn looks_back(measure: &Measure) -> bool {
    matches!(
        measure,
        Measure::Last { .. }
            | Measure::SinceLast
            | Measure::LastLabel { .. }
            | Measure::DistanceFromLast
            | Measure::Speed
            | Measure::ImpossibleTravel
    )
}

/// The fields whose values together are the entity of a feature: those of its key, and for new values the field that
/// they are of.
fn kept_by(window: &Window) -> Vec<Field> {
    let of = match &window.measure {
        Measure::IsNew { of } | Measure::Age { of } => Some(of.clone()),
        _ => None,
    };
    window.by.fields().cloned().chain(of).collect()
}

/// The entity that an event belongs to; `None` where it lacks a field.
fn entity(window: &Window, tx: &Transaction) -> Option<Entity> {
    let fields = kept_by(window);
    fields.iter().map(|field| event::text(tx, field)).collect()
}
