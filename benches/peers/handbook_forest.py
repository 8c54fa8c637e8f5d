"""Isolation forest against scikit-learn's on the Handbook's transactions, on identical rows and columns.

The example handbook_protocol replays the file, writes the training and test rows of each set of features (missing values
filled in), and prints what our forest reaches on them. scikit-learn's forest gets the same matrices: 100 trees, 256 rows
a tree, the same number of distant seeds on both sides. ROC AUC and average precision (AP) are means over the seeds; the
ratio is the difference of the means, ours less theirs, and the error that of this difference over seeds. `reach` is not
to be worse by more than two errors, `stretch` is to be better by more than two.

usage: DAFU_DATA=FOLDER benches/peers/.venv/bin/python benches/peers/handbook_forest.py [--ours PROGRAM] [--seeds N]

Needs scikit-learn (requirements-iforest.txt says which) and numpy. Builds the example where --ours does not name it.
"""

import argparse
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import sklearn
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score

from figures import at_least, figure

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEED_STEP = 1_000_003
METRICS = ("auc", "ap")


def build():
    """The example, built."""
    subprocess.run(
        ["cargo", "build", "--quiet", "--release", "--locked", "-p", "dafu-examples", "--example", "handbook_protocol"],
        check=True, cwd=ROOT)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release" / "examples" / "handbook_protocol"


def ours_means(program, folder, seeds):
    """Means and standard deviations of our forest by set; the matrices go into the folder."""
    out = subprocess.run(
        [program, "--seeds", str(seeds), "--importance", "0", "--matrix", folder],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    means = {}
    for line in out.splitlines():
        if line.startswith("seeds model=forest_"):
            pairs = dict(pair.split("=") for pair in line.split()[1:])
            name = pairs.pop("model").removeprefix("forest_")
            means[name] = {key: float(value) for key, value in pairs.items()}
    return means


def sklearn_metrics(train, test, frauds, seeds):
    """ROC AUC and AP of every seed, as columns."""
    results = []
    for seed in range(seeds):
        forest = IsolationForest(n_estimators=100, max_samples=256, random_state=seed * SEED_STEP, n_jobs=1).fit(train)
        scores = -forest.score_samples(test)
        results.append((roc_auc_score(frauds, scores), average_precision_score(frauds, scores)))
    return np.array(results)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", type=pathlib.Path, help="the example handbook_protocol, built")
    parser.add_argument("--seeds", type=int, default=30)
    arguments = parser.parse_args()
    if arguments.seeds < 2:
        parser.error("--seeds must be at least 2")
    if not os.environ.get("DAFU_DATA"):
        print("skipped: DAFU_DATA is not set")
        return
    program = arguments.ours or build()
    print(f"# scikit-learn {sklearn.__version__}, {arguments.seeds} seeds", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        ours = ours_means(program, folder, arguments.seeds)
        header = json.loads((folder / "matrices.json").read_text())
        frauds = np.fromfile(folder / "test_frauds.u8", np.uint8)
        print(f"# {header['train_rows']} training rows, {header['test_rows']} test rows, {frauds.sum()} frauds", flush=True)
        sets = header["sets"]
        if set(ours) != {each["name"] for each in sets}:
            sys.exit(f"sets of the matrices and of the printed lines differ: {sorted(ours)}")
        for each in sets:
            name, width = each["name"], len(each["columns"])
            train, test = (
                np.fromfile(folder / f"{name}_{part}.f64", "<f8").reshape(header[f"{part}_rows"], width)
                for part in ("train", "test"))
            theirs = sklearn_metrics(train, test, frauds, arguments.seeds)
            for metric, values in zip(METRICS, theirs.T):
                mean, deviation = ours[name][metric], ours[name][f"{metric}_sd"]
                difference = mean - values.mean()
                error = math.sqrt((deviation**2 + values.var(ddof=1)) / arguments.seeds)
                print(f"# {name} {metric}: ours {mean:.5f} ({deviation:.5f}), scikit-learn {values.mean():.5f} "
                      f"({values.std(ddof=1):.5f}), difference {difference:+.5f}, its standard error {error:.5f}")
                figure(f"handbook_forest_{metric}/{name}", f"{mean:.5f}", "scikit-learn", f"{values.mean():.5f}",
                       f"{difference:+.5f}", f"{-2 * error:.5f}", f"{2 * error:.5f}",
                       at_least(difference, -2 * error, 2 * error))


if __name__ == "__main__":
    main()
