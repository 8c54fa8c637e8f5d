//! Figures: deterministic, well-formed, and drawn whatever the run was like.

mod common;

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
