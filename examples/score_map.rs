//! What the variants of isolation forests take to be unusual: the score at every place of a plane, for the same rows.
//!
//! Run: `cargo run --release --example score_map`
//!
//! Argument: `--figure DIR` also draws `score_maps.svg`, the figure of `dafu-iforest`.
//!
//! The rows are a crowded cluster, a scattered one, and a curved band. Place a is inside the crowded cluster, b far from all,
//! and c inside a bend of the band: in each column alone c is ordinary. Forests that compare single columns at random see
//! crosses of ordinary places where there are no rows; those that split along any direction do not. Scores of different
//! variants do not compare, their order does.
//!
//! Expected output: `examples/expected/score_map.txt`. The numbers are the same on every machine.

use dafu::random::Stream;
use dafu_examples::args::Args;
use dafu_examples::drawing::{Anchor, Drawing, FAINT, GRID, RED, TEXT};
use dafu_iforest::{
    HeightLimit, IsolationForestError, IsolationForestParams, OnlineIsolationForestParams, Scoring,
    SplitRule,
};
use ndarray::{Array2, ArrayView2};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "score_map [--figure DIR]";

/// Half the side of the square that is drawn.
const REACH: f64 = 6.0;
/// Cells a side.
const CELLS: usize = 60;
const CELL: f64 = 4.0;
const SIDE: f64 = 240.0;
/// Bands of equal width from the lowest to the highest score of a map, ordinary first.
const BANDS: [&str; 8] = [
    "#f7fbff", "#deebf7", "#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#084594",
];

const PROBES: [(&str, [f64; 2]); 3] = [("a", [-2.5, 2.5]), ("b", [5.0, -5.0]), ("c", [2.3, -0.6])];

fn main() -> ExitCode {
    dafu_examples::exit(run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let Some(args) = Args::read(USAGE, &["figure"])? else {
        return Ok(());
    };
    let rows = rows();
    println!(
        "{} rows; score of a, inside the crowded cluster, b, far from all, c, inside a bend of the band\n",
        rows.nrows()
    );
    println!("variant          trees  mean score       a       b       c");
    let mut maps = Vec::new();
    for (name, params) in variants() {
        let forest = params.seed(7).fit(rows.view())?;
        let score = |rows: ArrayView2<'_, f64>, out: &mut [f64]| forest.score_rows(rows, out);
        maps.push(look_at((name, forest.tree_count()), rows.view(), score)?);
    }
    // As if the rows came one after the other, those of the three groups mixed.
    let params = OnlineIsolationForestParams::default().seed(7);
    let mut online = params.build(rows.ncols())?;
    for at in 0..rows.nrows() {
        online.update(&rows.row(at * 271 % rows.nrows()).to_vec())?;
    }
    let score = |rows: ArrayView2<'_, f64>, out: &mut [f64]| online.score_rows(rows, out);
    maps.push(look_at(("online", params.trees), rows.view(), score)?);
    if let Some(folder) = args.value("figure") {
        std::fs::create_dir_all(folder)?;
        std::fs::write(
            Path::new(folder).join("score_maps.svg"),
            draw(rows.view(), &maps),
        )?;
    }
    Ok(())
}

/// The name of a variant and its scores at every place of the plane.
type Map = (&'static str, Vec<f64>);

/// Prints what a forest takes the rows and three places for, and draws its map. `score` writes the scores of rows.
fn look_at(
    (name, trees): (&'static str, usize),
    rows: ArrayView2<'_, f64>,
    score: impl Fn(ArrayView2<'_, f64>, &mut [f64]) -> Result<(), IsolationForestError>,
) -> Result<Map, IsolationForestError> {
    let mut scores = vec![0.0; rows.nrows()];
    score(rows, &mut scores)?;
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    let probes = Array2::from_shape_fn((PROBES.len(), 2), |(at, column)| PROBES[at].1[column]);
    let mut at_probes = [0.0; PROBES.len()];
    score(probes.view(), &mut at_probes)?;
    let [a, b, c] = at_probes;
    println!("{name:<16} {trees:>5} {mean:>11.4}  {a:.4}  {b:.4}  {c:.4}");
    let cells = cells();
    let mut scores = vec![0.0; cells.nrows()];
    score(cells.view(), &mut scores)?;
    Ok((name, scores))
}

fn variants() -> [(&'static str, IsolationForestParams); 8] {
    let classic = IsolationForestParams::classic;
    let deep = || classic().height_limit(HeightLimit::Unlimited);
    let within = SplitRule::fair_cut(2).penalize_range(true);
    [
        ("classic", classic()),
        ("extended", classic().rules([SplitRule::extended(1)])),
        ("fair cut", deep().rules([SplitRule::fair_cut(2)])),
        ("SCiForest", deep().rules([SplitRule::sciforest(10)])),
        ("guided", IsolationForestParams::guided()),
        ("ranges penalised", deep().rules([within])),
        ("density", classic().scoring(Scoring::Density)),
        ("recommended", IsolationForestParams::recommended()),
    ]
}

/// Two clusters of 200 rows and a band of 200.
fn rows() -> Array2<f64> {
    let mut stream = Stream::new(2024, 0, 0);
    let mut values = Vec::new();
    for (centre, spread) in [([-2.5, 2.5], 0.35), ([2.7, 2.7], 1.0)] {
        for _ in 0..200 {
            values.extend(centre.map(|centre: f64| centre + spread * stream.normal()));
        }
    }
    for _ in 0..200 {
        let x = 9.0 * stream.unit() - 4.5;
        // A wave of two bends, of parabolas: the same bits on every machine.
        let bend = |x: f64| 1.0 - (x / 2.25).powi(2);
        let y = if x < 0.0 {
            bend(x + 2.25)
        } else {
            -bend(x - 2.25)
        };
        values.extend([x, 1.3 * y - 2.2 + 0.15 * stream.normal()]);
    }
    let rows = values.len() / 2;
    Array2::from_shape_vec((rows, 2), values).unwrap_or_default()
}

/// The middle of every cell, row by row from the top.
fn cells() -> Array2<f64> {
    let place = |cell: usize| (cell as f64 + 0.5) / CELLS as f64 * 2.0 * REACH - REACH;
    Array2::from_shape_fn((CELLS * CELLS, 2), |(at, column)| match column {
        0 => place(at % CELLS),
        _ => -place(at / CELLS),
    })
}

fn draw(rows: ArrayView2<'_, f64>, maps: &[Map]) -> String {
    let title = "Scores of nine isolation forests for the same rows";
    let (gap, top) = (20.0, 74.0);
    let (width, height) = (3.0 * SIDE + 4.0 * gap, top + 3.0 * (SIDE + 50.0) - 10.0);
    let mut drawing = Drawing::new(title, width, height);
    drawing.heading((gap, 28.0), (15.0, TEXT), title);
    let from = width - gap - 8.0 * 16.0 - 62.0;
    drawing.words((from - 6.0, 28.0), (11.0, FAINT), Anchor::End, "ordinary");
    for (band, colour) in BANDS.iter().enumerate() {
        let x = from + 16.0 * band as f64;
        drawing.area((x, 18.0), (x + 16.0, 30.0), colour, 1.0);
    }
    drawing.words(
        (from + 134.0, 28.0),
        (11.0, FAINT),
        Anchor::Start,
        "anomalous",
    );
    for (number, (name, scores)) in maps.iter().enumerate() {
        let (column, line) = (number % 3, number / 3);
        let left = gap + column as f64 * (SIDE + gap);
        let origin = (left, top + line as f64 * (SIDE + 50.0));
        draw_map(&mut drawing, origin, name, scores);
        let place = |x: f64, y: f64| {
            let across = |value: f64| (value + REACH) / (2.0 * REACH) * SIDE;
            (origin.0 + across(x), origin.1 + across(-y))
        };
        let dots: Vec<(f64, f64)> = rows.outer_iter().map(|row| place(row[0], row[1])).collect();
        drawing.dots(&dots, 1.6, RED);
        for (name, [x, y]) in PROBES {
            let (x, y) = place(x, y);
            drawing.ring((x, y), 6.5, TEXT);
            drawing.words((x, y + 3.5), (10.0, TEXT), Anchor::Middle, name);
        }
    }
    drawing.finish()
}

/// The bands of one map, neighbours of a line as one box.
fn draw_map(drawing: &mut Drawing, (left, top): (f64, f64), name: &str, scores: &[f64]) {
    let low = scores.iter().copied().fold(f64::INFINITY, f64::min);
    let high = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    drawing.words((left, top - 8.0), (13.0, TEXT), Anchor::Start, name);
    drawing.words(
        (left + SIDE, top - 8.0),
        (11.0, FAINT),
        Anchor::End,
        &format!("score {low:.2} to {high:.2}"),
    );
    let band_of = |score: f64| {
        let share = (score - low) / (high - low);
        let bands = (1..BANDS.len()).map(|band| band as f64 / BANDS.len() as f64);
        bands.filter(|&begin| share >= begin).count()
    };
    let mut bars = vec![Vec::new(); BANDS.len()];
    for (line, scores) in scores.chunks(CELLS).enumerate() {
        let mut begin = 0;
        for run in scores.chunk_by(|&a, &b| band_of(a) == band_of(b)) {
            let corner = (left + CELL * begin as f64, top + CELL * line as f64);
            bars[band_of(run[0])].push((corner, CELL * run.len() as f64));
            begin += run.len();
        }
    }
    for (bars, colour) in bars.iter().zip(BANDS) {
        drawing.bars(bars, CELL, colour);
    }
    let (right, bottom) = (left + SIDE, top + SIDE);
    let frame = [
        (left, top),
        (right, top),
        (right, bottom),
        (left, bottom),
        (left, top),
    ];
    drawing.line(&frame, GRID, 1.0, "");
}
