//! Trees as text.

use super::{DecisionTree, Question};
use crate::EnsembleError;
use crate::samples::check_length;
use std::fmt::Write;

impl DecisionTree {
    /// The tree as indented lines: questions, and for each leaf the smoothed share of frauds and the weight of frauds and
    /// of all training rows. Below, what missing values count as, in columns that are asked for and have an indicator.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Length`] when there are not as many names as columns.
    pub fn to_text(&self, names: &[&str]) -> Result<String, EnsembleError> {
        check_length("names of columns", self.width(), names.len())?;
        let mut text = String::new();
        self.write(&mut text, names, (0, 0));
        let mut asked: Vec<usize> = self
            .nodes
            .iter()
            .filter_map(|node| match node.question {
                Question::AtMost { column, .. } => Some(column as usize),
                _ => None,
            })
            .collect();
        asked.sort_unstable();
        asked.dedup();
        for column in asked
            .into_iter()
            .filter(|column| self.inputs.flags().any(|flag| flag == *column))
        {
            let fill = short(self.inputs.complete(column, f64::NAN));
            let _ = writeln!(text, "missing {} counts as {fill}", names[column]);
        }
        Ok(text)
    }

    /// Writes the node at a place and those below it.
    fn write(&self, text: &mut String, names: &[&str], (at, depth): (usize, usize)) {
        let node = &self.nodes[at];
        // Writing to a string does not fail.
        let (yes, no) = match node.question {
            Question::None => {
                let leaf = self.leaf(node);
                let (fraud, all) = (short(leaf.fraud), short(leaf.fraud + leaf.honest));
                let lead = if at == 0 { "all" } else { "" };
                let _ = writeln!(
                    text,
                    "{lead}: {:.1} % fraud ({fraud} of {all})",
                    leaf.share * 100.0
                );
                return;
            }
            Question::AtMost { column, threshold } => {
                let (name, threshold) = (names[column as usize], short(threshold));
                (
                    format!("{name} <= {threshold}"),
                    format!("{name} > {threshold}"),
                )
            }
            Question::Known { column } => {
                let name = names[column as usize];
                (format!("{name} is known"), format!("{name} is missing"))
            }
        };
        for (side, child) in [(yes, at + 1), (no, node.right)] {
            let _ = write!(text, "{:1$}{side}", "", depth * 2);
            if !matches!(self.nodes[child].question, Question::None) {
                text.push('\n');
            }
            self.write(text, names, (child, depth + 1));
        }
    }
}

/// With at most six digits that say something.
fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let size = value.abs().log10().floor();
    if !(-4.0..15.0).contains(&size) {
        return format!("{value:.5e}");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 9"
    )]
    let digits = (5.0 - size).max(0.0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (12.0, "12"),
            (1_234_567.0, "1234567"),
            (1_234_567.8, "1234568"),
            (0.1 + 0.2, "0.3"),
            (-98.765_432, "-98.7654"),
            (0.000_123_456_78, "0.000123457"),
            (1e-9, "1.00000e-9"),
            (1e300, "1.00000e300"),
            (-100.0, "-100"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
