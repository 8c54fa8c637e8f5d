//! Sums of blocks against a walk as a textbook would write it.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::{CODES, Masks, ROWS, Room};
use crate::input::Accepted;
use crate::random_trees::{SHAPES, Shape, WIDE, random_rows, random_trees, shape, walked};
use crate::{
    HeightLimit, IsolationForest, IsolationForestError, IsolationForestParams, MissingValues,
    Parallelism,
};
use dafu_core::random::Stream;
use ndarray::{ArrayView2, Axis, Slice};

fn part(rows: ArrayView2<'_, f64>, slice: Slice) -> ArrayView2<'_, f64> {
    rows.slice_axis_move(Axis(0), slice)
}

fn accepts(missing: MissingValues) -> Accepted<'static> {
    Accepted {
        missing,
        categorical: &[],
    }
}

fn summed(
    masks: &Masks,
    room: &mut Room,
    rows: ArrayView2<'_, f64>,
    missing: MissingValues,
) -> Result<Vec<u64>, IsolationForestError> {
    let mut sums = Vec::new();
    for (block, rows) in rows.axis_chunks_iter(Axis(0), ROWS).enumerate() {
        sums.extend(room.sums(masks, (rows, block * ROWS), &accepts(missing))?);
    }
    Ok(sums)
}

#[test]
fn sums_equal_those_of_a_naive_walk_for_forests_of_many_shapes() {
    let mut room = Room::default();
    let mut groups = 0;
    for (at, shape) in SHAPES.into_iter().enumerate() {
        for special in [0, 30, 100] {
            let stream = &mut Stream::new(1, at as u64, special as u64);
            let trees = random_trees(Shape { special, ..shape }, stream);
            let rows = random_rows((1100, shape.columns), special, stream);
            let masks = Masks::of_any(&trees, WIDE).unwrap();
            groups = groups.max(masks.groups.len());
            let sums = summed(&masks, &mut room, rows.view(), MissingValues::Refuse).unwrap();
            assert!(
                sums == walked(&trees, rows.view(), |path| path),
                "{shape:?}"
            );
        }
    }
    assert!(groups > 2);
}

#[test]
fn missing_values_go_where_the_node_says() {
    let mut room = Room::default();
    for (at, shape) in SHAPES.into_iter().enumerate() {
        let stream = &mut Stream::new(2, at as u64, 0);
        let trees = random_trees(shape, stream);
        let mut rows = random_rows((1100, shape.columns), 30, stream);
        // One block in the middle misses nothing.
        for mut row in rows.rows_mut().into_iter().take(ROWS) {
            row[stream.index_below(shape.columns)] = f64::NAN;
        }
        rows[[1099, shape.columns - 1]] = f64::NAN;
        rows[[1098, 0]] = -f64::NAN;
        let masks = Masks::of_any(&trees, WIDE).unwrap();
        let sums = summed(&masks, &mut room, rows.view(), MissingValues::Impute).unwrap();
        assert!(
            sums == walked(&trees, rows.view(), |path| path),
            "{shape:?}"
        );
    }
}

#[test]
fn path_lengths_may_have_all_32_bits() {
    let stream = &mut Stream::new(3, 0, 0);
    let trees = random_trees(SHAPES[0], stream);
    let rows = random_rows((700, 10), 30, stream);
    let wide = |path: u32| path.wrapping_mul(0x9e37_79b1) | 1 << 31;
    let mut masks = Masks::of_any(&trees, WIDE).unwrap();
    for part in masks.groups.iter_mut().flat_map(|group| &mut group.parts) {
        part.values
            .iter_mut()
            .for_each(|value| *value = wide(*value));
    }
    let sums = summed(
        &masks,
        &mut Room::default(),
        rows.view(),
        MissingValues::Refuse,
    )
    .unwrap();
    assert!(sums == walked(&trees, rows.view(), wide));
    assert!(sums.iter().all(|&sum| sum > u64::from(u32::MAX)));
}

#[test]
fn any_number_of_rows_and_any_layout_gives_the_same_sums() {
    let stream = &mut Stream::new(4, 0, 0);
    let trees = random_trees(shape(5, 17, 30, 8), stream);
    let masks = Masks::of_any(&trees, WIDE).unwrap();
    let rows = random_rows((1100, 17), 30, stream);
    let expected = walked(&trees, rows.view(), |path| path);
    let mut room = Room::default();
    let mut check = |rows: ArrayView2<'_, f64>, expected: &[u64]| {
        let sums = summed(&masks, &mut room, rows, MissingValues::Refuse).unwrap();
        assert!(sums == expected, "{:?}", rows.dim());
    };
    for count in (1..70).chain([511, 512, 513, 1023, 1024, 1025, 1100]) {
        check(part(rows.view(), Slice::from(..count)), &expected[..count]);
    }
    check(rows.t().as_standard_layout().t(), &expected);
    check(
        part(rows.view(), Slice::new(3, None, 2)),
        &expected
            .iter()
            .copied()
            .skip(3)
            .step_by(2)
            .collect::<Vec<_>>(),
    );
    check(
        part(rows.view(), Slice::new(0, None, -1)),
        &expected.iter().rev().copied().collect::<Vec<_>>(),
    );
    let wide = ndarray::concatenate![Axis(1), rows, rows];
    let left = wide.slice_axis(Axis(1), Slice::from(..17));
    check(left, &expected);
}

#[test]
#[expect(clippy::cast_possible_truncation, reason = "rows of f32")]
fn rows_may_be_f32() {
    let stream = &mut Stream::new(5, 0, 0);
    let trees = random_trees(shape(5, 3, 30, 8), stream);
    let rows = random_rows((100, 3), 0, stream).mapv(|value| value as f32);
    let masks = Masks::of_any(&trees, WIDE).unwrap();
    let mut room = Room::default();
    let sums = room
        .sums(&masks, (rows.view(), 0), &accepts(MissingValues::Refuse))
        .unwrap();
    let expected = walked(&trees, rows.mapv(f64::from).view(), |path| path);
    assert!(sums.collect::<Vec<_>>() == expected);
}

#[test]
fn the_first_value_that_is_not_finite_is_named() {
    let stream = &mut Stream::new(6, 0, 0);
    let trees = random_trees(shape(5, 40, 30, 8), stream);
    let masks = Masks::of_any(&trees, WIDE).unwrap();
    let mut room = Room::default();
    let clean = random_rows((1100, 40), 30, stream);
    for (row, column) in [(0, 0), (7, 39), (511, 16), (512, 3), (1096, 1), (1099, 39)] {
        for (value, missing) in [
            (f64::NAN, MissingValues::Refuse),
            (f64::INFINITY, MissingValues::Refuse),
            (f64::NEG_INFINITY, MissingValues::Impute),
        ] {
            let mut rows = clean.clone();
            rows[[1099, 39]] = f64::INFINITY;
            rows[[row, column]] = value;
            for rows in [rows.view(), rows.t().as_standard_layout().t()] {
                let error = summed(&masks, &mut room, rows, missing).unwrap_err();
                let IsolationForestError::NotFinite {
                    row: r,
                    column: c,
                    value: v,
                } = error
                else {
                    unreachable!("{error}")
                };
                assert_eq!((r, c, v.to_bits()), (row, column, value.to_bits()));
            }
        }
    }
}

#[test]
fn trees_with_more_leaves_than_codes_are_left_to_walks() {
    let stream = &mut Stream::new(7, 0, 0);
    let mut rows = || random_rows((1000, 3), 0, stream);
    let mut forest = |sample_size| -> IsolationForest {
        let params = IsolationForestParams::default().trees(3);
        let params = params.height_limit(HeightLimit::Unlimited);
        params.sample_size(sample_size).fit(rows().view()).unwrap()
    };
    assert!(Masks::of_any(&forest(CODES).trees, WIDE).is_some());
    assert!(Masks::of_any(&forest(CODES + 1).trees, WIDE).is_none());
}

#[test]
fn forests_score_batches_and_single_rows_alike() {
    for (parallelism, columns) in [(Parallelism::Serial, 10), (Parallelism::Pool, 30)] {
        let stream = &mut Stream::new(8, columns as u64, 0);
        // The last block has so few rows that they walk.
        let rows = random_rows((10 * ROWS + 5, columns), 0, stream);
        let params = IsolationForestParams::default().parallelism(parallelism);
        let forest = params.fit(rows.view()).unwrap();
        let prepared = &forest.prepared;
        let masks = prepared.masks(&forest.trees, forest.width(), rows.nrows());
        assert!(masks.is_some());
        let mut scores = vec![0.0; rows.nrows()];
        forest.score_rows(rows.view(), &mut scores).unwrap();
        for (row, score) in rows.rows().into_iter().zip(&scores) {
            let single = forest.score_row(&row.to_vec()).unwrap().get();
            assert_eq!(single.to_bits(), score.to_bits());
        }
        let mut bad = rows.clone();
        bad[[2000, 1]] = f64::NAN;
        bad[[4000, 0]] = f64::NAN;
        let error = forest.score_rows(bad.view(), &mut scores).unwrap_err();
        assert!(matches!(
            error,
            IsolationForestError::NotFinite {
                row: 2000,
                column: 1,
                ..
            }
        ));
        assert!(forest == forest.clone());
    }
}

#[test]
fn forest_and_room_take_the_memory_that_is_promised() {
    let stream = &mut Stream::new(9, 0, 0);
    let rows = random_rows((5000, 10), 0, stream);
    for limit in [HeightLimit::Auto, HeightLimit::Unlimited] {
        let params = IsolationForestParams::default().height_limit(limit);
        let forest = params.fit(rows.view()).unwrap();
        let masks = Masks::of_any(&forest.trees, forest.width()).unwrap();
        let mut room = Room::default();
        let block = part(rows.view(), Slice::from(..ROWS));
        assert_eq!(
            room.sums(&masks, (block, 0), &accepts(MissingValues::Refuse))
                .unwrap()
                .count(),
            ROWS
        );
        assert!(room.bytes() < 700 << 10, "{}", room.bytes());
        let most = if limit == HeightLimit::Auto { 320 } else { 768 };
        assert!(masks.bytes() < most << 10, "{}", masks.bytes());
    }
}
