"""Where the hyperplanes of an extended isolation forest cut, and what that is worth: ROC AUC, mean and deviation of 5 seeds.

usage: DAFU_DATA=FOLDER .venv/bin/python extended_cuts.py [FILE ...]    (default: ionosphere satellite; needs numpy only)

- box: through a point drawn in the box around the rows of the node, as Hariri et al. have it;
- range: anywhere between the lowest and the highest sum of the rows of the node, as `dafu-iforest` has it.

Full extension, coefficients as they are drawn, 100 trees of 256 rows, height limited. Written after the paper, without code of
either side.
"""
import gzip
import math
import os
import pathlib
import sys

import numpy as np


def average_path(rows):
    if rows < 2:
        return 0.0
    return 2.0 * sum(1.0 / i for i in range(1, rows)) - 2.0 * (rows - 1) / rows


def grow(rows, here, sample, depth, limit, depths, rng, how):
    """Adds the path lengths of the rows numbered `here` to `depths`."""
    if depth < limit and len(sample) > 1:
        normal = rng.standard_normal(sample.shape[1])
        sums = sample @ normal
        if how == "box":
            cut = rng.uniform(sample.min(0), sample.max(0)) @ normal
        else:
            cut = rng.uniform(sums.min(), sums.max())
        left, goes_left = sums <= cut, rows[here] @ normal <= cut
        for side, goes in ((left, goes_left), (~left, ~goes_left)):
            grow(rows, here[goes], sample[side], depth + 1, limit, depths, rng, how)
    else:
        depths[here] += depth + average_path(len(sample))


def auc(scores, labels):
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores, kind="stable")] = np.arange(len(scores))
    anomalies, ordinary = labels.sum(), (~labels).sum()
    return (ranks[labels].sum() - anomalies * (anomalies - 1) / 2) / (anomalies * ordinary)


def main():
    folder = pathlib.Path(os.environ["DAFU_DATA"]) / "adbench"
    for name in sys.argv[1:] or ["ionosphere", "satellite"]:
        with gzip.open(folder / f"{name}.csv.gz", "rt") as file:
            values = np.loadtxt(file, delimiter=",", skiprows=1)
        rows, labels = values[:, :-1], values[:, -1] == 1
        size = min(256, len(rows))
        for how in ("box", "range"):
            aucs = []
            for seed in range(5):
                rng = np.random.default_rng(1000 + 77 * seed)
                depths = np.zeros(len(rows))
                for _ in range(100):
                    sample = rows[rng.choice(len(rows), size, replace=False)]
                    grow(rows, np.arange(len(rows)), sample, 0, math.ceil(math.log2(size)), depths, rng, how)
                aucs.append(auc(-depths, labels))
            print(f"{name:12} {how:6} {np.mean(aucs):.4f} ({np.std(aucs, ddof=1):.4f})", flush=True)


if __name__ == "__main__":
    main()
