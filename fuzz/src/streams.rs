//! Snapshots of streams.

use dafu_core::Timestamp;
use dafu_sequence::data::EventNumbers;
use dafu_sequence::native::StepNetwork;
use dafu_sequence::network::{Cell, Embedding, NetworkConfig, Task, Weights};
use dafu_sequence::stream::{StreamParams, StreamScorer, StreamSnapshot};

/// Any text is the snapshot of a stream, or an error; a stream goes on from it with answers that are numbers, and gives it
/// again.
pub fn sequence_stream(data: &[u8]) {
    let Ok(snapshot) = serde_json::from_slice::<StreamSnapshot<String>>(data) else {
        return;
    };
    for task in [Task::Classify { attention: true }, Task::NextEvent] {
        let mut scorer = scorer(task);
        if scorer.restore(&snapshot).is_ok() {
            let taken = scorer.snapshot();
            let mut other = self::scorer(task);
            other.restore(&taken).expect("what was taken");
            assert_eq!(other.snapshot(), taken);
            go_on(&mut scorer, &mut other, &snapshot);
        }
    }
}

fn go_on(
    scorer: &mut StreamScorer<String>,
    other: &mut StreamScorer<String>,
    snapshot: &StreamSnapshot<String>,
) {
    let now = snapshot.now.unwrap_or(Timestamp::EPOCH);
    let known = snapshot
        .users
        .iter()
        .map(|user| (user.key.as_str(), user.last_seen));
    for (user, time) in known
        .take(8)
        .chain([("somebody", now), ("else", Timestamp::EPOCH)])
    {
        for time in [time, now] {
            let inputs = EventNumbers {
                numeric: &[0.5],
                codes: &[2],
            };
            let answer = scorer.score(user, time, inputs);
            assert_eq!(answer.clone().ok(), other.score(user, time, inputs).ok());
            if let Ok(answer) = answer {
                assert!(!answer.value.is_nan());
            }
            assert!(scorer.users() <= 4);
        }
        scorer.forget(user);
        other.forget(user);
    }
}

fn scorer(task: Task) -> StreamScorer<String> {
    let config = NetworkConfig {
        numeric_inputs: 1,
        embeddings: vec![Embedding {
            categories: 3,
            dimension: 2,
        }],
        cell: Cell::Gru,
        layers: 1,
        hidden_units: 4,
        dropout: 0.0,
        task,
    };
    let weights = Weights::first(&config, 5).expect("a good shape");
    let network = StepNetwork::new(&config, &weights).expect("weights of this shape");
    let params = StreamParams::default()
        .capacity(4)
        .time_to_live(Some(86_400));
    StreamScorer::new(network, &params).expect("good bounds")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise the fuzzer would see refusals alone.
    #[test]
    fn what_the_fuzzer_begins_with_is_taken() {
        for (name, task) in [
            ("attention", Task::Classify { attention: true }),
            ("next_event", Task::NextEvent),
        ] {
            let json = std::fs::read(format!("regressions/sequence_stream/{name}")).unwrap();
            let snapshot = serde_json::from_slice(&json).unwrap();
            let mut scorer = scorer(task);
            scorer.restore(&snapshot).unwrap();
            assert_eq!(scorer.users(), 3);
        }
    }

    /// Writes the inputs that the fuzzer begins with, where a folder is named.
    #[test]
    fn snapshots_are_written_to_begin_with() {
        let Ok(folder) = std::env::var("WRITE_SNAPSHOTS") else {
            return;
        };
        for (name, task) in [
            ("attention", Task::Classify { attention: true }),
            ("next_event", Task::NextEvent),
        ] {
            let mut scorer = scorer(task);
            for (second, user) in ["ann", "ben", "ann", "cleo"].into_iter().enumerate() {
                let time = Timestamp::from_seconds(second as i64).unwrap();
                let inputs = EventNumbers {
                    numeric: &[second as f32],
                    codes: &[1],
                };
                scorer.score(user, time, inputs).unwrap();
            }
            let json = serde_json::to_vec(&scorer.snapshot()).unwrap();
            std::fs::write(std::path::Path::new(&folder).join(name), json).unwrap();
        }
    }
}
