//! The report as one HTML file: no script, no network.

#![expect(
    clippy::format_push_string,
    reason = "reads better than `write!` with an ignored result; drawing is no hot path"
)]

use crate::figure::{Figure, Panel, mode, period};
use crate::meta::ReportMeta;
use crate::number;
use crate::svg::escape;
use dafu_core::Evaluation;
use dafu_core::evaluation::{LearningMode, ThresholdKind, ThresholdReport};
use dafu_core::metrics::Confusion;

const STYLE: &str = include_str!("report.css");
/// Most days in the table; more are left to the figure and `metrics.json`.
const MOST_DAYS: usize = 400;

/// What the words mean, one line each.
const DEFINITIONS: [(&str, &str); 16] = [
    (
        "risk score",
        "0 (ordinary) to 1 (most suspicious); it orders rows and is no probability",
    ),
    (
        "alert",
        "a row whose risk score is at or above the threshold",
    ),
    (
        "contamination",
        "the share of training rows that a threshold flags",
    ),
    ("precision", "share of fraud among the alerts"),
    (
        "recall",
        "share of all fraud that is alerted (true positive rate)",
    ),
    (
        "false positive rate",
        "share of the legitimate rows that is alerted",
    ),
    ("F1", "harmonic mean of precision and recall"),
    (
        "MCC",
        "Matthews correlation of alert and fraud: 1 perfect, 0 chance, -1 inverted",
    ),
    (
        "accuracy",
        "share of rows judged rightly; close to 1 for any rare fraud, so of little use alone",
    ),
    (
        "ROC AUC",
        "chance that a random fraud scores above a random legitimate row; 0.5 for random scores",
    ),
    (
        "average precision",
        "precision averaged over recall; for random scores the share of fraud",
    ),
    (
        "KS",
        "largest distance between the score distributions of both classes",
    ),
    (
        "precision at k",
        "share of fraud among the k highest scores",
    ),
    (
        "lift",
        "precision over the share of fraud: how many times better than chance",
    ),
    (
        "card precision at 100",
        "per day the share of the 100 users with the highest score that have fraud that day, mean over days",
    ),
    (
        "in-sample",
        "judged on rows that the model was trained on, so better than it will be on new rows",
    ),
];

/// One cell: its text (escaped here) and whether it is a number, which stands on the right.
struct Cell(String, bool);

fn word(text: impl Into<String>) -> Cell {
    Cell(text.into(), false)
}

fn figure(text: impl Into<String>) -> Cell {
    Cell(text.into(), true)
}

fn or_dash(value: Option<f64>, show: impl Fn(f64) -> String) -> Cell {
    figure(value.map_or_else(|| "-".to_owned(), show))
}

/// A table; `strong` is the row to stress.
fn table(head: &[&str], rows: &[Vec<Cell>], strong: Option<usize>) -> String {
    let mut out = String::from("<div class=\"wide\"><table>\n<thead><tr>");
    let numbers = |column: usize| {
        rows.first()
            .and_then(|row| row.get(column))
            .is_some_and(|cell| cell.1)
    };
    for (column, name) in head.iter().enumerate() {
        let class = if numbers(column) { " class=\"n\"" } else { "" };
        out += &format!("<th scope=\"col\"{class}>{}</th>", escape(name));
    }
    out += "</tr></thead>\n<tbody>\n";
    for (index, row) in rows.iter().enumerate() {
        out += if strong == Some(index) {
            "<tr class=\"strong\">"
        } else {
            "<tr>"
        };
        for Cell(text, number) in row {
            let class = if *number { " class=\"n\"" } else { "" };
            out += &format!("<td{class}>{}</td>", escape(text));
        }
        out += "</tr>\n";
    }
    out + "</tbody></table></div>\n"
}

fn section(title: &str, body: &str) -> String {
    format!("<section>\n<h2>{}</h2>\n{body}</section>\n", escape(title))
}

fn paragraph(class: &str, text: &str) -> String {
    format!("<p class=\"{class}\">{}</p>\n", escape(text))
}

/// A picture without its XML head, as part of the page.
fn inline(figure: &Figure) -> String {
    format!("<figure>\n{}</figure>\n", figure.to_svg())
}

/// The report as one self-contained HTML file: figure, thresholds, metrics, bands, days, reasons, what was trained
/// and judged, what the words mean. Every text from data is escaped. The page follows the light or dark setting of
/// the reader; figures keep their white ground.
///
/// # Determinism
///
/// The same evaluation and metadata give the same bytes.
///
/// # Complexity
///
/// As [`Figure::new`], and O(d) for d days.
pub fn render_html(evaluation: &Evaluation, meta: &ReportMeta) -> String {
    let title = if meta.title.is_empty() {
        "Fraud detection report"
    } else {
        &meta.title
    };
    let title = escape(title);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    if evaluation.scope.in_sample {
        out += "<p class=\"warning\"><strong>IN-SAMPLE</strong> These rows were also trained on. Every figure here \
                is optimistic; judge on later rows before relying on it.</p>\n";
    }
    out += &tiles(evaluation);
    out += &inline(&Figure::new(evaluation));
    out += &section("Thresholds", &thresholds(evaluation));
    if let Some(body) = ranking(evaluation) {
        out += &section("Ranking", &body);
    }
    if !evaluation.bands.is_empty() {
        out += &section("Bands of risk", &bands(evaluation));
    }
    if !meta.reasons.is_empty() {
        out += &section("Reasons behind alerts", &reasons(meta));
    }
    if !evaluation.days.is_empty() {
        out += &section("Days", &days(evaluation));
    }
    out += &section("Scope", &scope(evaluation));
    out += &section("Run", &run(meta));
    out += &section("What the words mean", &definitions());
    out + "</main>\n</body>\n</html>\n"
}

fn tiles(evaluation: &Evaluation) -> String {
    let mut tiles = vec![
        ("mode", mode(evaluation.mode).to_owned()),
        ("rows judged", number::count(evaluation.rows)),
    ];
    if let Some(amount) = evaluation.amount {
        tiles.push((
            "amount",
            number::amount(amount, evaluation.currency.as_deref()),
        ));
    }
    if evaluation.labelled > 0 {
        let share = evaluation.frauds as f64 / evaluation.labelled as f64;
        let frauds = number::count(evaluation.frauds);
        tiles.push((
            "fraud among labelled",
            format!("{frauds} ({})", number::percent(share)),
        ));
    }
    if let Some(chosen) = evaluation.chosen_threshold() {
        let (alerts, share) = (
            number::count(chosen.alerts),
            number::percent(chosen.alert_share),
        );
        tiles.push((
            "alerts at the chosen threshold",
            format!("{alerts} ({share})"),
        ));
        if let Some(confusion) = &chosen.confusion {
            tiles.push(("precision", number::percent(confusion.precision())));
            tiles.push(("recall", number::percent(confusion.recall())));
        }
    }
    if let Some(ranking) = &evaluation.ranking {
        tiles.push(("ROC AUC", number::ratio(ranking.roc_auc)));
        tiles.push((
            "average precision",
            number::ratio(ranking.average_precision),
        ));
    }
    let tile = |(name, value): (&str, String)| {
        format!(
            "<div><dt>{}</dt><dd>{}</dd></div>\n",
            escape(name),
            escape(&value)
        )
    };
    let tiles = tiles.into_iter().map(tile).collect::<String>();
    format!("<dl class=\"tiles\">\n{tiles}</dl>\n")
}

fn origin(kind: ThresholdKind) -> String {
    match kind {
        ThresholdKind::Contamination(share) => {
            format!("flags {} of training rows", number::percent(share))
        }
        ThresholdKind::Risk(_) => "given".to_owned(),
        ThresholdKind::BestFBeta(beta) => {
            format!("best F-beta on training rows, beta {}", number::si(beta))
        }
        ThresholdKind::LowestCost => "lowest cost on training rows".to_owned(),
        ThresholdKind::AlertsPerDay(alerts) => {
            format!("{} alerts a day on training rows", number::si(alerts))
        }
        ThresholdKind::PrecisionFloor(floor) => {
            format!("precision {} on training rows", number::percent(floor))
        }
        ThresholdKind::RecallFloor(floor) => {
            format!("recall {} on training rows", number::percent(floor))
        }
        ThresholdKind::AlertBudget(alerts) => format!("{alerts} alerts on training rows"),
        _ => "other".to_owned(),
    }
}

fn thresholds(evaluation: &Evaluation) -> String {
    let currency = evaluation.currency.as_deref();
    let amounts = evaluation
        .thresholds
        .iter()
        .any(|one| one.amount_alerted.is_some());
    let counts = evaluation
        .thresholds
        .iter()
        .any(|one| one.confusion.is_some());
    let mut head = vec!["threshold", "from", "risk", "alerts", "share", "expected"];
    if amounts {
        head.push("amount alerted");
    }
    if counts {
        head.extend([
            "caught",
            "missed",
            "false alerts",
            "precision",
            "recall",
            "F1",
            "MCC",
        ]);
    }
    if counts && amounts {
        head.push("fraud amount caught");
    }
    let row = |report: &ThresholdReport| {
        let mut row = vec![
            word(&*report.name),
            word(origin(report.kind)),
            figure(number::ratio(report.risk)),
            figure(number::count(report.alerts)),
            figure(number::percent(report.alert_share)),
            or_dash(report.expected_alert_share, number::percent),
        ];
        if amounts {
            row.push(or_dash(report.amount_alerted, |amount| {
                number::amount(amount, currency)
            }));
        }
        if counts {
            let metric = |of: fn(&Confusion) -> f64| report.confusion.as_ref().map(of);
            row.push(or_dash(metric(|c| c.true_positives), number::weight));
            row.push(or_dash(metric(|c| c.false_negatives), number::weight));
            row.push(or_dash(metric(|c| c.false_positives), number::weight));
            row.push(or_dash(metric(Confusion::precision), number::percent));
            row.push(or_dash(metric(Confusion::recall), number::percent));
            row.push(or_dash(metric(Confusion::f1), number::ratio));
            row.push(or_dash(metric(Confusion::mcc), number::ratio));
        }
        if counts && amounts {
            let caught = report.fraud_amount_caught;
            row.push(or_dash(caught, |amount| number::amount(amount, currency)));
        }
        row
    };
    let rows = evaluation.thresholds.iter().map(row).collect::<Vec<_>>();
    table(&head, &rows, Some(evaluation.chosen))
        + &paragraph(
            "note",
            "The threshold in bold decides; the figures above are computed at it.",
        )
}

fn ranking(evaluation: &Evaluation) -> Option<String> {
    let ranking = evaluation.ranking.as_ref()?;
    let mut rows = vec![
        vec![word("ROC AUC"), figure(number::ratio(ranking.roc_auc))],
        vec![
            word("average precision"),
            figure(number::ratio(ranking.average_precision)),
        ],
        vec![
            word("share of fraud"),
            figure(number::percent(ranking.prevalence)),
        ],
        vec![
            word("KS"),
            figure(number::ratio(ranking.kolmogorov_smirnov)),
        ],
    ];
    if let Some(precision) = ranking.card_precision_at_100 {
        rows.push(vec![
            word("card precision at 100"),
            figure(number::ratio(precision)),
        ]);
    }
    let mut out = table(&["metric", "value"], &rows, None);
    if !ranking.top.is_empty() {
        let rows = ranking
            .top
            .iter()
            .map(|top| {
                vec![
                    figure(number::count(top.k)),
                    figure(number::percent(top.precision)),
                    figure(number::percent(top.recall)),
                    figure(number::factor(top.lift)),
                ]
            })
            .collect::<Vec<_>>();
        out += &table(
            &["highest scores", "precision", "recall", "lift"],
            &rows,
            None,
        );
    }
    out += &match ranking.bins {
        Some(bins) => {
            let bins = number::count(bins);
            paragraph(
                "note",
                &format!("Computed from {bins} score bins, since there are many rows."),
            )
        }
        None => paragraph("note", "Computed from every score."),
    };
    Some(out)
}

fn bands(evaluation: &Evaluation) -> String {
    let total = evaluation.rows.max(1) as f64;
    let currency = evaluation.currency.as_deref();
    let rows = evaluation
        .bands
        .iter()
        .map(|band| {
            let frauds = band.frauds.map_or_else(|| "-".to_owned(), number::count);
            vec![
                word(band.band.name()),
                figure(number::si(band.lower)),
                figure(number::count(band.rows)),
                figure(number::percent(band.rows as f64 / total)),
                or_dash(band.amount, |amount| number::amount(amount, currency)),
                figure(frauds),
            ]
        })
        .collect::<Vec<_>>();
    let head = [
        "band",
        "risk from",
        "rows",
        "share of rows",
        "amount",
        "fraud",
    ];
    let chart = inline(&Figure::of_panel(evaluation, Panel::Bands));
    table(&head, &rows, None) + &chart
}

fn reasons(meta: &ReportMeta) -> String {
    let rows = meta
        .reasons
        .iter()
        .map(|reason| {
            vec![
                word(&*reason.text),
                word(&*reason.code),
                figure(number::count(reason.alerts)),
                figure(number::percent(reason.contribution)),
            ]
        })
        .collect::<Vec<_>>();
    table(
        &["reason", "code", "alerts", "mean share of the risk"],
        &rows,
        None,
    )
}

fn days(evaluation: &Evaluation) -> String {
    let labelled = evaluation.labelled > 0;
    let mut head = vec!["day (UTC)", "rows", "alerts"];
    if labelled {
        head.extend(["fraud", "fraud caught"]);
    }
    let rows = evaluation
        .days
        .iter()
        .take(MOST_DAYS)
        .map(|day| {
            let mut row = vec![
                word(day.day.date()),
                figure(number::count(day.rows)),
                figure(number::count(day.alerts)),
            ];
            if labelled {
                row.push(figure(number::count(day.frauds)));
                row.push(figure(number::count(day.caught)));
            }
            row
        })
        .collect::<Vec<_>>();
    let mut out = inline(&Figure::of_panel(evaluation, Panel::Days));
    out += &format!(
        "<details>\n<summary>{} days</summary>\n{}",
        number::count(evaluation.days.len() as u64),
        table(&head, &rows, None)
    );
    if evaluation.days.len() > MOST_DAYS {
        let text = format!("The first {MOST_DAYS} days; metrics.json has all.");
        out += &paragraph("note", &text);
    }
    out + "</details>\n"
}

fn pairs(pairs: &[(String, String)]) -> String {
    let rows = pairs
        .iter()
        .map(|(name, value)| vec![word(name), word(value)])
        .collect::<Vec<_>>();
    table(&["what", "value"], &rows, None)
}

fn scope(evaluation: &Evaluation) -> String {
    let scope = &evaluation.scope;
    let span = |of: Option<&_>| of.map_or_else(|| "rows have no times".to_owned(), period);
    let learned = match evaluation.mode {
        LearningMode::Supervised => "supervised: labels of training rows chose the threshold",
        LearningMode::Unsupervised => {
            "unsupervised: no label was read while learning; where there are labels, they only judge"
        }
    };
    let in_sample = if scope.in_sample {
        "yes: the judged rows were also trained on"
    } else {
        "no: the judged rows were not trained on"
    };
    let rows = [
        ("learning", learned.to_owned()),
        ("in-sample", in_sample.to_owned()),
        ("judged period", span(scope.judged.as_ref())),
        ("judged rows", number::count(evaluation.rows)),
        ("rows with a label", number::count(evaluation.labelled)),
        ("training period", span(scope.trained.as_ref())),
        (
            "training rows read",
            number::count(scope.training_population),
        ),
        (
            "training rows the model was fitted on",
            number::count(scope.training_rows),
        ),
    ];
    pairs(&rows.map(|(name, value)| (name.to_owned(), value)))
}

fn run(meta: &ReportMeta) -> String {
    let rows = [
        ("generated", meta.generated_at.map(|at| at.to_string())),
        (
            "dafu",
            Some(meta.library_version.clone()).filter(|text| !text.is_empty()),
        ),
        ("source", meta.source.clone()),
        (
            "model hash",
            meta.model_hash.map(|hash| format!("{hash:016x}")),
        ),
        ("seed", meta.seed.map(|seed| seed.to_string())),
    ];
    let known = rows
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    pairs(
        &known
            .chain(meta.settings.iter().cloned())
            .collect::<Vec<_>>(),
    )
}

fn definitions() -> String {
    let line = |(name, text): &(&str, &str)| {
        format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(text))
    };
    let lines = DEFINITIONS.iter().map(line).collect::<String>();
    format!("<dl class=\"words\">\n{lines}</dl>\n")
}
