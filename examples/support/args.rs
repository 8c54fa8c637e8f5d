//! Arguments of the form `--name value`.

use std::error::Error;
use std::fmt::Display;
use std::str::FromStr;

/// The arguments of a program.
#[derive(Debug, Default)]
pub struct Args {
    values: Vec<(String, String)>,
}

impl Args {
    /// Reads the command line. `None` after `--help`, for which `usage` was printed.
    ///
    /// # Errors
    ///
    /// For a name that is not known, or one without a value.
    pub fn read(usage: &str, known: &[&str]) -> Result<Option<Self>, Box<dyn Error>> {
        Self::from_words(std::env::args().skip(1), usage, known)
    }

    fn from_words(
        words: impl Iterator<Item = String>,
        usage: &str,
        known: &[&str],
    ) -> Result<Option<Self>, Box<dyn Error>> {
        let mut args = Self::default();
        let mut words = words;
        while let Some(word) = words.next() {
            if word == "--help" || word == "-h" {
                println!("{usage}");
                return Ok(None);
            }
            let name = word.strip_prefix("--").filter(|name| known.contains(name));
            let name = name.ok_or_else(|| format!("unknown argument {word:?}\n\n{usage}"))?;
            let value = words
                .next()
                .ok_or_else(|| format!("--{name} needs a value\n\n{usage}"))?;
            args.values.push((name.to_owned(), value));
        }
        Ok(Some(args))
    }

    /// The value of a name; of several, the last.
    pub fn value(&self, name: &str) -> Option<&str> {
        let last = self.values.iter().rev().find(|(other, _)| other == name);
        last.map(|(_, value)| value.as_str())
    }

    /// All values of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values
            .iter()
            .filter(move |(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value of a name that must be given.
    ///
    /// # Errors
    ///
    /// When it is not.
    pub fn required(&self, name: &str) -> Result<&str, Box<dyn Error>> {
        self.value(name)
            .ok_or_else(|| format!("--{name} is needed; see --help").into())
    }

    /// The value of a name as a number or other type, or a default.
    ///
    /// # Errors
    ///
    /// When the value cannot be read.
    pub fn parsed<T: FromStr<Err: Display>>(
        &self,
        name: &str,
        default: T,
    ) -> Result<T, Box<dyn Error>> {
        match self.value(name) {
            Some(value) => parse(name, value),
            None => Ok(default),
        }
    }

    /// A list of values separated by commas, where the name was given.
    ///
    /// # Errors
    ///
    /// When a value cannot be read.
    pub fn list<T: FromStr<Err: Display>>(
        &self,
        name: &str,
    ) -> Result<Option<Vec<T>>, Box<dyn Error>> {
        let list = self.value(name).map(|list| {
            list.split(',')
                .map(|value| parse(name, value.trim()))
                .collect::<Result<_, _>>()
        });
        list.transpose()
    }
}

fn parse<T: FromStr<Err: Display>>(name: &str, value: &str) -> Result<T, Box<dyn Error>> {
    value
        .parse()
        .map_err(|error| format!("--{name} {value:?}: {error}").into())
}

#[cfg(test)]
mod tests {
    use super::Args;

    fn read(words: &str) -> Result<Option<Args>, Box<dyn std::error::Error>> {
        Args::from_words(
            words.split(' ').map(str::to_owned),
            "usage",
            &["input", "levels"],
        )
    }

    #[test]
    fn reads_values_and_lists() {
        let args = read("--input a.csv --levels 0.01,0.05").unwrap().unwrap();
        assert_eq!(args.value("input"), Some("a.csv"));
        assert_eq!(args.list::<f64>("levels").unwrap(), Some(vec![0.01, 0.05]));
        assert_eq!(args.parsed("seed", 7_u64).unwrap(), 7);
        assert!(args.required("output").is_err());
    }

    #[test]
    fn names_what_is_wrong() {
        assert!(
            read("--inptu a")
                .unwrap_err()
                .to_string()
                .contains("--inptu")
        );
        assert!(
            read("--input")
                .unwrap_err()
                .to_string()
                .contains("needs a value")
        );
        let args = read("--levels 0.01,x").unwrap().unwrap();
        assert!(
            args.list::<f64>("levels")
                .unwrap_err()
                .to_string()
                .contains("\"x\"")
        );
    }
}
