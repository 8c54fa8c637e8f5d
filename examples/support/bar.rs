//! Progress bars on stderr.

use dafu::Progress;
use dafu_sequence::training::{EpochReport, TrainingMonitor};
use indicatif::{ProgressBar, ProgressStyle};
use std::cell::RefCell;
use std::time::Instant;

/// One bar a step, with a line on stderr when the step is over.
#[derive(Debug, Default)]
pub struct Bars {
    current: RefCell<Option<Step>>,
}

#[derive(Debug)]
struct Step {
    name: String,
    bar: ProgressBar,
    started: Instant,
    done: u64,
}

impl Bars {
    /// Ends the bar of the current step.
    pub fn finish(&self) {
        if let Some(step) = self.current.borrow_mut().take() {
            step.bar.finish_and_clear();
            let seconds = step.started.elapsed().as_secs_f64();
            eprintln!("{:<24}{:>12} in {seconds:>6.2} s", step.name, step.done);
        }
    }

    fn start(&self, name: &str, total: Option<u64>) {
        self.finish();
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let template = match total {
            Some(_) => "{msg:<24}{wide_bar} {human_pos} of {human_len}, {per_sec}, {eta} left",
            None => "{msg:<24}{spinner} {human_pos}, {per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(name.to_owned());
        let (name, started) = (name.to_owned(), Instant::now());
        *self.current.borrow_mut() = Some(Step {
            name,
            bar,
            started,
            done: 0,
        });
    }
}

impl Progress for Bars {
    fn report(&self, step: &str, done: u64, total: Option<u64>) {
        let other = self
            .current
            .borrow()
            .as_ref()
            .is_none_or(|current| current.name != step);
        if other {
            self.start(step, total);
        }
        if let Some(current) = &mut *self.current.borrow_mut() {
            current.done = done;
            current.bar.set_position(done);
        }
    }
}

/// A bar over the epochs of a training with its losses, and a line on stderr after each.
#[derive(Debug)]
pub struct TrainingBar {
    bar: ProgressBar,
    epochs: usize,
    judged_by: &'static str,
    started: Instant,
}

impl TrainingBar {
    /// For a training of at most so many epochs, judged by a number of this name.
    pub fn new(epochs: usize, judged_by: &'static str) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{msg:<56}{wide_bar} {eta} left") {
            bar.set_style(style);
        }
        bar.set_message("first epoch");
        Self {
            bar,
            epochs,
            judged_by,
            started: Instant::now(),
        }
    }

    /// Ends the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
        eprintln!("trained in {:.2} s", self.started.elapsed().as_secs_f64());
    }
}

impl TrainingMonitor for TrainingBar {
    fn batch(&self, epoch: usize, done: usize, total: usize) {
        self.bar.set_length((self.epochs * total) as u64);
        self.bar.set_position(((epoch - 1) * total + done) as u64);
    }

    fn epoch(&self, report: &EpochReport) {
        let mut line = format!("epoch {:>2}: loss {:.4}", report.epoch, report.loss);
        if let Some(validation) = report.validation {
            line += &format!(", held out: {} {validation:.4}", self.judged_by);
        }
        self.bar.suspend(|| eprintln!("{line}"));
        self.bar.set_message(line);
    }
}
