//! Forests as ONNX models.

use super::onnx_proto::{
    Attribute, Dimension, Entry, Graph, Model, Node, OperatorSet, Shape, Tensor, TensorType,
    ValueInfo, ValueType, attribute_kind, data_type,
};
use crate::{IsolationForest, IsolationForestError, MissingValues, Scoring};
use prost::Message;

/// What of a forest an ONNX model of trees has no counterpart for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsupportedExport {
    /// Splits by categories or by sums over columns.
    #[error(
        "trees of ONNX compare single columns; this forest splits by categories or by sums over columns"
    )]
    Splits,
    /// Rows that go both ways where a value is missing.
    #[error(
        "trees of ONNX send a row one way; this forest sends rows with missing values both ways"
    )]
    DividedRows,
    /// Ranges whose ends are penalised.
    #[error("trees of ONNX know leaves only; this forest penalises values out of range on the way")]
    PenalizedRanges,
    /// Scores by density.
    #[error("only scores 2^-mean are written; this forest scores by density")]
    Density,
}

/// Versions of the operators used.
const OPSET: i64 = 13;
const OPSET_ML: i64 = 3;
const IR_VERSION: i64 = 8;

fn attribute(name: &str, kind: i32) -> Attribute {
    Attribute {
        name: name.to_owned(),
        kind,
        ..Attribute::default()
    }
}

fn int(name: &str, value: i64) -> Attribute {
    Attribute {
        i: Some(value),
        ..attribute(name, attribute_kind::INT)
    }
}

fn ints(name: &str, ints: Vec<i64>) -> Attribute {
    Attribute {
        ints,
        ..attribute(name, attribute_kind::INTS)
    }
}

fn text(name: &str, value: &str) -> Attribute {
    Attribute {
        s: Some(value.as_bytes().to_vec()),
        ..attribute(name, attribute_kind::STRING)
    }
}

fn texts(name: &str, values: &[&str]) -> Attribute {
    Attribute {
        strings: values
            .iter()
            .map(|value| value.as_bytes().to_vec())
            .collect(),
        ..attribute(name, attribute_kind::STRINGS)
    }
}

fn doubles(name: &str, numbers: Vec<f64>) -> Attribute {
    Attribute {
        t: Some(Tensor {
            dims: vec![to_i64(numbers.len())],
            data_type: data_type::DOUBLE,
            name: name.to_owned(),
            double_data: numbers,
            ..Tensor::default()
        }),
        ..attribute(name, attribute_kind::TENSOR)
    }
}

fn to_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn node(op_type: &str, input: &[&str], output: &str, attribute: Vec<Attribute>) -> Node {
    let owned = |name: &&str| (*name).to_owned();
    Node {
        input: input.iter().map(owned).collect(),
        output: vec![output.to_owned()],
        name: format!("{output}_{op_type}"),
        op_type: op_type.to_owned(),
        attribute,
        domain: String::new(),
    }
}

fn tensor_of_doubles(name: &str, dim: Vec<Dimension>) -> ValueInfo {
    let tensor = TensorType {
        elem_type: data_type::DOUBLE,
        shape: Some(Shape { dim }),
    };
    ValueInfo {
        name: name.to_owned(),
        kind: Some(ValueType {
            tensor: Some(tensor),
        }),
    }
}

fn rows() -> Dimension {
    Dimension {
        value: None,
        param: Some("N".to_owned()),
    }
}

/// The attributes of the trees, one entry for each node or leaf.
#[derive(Default)]
struct TreeAttributes {
    tree_ids: Vec<i64>,
    node_ids: Vec<i64>,
    features: Vec<i64>,
    modes: Vec<&'static str>,
    thresholds: Vec<f64>,
    left: Vec<i64>,
    right: Vec<i64>,
    missing_left: Vec<i64>,
    leaf_trees: Vec<i64>,
    leaf_nodes: Vec<i64>,
    leaf_values: Vec<f64>,
}

impl TreeAttributes {
    fn of(forest: &IsolationForest) -> Self {
        let mut all = Self::default();
        for (number, tree) in forest.trees.iter().enumerate() {
            for (at, node) in tree.nodes.iter().enumerate() {
                let leaf = node.is_leaf(at);
                all.tree_ids.push(to_i64(number));
                all.node_ids.push(to_i64(at));
                all.modes.push(if leaf { "LEAF" } else { "BRANCH_LEQ" });
                // Of leaves all of this is ignored.
                let or_zero = |number: i64| if leaf { 0 } else { number };
                all.features.push(or_zero(to_i64(node.test())));
                all.left.push(or_zero(i64::from(node.left)));
                all.right.push(or_zero(i64::from(node.left) + 1));
                all.missing_left
                    .push(or_zero(i64::from(!node.missing_right())));
                all.thresholds.push(if leaf { 0.0 } else { node.threshold });
                if leaf {
                    all.leaf_trees.push(to_i64(number));
                    all.leaf_nodes.push(to_i64(at));
                    let value = f64::from(tree.values[at]) / forest.scale.one();
                    all.leaf_values.push(value + forest.scale.offset);
                }
            }
        }
        all
    }

    fn attributes(self) -> Vec<Attribute> {
        let target_ids = vec![0; self.leaf_trees.len()];
        vec![
            text("aggregate_function", "AVERAGE"),
            text("post_transform", "NONE"),
            int("n_targets", 1),
            ints("nodes_treeids", self.tree_ids),
            ints("nodes_nodeids", self.node_ids),
            ints("nodes_featureids", self.features),
            texts("nodes_modes", &self.modes),
            doubles("nodes_values_as_tensor", self.thresholds),
            ints("nodes_truenodeids", self.left),
            ints("nodes_falsenodeids", self.right),
            ints("nodes_missing_value_tracks_true", self.missing_left),
            ints("target_treeids", self.leaf_trees),
            ints("target_nodeids", self.leaf_nodes),
            ints("target_ids", target_ids),
            doubles("target_weights_as_tensor", self.leaf_values),
        ]
    }
}

impl IsolationForest {
    /// What an ONNX model of trees has no counterpart for.
    fn check_export(&self) -> Result<(), UnsupportedExport> {
        let mut trees = self.trees.iter();
        if trees.any(|tree| !tree.ranges.is_empty()) {
            return Err(UnsupportedExport::PenalizedRanges);
        }
        if !self.trees.is_plain() {
            return Err(UnsupportedExport::Splits);
        }
        if self.missing == MissingValues::Divide {
            return Err(UnsupportedExport::DividedRows);
        }
        if self.scoring == Scoring::Density {
            return Err(UnsupportedExport::Density);
        }
        Ok(())
    }

    /// The forest as the bytes of an ONNX model, for forests that compare single columns.
    ///
    /// Input `rows`: tensor of doubles, N x columns. Output `score`: tensor of N doubles. The graph has one
    /// `TreeEnsembleRegressor` of `ai.onnx.ml` version 3 with thresholds and path lengths as doubles, which gives the
    /// mean path length in units of c(psi), and then 2^-mean. The operator's answer is a number of 32 bits, so that a
    /// score is within 3e-8 of [`score_row`](Self::score_row). Thresholds of contamination levels are in the metadata
    /// of the model: `threshold of 0.01` and so on.
    ///
    /// Where missing values are refused here, the model takes NaN to be above every threshold; where they are imputed,
    /// NaN goes where it goes here. Infinite values, which are an error here, are not refused by the model.
    ///
    /// # Errors
    ///
    /// [`Export`](IsolationForestError::Export) for splits by categories or by sums over columns, for rows that go both
    /// ways where a value is missing, for penalised ranges, and for scores by density.
    ///
    /// # Complexity
    ///
    /// O(nodes), about 30 bytes a node.
    ///
    /// ```
    /// use dafu_iforest::IsolationForestParams;
    /// use ndarray::array;
    /// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
    /// let rows = array![[1.0], [2.0], [1.5], [40.0]];
    /// let model = IsolationForestParams::default().fit(rows.view())?.to_onnx()?;
    /// assert!(!model.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_onnx(&self) -> Result<Vec<u8>, IsolationForestError> {
        self.check_export().map_err(IsolationForestError::Export)?;
        let mut trees = node(
            "TreeEnsembleRegressor",
            &["rows"],
            "mean",
            TreeAttributes::of(self).attributes(),
        );
        "ai.onnx.ml".clone_into(&mut trees.domain);
        let graph = Graph {
            node: vec![
                trees,
                node("Reshape", &["mean", "one_axis"], "mean_of_row", Vec::new()),
                node(
                    "Cast",
                    &["mean_of_row"],
                    "mean_as_double",
                    vec![int("to", i64::from(data_type::DOUBLE))],
                ),
                node("Neg", &["mean_as_double"], "exponent", Vec::new()),
                node("Pow", &["two", "exponent"], "score", Vec::new()),
            ],
            name: "isolation_forest".to_owned(),
            initializer: vec![
                Tensor {
                    dims: vec![1],
                    data_type: data_type::INT64,
                    int64_data: vec![-1],
                    name: "one_axis".to_owned(),
                    ..Tensor::default()
                },
                Tensor {
                    data_type: data_type::DOUBLE,
                    double_data: vec![2.0],
                    name: "two".to_owned(),
                    ..Tensor::default()
                },
            ],
            input: vec![tensor_of_doubles(
                "rows",
                vec![
                    rows(),
                    Dimension {
                        value: Some(i64::from(self.width)),
                        param: None,
                    },
                ],
            )],
            output: vec![tensor_of_doubles("score", vec![rows()])],
        };
        let opset = |domain: &str, version| OperatorSet {
            domain: domain.to_owned(),
            version,
        };
        let thresholds = self.thresholds.iter().map(|level| Entry {
            key: format!("threshold of {}", level.contamination),
            value: level.threshold.get().to_string(),
        });
        let model = Model {
            ir_version: IR_VERSION,
            producer_name: "dafu-iforest".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(graph),
            opset_import: vec![opset("", OPSET), opset("ai.onnx.ml", OPSET_ML)],
            metadata_props: thresholds.collect(),
        };
        Ok(model.encode_to_vec())
    }
}

#[cfg(test)]
mod tests;
