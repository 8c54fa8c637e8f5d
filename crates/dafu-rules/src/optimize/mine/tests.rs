//! Searches against trying everything.

use super::beam::Search;
use super::refine::shortest;
use super::sample::{Counts, Kind, Sample, Term, Test};
use super::{MineParams, write};
use crate::optimize::Judged;
use crate::{Columns, RowBits, RuleSchema, Variable};
use dafu_core::{Label, Unit};
use ndarray::Array2;
use proptest::prelude::*;

fn schema() -> RuleSchema {
    RuleSchema::new([
        Variable::number("a", Unit::Kilometre).nullable(),
        Variable::number("b", Unit::One),
        Variable::flag("c"),
        Variable::number("d", Unit::Kilometre),
    ])
    .unwrap()
}

/// Values of four variables, and labels.
fn events() -> impl Strategy<Value = (Array2<f64>, Vec<Label>)> {
    let event = (
        prop_oneof![1 => Just(f64::NAN), 6 => (0..9_u32).prop_map(f64::from)],
        0..9_u32,
        0..2_u32,
        0..3_u32,
        0..4_usize,
    );
    proptest::collection::vec(event, 2..80).prop_map(|events| {
        let labels = [
            Label::Fraud,
            Label::Fraud,
            Label::Legitimate,
            Label::Unknown,
        ];
        let values = Array2::from_shape_fn((events.len(), 4), |(row, column)| {
            let (a, b, c, d, _) = events[row];
            [a, f64::from(b), f64::from(c), f64::from(d)][column]
        });
        let labels = events.iter().map(|event| labels[event.4]).collect();
        (values, labels)
    })
}

fn sample(params: &MineParams, values: &Array2<f64>, labels: &[Label]) -> Sample {
    let schema = schema();
    let columns = (0..4).try_fold(Columns::new(labels.len()), |columns, column| {
        columns.number(values.column(column))
    });
    let all = RowBits::from_fn(labels.len(), |_| true);
    Sample::new(
        params,
        (&schema, &columns.unwrap()),
        (&all, &Judged::new(labels)),
    )
}

/// All terms that the search may use.
fn terms(sample: &Sample) -> Vec<Term> {
    let mut terms = Vec::new();
    for (feature, variable) in sample.features.iter().enumerate() {
        let mut tests = vec![Test::Missing];
        match &variable.kind {
            // Ratios are asked whether they are large, and nothing else.
            Kind::Number { bounds, .. } if variable.over.is_some() => {
                tests = bounds.iter().copied().map(Test::Above).collect();
            }
            Kind::Number { bounds, .. } => {
                tests.extend(bounds.iter().copied().map(Test::Above));
                tests.extend(bounds.iter().copied().map(Test::AtMost));
            }
            _ => tests.extend([Test::Is(0), Test::Is(1)]),
        }
        terms.extend(tests.into_iter().map(|test| Term { feature, test }));
    }
    terms
}

proptest! {
    #[test]
    fn a_wide_beam_finds_what_trying_all_pairs_finds((values, labels) in events(), floor in 0.0..0.9_f64) {
        let params = MineParams::default()
            .max_terms(2)
            .beam_width(10_000)
            .min_support(1)
            .min_precision(floor);
        let sample = sample(&params, &values, &labels);
        let rows: Vec<u32> = (0..).take(sample.fraud.len()).collect();
        let mut search = Search { sample: &sample, params: &params, tried: 0 };
        let found = search.run(&rows);

        let good = |counts: &Counts| {
            counts.frauds >= 1 && counts.gain(floor) > 0.0 && counts.sure_precision() >= floor
        };
        let all = terms(&sample);
        let mut best: Option<f64> = None;
        for one in &all {
            for two in &all {
                let counts = sample.count(&sample.filter(&rows, &[*one, *two]));
                // What leaves nothing out is no rule.
                if good(&counts) && counts != sample.count(&rows) {
                    let gain = counts.gain(floor);
                    best = Some(best.map_or(gain, |best| best.max(gain)));
                }
            }
        }
        prop_assert_eq!(found.first().map(|found| found.counts.gain(floor)), best);
        for found in &found {
            prop_assert_eq!(sample.count(&sample.filter(&rows, &found.terms)), found.counts);
        }
    }

    #[test]
    fn conditions_say_what_their_terms_say((values, labels) in events()) {
        let params = MineParams::default();
        let sample = sample(&params, &values, &labels);
        let rows: Vec<u32> = (0..).take(sample.fraud.len()).collect();
        let labelled: Vec<usize> = (0..labels.len())
            .filter(|row| labels[*row].known().is_some())
            .collect();
        for term in terms(&sample) {
            let condition = write::condition(&sample, &[term]);
            let compiled = crate::Condition::parse(&condition).unwrap().compile(&schema()).unwrap();
            let held = sample.filter(&rows, &[term]);
            let asked = rows.iter().copied().filter(|row| {
                let numbers = values.row(labelled[*row as usize]).to_vec();
                let row = crate::Row { numbers: &numbers, texts: &[] };
                compiled.truth(row).unwrap() == crate::Truth::True
            });
            prop_assert_eq!(held, asked.collect::<Vec<_>>(), "{}", condition);
        }
    }

    #[test]
    fn short_numbers_lie_where_they_should(low in -1e6..1e6_f64, width in 1e-9..1e3_f64, at in 0.0..1.0_f64) {
        let high = low + width;
        let short = shortest((low, high), low + at * width).unwrap();
        prop_assert!(low <= short && short < high);
        let digits = |number: f64| {
            let text = format!("{number:e}");
            text.split('e').next().unwrap().bytes().filter(u8::is_ascii_digit).count()
        };
        prop_assert!(digits(short) <= digits(low));
    }
}

#[test]
fn short_numbers_are_those_that_people_would_choose() {
    for (low, high, near, expected) in [
        (999.7, 1000.4, 1000.1, 1000.0),
        (0.549, 0.5512, 0.55, 0.55),
        (3.0, 4.0, 3.5, 3.0),
        (-0.5, 0.2, -0.1, 0.0),
        (-1234.0, -1100.0, -1170.0, -1200.0),
        (0.29, 0.31, 0.3, 0.3),
        (1e-7, 3e-7, 2e-7, 2e-7),
        (5e20, 7e20, 6.2e20, 6e20),
    ] {
        let short = shortest((low, high), near).unwrap();
        assert_eq!(
            short.to_bits(),
            f64::to_bits(expected),
            "{low} {high}: {short}"
        );
    }
    assert_eq!(shortest((2.0, 2.0), 2.0), None);
    assert_eq!(shortest((2.0, f64::INFINITY), 2.0), None);
}
