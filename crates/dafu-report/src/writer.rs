//! All files of a report at once.

use crate::error::ReportError;
use crate::export::{metrics_json, stamped_name, summary_json};
use crate::figure::Figure;
use crate::html::render_html;
use crate::meta::ReportMeta;
use dafu_core::{Evaluation, Timestamp};
use std::path::{Path, PathBuf};

/// The files that [`write_all`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReportFiles {
    /// The four-panel figure as SVG.
    pub figure_svg: PathBuf,
    /// The four-panel figure as PNG; `None` without the feature `png`.
    pub figure_png: Option<PathBuf>,
    /// The HTML report.
    pub html: PathBuf,
    /// What a person reads first, as JSON.
    pub summary: PathBuf,
    /// Everything, as JSON.
    pub metrics: PathBuf,
}

impl ReportFiles {
    /// All paths, in the order in which they were written.
    pub fn paths(&self) -> Vec<&Path> {
        let first = [Some(&self.figure_svg), self.figure_png.as_ref()];
        let rest = [&self.html, &self.summary, &self.metrics].map(Some);
        first
            .into_iter()
            .chain(rest)
            .flatten()
            .map(PathBuf::as_path)
            .collect()
    }
}

/// Writes the files of a report into a folder.
///
/// # Examples
///
/// ```no_run
/// # fn run(evaluation: &dafu_core::Evaluation) -> Result<(), dafu_report::ReportError> {
/// use dafu_report::{ReportMeta, ReportWriter};
///
/// let meta = ReportMeta::new("Payments of July");
/// let files = ReportWriter::new("report").write(evaluation, &meta)?;
/// assert!(files.html.ends_with("report.html"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ReportWriter {
    dir: PathBuf,
    stamp: Option<Timestamp>,
    png_scale: f64,
}

impl ReportWriter {
    /// Files go into `dir`, which is made where it is missing, under plain names: `figure.svg`, `figure.png`
    /// (feature `png`), `report.html`, `summary.json`, `metrics.json`. Files of the same name are replaced.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            stamp: None,
            png_scale: 2.0,
        }
    }

    /// Puts a time into every file name: see [`stamped_name`].
    #[must_use]
    pub fn with_stamp(mut self, at: Timestamp) -> Self {
        self.stamp = Some(at);
        self
    }

    /// Pixels for one unit of the figure (1,200 x 950 units); 2 unless told.
    #[must_use]
    pub fn with_png_scale(mut self, scale: f64) -> Self {
        self.png_scale = scale;
        self
    }

    /// Writes all files.
    ///
    /// # Errors
    ///
    /// [`ReportError::Write`] with the path that cannot be written; [`ReportError::Json`];
    /// with the feature `png` also its errors.
    pub fn write(
        &self,
        evaluation: &Evaluation,
        meta: &ReportMeta,
    ) -> Result<ReportFiles, ReportError> {
        std::fs::create_dir_all(&self.dir).map_err(|source| ReportError::Write {
            path: self.dir.clone(),
            source,
        })?;
        let figure = Figure::new(evaluation);
        Ok(ReportFiles {
            figure_svg: self.file("figure", "svg", figure.to_svg().as_bytes())?,
            figure_png: self.png(&figure)?,
            html: self.file("report", "html", render_html(evaluation, meta).as_bytes())?,
            summary: self.file(
                "summary",
                "json",
                summary_json(evaluation, meta)?.as_bytes(),
            )?,
            metrics: self.file(
                "metrics",
                "json",
                metrics_json(evaluation, meta)?.as_bytes(),
            )?,
        })
    }

    #[cfg(feature = "png")]
    fn png(&self, figure: &Figure) -> Result<Option<PathBuf>, ReportError> {
        self.file("figure", "png", &figure.to_png(self.png_scale)?)
            .map(Some)
    }

    #[cfg(not(feature = "png"))]
    #[expect(
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "as with the feature"
    )]
    fn png(&self, _: &Figure) -> Result<Option<PathBuf>, ReportError> {
        Ok(None)
    }

    fn file(&self, stem: &str, extension: &str, content: &[u8]) -> Result<PathBuf, ReportError> {
        let name = match self.stamp {
            Some(at) => stamped_name(stem, at, extension),
            None => format!("{stem}.{extension}"),
        };
        let path = self.dir.join(name);
        match std::fs::write(&path, content) {
            Ok(()) => Ok(path),
            Err(source) => Err(ReportError::Write { path, source }),
        }
    }
}

/// Writes `figure.svg`, `figure.png` (feature `png`), `report.html`, `summary.json` and `metrics.json` into a folder.
///
/// # Errors
///
/// As [`ReportWriter::write`].
pub fn write_all(
    dir: impl AsRef<Path>,
    evaluation: &Evaluation,
    meta: &ReportMeta,
) -> Result<ReportFiles, ReportError> {
    ReportWriter::new(dir.as_ref()).write(evaluation, meta)
}
