//! The four-panel figure and its panels.

#[cfg(feature = "png")]
use crate::error::ReportError;
use crate::ink::{AXIS, SOFT, WARNING, WHITE};
use crate::number;
use crate::panel::{
    alert_share, bands, confusion, curves, days, models, reliability, scatter, scores,
};
use crate::scene::{Area, Scene, Stroke, Text};
use crate::svg;
use dafu_core::Evaluation;
use dafu_core::evaluation::{LearningMode, Period};
use dafu_core::metrics::{Calibration, PrecisionRecallCurve};

const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 950.0;
const MARGIN: f64 = 26.0;
const HEADER: f64 = 72.0;
const GAP: f64 = 36.0;
/// Size of one panel, inside the figure and alone.
const PANEL: (f64, f64) = (
    (WIDTH - 2.0 * MARGIN - GAP) / 2.0,
    (HEIGHT - MARGIN - HEADER - GAP) / 2.0,
);

/// One panel of the figure, which can also be drawn alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Panel {
    /// Distribution of the risk score by class, with the thresholds.
    Scores,
    /// ROC curve.
    Roc,
    /// Precision-recall curve.
    PrecisionRecall,
    /// ROC and precision-recall curve side by side, and what the highest scores hold.
    Ranking,
    /// Share of rows alerted against the threshold.
    AlertShare,
    /// Confusion matrix at the chosen threshold.
    Confusion,
    /// Rows and amounts by band of risk.
    Bands,
    /// Rows over the two most telling features.
    Scatter,
    /// Alerts and fraud over time.
    Days,
}

impl Panel {
    /// All panels.
    pub const ALL: [Self; 9] = [
        Self::Scores,
        Self::Roc,
        Self::PrecisionRecall,
        Self::Ranking,
        Self::AlertShare,
        Self::Confusion,
        Self::Bands,
        Self::Scatter,
        Self::Days,
    ];

    /// A short name for files: `precision_recall`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scores => "scores",
            Self::Roc => "roc",
            Self::PrecisionRecall => "precision_recall",
            Self::Ranking => "ranking",
            Self::AlertShare => "alert_share",
            Self::Confusion => "confusion",
            Self::Bands => "bands",
            Self::Scatter => "scatter",
            Self::Days => "days",
        }
    }

    /// Whether the evaluation holds what the panel shows. A panel that does not fit is drawn as a sentence that says
    /// what is missing.
    pub fn fits(self, evaluation: &Evaluation) -> bool {
        match self {
            Self::Scores | Self::AlertShare => evaluation.rows > 0,
            Self::Roc | Self::PrecisionRecall | Self::Ranking => evaluation.ranking.is_some(),
            Self::Confusion => evaluation
                .chosen_threshold()
                .is_some_and(|threshold| threshold.confusion.is_some()),
            Self::Bands => !evaluation.bands.is_empty(),
            Self::Scatter => evaluation
                .scatter
                .as_ref()
                .is_some_and(|scatter| !scatter.points.is_empty()),
            Self::Days => !evaluation.days.is_empty(),
        }
    }

    /// The four panels of the figure: those that need labels give way where there are none.
    ///
    /// 1. score distribution; 2. ranking, else alert share; 3. confusion matrix, else bands; 4. scatter, else days.
    pub fn of_figure(evaluation: &Evaluation) -> [Self; 4] {
        let or = |first: Self, second: Self| {
            if first.fits(evaluation) {
                first
            } else {
                second
            }
        };
        [
            Self::Scores,
            or(Self::Ranking, Self::AlertShare),
            or(Self::Confusion, Self::Bands),
            or(Self::Scatter, Self::Days),
        ]
    }

    fn draw(self, scene: &mut Scene, area: Area, evaluation: &Evaluation) {
        match (self, &evaluation.scatter) {
            (Self::Scores, _) => scores::draw(scene, area, evaluation),
            (Self::Roc, _) => curves::draw_roc(scene, area, evaluation),
            (Self::PrecisionRecall, _) => curves::draw_precision_recall(scene, area, evaluation),
            (Self::Ranking, _) => curves::draw(scene, area, evaluation),
            (Self::AlertShare, _) => alert_share::draw(scene, area, evaluation),
            (Self::Confusion, _) => confusion::draw(scene, area, evaluation),
            (Self::Bands, _) => bands::draw(scene, area, evaluation),
            (Self::Scatter, Some(points)) => scatter::draw(scene, area, points),
            (Self::Scatter | Self::Days, _) => days::draw(scene, area, evaluation),
        }
    }
}

/// A drawn picture, ready to become SVG or PNG.
///
/// # Determinism
///
/// The same evaluation gives the same bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    scene: Scene,
}

impl Figure {
    /// The four-panel figure: see [`Panel::of_figure`].
    ///
    /// # Complexity
    ///
    /// O(b + c + s log s) for b histogram bins, c curve points and s scatter points.
    pub fn new(evaluation: &Evaluation) -> Self {
        let mut scene = Scene::new(WIDTH, HEIGHT, &title(evaluation));
        header(&mut scene, evaluation);
        for (index, panel) in Panel::of_figure(evaluation).into_iter().enumerate() {
            let x = MARGIN + (index % 2) as f64 * (PANEL.0 + GAP);
            let y = HEADER + (index / 2) as f64 * (PANEL.1 + GAP);
            panel.draw(&mut scene, Area::new(x, y, PANEL.0, PANEL.1), evaluation);
        }
        Self { scene }
    }

    /// One panel alone. In-sample figures are marked as such here too.
    pub fn of_panel(evaluation: &Evaluation, panel: Panel) -> Self {
        let title = format!("{}: {}", panel.name().replace('_', " "), title(evaluation));
        let mut figure = Self::alone(&title, |scene, area| panel.draw(scene, area, evaluation));
        if evaluation.scope.in_sample {
            badge(&mut figure.scene, PANEL.0 + 2.0 * MARGIN - 10.0, 4.0);
        }
        figure
    }

    /// Precision-recall curves of several models on the same rows, by name, the first one on top. `prevalence` is the share
    /// of frauds, which alerts at random have.
    ///
    /// ```
    /// use dafu_core::metrics::{CurvePoints, Ranking};
    /// use dafu_report::Figure;
    ///
    /// let ranking = Ranking::new(&[false, true, false, true], &[0.1, 0.9, 0.3, 0.2], None)?;
    /// let curve = ranking.precision_recall_curve(CurvePoints::Corners)?;
    /// let svg = Figure::of_precision_recall(&[("boosted trees", &curve)], 0.5).to_svg();
    /// assert!(svg.contains(">boosted trees</text>"));
    /// # Ok::<(), dafu_core::metrics::MetricsError>(())
    /// ```
    pub fn of_precision_recall(curves: &[(&str, &PrecisionRecallCurve)], prevalence: f64) -> Self {
        let title = format!("precision and recall of {} models", curves.len());
        Self::alone(&title, |scene, area| {
            models::draw(scene, area, curves, prevalence);
        })
    }

    /// Reliability diagram: the mean probability of each bin against its share of frauds, on logarithmic axes, with
    /// Wilson's 95 % intervals of the shares. Weights are taken as counts of rows. Where a bin has no fraud its mark
    /// stands on the axis.
    ///
    /// ```
    /// use dafu_core::metrics::{CalibrationBinning, calibration};
    /// use dafu_report::Figure;
    ///
    /// let (labels, said) = ([false, true, false, true], [0.1, 0.9, 0.3, 0.2]);
    /// let bins = calibration(&labels, &said, None, 2, CalibrationBinning::Quantile)?;
    /// assert!(Figure::of_reliability(&[("raw", &bins)]).to_svg().contains(">raw</text>"));
    /// # Ok::<(), dafu_core::metrics::MetricsError>(())
    /// ```
    pub fn of_reliability(calibrations: &[(&str, &Calibration)]) -> Self {
        Self::alone("reliability of probabilities", |scene, area| {
            reliability::draw(scene, area, calibrations);
        })
    }

    /// A figure of one panel.
    fn alone(title: &str, draw: impl FnOnce(&mut Scene, Area)) -> Self {
        let (width, height) = (PANEL.0 + 2.0 * MARGIN, PANEL.1 + 2.0 * MARGIN);
        let mut scene = Scene::new(width, height, title);
        draw(&mut scene, Area::new(MARGIN, MARGIN, PANEL.0, PANEL.1));
        Self { scene }
    }

    /// The picture as an SVG document in UTF-8.
    pub fn to_svg(&self) -> String {
        svg::write(&self.scene)
    }

    /// The picture as a PNG file, `scale` pixels for one unit of the SVG; 2 suits most screens and prints.
    ///
    /// # Errors
    ///
    /// [`ReportError::Scale`] for a scale that gives no picture or one beyond 64 million pixels.
    #[cfg(feature = "png")]
    pub fn to_png(&self, scale: f64) -> Result<Vec<u8>, ReportError> {
        crate::raster::write(&self.scene, scale)
    }
}

/// What the run is, in one line.
pub(crate) fn title(evaluation: &Evaluation) -> String {
    let mode = mode(evaluation.mode);
    let labels = if evaluation.labelled == 0 {
        ", no labels"
    } else {
        ""
    };
    let rows = number::count(evaluation.rows);
    let in_sample = if evaluation.scope.in_sample {
        ", IN-SAMPLE"
    } else {
        ""
    };
    format!("Fraud detection, {mode}{labels}: {rows} rows judged{in_sample}")
}

pub(crate) fn mode(mode: LearningMode) -> &'static str {
    match mode {
        LearningMode::Supervised => "supervised",
        LearningMode::Unsupervised => "unsupervised",
    }
}

/// A span of days in words.
pub(crate) fn period(period: &Period) -> String {
    let (from, until) = (period.from.date(), period.until.date());
    if from == until {
        from
    } else {
        format!("{from} to {until}")
    }
}

/// A rounded warning that ends at `right`.
fn badge(scene: &mut Scene, right: f64, y: f64) -> f64 {
    let text = Text::new(0.0, y + 18.0, "IN-SAMPLE")
        .size(15.0)
        .bold()
        .ink(WHITE);
    let width = text.width() + 24.0;
    scene.rounded(Area::new(right - width, y, width, 26.0), 5.0, WARNING);
    scene.text(Text {
        x: right - width + 12.0,
        ..text
    });
    width
}

fn header(scene: &mut Scene, evaluation: &Evaluation) {
    let scope = &evaluation.scope;
    let mode = mode(evaluation.mode);
    let labels = if evaluation.labelled == 0 {
        " (no labels)"
    } else {
        ""
    };
    let mut room = WIDTH - 2.0 * MARGIN;
    if scope.in_sample {
        room -= badge(scene, WIDTH - MARGIN, 12.0) + 20.0;
    }
    let rows = number::count(evaluation.rows);
    let title = format!("Fraud detection, {mode}{labels}: {rows} rows judged");
    scene.text(Text::new(MARGIN, 31.0, title).size(21.0).bold().fit(room));
    let mut parts = Vec::new();
    if let Some(judged) = &scope.judged {
        parts.push(format!("judged {}", period(judged)));
    }
    if evaluation.labelled > 0 {
        let share = evaluation.frauds as f64 / evaluation.labelled as f64;
        let (frauds, share) = (number::count(evaluation.frauds), number::percent(share));
        parts.push(format!("{frauds} fraud ({share})"));
    }
    let mut trained = format!("trained on {} rows", number::count(scope.training_rows));
    if scope.training_population > scope.training_rows {
        trained = format!("{trained} of {}", number::count(scope.training_population));
    }
    if let Some(span) = &scope.trained {
        trained = format!("{trained}, {}", period(span));
    }
    parts.push(trained);
    let mut room = WIDTH - 2.0 * MARGIN;
    if scope.in_sample {
        let warning = "judged on rows it was trained on: every figure is optimistic";
        let text = Text::new(WIDTH - MARGIN, 53.0, warning)
            .bold()
            .ink(WARNING)
            .end();
        room -= text.width() + 20.0;
        scene.text(text);
    }
    let line = Text::new(MARGIN, 53.0, parts.join(" | "))
        .size(13.0)
        .ink(SOFT);
    scene.text(line.fit(room));
    let y = HEADER - 10.0;
    scene.line(
        (MARGIN, y),
        (WIDTH - MARGIN, y),
        Stroke::solid(AXIS.faded(0.5), 1.0),
    );
}

/// The four-panel figure as SVG.
pub fn render_svg(evaluation: &Evaluation) -> String {
    Figure::new(evaluation).to_svg()
}

/// The four-panel figure as PNG, at `scale` pixels for one unit of the SVG (1,200 x 950 units).
///
/// # Errors
///
/// As [`Figure::to_png`].
#[cfg(feature = "png")]
pub fn render_png(evaluation: &Evaluation, scale: f64) -> Result<Vec<u8>, ReportError> {
    Figure::new(evaluation).to_png(scale)
}
