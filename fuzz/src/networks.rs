//! Files of sequence networks.

use dafu_core::Timestamp;
use dafu_core::model::Limits;
use dafu_sequence::data::{EventNumbers, Events, SequenceSet};
use dafu_sequence::native::NativeBackend;
use dafu_sequence::network::{Backend, Cell, Embedding, Network, NetworkConfig, Task, Weights};
use dafu_sequence::saved::SavedNetwork;

/// Any bytes are a network, the `state_dict` of one of the golden networks, or an error; so are they with the length of
/// the header put right. A network is written as it was read, and answers.
pub fn sequence_weights(data: &[u8]) {
    load(data);
    // Where the text ends, and where that text says so.
    let Some((head, rest)) = data.split_first_chunk::<8>() else {
        return;
    };
    let Some(end) = rest.windows(2).rposition(|pair| pair == b"}}") else {
        return;
    };
    let length = (end as u64 + 2).to_le_bytes();
    if length != *head {
        load(&[&length[..], rest].concat());
    }
}

fn load(bytes: &[u8]) {
    let limits = Limits {
        max_bytes: 1 << 20,
        ..Limits::default()
    };
    if let Ok(saved) = SavedNetwork::from_safetensors(bytes, &limits) {
        let written = saved.to_safetensors().expect("a sound network");
        // Metadata may grow beyond the limit when it is quoted.
        let read = SavedNetwork::from_safetensors(&written, &Limits::default());
        assert_eq!(read.expect("what was written"), saved);
        answer(&saved.config, &saved.weights);
    }
    for task in [
        Task::Classify { attention: false },
        Task::Classify { attention: true },
        Task::NextEvent,
        Task::Reconstruct,
    ] {
        for (cell, layers) in [(Cell::Lstm, 1), (Cell::Gru, 2)] {
            let embeddings = [(4, 2), (3, 3)].map(|(categories, dimension)| Embedding {
                categories,
                dimension,
            });
            let config = NetworkConfig {
                numeric_inputs: 3,
                embeddings: embeddings.to_vec(),
                cell,
                layers,
                hidden_units: 6 - layers,
                dropout: 0.0,
                task,
            };
            if let Ok(weights) = Weights::from_safetensors(bytes, &config, &limits) {
                let written = weights.to_safetensors(&config).expect("sound weights");
                let read = SavedNetwork::from_safetensors(&written, &limits);
                assert_eq!(read.expect("what was written").weights, weights);
                answer(&config, &weights);
            }
        }
    }
}

/// Three events have answers; numbers at the end of the range may make them infinite.
fn answer(config: &NetworkConfig, weights: &Weights) {
    if weights.numbers().len() > 1 << 14 {
        return;
    }
    let categories = config.embeddings.iter().map(|input| input.categories);
    let categories: Vec<u32> = categories.collect();
    let mut builder = Events::builder(config.numeric_inputs, &categories);
    let codes: Vec<u32> = categories.iter().map(|categories| categories - 1).collect();
    for (second, number) in [0.0, 1.0, -1e30].into_iter().enumerate() {
        let numeric = vec![number; config.numeric_inputs];
        let inputs = EventNumbers {
            numeric: &numeric,
            codes: &codes,
        };
        let time = Timestamp::from_micros(second as i64).expect("a good time");
        builder.push(time, inputs, None).expect("a good event");
    }
    let events = builder.build();
    let spans = events.segments(3, 0);
    let set = SequenceSet::new(&events, &spans).expect("good sequences");
    let network = NativeBackend
        .network(config, weights)
        .expect("a sound network");
    let mut outputs = vec![0.0; 3 * config.outputs()];
    network.outputs(set, &mut outputs).expect("room for all");
}
