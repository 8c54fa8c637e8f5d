//! A fitted blend.

use super::blend::check_names;
use super::combiner::Combiner;
use crate::learner::{Classifier, check_shapes, classifier};
use crate::params::{MAX_COLUMNS, at_most};
use crate::{EnsembleError, threads};
use ndarray::{Array2, ArrayView2, Axis};

/// Rows that are answered at a time.
const BLOCK: usize = 1 << 16;
/// Fewer rows than these are answered before other threads have woken up.
const FEW: usize = 256;

/// Several models that answer as one.
///
/// See [`BlendParams`](crate::combine::BlendParams).
#[derive(Debug)]
pub struct Blend {
    width: usize,
    names: Vec<String>,
    members: Vec<Box<dyn Classifier>>,
    combiner: Combiner,
    idle: Vec<String>,
}

/// What one member says about a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MemberPart<'a> {
    /// Name of the member.
    pub name: &'a str,
    /// Its own log odds.
    pub log_odds: f64,
    /// What is combined: its log odds, or the log odds of their rank, within -700 and 700.
    pub input: f64,
    /// How much it counts, see [`Combiner::weights`].
    pub weight: Option<f64>,
}

impl Blend {
    /// A blend of models that exist, in the order of the combiner's members. `idle` are names of members that were left out.
    ///
    /// # Errors
    ///
    /// For names that are empty, too long or stand twice, not as many members as the combiner has, and members of different
    /// widths.
    pub fn new(
        members: Vec<(String, Box<dyn Classifier>)>,
        combiner: Combiner,
        idle: Vec<String>,
    ) -> Result<Self, EnsembleError> {
        let expected = combiner.scale().members();
        if members.len() != expected {
            return Err(EnsembleError::MemberCount {
                what: "models",
                expected,
                got: members.len(),
            });
        }
        let (names, members): (Vec<String>, Vec<Box<dyn Classifier>>) = members.into_iter().unzip();
        let all: Vec<&str> = names.iter().chain(&idle).map(String::as_str).collect();
        check_names(&all)?;
        let width = members.first().map_or(0, |member| member.width());
        at_most("columns", width, MAX_COLUMNS)?;
        if let Some(got) = members
            .iter()
            .map(|member| member.width())
            .find(|own| *own != width)
        {
            let expected = width;
            return Err(EnsembleError::WrongWidth { expected, got });
        }
        Ok(Self {
            width,
            names,
            members,
            combiner,
            idle,
        })
    }

    /// Columns of the rows it takes.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Names and models of the members, in order.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (&str, &dyn Classifier)> {
        let models = self.members.iter().map(|member| &**member);
        self.names.iter().map(String::as_str).zip(models)
    }

    /// How the members are combined.
    pub const fn combiner(&self) -> &Combiner {
        &self.combiner
    }

    /// How much each member counts, see [`Combiner::weights`].
    pub fn weights(&self) -> Option<&[f64]> {
        self.combiner.weights()
    }

    /// Names of members that were given a weight of 0 and left out.
    pub fn idle(&self) -> &[String] {
        &self.idle
    }

    /// Log odds of fraud of a row.
    ///
    /// # Errors
    ///
    /// When the row has another width than the training rows, and when a member fails.
    pub fn log_odds_row(&self, row: &[f64]) -> Result<f64, EnsembleError> {
        let mut out = [0.0];
        self.log_odds_rows(one_row(row), &mut out)?;
        Ok(out[0])
    }

    /// Writes the log odds of fraud of each row.
    ///
    /// # Errors
    ///
    /// When rows have another width than the training rows, or `out` another length than there are rows, and when a member
    /// fails.
    pub fn log_odds_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), EnsembleError> {
        check_shapes(self.width, rows, out)?;
        let blocks = rows
            .axis_chunks_iter(Axis(0), BLOCK)
            .zip(out.chunks_mut(BLOCK));
        for (block, (rows, out)) in blocks.enumerate() {
            let scores = self.scores(rows, block * BLOCK)?;
            self.combiner.combine_rows(scores.t(), out)?;
        }
        Ok(())
    }

    /// What each member says about a row.
    ///
    /// In a vote on log odds and in a stack, weight times input, summed over the members and added to the intercept of a
    /// stack, is the answer.
    ///
    /// # Errors
    ///
    /// As [`Blend::log_odds_row`].
    pub fn parts(&self, row: &[f64]) -> Result<Vec<MemberPart<'_>>, EnsembleError> {
        check_shapes(self.width, one_row(row), &[0.0])?;
        let scores = self.scores(one_row(row), 0)?;
        let scale = self.combiner.scale();
        let parts = self.names.iter().zip(&scores).enumerate();
        Ok(parts
            .map(|(member, (name, log_odds))| MemberPart {
                name,
                log_odds: *log_odds,
                input: scale.log_odds(member, *log_odds),
                weight: self
                    .weights()
                    .and_then(|weights| weights.get(member))
                    .copied(),
            })
            .collect())
    }

    /// Shape: `members x rows`; `first` is the number of the first row, for errors.
    fn scores(
        &self,
        rows: ArrayView2<'_, f64>,
        first: usize,
    ) -> Result<Array2<f64>, EnsembleError> {
        let answer = |member: usize| {
            let mut scores = vec![0.0; rows.nrows()];
            let answered = self.members[member].log_odds_rows(rows, &mut scores);
            answered
                .map(|()| scores)
                .map_err(|source| EnsembleError::Member {
                    name: self.names[member].clone(),
                    source: Box::new(source),
                })
        };
        let columns: Vec<Result<Vec<f64>, EnsembleError>> = if rows.nrows() < FEW {
            (0..self.members.len()).map(answer).collect()
        } else {
            threads::map(self.members.len(), answer)
        };
        let mut scores = Array2::zeros((self.members.len(), rows.nrows()));
        for (member, (column, mut out)) in columns.into_iter().zip(scores.rows_mut()).enumerate() {
            for (row, (got, out)) in column?.into_iter().zip(&mut out).enumerate() {
                if !got.is_finite() {
                    let row = first + row;
                    return Err(EnsembleError::MemberScore { row, member, got });
                }
                *out = got;
            }
        }
        Ok(scores)
    }
}

fn one_row(row: &[f64]) -> ArrayView2<'_, f64> {
    ndarray::ArrayView1::from(row).insert_axis(Axis(0))
}

classifier!(Blend {});
