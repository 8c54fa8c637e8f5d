//! The table of states against one that never gives anything up, and what scorers do with late events.

use super::{LatePolicy, StateTable, StreamParams, StreamScorer};
use crate::SequenceError;
use crate::data::EventNumbers;
use crate::native::StepNetwork;
use crate::network::{Cell, NetworkConfig, Task, Weights};
use dafu_core::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).unwrap()
}

fn network() -> StepNetwork {
    let config = NetworkConfig {
        numeric_inputs: 1,
        embeddings: Vec::new(),
        cell: Cell::Lstm,
        layers: 1,
        hidden_units: 5,
        dropout: 0.0,
        task: Task::NextEvent,
    };
    StepNetwork::new(&config, &Weights::first(&config, 3).unwrap()).unwrap()
}

fn scorer(params: &StreamParams) -> StreamScorer<u32> {
    StreamScorer::new(network(), params).unwrap()
}

fn inputs(number: &f32) -> EventNumbers<'_> {
    EventNumbers {
        numeric: std::slice::from_ref(number),
        codes: &[],
    }
}

proptest! {
    /// Each touch adds its number to the state; a plain map does the same.
    #[test]
    fn a_table_holds_what_a_map_holds(
        events in prop::collection::vec((0_u32..6, -20_i64..200), 1..120),
        time_to_live in prop::option::of(1_u64..40),
    ) {
        let params = StreamParams::default().time_to_live(time_to_live);
        let mut table: StateTable<u32, u32> = StateTable::new(&params, 1).unwrap();
        let mut map: BTreeMap<u32, (f32, u32, i64)> = BTreeMap::new();
        let mut now = i64::MIN;
        for (number, (key, seconds)) in events.iter().enumerate() {
            now = now.max(*seconds);
            let added = number as f32;
            let (state, note) = table.touch(key, at(*seconds)).unwrap();
            state[0] += added;
            *note += 1;
            let old = |seen: i64| time_to_live.is_some_and(|limit| now - seen > limit.cast_signed());
            let held = map.entry(*key).or_insert((0.0, 0, *seconds));
            if old(held.2) {
                *held = (0.0, 0, *seconds);
            }
            *held = (held.0 + added, held.1 + 1, held.2.max(*seconds));
            for (key, (sum, count, seen)) in &map {
                let got = table.get(key, at(*seconds));
                let got = got.map(|(state, note, seen)| (state[0], *note, seen));
                let expected = (!old(*seen)).then_some((*sum, *count, at(*seen)));
                prop_assert_eq!(got, expected);
            }
        }
        let kept = map.values().filter(|held| time_to_live.is_none_or(|limit| now - held.2 <= limit.cast_signed()));
        prop_assert!(table.len() >= kept.count());
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
    assert!(matches!(refused, Err(SequenceError::EventOrder { .. })));
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
    let mut short = good.clone();
    short.users[0].state.pop();
    let mut bad = good.clone();
    bad.users[0].state[0] = f32::NAN;
    let mut twice = good.clone();
    twice.users.push(twice.users[0].clone());
    for snapshot in [short, bad, twice] {
        assert!(matches!(
            scorer.restore(&snapshot),
            Err(SequenceError::Snapshot { .. })
        ));
        assert_eq!(scorer.snapshot(), good);
    }
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
