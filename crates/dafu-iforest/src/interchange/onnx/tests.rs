//! The bytes are read back and the graph is worked out by its definition.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::UnsupportedExport;
use crate::interchange::onnx_proto::{Model, Node};
use crate::{
    IsolationForest, IsolationForestError, IsolationForestParams, MissingValues, Scoring, SplitRule,
};
use ndarray::Array2;
use prost::Message;
use std::collections::BTreeMap;

fn ints<'a>(node: &'a Node, name: &str) -> &'a [i64] {
    let attribute = node.attribute.iter().find(|other| other.name == name);
    &attribute.unwrap().ints
}

fn doubles<'a>(node: &'a Node, name: &str) -> &'a [f64] {
    let attribute = node.attribute.iter().find(|other| other.name == name);
    &attribute.unwrap().t.as_ref().unwrap().double_data
}

/// What the trees of a `TreeEnsembleRegressor` give for a row.
fn mean_of(trees: &Node, row: &[f64]) -> f64 {
    let (ids, nodes) = (ints(trees, "nodes_treeids"), ints(trees, "nodes_nodeids"));
    let place: BTreeMap<(i64, i64), usize> = ids
        .iter()
        .zip(nodes)
        .map(|(tree, node)| (*tree, *node))
        .zip(0..)
        .collect();
    let leaves: BTreeMap<(i64, i64), f64> = ints(trees, "target_treeids")
        .iter()
        .zip(ints(trees, "target_nodeids"))
        .map(|(tree, node)| (*tree, *node))
        .zip(doubles(trees, "target_weights_as_tensor").iter().copied())
        .collect();
    let modes = trees.attribute.iter().find(|a| a.name == "nodes_modes");
    let modes = &modes.unwrap().strings;
    let count = ids.iter().max().unwrap() + 1;
    let sum: f64 = (0..count)
        .map(|tree| {
            let mut at = 0;
            loop {
                let here = place[&(tree, at)];
                if modes[here] == b"LEAF" {
                    return leaves[&(tree, at)];
                }
                let column = usize::try_from(ints(trees, "nodes_featureids")[here]).unwrap();
                let tracks = ints(trees, "nodes_missing_value_tracks_true")[here] == 1;
                let threshold = doubles(trees, "nodes_values_as_tensor")[here];
                let value = row[column];
                let holds = value <= threshold || value.is_nan() && tracks;
                let next = if holds {
                    "nodes_truenodeids"
                } else {
                    "nodes_falsenodeids"
                };
                at = ints(trees, next)[here];
            }
        })
        .sum();
    sum / count as f64
}

fn rows() -> Array2<f64> {
    Array2::from_shape_fn((200, 3), |(row, column)| {
        ((row * (31 + 6 * column)) % 97) as f64 / 7.0
    })
}

fn agrees(forest: &IsolationForest, rows: &Array2<f64>) {
    let model = Model::decode(forest.to_onnx().unwrap().as_slice()).unwrap();
    let graph = model.graph.unwrap();
    let operators: Vec<&str> = graph.node.iter().map(|node| &*node.op_type).collect();
    let expected = ["TreeEnsembleRegressor", "Reshape", "Cast", "Neg", "Pow"];
    assert_eq!(operators, expected);
    for row in rows.rows() {
        let row = row.as_slice().unwrap();
        let score = (-mean_of(&graph.node[0], row)).exp2();
        let ours = forest.score_row(row).unwrap().get();
        assert!((score - ours).abs() < 1e-14);
    }
}

#[test]
fn the_graph_read_back_gives_the_scores() {
    let rows = rows();
    let base = IsolationForestParams::default().trees(10).sample_size(64);
    let mut holes = rows.clone();
    for (at, value) in holes.iter_mut().enumerate() {
        if at % 7 == 3 {
            *value = f64::NAN;
        }
    }
    agrees(&base.fit(rows.view()).unwrap(), &rows);
    let adjusted = base.clone().scoring(Scoring::AdjustedDepth);
    agrees(&adjusted.fit(rows.view()).unwrap(), &rows);
    let guided = base.clone().rules([SplitRule::standard().guided(0.5)]);
    agrees(&guided.fit(rows.view()).unwrap(), &rows);
    let imputed = base.clone().missing(MissingValues::Impute);
    agrees(&imputed.fit(holes.view()).unwrap(), &holes);
    // Trees of one node.
    agrees(&base.sample_size(1).fit(rows.view()).unwrap(), &rows);
}

#[test]
fn the_model_names_input_output_operators_and_thresholds() {
    let params = IsolationForestParams::default().trees(3);
    let forest = params.contamination([0.01, 0.2]).fit(rows().view());
    let forest = forest.unwrap();
    let model = Model::decode(forest.to_onnx().unwrap().as_slice()).unwrap();
    let sets: Vec<_> = model
        .opset_import
        .iter()
        .map(|set| (&*set.domain, set.version))
        .collect();
    assert_eq!(sets, [("", 13), ("ai.onnx.ml", 3)]);
    let kept: Vec<&str> = model
        .metadata_props
        .iter()
        .map(|entry| &*entry.key)
        .collect();
    assert_eq!(kept, ["threshold of 0.01", "threshold of 0.2"]);
    let threshold: f64 = model.metadata_props[1].value.parse().unwrap();
    assert_eq!(
        threshold.to_bits(),
        forest.thresholds()[1].threshold().get().to_bits()
    );
    let graph = model.graph.unwrap();
    assert_eq!(
        (&*graph.input[0].name, &*graph.output[0].name),
        ("rows", "score")
    );
}

#[test]
fn what_onnx_cannot_say_is_refused_by_name() {
    let base = IsolationForestParams::default().trees(4);
    for (params, expected) in [
        (
            base.clone().rules([SplitRule::extended(1)]),
            UnsupportedExport::Splits,
        ),
        (base.clone().categorical([1]), UnsupportedExport::Splits),
        (
            base.clone()
                .rules([SplitRule::standard().penalize_range(true)]),
            UnsupportedExport::PenalizedRanges,
        ),
        (
            base.clone().missing(MissingValues::Divide),
            UnsupportedExport::DividedRows,
        ),
        (
            base.clone().scoring(Scoring::Density),
            UnsupportedExport::Density,
        ),
    ] {
        let rows = rows().mapv(f64::floor);
        match params.fit(rows.view()).unwrap().to_onnx() {
            Err(IsolationForestError::Export(got)) => assert_eq!(got, expected),
            other => panic!("{other:?} instead of {expected:?}"),
        }
    }
}
