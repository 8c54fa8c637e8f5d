//! Figures: deterministic, well-formed, and drawn whatever the run was like.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use dafu_core::metrics::{Calibration, CalibrationBin, CurvePoints, Ranking};
use dafu_report::{Figure, Panel, render_svg};

/// Writes every case as a file for the eye, where the environment names a folder.
#[test]
fn draws_every_kind_of_run() {
    let folder = std::env::var_os("DAFU_FIGURES").map(std::path::PathBuf::from);
    for (name, evaluation) in common::all() {
        let figure = Figure::new(&evaluation);
        let svg = figure.to_svg();
        check(name, &svg);
        assert_eq!(svg, render_svg(&evaluation), "{name}");
        for panel in Panel::ALL {
            let alone = Figure::of_panel(&evaluation, panel).to_svg();
            check(&format!("{name} {}", panel.name()), &alone);
        }
        if let Some(folder) = &folder {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join(format!("{name}.svg")), &svg).unwrap();
            #[cfg(feature = "png")]
            std::fs::write(
                folder.join(format!("{name}.png")),
                figure.to_png(1.5).unwrap(),
            )
            .unwrap();
        }
    }
}

/// A change of the drawing shows up here; `DAFU_BLESS=1` writes the file anew after a look at it.
#[test]
fn a_small_run_looks_as_before() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tiny.svg");
    let evaluation = common::run(
        common::spec(dafu_core::evaluation::LearningMode::Unsupervised, true),
        40,
        0.2,
        true,
    );
    let svg = render_svg(&evaluation);
    if std::env::var_os("DAFU_BLESS").is_some() {
        std::fs::write(path, &svg).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap().replace("\r\n", "\n");
    assert!(
        svg == expected,
        "the picture changed; look at it and run with DAFU_BLESS=1"
    );
}

#[test]
fn in_sample_is_said_loudly() {
    let spec = common::spec(dafu_core::evaluation::LearningMode::Unsupervised, true);
    let evaluation = common::run(spec, 100, 0.1, true);
    assert!(render_svg(&evaluation).contains(">IN-SAMPLE</text>"));
    for panel in Panel::ALL {
        let svg = Figure::of_panel(&evaluation, panel).to_svg();
        assert!(svg.contains(">IN-SAMPLE</text>"), "{}", panel.name());
    }
    assert!(!render_svg(&common::unsupervised()).contains("IN-SAMPLE"));
}

#[test]
fn panels_that_need_labels_give_way() {
    let with = Panel::of_figure(&common::supervised());
    assert_eq!(
        with,
        [
            Panel::Scores,
            Panel::Ranking,
            Panel::Confusion,
            Panel::Scatter
        ]
    );
    let mut without = common::unsupervised();
    without.scatter = None;
    let without = Panel::of_figure(&without);
    assert_eq!(
        without,
        [Panel::Scores, Panel::AlertShare, Panel::Bands, Panel::Days]
    );
}

#[cfg(feature = "png")]
#[test]
fn png_is_deterministic_and_has_the_size_asked_for() {
    let evaluation = common::unsupervised();
    let png = dafu_report::render_png(&evaluation, 0.5).unwrap();
    assert_eq!(png, dafu_report::render_png(&evaluation, 0.5).unwrap());
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(png[16..24], [0, 0, 2, 88, 0, 0, 1, 219], "600 x 475");
}

#[test]
fn a_full_scatter_stays_small() {
    use dafu_core::Label;
    use dafu_core::evaluation::ScatterPoint;
    let mut evaluation = common::supervised();
    let mut numbers = common::Numbers(3);
    if let Some(scatter) = &mut evaluation.scatter {
        scatter.points = (0..3_000)
            .map(|index| ScatterPoint {
                x: numbers.normal().exp(),
                y: numbers.normal().exp(),
                risk: 0.5,
                label: Label::from(index % 3 == 0),
                alert: index % 4 == 0,
            })
            .collect();
    }
    let bytes = render_svg(&evaluation).len();
    assert!(bytes < 100_000, "{bytes} bytes");
}

#[test]
fn several_models_stand_in_one_picture() {
    let labels: Vec<bool> = (0..200).map(|row| row % 10 == 0).collect();
    let mut numbers = common::Numbers(5);
    let names: Vec<String> = (0..7).map(|number| format!("model {number}")).collect();
    let curves: Vec<_> = names
        .iter()
        .map(|_| {
            let scores = labels
                .iter()
                .map(|fraud| numbers.next() + f64::from(u8::from(*fraud)));
            let ranking = Ranking::new(&labels, &scores.collect::<Vec<_>>(), None).unwrap();
            ranking
                .precision_recall_curve(CurvePoints::Corners)
                .unwrap()
        })
        .collect();
    let named: Vec<_> = names.iter().map(String::as_str).zip(&curves).collect();
    let svg = Figure::of_precision_recall(&named, 0.1).to_svg();
    check("models", &svg);
    for name in &names {
        assert!(svg.contains(&format!(">{name}</text>")), "{name}");
    }
    assert!(svg.contains(">chance 0.100</text>"));
    // One more model is one more line.
    let lines = |svg: &str| svg.matches("<path").count() + svg.matches("<polyline").count();
    let fewer = Figure::of_precision_recall(&named[1..], 0.1).to_svg();
    assert!(lines(&svg) > lines(&fewer));
    let none = Figure::of_precision_recall(&[], f64::NAN).to_svg();
    check("no model", &none);
    assert!(none.contains("no model was judged"));
}

#[test]
fn reliability_shows_each_bin_with_its_interval() {
    let bin = |mean_predicted: f64, observed: f64| CalibrationBin {
        lower: 0.0,
        upper: 1.0,
        rows: 100,
        weight: 100.0,
        mean_predicted,
        observed,
    };
    // The point at (0.1, 0.1) lies on the diagonal, as far to the right as up.
    let sure = Calibration {
        bins: vec![bin(0.001, 0.0), bin(0.1, 0.1), bin(1.0, 1.0)],
    };
    let odd = Calibration {
        bins: vec![bin(f64::NAN, 0.5), bin(0.5, f64::INFINITY)],
    };
    let svg = Figure::of_reliability(&[("raw", &sure), ("odd", &odd)]).to_svg();
    check("reliability", &svg);
    assert!(svg.contains(">raw</text>") && svg.contains(">odd</text>"));
    let without = Calibration { bins: Vec::new() };
    for nothing in [&without, &odd] {
        let svg = Figure::of_reliability(&[("x", nothing)]).to_svg();
        check("no bins", &svg);
        assert!(svg.contains("no bin with a probability or a fraud"));
    }
}

fn check(name: &str, svg: &str) {
    if let Err(error) = roxmltree::Document::parse(svg) {
        panic!("{name}: {error}");
    }
    for odd in ["NaN", "inf", "<script", "<b>"] {
        assert!(!svg.contains(odd), "{name} has {odd}");
    }
    assert!(svg.len() < 100_000, "{name} has {} bytes", svg.len());
    assert!(svg.is_ascii() || name == "names", "{name}");
}
