//! Encoding of events, by examples.
#![allow(
    clippy::float_cmp,
    clippy::unwrap_used,
    reason = "numbers are exact where nothing else is said, and a panic is a failed test"
)]

mod records;

use dafu_core::Timestamp;
use dafu_sequence::SequenceError;
use dafu_sequence::encode::{
    CategoricalInput, Encoder, EncoderParams, EncoderState, Histories, InputKind, NoveltyInput,
    NumericInput, RawEvent, Record, Transform,
};
use records::{DAY, action, at, numbers, payment, words};
use std::borrow::Cow;

/// An event with one number and one text, of data without records.
fn raw<'a>(second: i64, numbers: &'a [f64], texts: &'a [Option<&'a str>]) -> RawEvent<'a> {
    RawEvent {
        time: at(second),
        numbers,
        texts,
        label: None,
        scorable: true,
    }
}

/// No input but those that are added.
fn bare() -> EncoderParams {
    EncoderParams::default()
        .gap(false)
        .hour(false)
        .weekday(false)
}

fn fit_numbers(params: &EncoderParams, numbers: &[f64]) -> Encoder {
    let mut fit = params.check().unwrap().fitter(None);
    for (second, number) in (0..).zip(numbers) {
        fit.push(&raw(second, &[*number], &[])).unwrap();
    }
    fit.finish().unwrap()
}

fn encode(encoder: &Encoder, event: &RawEvent<'_>) -> (Vec<f32>, Vec<u32>) {
    let (mut numeric, mut codes) = (Vec::new(), Vec::new());
    encoder
        .encode(
            &mut EncoderState::default(),
            event,
            &mut numeric,
            &mut codes,
        )
        .unwrap();
    (numeric, codes)
}

fn number_of(encoder: &Encoder, number: f64) -> f32 {
    encode(encoder, &raw(0, &[number], &[])).0[0]
}

#[test]
fn numbers_are_scaled_by_mean_and_deviation_of_training() {
    let params = bare().numeric(NumericInput::new("x"));
    // Mean 4, deviation 2.
    let encoder = fit_numbers(&params, &[2.0, 2.0, 6.0, 6.0]);
    let got = [4.0, 6.0, 2.0, 1e9, -1e9].map(|x| number_of(&encoder, x));
    assert_eq!(got, [0.0, 1.0, -1.0, 8.0, -8.0]);
    assert_eq!(encoder.decode_number(0, 1.0), Some(6.0));
    assert_eq!(encoder.decode_number(1, 1.0), None);
}

#[test]
fn logarithms_keep_the_sign() {
    let params = bare().numeric(NumericInput::log("x"));
    let e = std::f64::consts::E;
    // Logarithms 1 and -1: mean 0, deviation 1.
    let encoder = fit_numbers(&params, &[e - 1.0, 1.0 - e]);
    for (x, expected) in [(0.0, 0.0), (e * e - 1.0, 2.0), (1.0 - e * e, -2.0)] {
        // Absolute: the precision of 32 bits.
        assert!((number_of(&encoder, x) - expected).abs() < 1e-6, "{x}");
    }
}

#[test]
fn constant_numbers_are_zero_and_others_held_within_the_clip() {
    let params = bare().numeric(NumericInput::new("x")).clip(3.0);
    let encoder = fit_numbers(&params, &[7.0; 5]);
    let got = [7.0, 8.0, 100.0].map(|x| number_of(&encoder, x));
    assert_eq!(got, [0.0, 1.0, 3.0]);
}

#[test]
fn missing_numbers_are_zero_with_a_flag_where_training_misses_them() {
    let params = bare().numeric(NumericInput::new("x"));
    let encoder = fit_numbers(&params, &[2.0, f64::NAN, 6.0]);
    assert_eq!(encoder.input_names(), ["x", "x_missing"]);
    assert_eq!(encoder.kind(1), Some(InputKind::Missing));
    assert_eq!(encoder.missing_flag(0), Some(0));
    let coded = |x| encode(&encoder, &raw(0, &[x], &[]));
    assert_eq!(coded(f64::NAN), (vec![0.0], vec![1]));
    assert_eq!(coded(6.0), (vec![1.0], vec![0]));

    let encoder = fit_numbers(&params, &[2.0, 6.0]);
    assert_eq!(encoder.missing_flag(0), None);
    let missing = encode(&encoder, &raw(0, &[f64::NAN], &[]));
    assert_eq!(missing, (vec![0.0], vec![]));
}

#[test]
fn infinite_numbers_are_refused_by_event_input_and_value() {
    let params = bare().numeric(NumericInput::new("x"));
    let mut fit = params.check().unwrap().fitter(None);
    let expected = SequenceError::Infinite {
        time: at(5),
        input: "x".to_owned(),
        got: f64::NEG_INFINITY,
    };
    let wrong = raw(5, &[f64::NEG_INFINITY], &[]);
    assert_eq!(fit.push(&wrong), Err(expected.clone()));
    // Nothing was learned from it: earlier events still fit.
    fit.push(&raw(1, &[1.0], &[])).unwrap();
    let encoder = fit.finish().unwrap();
    let mut state = EncoderState::default();
    let got = encoder.encode(&mut state, &wrong, &mut Vec::new(), &mut Vec::new());
    assert_eq!(got, Err(expected));
    assert_eq!(state, EncoderState::default());
}

/// A record of another kind than the three.
#[derive(Debug)]
struct Reading(i64, f64);

impl Record for Reading {
    fn entity(&self) -> &'static str {
        "sensor"
    }

    fn time(&self) -> Timestamp {
        at(self.0)
    }

    fn label(&self) -> Option<bool> {
        Some(self.1 > 10.0)
    }

    fn number(&self, field: &str) -> Option<f64> {
        (field == "x").then_some(self.1)
    }

    fn text(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

#[test]
fn errors_of_records_name_the_record() {
    let records = [Reading(3, 1.0), Reading(1, f64::INFINITY), Reading(2, 2.0)];
    let histories = Histories::new(&records);
    let params = bare().numeric(NumericInput::new("x"));
    let error = params.fit(&histories, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "record 1: event of 1970-01-01T00:00:01Z: input `x` is inf: correct it, or give NaN for a missing number"
    );
    // After the boundary it is not looked at until it is encoded.
    let records = [Reading(1, 1.0), Reading(2, f64::INFINITY)];
    let histories = Histories::new(&records);
    let encoder = params.fit(&histories, Some(at(2))).unwrap();
    let error = histories.encode(&encoder).unwrap_err();
    assert!(matches!(error, SequenceError::Record { record: 1, .. }));
}

#[test]
fn numbers_too_large_to_scale_are_refused_and_their_logarithms_are_not() {
    let records = [Reading(1, f64::MAX), Reading(2, -f64::MAX)];
    let histories = Histories::new(&records);
    let error = bare()
        .numeric(NumericInput::new("x"))
        .fit(&histories, None)
        .unwrap_err();
    let input = "x".to_owned();
    assert_eq!(error, SequenceError::Scale { input });
    let log = bare().numeric(NumericInput::log("x"));
    let encoder = log.fit(&histories, None).unwrap();
    let events = histories.encode(&encoder).unwrap();
    assert_eq!(numbers(&encoder, &events, "x"), [1.0, -1.0]);
}

#[test]
fn codes_are_missing_unseen_and_categories_by_count() {
    let params = bare().categorical(CategoricalInput::new("page").min_count(2).max_categories(2));
    let mut fit = params.check().unwrap().fitter(None);
    for page in ["b", "a", "b", "c", "a", "c", "once"] {
        fit.push(&raw(0, &[], &[Some(page)])).unwrap();
    }
    let encoder = fit.finish().unwrap();
    assert_eq!(encoder.categories(), [4]);
    let code = |page| encode(&encoder, &raw(0, &[], &[page])).1[0];
    let pages = [None, Some("never"), Some("once"), Some("c")];
    assert_eq!(pages.map(code), [0, 1, 1, 1]);
    assert_eq!([Some("a"), Some("b")].map(code), [2, 3]);
    let texts = [0, 1, 2, 3, 4].map(|code| encoder.decode_code(0, code));
    let texts = texts.each_ref().map(Option::as_deref);
    let expected = [Some("missing"), Some("unseen"), Some("a"), Some("b"), None];
    assert_eq!(texts, expected);
}

#[test]
fn gaps_are_the_logarithm_of_seconds_and_missing_for_first_events() {
    let seconds = [0, 0, 59, 59 + DAY];
    let mut records: Vec<_> = seconds.map(|second| action("ada", second, "login")).into();
    records.push(action("bob", 7, "login"));
    let histories = Histories::new(&records);
    let params = EncoderParams::default().hour(false).weekday(false);
    let encoder = params.fit(&histories, None).unwrap();
    assert_eq!(encoder.input_names(), ["gap", "gap_missing"]);
    let events = histories.encode(&encoder).unwrap();
    assert_eq!((events.entities(), events.entity(1)), (2, 4..5));
    let missing = words(&encoder, &events, "gap_missing");
    assert_eq!(missing, ["yes", "no", "no", "no", "yes"]);
    let gaps = words(&encoder, &events, "gap");
    assert_eq!(gaps, ["missing", "0 s", "59 s", "24.0 h", "missing"]);
    // Scaled over the three gaps there are.
    let logs = [0.0, 60.0_f64.ln(), (86_401.0_f64).ln()];
    let mean = logs.iter().sum::<f64>() / 3.0;
    let deviation = (logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / 3.0).sqrt();
    let got = numbers(&encoder, &events, "gap");
    for (got, log) in got[1..4].iter().zip(logs) {
        // Absolute: the precision of 32 bits.
        assert!((f64::from(*got) - (log - mean) / deviation).abs() < 1e-6);
    }
    assert_eq!([got[0], got[4]], [0.0, 0.0]);
}

#[test]
fn single_events_have_no_gap_to_learn_from() {
    let records = [action("ada", 0, "login"), action("bob", 9, "login")];
    let histories = Histories::new(&records);
    let params = EncoderParams::default().hour(false).weekday(false);
    let encoder = params.fit(&histories, None).unwrap();
    let events = histories.encode(&encoder).unwrap();
    assert_eq!(numbers(&encoder, &events, "gap"), [0.0, 0.0]);
}

#[test]
fn times_are_points_on_circles() {
    // 1970-01-01 was a Thursday; three days and six hours later it is Sunday.
    let records = [action("ada", 3 * DAY + DAY / 4, "login")];
    let histories = Histories::new(&records);
    let encoder = EncoderParams::default().fit(&histories, None).unwrap();
    let events = histories.encode(&encoder).unwrap();
    let turn = 6.0 / 7.0 * std::f64::consts::TAU;
    let expected = [1.0, 0.0, turn.sin(), turn.cos()];
    for (got, expected) in events.numbers(0).numeric[1..].iter().zip(expected) {
        // Absolute: the precision of 32 bits.
        assert!((f64::from(*got) - expected).abs() < 1e-7);
    }
    for (name, expected) in [
        ("hour_sin", "06:00"),
        ("hour_cos", "06:00"),
        ("weekday_sin", "Sun"),
        ("weekday_cos", "Sun"),
    ] {
        assert_eq!(words(&encoder, &events, name), [expected]);
    }
}

#[test]
fn records_in_any_order_are_sorted_and_found_again() {
    let records = [
        payment("bob", 5, 100),
        payment("ada", 9, 200),
        payment("bob", 2, 300),
        payment("ada", 4, 400),
        // The same time: in the order of the records.
        payment("bob", 5, 500),
    ];
    let histories = Histories::new(&records);
    assert_eq!((histories.len(), histories.entities()), (5, 2));
    let order: Vec<_> = (0..5)
        .map(|event| histories.record(event).unwrap())
        .collect();
    assert_eq!(order, [3, 1, 2, 0, 4]);
    for record in 0..5 {
        let event = histories.event(record).unwrap();
        assert_eq!(histories.record(event), Some(record));
    }
    assert_eq!((histories.record(5), histories.event(5)), (None, None));
    assert_eq!(histories.find_entity("bob"), Some(1));
    assert_eq!(histories.find_entity("eve"), None);
    assert_eq!((histories.entity(1), histories.entity(2)), (2..5, 0..0));
    let encoder = EncoderParams::transactions().fit(&histories, None).unwrap();
    let events = histories.encode(&encoder).unwrap();
    let amounts = words(&encoder, &events, "amount");
    assert_eq!(amounts, ["4.00", "2.00", "3.00", "1.00", "5.00"]);
}

#[test]
fn events_before_the_last_one_are_late_in_a_stream() {
    let encoder = fit_numbers(&bare().numeric(NumericInput::new("x")), &[1.0]);
    let (mut numeric, mut codes) = (Vec::new(), Vec::new());
    let mut state = EncoderState::default();
    for second in [5, 5] {
        let event = raw(second, &[1.0], &[]);
        encoder
            .encode(&mut state, &event, &mut numeric, &mut codes)
            .unwrap();
    }
    let before = state;
    let event = raw(4, &[1.0], &[]);
    let got = encoder.encode(&mut state, &event, &mut numeric, &mut codes);
    let late = SequenceError::LateEvent {
        before: at(5),
        got: at(4),
    };
    assert_eq!((got, state), (Err(late), before));
    assert_eq!(state.previous(), Some(at(5)));
}

#[test]
fn refuses_what_cannot_be_fitted() {
    let message = |params: EncoderParams, boundary| {
        let records = [action("ada", 5, "login")];
        let fitted = params.fit(&Histories::new(&records), boundary);
        fitted.unwrap_err().to_string()
    };
    assert_eq!(
        message(bare().numeric(NumericInput::new("amuont")), None),
        "no event to learn from has a value of input `amuont`: check its name, or make it optional"
    );
    assert_eq!(
        message(EncoderParams::behavior(), Some(at(5))),
        "no event to learn scales and categories from: there is none, or none before the boundary"
    );
    assert_eq!(message(bare(), None), "`inputs` must be 1 to 4096, got 0");
}

#[test]
fn refuses_parameters_out_of_range() {
    let message = |params: EncoderParams| params.check().unwrap_err().to_string();
    let category = || CategoricalInput::new("c");
    assert_eq!(
        message(bare().clip(f64::NAN)),
        "`clip` must be 1 to 1000000, got NaN"
    );
    assert_eq!(
        message(bare().categorical(category().min_count(0))),
        format!("`min_count` of input `c` must be 1 to {}, got 0", u64::MAX)
    );
    assert_eq!(
        message(bare().categorical(category().max_categories(1 << 20))),
        "`max_categories` of input `c` must be 1 to 1048574, got 1048576"
    );
    assert_eq!(
        message(bare().categorical(category().dimension(0))),
        "`dimension` of input `c` must be 1 to 4096, got 0"
    );
    assert_eq!(
        message(bare().novelty(NoveltyInput::new("n").memory(0))),
        "`memory` of input `n` must be 1 to 16, got 0"
    );
    let novelty = |name| NoveltyInput::new(name).memory(9);
    assert_eq!(
        message(bare().novelty(novelty("a")).novelty(novelty("b"))),
        "`memory of all novelty inputs together` must be 0 to 16, got 18"
    );
    assert_eq!(
        message(bare().novelty(NoveltyInput::new(""))),
        "an input has no name: name the field of the records that it is read from"
    );
    let number = NumericInput::new("x").transform(Transform::SignedLog);
    for twice in [
        bare().numeric(number.clone()).numeric(number.clone()),
        bare()
            .numeric(number.clone())
            .categorical(CategoricalInput::new("x")),
    ] {
        assert!(message(twice).starts_with("two inputs are named `x`"));
    }
    let clash = bare()
        .numeric(number)
        .numeric(NumericInput::new("x_missing"));
    assert!(message(clash).starts_with("two inputs are named `x_missing`"));
    let clash = EncoderParams::default().numeric(NumericInput::new("gap"));
    assert!(message(clash).starts_with("two inputs are named `gap`"));
}

#[test]
fn refuses_events_of_another_width() {
    let params = bare().numeric(NumericInput::new("x"));
    let error = SequenceError::FieldCount {
        expected: (1, 0),
        got: (2, 1),
    };
    let wrong = raw(0, &[1.0, 2.0], &[None]);
    let mut fit = params.check().unwrap().fitter(None);
    assert_eq!(fit.push(&wrong), Err(error.clone()));
    let encoder = fit_numbers(&params, &[1.0]);
    assert_eq!(encoder.events().push(&wrong), Err(error));
}

#[test]
fn refuses_more_categorical_inputs_than_a_network_reads() {
    let wide = (0..257).fold(bare(), |params, input| {
        params.categorical(CategoricalInput::new(format!("c{input}")))
    });
    let mut fit = wide.check().unwrap().fitter(None);
    fit.push(&raw(0, &[], &[Some("a"); 257])).unwrap();
    assert_eq!(
        fit.finish().unwrap_err().to_string(),
        "`embeddings` must be 0 to 256, got 257"
    );
}
