//! Behaviour events of the users.

use crate::campaign::clip;
use crate::draft::{Draft, Where};
use crate::name::Names;
use crate::random::{Purpose, Stream};
use crate::simulator::instant;
use crate::world::id;
use crate::{Scenario, SimulatedTransactions};
use dafu_core::{BehaviorEvent, EntityId, Money};
use std::collections::BTreeMap;
use std::iter::FusedIterator;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    Login,
    PasswordChange,
    Browse,
    Purchase,
}

const ACTIONS: [&str; 4] = ["login", "password_change", "browse", "purchase"];

#[derive(Debug, Clone, Copy)]
struct Event {
    second: u32,
    user: u32,
    action: Action,
    place: Where,
    minor: Option<i64>,
}

/// What users do, in the order of time: before each online payment a login (unless the user logged in on that
/// device within the last half hour) and some browsing, then the purchase; an account taker sometimes changes the
/// password first; and visits without a purchase. `location` is the city of the internet address.
///
/// Made by [`Simulator::behavior_events`](crate::Simulator::behavior_events).
#[derive(Debug)]
pub struct BehaviorEvents {
    transactions: SimulatedTransactions,
    actions: [EntityId; 4],
    /// By user: the last login of the day and its device.
    logins: BTreeMap<u32, (u32, u64)>,
    day: i64,
    events: Vec<Event>,
    position: usize,
}

impl BehaviorEvents {
    pub(crate) fn new(transactions: SimulatedTransactions) -> Self {
        Self {
            transactions,
            actions: ACTIONS.map(id),
            logins: BTreeMap::new(),
            day: 0,
            events: Vec::new(),
            position: 0,
        }
    }

    fn load_day(&mut self) -> Option<()> {
        self.events.clear();
        self.logins.clear();
        self.position = 0;
        let seed = self.transactions.engine.params.seed;
        self.day = self.transactions.load_day()?;
        let day = self.day;
        let drafts = self.transactions.day_drafts();
        for (number, draft) in (0..)
            .zip(drafts)
            .filter(|(_, draft)| draft.place.address != 0)
        {
            let mut stream = Stream::new(seed, Purpose::Sessions, number, day);
            let login = self
                .logins
                .get(&draft.user)
                .is_none_or(|&(second, device)| {
                    device != draft.place.device || second + 1_800 < draft.second
                });
            if login {
                self.logins
                    .insert(draft.user, (draft.second, draft.place.device));
            }
            session(&draft, login, &mut stream, &mut self.events);
        }
        self.events
            .sort_by_key(|event| (event.second, event.user, event.action));
        Some(())
    }
}

/// The events around one online payment, and at times a later visit without one.
fn session(draft: &Draft, login: bool, stream: &mut Stream, events: &mut Vec<Event>) {
    let (user, place) = (draft.user, draft.place);
    let mut add = |second: f64, action, minor| {
        events.push(Event {
            second: clip(second),
            user,
            action,
            place,
            minor,
        });
    };
    let paid = f64::from(draft.second);
    let before = 20.0 + 300.0 * stream.exponential();
    if login {
        add(paid - before, Action::Login, None);
        if draft.scenario == Some(Scenario::AccountTakeover) && stream.chance(0.5) {
            add(paid - before * 0.7, Action::PasswordChange, None);
        } else if stream.chance(0.01) {
            add(paid - before * 0.9, Action::PasswordChange, None);
        }
    }
    if stream.chance(0.7) {
        add(paid - before * 0.4, Action::Browse, None);
    }
    add(paid, Action::Purchase, Some(draft.minor));
    if draft.scenario.is_none() && stream.chance(0.5) {
        let later = paid + 3_600.0 + 14_400.0 * stream.exponential();
        if later < 86_000.0 {
            add(later, Action::Login, None);
            add(later + 60.0 * stream.exponential(), Action::Browse, None);
        }
    }
}

impl Iterator for BehaviorEvents {
    type Item = BehaviorEvent;

    fn next(&mut self) -> Option<BehaviorEvent> {
        while self.position == self.events.len() {
            self.load_day()?;
        }
        let event = self.events[self.position];
        self.position += 1;
        let transactions = &mut self.transactions;
        let currency = transactions.engine.params.currency;
        Some(BehaviorEvent {
            user_id: transactions.engine.world.faces[event.user as usize]
                .id
                .clone(),
            timestamp: instant(self.day, event.second),
            action_type: self.actions[event.action as usize].clone(),
            device_id: Some(Names::device(event.place.device)),
            location: Some(transactions.names.city(event.place.city())),
            amount: event.minor.map(|minor| Money::from_minor(minor, currency)),
            extras: BTreeMap::new(),
        })
    }
}

impl FusedIterator for BehaviorEvents {}
