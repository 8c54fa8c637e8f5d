//! The table of states against one that never gives anything up, and what scorers do with late events.

use super::{LatePolicy, StateTable, StreamParams, StreamScorer, StreamSnapshot, TableCounts};
use crate::SequenceError;
use crate::data::EventNumbers;
use crate::native::StepNetwork;
use crate::network::{Cell, Embedding, NetworkConfig, Task, Weights};
use dafu_core::Timestamp;
use proptest::prelude::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).unwrap()
}

fn network(task: Task, seed: u64) -> StepNetwork {
    let config = NetworkConfig {
        numeric_inputs: 1,
        embeddings: Vec::new(),
        cell: Cell::Lstm,
        layers: 1,
        hidden_units: 5,
        dropout: 0.0,
        task,
    };
    StepNetwork::new(&config, &Weights::first(&config, seed).unwrap()).unwrap()
}

fn scorer(params: &StreamParams) -> StreamScorer<u32> {
    StreamScorer::new(network(Task::NextEvent, 3), params).unwrap()
}

fn inputs(number: &f32) -> EventNumbers<'_> {
    EventNumbers {
        numeric: std::slice::from_ref(number),
        codes: &[],
    }
}

/// A table as a list of key, sum, count and time, those not seen for longest first.
#[derive(Debug)]
struct ListTable {
    capacity: usize,
    time_to_live: Option<u64>,
    now: i64,
    held: Vec<(u32, f32, u32, i64)>,
}

impl ListTable {
    fn is_old(&self, seen: i64) -> bool {
        let limit = self.time_to_live.map(u64::cast_signed);
        limit.is_some_and(|limit| self.now - seen > limit)
    }

    fn get(&self, key: u32) -> Option<(f32, u32, i64)> {
        let held = self.held.iter().find(|held| held.0 == key)?;
        (!self.is_old(held.3)).then_some((held.1, held.2, held.3))
    }

    fn keep(&mut self, key: u32, time: i64, added: f32) -> bool {
        self.now = self.now.max(time);
        let (sum, count, seen) = match self.get(key) {
            Some(held) => held,
            None if self.is_old(time) => return false,
            None => (0.0, 0, time),
        };
        let before = self.held.len();
        self.held.retain(|held| held.0 != key);
        if self.held.len() == before && before == self.capacity {
            self.held.remove(0);
        }
        self.held
            .push((key, sum + added, count + 1, seen.max(time)));
        for _ in 0..2 {
            if self.is_old(self.held[0].3) {
                self.held.remove(0);
            }
        }
        true
    }
}

proptest! {
    /// Each event adds its number to the state, or forgets its key; a plain list does the same.
    #[test]
    fn a_table_holds_what_a_list_holds(
        events in prop::collection::vec((0_u32..6, -20_i64..200, prop::bool::weighted(0.15)), 1..120),
        capacity in 1_usize..8,
        time_to_live in prop::option::of(1_u64..40),
    ) {
        let params = StreamParams::default().capacity(capacity).time_to_live(time_to_live);
        let mut table: StateTable<u32, u32> = StateTable::of_length(&params, 1).unwrap();
        let mut list = ListTable { capacity, time_to_live, now: i64::MIN / 2, held: Vec::new() };
        let mut state = [f32::NAN];
        for (number, (key, seconds, forget)) in events.iter().enumerate() {
            if *forget {
                let held = list.held.len();
                list.held.retain(|held| held.0 != *key);
                prop_assert_eq!(table.forget(key), list.held.len() < held);
            } else {
                let added = number as f32;
                let (count, _) = table.read(key, at(*seconds), &mut state).unwrap();
                state[0] += added;
                let kept = table.keep(key, at(*seconds), (&state, count + 1)).unwrap();
                prop_assert_eq!(kept, list.keep(*key, *seconds, added));
            }
            prop_assert_eq!(table.len(), list.held.len());
            let order = table.iter().map(|(key, state, note, seen)| (*key, state[0], *note, seen));
            let expected = list.held.iter().map(|held| (held.0, held.1, held.2, at(held.3)));
            prop_assert!(order.eq(expected));
            for key in 0..6 {
                let got = table.get(&key, at(-20));
                let got = got.map(|(state, note, seen)| (state[0], *note, seen));
                let expected = list.get(key).map(|(sum, count, seen)| (sum, count, at(seen)));
                prop_assert_eq!(got, expected);
                prop_assert_eq!(table.contains(&key), list.held.iter().any(|held| held.0 == key));
            }
        }
    }

    #[test]
    fn a_restored_stream_goes_on_as_the_one_before(
        events in prop::collection::vec((0_u32..8, 0_i64..300, -2.0_f32..2.0), 2..80),
        capacity in 1_usize..10,
        cut in any::<prop::sample::Index>(),
    ) {
        let params = StreamParams::default().capacity(capacity).time_to_live(Some(50));
        let mut scorer = scorer(&params);
        let cut = cut.index(events.len());
        for (user, seconds, number) in &events[..cut] {
            scorer.score(user, at(*seconds), inputs(number)).unwrap();
        }
        let mut other = self::scorer(&params);
        other.restore(&scorer.snapshot()).unwrap();
        for (user, seconds, number) in &events[cut..] {
            let expected = scorer.score(user, at(*seconds), inputs(number)).unwrap();
            prop_assert_eq!(other.score(user, at(*seconds), inputs(number)).unwrap(), expected);
            prop_assert!(scorer.users() <= capacity);
        }
    }
}

#[test]
fn gives_up_the_user_not_seen_for_longest() {
    let mut scorer = scorer(&StreamParams::default().capacity(2));
    for (user, seconds) in [(1, 0), (2, 1), (1, 2), (3, 3)] {
        scorer.score(&user, at(seconds), inputs(&0.5)).unwrap();
    }
    assert_eq!((scorer.users(), scorer.counts().evicted), (2, 1));
    assert!(scorer.forget(&1) && scorer.forget(&3) && !scorer.forget(&2));
    assert_eq!(scorer.users(), 0);
}

#[test]
fn late_events_are_applied_dropped_or_refused() {
    let late = |policy| {
        let mut scorer = scorer(&StreamParams::default().late(policy));
        scorer.score(&1, at(100), inputs(&1.0)).unwrap();
        let late = scorer.score(&1, at(50), inputs(&-1.0));
        let next = scorer.score(&1, at(110), inputs(&0.3)).unwrap().value;
        (late, next)
    };
    let on_time = {
        let mut scorer = scorer(&StreamParams::default());
        scorer.score(&1, at(100), inputs(&1.0)).unwrap();
        scorer.score(&1, at(110), inputs(&0.3)).unwrap().value
    };
    let (applied, after_applied) = late(LatePolicy::Apply);
    let (dropped, after_dropped) = late(LatePolicy::Drop);
    let (refused, after_refused) = late(LatePolicy::Error);
    assert_eq!(applied, dropped);
    assert!(applied.unwrap().late);
    assert!(matches!(refused, Err(SequenceError::LateEvent { .. })));
    assert!((after_applied - on_time).abs() > 1e-6);
    assert_eq!(
        (after_dropped.to_bits(), after_refused.to_bits()),
        (on_time.to_bits(), on_time.to_bits())
    );
}

#[test]
fn inputs_that_do_not_fit_leave_the_state_as_it_is() {
    let mut scorer = scorer(&StreamParams::default());
    scorer.score(&1, at(0), inputs(&1.0)).unwrap();
    let before = scorer.snapshot();
    for bad in [f32::NAN, f32::INFINITY] {
        assert!(matches!(
            scorer.score(&1, at(1), inputs(&bad)),
            Err(SequenceError::NotFinite { .. })
        ));
    }
    let wide = EventNumbers {
        numeric: &[1.0, 2.0],
        codes: &[],
    };
    assert!(matches!(
        scorer.score(&1, at(1), wide),
        Err(SequenceError::Width { .. })
    ));
    assert_eq!(scorer.snapshot(), before);
}

#[test]
fn a_snapshot_that_does_not_fit_is_refused_and_changes_nothing() {
    let mut scorer = scorer(&StreamParams::default());
    scorer.score(&1, at(0), inputs(&1.0)).unwrap();
    let good = scorer.snapshot();
    let changed = |change: fn(&mut StreamSnapshot<u32>)| {
        let mut snapshot = good.clone();
        change(&mut snapshot);
        snapshot
    };
    let snapshots = [
        changed(|snapshot| snapshot.version += 1),
        changed(|snapshot| snapshot.version = 0),
        changed(|snapshot| snapshot.state_len += 1),
        changed(|snapshot| snapshot.now = None),
        changed(|snapshot| snapshot.now = Some(at(-1))),
        changed(|snapshot| snapshot.fingerprint = super::Fingerprint::default()),
        changed(|snapshot| snapshot.users[0].state.truncate(3)),
        changed(|snapshot| snapshot.users[0].state[0] = f32::NAN),
        changed(|snapshot| snapshot.users[0].state[0] = f32::INFINITY),
        changed(|snapshot| snapshot.users.push(snapshot.users[0].clone())),
    ];
    for snapshot in snapshots {
        assert!(matches!(
            scorer.restore(&snapshot),
            Err(SequenceError::Snapshot { .. })
        ));
        assert_eq!(scorer.snapshot(), good);
    }
}

#[cfg(feature = "serde")]
#[test]
fn a_snapshot_is_the_same_bits_as_json() {
    let network = network(Task::Classify { attention: true }, 3);
    let mut scorer: StreamScorer<u32> =
        StreamScorer::new(network.clone(), &StreamParams::default()).unwrap();
    for event in 0_u16..500 {
        let number = (f32::from(event) * 0.37).sin() * 3.0;
        let user = u32::from(event % 90);
        scorer
            .score(&user, at(i64::from(event)), inputs(&number))
            .unwrap();
    }
    let taken = scorer.snapshot();
    let text = serde_json::to_string(&taken).unwrap();
    let read: StreamSnapshot<u32> = serde_json::from_str(&text).unwrap();
    assert_eq!(read, taken);
    let bits = |snapshot: &StreamSnapshot<u32>| -> Vec<u32> {
        let states = snapshot.users.iter().flat_map(|user| &user.state);
        states.map(|number| number.to_bits()).collect()
    };
    assert_eq!(bits(&read), bits(&taken));
    let mut other = StreamScorer::new(network, &StreamParams::default()).unwrap();
    other.restore(&read).unwrap();
    for user in 0..90 {
        let expected = scorer.score(&user, at(600), inputs(&0.3)).unwrap().value;
        let got = other.score(&user, at(600), inputs(&0.3)).unwrap().value;
        assert_eq!(got.to_bits(), expected.to_bits());
    }
    // The first ones had no version.
    let first = text.replacen("\"version\":1,", "", 1);
    assert_ne!(first, text);
    let first: StreamSnapshot<u32> = serde_json::from_str(&first).unwrap();
    assert_eq!(first, taken);
}

#[test]
fn a_clock_that_jumps_is_refused_and_forgets_nobody() {
    let mut scorer = scorer(&StreamParams::default());
    scorer.score(&1, at(0), inputs(&1.0)).unwrap();
    let before = scorer.snapshot();
    let far = Timestamp::from_seconds(253_370_764_800).unwrap();
    for user in [1, 2] {
        let refused = scorer.score(&user, far, inputs(&1.0)).unwrap_err();
        assert!(matches!(
            refused,
            SequenceError::ClockJump { at, most: 31_622_400, .. } if at == far
        ));
        assert!(
            refused.to_string().contains("raise `max_jump`"),
            "{refused}"
        );
        assert!(scorer.peek(&user, far, inputs(&1.0)).is_err());
    }
    assert_eq!(scorer.snapshot(), before);
    let second = 366 * 86_400;
    assert!(scorer.score(&2, at(second), inputs(&1.0)).is_ok());
    let mut open = self::scorer(&StreamParams::default().max_jump(None));
    open.score(&1, at(0), inputs(&1.0)).unwrap();
    assert!(open.score(&1, far, inputs(&1.0)).is_ok());
    let wrong = StreamParams::default().max_jump(Some(0)).check();
    assert!(wrong.unwrap_err().to_string().contains("`max_jump`"));
}

#[test]
fn a_snapshot_whose_time_has_jumped_is_refused() {
    let mut scorer = scorer(&StreamParams::default());
    scorer.score(&1, at(0), inputs(&1.0)).unwrap();
    let good = scorer.snapshot();
    let mut jumped = good.clone();
    jumped.now = Some(Timestamp::from_seconds(253_370_764_800).unwrap());
    assert!(matches!(
        scorer.restore(&jumped),
        Err(SequenceError::ClockJump { .. })
    ));
    assert_eq!(scorer.snapshot(), good);
    // Nothing is given up where nothing is ever too old.
    let mut keeping = self::scorer(&StreamParams::default().time_to_live(None));
    keeping.restore(&jumped).unwrap();
    assert_eq!(keeping.users(), 1);
}

#[test]
fn nothing_of_a_key_stays_behind() {
    let mut table: StateTable<String, String> =
        StateTable::of_length(&StreamParams::default().capacity(1), 1).unwrap();
    for (key, seconds) in [("first-key", 0), ("second-key", 1)] {
        let note = format!("note-of-{key}");
        assert!(table.keep(key, at(seconds), (&[0.5], note)).unwrap());
    }
    assert!(!format!("{table:?}").contains("first"), "{table:?}");
    assert!(table.forget("second-key"));
    let left = format!("{table:?}");
    assert!(!left.contains("second") && !left.contains("0.5"), "{left}");
}

#[test]
fn an_event_that_is_too_old_already_takes_nobodys_place() {
    let params = StreamParams::default().capacity(1).time_to_live(Some(50));
    let mut scorer = scorer(&params);
    scorer.score(&1, at(1_000), inputs(&1.0)).unwrap();
    let before = scorer.snapshot();
    let late = scorer.score(&2, at(0), inputs(&1.0)).unwrap();
    assert_eq!((scorer.snapshot(), late.late), (before, false));
}

#[test]
fn a_snapshot_of_another_network_is_refused() {
    let params = StreamParams::default();
    let scorer = |seed| StreamScorer::<u32>::new(network(Task::NextEvent, seed), &params).unwrap();
    let mut one = scorer(3);
    one.score(&1, at(0), inputs(&1.0)).unwrap();
    let mut other = scorer(4);
    let refused = other.restore(&one.snapshot()).unwrap_err().to_string();
    assert!(refused.contains("another network"), "{refused}");
    assert_eq!(other.users(), 0);
    // The last places may differ on another machine.
    let mut elsewhere = one.snapshot();
    elsewhere.fingerprint = super::Fingerprint::of_numbers(
        elsewhere
            .fingerprint
            .numbers()
            .iter()
            .map(|number| number + 1e-5),
    );
    assert!(scorer(3).restore(&elsewhere).is_ok());
}

#[test]
fn a_restored_stream_goes_on_counting() {
    let params = StreamParams::default().capacity(3).time_to_live(Some(50));
    let mut scorer = scorer(&params);
    for (user, seconds) in [(1, 0), (2, 0), (3, 0), (4, 0), (5, 100)] {
        scorer.score(&user, at(seconds), inputs(&1.0)).unwrap();
    }
    let counts = |evicted, expired| TableCounts { evicted, expired };
    assert_eq!(scorer.counts(), counts(2, 2));
    let mut snapshot = scorer.snapshot();
    let mut other = self::scorer(&params);
    other.restore(&snapshot).unwrap();
    assert_eq!(
        (other.counts(), other.snapshot()),
        (counts(2, 2), snapshot.clone())
    );
    // Numbers that somebody made up do not overflow.
    snapshot.counts = counts(u64::MAX, u64::MAX);
    other.restore(&snapshot).unwrap();
    for (user, seconds) in [(6, 100), (7, 100), (8, 100), (9, 100), (9, 200)] {
        other.score(&user, at(seconds), inputs(&1.0)).unwrap();
    }
    assert_eq!(other.counts(), counts(u64::MAX, u64::MAX));
}

#[test]
fn weights_of_attention_never_add_up_to_less_than_nothing() {
    let network = network(Task::Classify { attention: true }, 3);
    let mut scorer: StreamScorer<u32> =
        StreamScorer::new(network, &StreamParams::default()).unwrap();
    scorer.score(&1, at(0), inputs(&1.0)).unwrap();
    let good = scorer.snapshot();
    let place = scorer.table.attention_sum().unwrap();
    // The place is that of the network: a positive number, alone in its vector, then the mean of all states so far, which
    // after one event is the last one.
    let state = &good.users[0].state;
    let (before, behind) = state.split_at(place);
    assert!(behind[0] > 0.0 && behind[1..16].iter().all(|number| *number == 0.0));
    assert_eq!(behind[16..], before[..16]);
    for (sum, sound) in [(0.0, true), (-1e-3, false), (-behind[0], false)] {
        let mut snapshot = good.clone();
        snapshot.users[0].state[place] = sum;
        assert_eq!(scorer.restore(&snapshot).is_ok(), sound);
        assert!(scorer.score(&1, at(1), inputs(&1.0)).is_ok());
    }
}

#[test]
fn what_adds_up_to_no_number_is_a_named_error_and_is_not_remembered() {
    for task in [Task::Classify { attention: false }, Task::NextEvent] {
        let config = NetworkConfig {
            embeddings: vec![Embedding {
                categories: 3,
                dimension: 1,
            }],
            ..network(task, 3).config().clone()
        };
        // All units near 1, all answers beyond 32 bits; of categories none is likelier than another then.
        let first = Weights::first(&config, 3).unwrap();
        let mut numbers = first.numbers().to_vec();
        for parameter in first.layout().parameters() {
            let weights = &mut numbers[parameter.range.clone()];
            if parameter.name.contains("head") {
                weights.fill(f32::MAX);
            } else if parameter.name.contains("bias") {
                weights.fill(50.0);
            }
        }
        let weights = Weights::new(&config, numbers).unwrap();
        let network = StepNetwork::new(&config, &weights).unwrap();
        let mut scorer: StreamScorer<u32> =
            StreamScorer::new(network, &StreamParams::default()).unwrap();
        let inputs = EventNumbers {
            numeric: &[0.5],
            codes: &[1],
        };
        if task == Task::NextEvent {
            scorer.score(&1, at(0), inputs).unwrap();
        }
        let before = scorer.snapshot();
        let refused = scorer.score(&1, at(1), inputs).unwrap_err();
        assert!(matches!(refused, SequenceError::NotANumber { .. }));
        assert!(refused.to_string().contains("are too large"), "{refused}");
        assert_eq!(scorer.snapshot(), before);
    }
}
