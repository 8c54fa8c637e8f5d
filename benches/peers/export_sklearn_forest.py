"""Writes a fitted scikit-learn isolation forest as JSON for `IsolationForest::from_sklearn_json` of dafu-iforest.

usage: export_sklearn_forest.py MODEL.joblib|MODEL.pickle OUT.json

Loading a pickle runs code that is in it: give this script only models that you trust. The layout is described at
`from_sklearn_json`. Needs scikit-learn and, for the first form, joblib, which comes with it.
"""

import json
import pathlib
import sys

import numpy as np
import sklearn

FORMAT = "sklearn-isolation-forest"
VERSION = 1
# A threshold of infinity parts the rows with a value from those without: all numbers go left.
LARGEST = sys.float_info.max


def export_tree(tree, columns, allow_nan):
    splits = tree.children_left >= 0
    feature = np.where(splits, np.asarray(columns)[np.where(splits, tree.feature, 0)], -2)
    threshold = np.clip(tree.threshold, -LARGEST, LARGEST)
    out = {
        "children_left": tree.children_left.tolist(),
        "children_right": tree.children_right.tolist(),
        "feature": feature.tolist(),
        "threshold": threshold.tolist(),
        "n_node_samples": tree.n_node_samples.tolist(),
    }
    if allow_nan:
        out["missing_go_to_left"] = tree.missing_go_to_left.astype(bool).tolist()
    return out


def allows_nan(forest):
    """Whether this version of scikit-learn takes NaN in isolation forests."""
    try:
        return bool(forest.__sklearn_tags__().input_tags.allow_nan)
    except AttributeError:
        return False


def export(forest):
    """The forest as a dict of what JSON knows."""
    auto = forest.contamination == "auto"
    allow_nan = allows_nan(forest)
    pairs = zip(forest.estimators_, forest.estimators_features_)
    return {
        "format": FORMAT,
        "version": VERSION,
        "sklearn": sklearn.__version__,
        "n_features": int(forest.n_features_in_),
        "n_rows": int(getattr(forest, "_n_samples", forest.max_samples_)),
        "max_samples": int(forest.max_samples_),
        "offset": float(forest.offset_),
        "contamination": None if auto else float(forest.contamination),
        "trees": [export_tree(tree.tree_, columns, allow_nan) for tree, columns in pairs],
    }


def load(path):
    if path.suffix in (".pickle", ".pkl"):
        import pickle

        return pickle.loads(path.read_bytes())
    import joblib

    return joblib.load(path)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    model, out = map(pathlib.Path, sys.argv[1:])
    text = json.dumps(export(load(model)), allow_nan=False, separators=(",", ":"))
    out.write_text(text + "\n")


if __name__ == "__main__":
    main()
