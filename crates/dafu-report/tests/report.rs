//! HTML, JSON and files of a report.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use dafu_core::Evaluation;
use dafu_report::{
    ReasonCount, ReportError, ReportMeta, ReportWriter, metrics_json, render_html, stamped_name,
    summary_json, write_all,
};

const EVIL: &str = "<script>alert(\"1\")</script> & '<b>'";

fn meta() -> ReportMeta {
    ReportMeta::new(EVIL)
        .with_generated_at(common::time("2026-02-03T10:15:00Z"))
        .with_model_hash(0xfedc_ba98_7654_3210)
        .with_source(EVIL)
        .with_seed(u64::MAX)
        .with_setting("trees", 100)
        .with_setting(EVIL, EVIL)
        .with_reasons(vec![ReasonCount {
            code: EVIL.to_owned(),
            text: EVIL.to_owned(),
            alerts: 12,
            contribution: 0.4,
        }])
}

/// The page as XML: it is written so that both readers take it.
fn parse(name: &str, html: &str) {
    let body = html.strip_prefix("<!DOCTYPE html>\n").unwrap();
    if let Err(error) = roxmltree::Document::parse(body) {
        panic!("{name}: {error}");
    }
}

#[test]
fn every_page_is_well_formed_and_escapes_what_it_shows() {
    for (name, mut evaluation) in common::all() {
        for threshold in &mut evaluation.thresholds {
            threshold.name = EVIL.to_owned();
        }
        evaluation.currency = Some("<EUR>".to_owned());
        let html = render_html(&evaluation, &meta());
        parse(name, &html);
        for odd in [
            "<script", "<b>", "<EUR>", "NaN", ">inf<", "http://", "https://", "src=",
        ] {
            let html = html.replace("http://www.w3.org/2000/svg", "");
            assert!(!html.contains(odd), "{name} has {odd}");
        }
        assert!(
            html.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;"),
            "{name}"
        );
        assert!(html.contains("fedcba9876543210") && html.contains("2026-02-03T10:15:00Z"));
        assert_eq!(
            html.contains("IN-SAMPLE"),
            evaluation.scope.in_sample,
            "{name}"
        );
        if let Some(folder) = std::env::var_os("DAFU_FIGURES") {
            let path = std::path::Path::new(&folder).join(format!("{name}.html"));
            std::fs::write(path, &html).unwrap();
            if name == "supervised" {
                let path = std::path::Path::new(&folder).join("plain.html");
                let meta = ReportMeta::new("Payments of July")
                    .with_seed(1)
                    .with_setting("trees", 100);
                std::fs::write(path, render_html(&common::supervised(), &meta)).unwrap();
            }
        }
    }
}

#[test]
fn metrics_json_reads_back() {
    for (name, evaluation) in common::all() {
        let text = metrics_json(&evaluation, &meta()).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let read: ReportMeta = serde_json::from_value(value["meta"].clone()).unwrap();
        assert_eq!(read, meta(), "{name}");
        let read: Evaluation = serde_json::from_value(value["evaluation"].clone()).unwrap();
        assert_eq!(read.rows, evaluation.rows, "{name}");
        assert_eq!(read.thresholds.len(), evaluation.thresholds.len(), "{name}");
        // Floats may differ in the last bit after decimal text without serde_json's `float_roundtrip`.
        let (before, after) = (evaluation.ranking, read.ranking);
        assert_eq!(before.is_some(), after.is_some(), "{name}");
        if let (Some(before), Some(after)) = (before, after) {
            assert!((before.roc_auc - after.roc_auc).abs() < 1e-15, "{name}");
        }
    }
}

#[test]
fn summary_json_says_what_counts() {
    let evaluation = common::supervised();
    let text = summary_json(&evaluation, &meta()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["mode"], "supervised");
    assert_eq!(value["rows"], 100_000);
    assert_eq!(value["chosen"], "best F1");
    assert_eq!(value["meta"]["generated_at"], "2026-02-03T10:15:00Z");
    assert_eq!(value["scope"]["trained_from"], "2018-04-01T00:00:31Z");
    let chosen = evaluation.chosen_threshold().unwrap().confusion.unwrap();
    let precision = value["thresholds"][3]["precision"].as_f64().unwrap();
    assert!((precision - chosen.precision()).abs() < 1e-15);
    assert!(value["ranking"]["roc_auc"].as_f64().unwrap() > 0.9);
}

#[test]
fn json_holds_null_where_a_number_is_none() {
    let mut evaluation = common::supervised();
    evaluation.thresholds[0].risk = f64::NAN;
    evaluation.amount = Some(f64::INFINITY);
    for text in [
        summary_json(&evaluation, &ReportMeta::default()).unwrap(),
        metrics_json(&evaluation, &ReportMeta::default()).unwrap(),
    ] {
        assert!(!text.contains("NaN") && !text.contains("inf"));
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }
}

#[test]
fn write_all_writes_what_it_says() {
    let folder = std::env::temp_dir().join(format!("dafu-report-{}", std::process::id()));
    let nested = folder.join("a").join("b");
    let files = write_all(&nested, &common::unsupervised(), &meta()).unwrap();
    assert_eq!(
        files.paths().len(),
        if cfg!(feature = "png") { 5 } else { 4 }
    );
    for path in files.paths() {
        assert!(
            std::fs::metadata(path).unwrap().len() > 500,
            "{}",
            path.display()
        );
    }
    let at = common::time("2026-02-03T10:15:00Z");
    let files = ReportWriter::new(&nested)
        .with_stamp(at)
        .with_png_scale(0.5)
        .write(&common::unsupervised(), &meta())
        .unwrap();
    assert!(files.summary.ends_with("summary_20260203T101500Z.json"));

    // A file where the folder should be: the error names the path.
    let blocked = folder.join("blocked");
    std::fs::write(&blocked, "").unwrap();
    let error = write_all(&blocked, &common::unsupervised(), &meta()).unwrap_err();
    assert!(matches!(error, ReportError::Write { .. }));
    assert!(error.to_string().contains("blocked"), "{error}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn stamped_names_sort_by_time() {
    let name = |at: &str| stamped_name("metrics", common::time(at), "json");
    assert_eq!(
        name("2026-02-03T10:15:09Z"),
        "metrics_20260203T101509Z.json"
    );
    assert!(name("0987-02-03T10:15:09Z") < name("2026-02-03T10:15:09Z"));
}

#[test]
fn public_types_cross_threads() {
    fn check<T: Send + Sync>() {}
    check::<dafu_report::Figure>();
    check::<ReportError>();
    check::<ReportMeta>();
    check::<ReportWriter>();
    check::<dafu_report::ScoredCsvWriter<Vec<u8>>>();
}
