"""Boosted trees against LightGBM and XGBoost; see run.sh.

Speed: CPU seconds (user + system) on one thread, the programs taking turns, medians. Everyone gets rows of f64 values and
cuts them into bins within the time of the fit. Equal trees, leaves and learning rate; LightGBM and ours ask for 20 rows a
leaf, XGBoost, which knows no such bound, for a hessian of 1e-3; no regularisation.

Quality: ROC AUC and average precision (AP) on rows that nobody learned from, as a comment.

Data: 1,000,000 made-up rows of 20 columns, 3.5 % positive, and 200,000 more to judge. With DAFU_DATA also the Handbook's
training and test week, with its 15 features, as the example handbook_protocol writes them (missing values filled in).
"""

import argparse
import os
import pathlib
import subprocess
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import lightgbm
import numpy as np
import xgboost
from sklearn.metrics import average_precision_score, roc_auc_score

from figures import at_least, at_most, figure

ROOT = pathlib.Path(__file__).resolve().parents[2]
REPEATS = 5
RATE = 0.1


def cpu(call):
    start = time.process_time()
    result = call()
    return time.process_time() - start, result


def made_up(rows, random):
    """Rows whose log odds are a sum of smooth, multiplied and stepped terms."""
    values = random.normal(size=(rows, 20))
    values[:, 10:15] = np.exp(values[:, 10:15])
    values[:, 15:] = np.round(values[:, 15:] * 4)
    odds = (-5 + 1.2 * values[:, 0] + 0.8 * values[:, 1] * values[:, 2] + np.log1p(values[:, 10])
            + 0.3 * values[:, 15] * (values[:, 3] > 0) - 0.5 * np.abs(values[:, 4]))
    return values, random.random(rows) < 1 / (1 + np.exp(-odds))


def handbook(cache):
    """Training and test rows with labels."""
    if not (cache / "train_frauds.u8").exists():
        subprocess.run(
            ["cargo", "run", "--quiet", "--release", "--locked", "-p", "dafu-examples", "--example", "handbook_protocol",
             "--", "--seeds", "1", "--importance", "0", "--matrix", cache],
            check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    parts = []
    for part in ("train", "test"):
        labels = np.fromfile(cache / f"{part}_frauds.u8", "u1") == 1
        parts.append((np.fromfile(cache / f"handbook_{part}.f64").reshape(len(labels), -1), labels))
    return parts


def ours(binary, folder, width, trees, shape):
    settings = [f"{name}={value}" for name, value in shape.items()]
    out = subprocess.run(
        [binary, "boosted", folder, str(width), f"n_estimators={trees}", f"learning_rate={RATE}", *settings],
        check=True, capture_output=True, text=True).stdout
    return {key: float(value) for key, value in (pair.split("=") for pair in out.split())}


def fit_lightgbm(rows, labels, trees, leaves):
    params = {
        "objective": "binary", "learning_rate": RATE, "num_leaves": leaves, "min_data_in_leaf": 20,
        "num_threads": 1, "verbose": -1}
    return lightgbm.train(params, lightgbm.Dataset(rows, labels), trees)


def fit_xgboost(rows, labels, trees, leaves):
    params = {
        "objective": "binary:logistic", "eta": RATE, "tree_method": "hist", "grow_policy": "lossguide",
        "max_leaves": leaves, "max_depth": 0, "lambda": 0, "min_child_weight": 1e-3, "nthread": 1}
    return xgboost.train(params, xgboost.QuantileDMatrix(rows, labels, nthread=1), trees)


def compare(arguments, name, data, trees, leaves, reach):
    (rows, labels), (test, truth) = data
    folder = arguments.cache / "boosted"
    folder.mkdir(exist_ok=True)
    rows.astype("<f8").tofile(folder / "train.f64")
    test.astype("<f8").tofile(folder / "test.f64")
    labels.astype("u1").tofile(folder / "train.u8")
    taken = {key: [] for key in ("train", "predict", "one_row", "lgb", "lgb_predict", "xgb", "xgb_predict")}
    for _ in range(REPEATS):
        for key, value in ours(arguments.ours, folder, rows.shape[1], trees, {"max_leaves": leaves}).items():
            taken[key].append(value)
        spent, model = cpu(lambda: fit_lightgbm(rows, labels, trees, leaves))
        taken["lgb"].append(spent)
        spent, lgb_scores = cpu(lambda: model.predict(test, num_threads=1))
        taken["lgb_predict"].append(spent)
        spent, model = cpu(lambda: fit_xgboost(rows, labels, trees, leaves))
        taken["xgb"].append(spent)
        spent, xgb_scores = cpu(lambda: model.inplace_predict(test))
        taken["xgb_predict"].append(spent)
    median = {key: float(np.median(values)) for key, values in taken.items()}
    scores = {"ours": np.fromfile(folder / "ours.f64"), "lightgbm": lgb_scores, "xgboost": xgb_scores}

    def ratio(what, mine, peer_name, peer, goals):
        value = median[peer] / median[mine]
        figure(f"{what}/{name}_{leaves}_leaves", f"{median[mine]:.3f}s", peer_name, f"{median[peer]:.3f}s", f"{value:.2f}",
               *goals, at_least(value, *goals))

    ratio("train", "train", "lightgbm", "lgb", reach)
    ratio("train", "train", "xgboost", "xgb", (1.3, 1.6))
    ratio("predict", "predict", "lightgbm", "lgb_predict", (3, 6))
    ratio("predict", "predict", "xgboost", "xgb_predict", (1, 2))
    if leaves == 8:
        micro = median["one_row"] * 1e6
        figure(f"one_row/{name}_{leaves}_leaves", f"{micro:.2f}us", "none", "-", f"{micro:.2f}", "1us", "0.5us",
               at_most(micro, 1, 0.5))
    for peer, judged in scores.items():
        print(f"# {name}, {leaves} leaves, {peer}: ROC AUC {roc_auc_score(truth, judged):.4f}, "
              f"AP {average_precision_score(truth, judged):.4f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", required=True)
    parser.add_argument("--cache", type=pathlib.Path, required=True)
    parser.add_argument("--only", choices=("handbook", "large"))
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    print(f"# load average {os.getloadavg()}, {os.cpu_count()} processors, lightgbm {lightgbm.__version__}, "
          f"xgboost {xgboost.__version__}", flush=True)
    if arguments.only != "large":
        if "DAFU_DATA" in os.environ:
            data = handbook(arguments.cache)
            for leaves in (8, 31):
                compare(arguments, "handbook", data, 100, leaves, (1.8, 2.5))
        else:
            print("# skipped: DAFU_DATA is not set, so the Handbook's week is not compared")
    if arguments.only != "handbook":
        random = np.random.default_rng(7)
        data = made_up(1_000_000, random), made_up(200_000, random)
        compare(arguments, "million", data, 50, 31, (1.3, 1.7))


main()
