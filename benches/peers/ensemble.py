"""Boosted trees, random forest and Shapley values against LightGBM, XGBoost, scikit-learn and shap; see run.sh.

Speed: CPU seconds (user + system) on one thread, the programs taking turns, medians; two threads against one by the
clock. Everyone gets rows of f64 values and cuts them into bins within the time of the fit.

Parts (--only), each with its data:
  - threads: training with two threads against one, wall time, the best of several turns. A comment tells how much two runs
    of one thread hinder each other, since processors share memory, caches and often a core; above 1.1 there is no verdict.
  - handbook: boosted trees on the Handbook's training and test week, 15 features, 8 and 31 leaves, and one row at depth 6.
    Equal trees, leaves and learning rate; LightGBM and ours ask for 20 rows a leaf, XGBoost, which knows no such bound,
    for a hessian of 1e-3; no regularisation. ROC AUC and average precision (AP) as comments.
  - large: the same on 1,000,000 made-up rows of 20 columns, 3.5 % positive, and 200,000 more to judge.
  - forest: 100 trees on the Handbook's week against scikit-learn's RandomForestClassifier, both with their defaults, a seed
    a turn. Ours cuts into 255 bins, scikit-learn does not.
  - quality: boosted trees at equal settings against LightGBM, four weeks of the Handbook, five seeds, eight tenths of the
    rows and of the columns a tree, 8 and 31 leaves. Means over weeks and seeds; the ratio is the mean paired difference,
    and a comment tells its standard error. Then AP on the table payment_fraud with two columns of categories, five
    stratified folds, LightGBM with the categories of pandas. There, all frauds and no others have an account age of 1 and
    no isWeekend, so the table is judged without these two columns as well. Equal is: not worse by more than two standard
    errors of the paired difference.
  - shap: Shapley values of one LightGBM model, that we read from its text, on the same rows of the Handbook: seconds a row
    without setting up. TreeExplainer hands the rows of a LightGBM model to LightGBM's own pred_contrib; the peer
    shap_compiled is the code of shap itself. pred_contrib by itself is a comment.

Without DAFU_DATA only threads and large are measured. The example handbook_protocol writes the Handbook's rows, missing
values filled in; they are kept in the cache folder.
"""

import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")

import lightgbm
import numpy as np
import pandas as pd
import shap
import sklearn
import xgboost
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold

from figures import at_least, at_most, figure

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARTS = ("threads", "handbook", "large", "forest", "quality", "shap")
# Those that need no DAFU_DATA.
MADE_UP = ("threads", "large")
# First days of training.
WEEKS = ("2018-07-25", "2018-07-18", "2018-07-11", "2018-07-04")
REPEATS = 5
# Two runs beside each other against one alone, for a verdict on threads.
MOST_HINDRANCE = 1.1
SEEDS = range(5)
TREES = 100
RATE = 0.1
EXPLAINED = 2_000
# On the million rows.
LARGE_TREES = 50


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


def million():
    random = np.random.default_rng(7)
    return made_up(1_000_000, random), made_up(200_000, random)


def handbook(cache, start=WEEKS[0]):
    """Training and test rows with labels."""
    kept = cache / f"handbook-{start}.npz"
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            subprocess.run(
                ["cargo", "run", "--quiet", "--release", "--locked", "-p", "dafu-examples", "--example",
                 "handbook_protocol", "--", "--train-start", start, "--seeds", "1", "--importance", "0",
                 "--matrix", folder],
                check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
            folder = pathlib.Path(folder)
            parts = {}
            for part in ("train", "test"):
                labels = np.fromfile(folder / f"{part}_frauds.u8", "u1") == 1
                parts[f"{part}_labels"] = labels
                parts[part] = np.fromfile(folder / f"handbook_{part}.f64").reshape(len(labels), -1)
            whole = folder / "whole.npz"
            np.savez(whole, **parts)
            whole.rename(kept)
    with np.load(kept) as parts:
        return (parts["train"], parts["train_labels"]), (parts["test"], parts["test_labels"])


def write(folder, data):
    """What our side reads."""
    (rows, labels), (test, _) = data
    rows.astype("<f8").tofile(folder / "train.f64")
    test.astype("<f8").tofile(folder / "test.f64")
    labels.astype("u1").tofile(folder / "train.u8")


def ours(arguments, model, width, threads=1, explained=0, **params):
    """What our side prints; scores and Shapley values lie in the folder then."""
    out = subprocess.run(
        [arguments.ours, model, arguments.folder, str(width), str(threads), json.dumps(params), str(explained)],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    return {key: float(value) for key, value in (pair.split("=") for pair in out.split())}


def our_scores(arguments):
    return np.fromfile(arguments.folder / "ours.f64", "<f8")


def fit_lightgbm(rows, labels, trees, leaves, **more):
    params = {
        "objective": "binary", "learning_rate": RATE, "num_leaves": leaves, "min_data_in_leaf": 20,
        "num_threads": 1, "verbose": -1, **more}
    return lightgbm.train(params, lightgbm.Dataset(rows, labels), trees)


def fit_xgboost(rows, labels, trees, **shape):
    params = {
        "objective": "binary:logistic", "eta": RATE, "tree_method": "hist", "lambda": 0, "min_child_weight": 1e-3,
        "nthread": 1, **shape}
    return xgboost.train(params, xgboost.QuantileDMatrix(rows, labels, nthread=1), trees)


def faster(name, mine, peer_name, peer, goals, unit=1.0, suffix="s"):
    value = peer / mine
    figure(name, f"{mine * unit:.3f}{suffix}", peer_name, f"{peer * unit:.3f}{suffix}", f"{value:.2f}", *goals,
           at_least(value, *goals))


def one_row(name, seconds, reach, stretch):
    micro = seconds * 1e6
    figure(f"one_row/{name}", f"{micro:.2f}us", "none", "-", f"{micro:.2f}", f"{reach}us", f"{stretch}us",
           at_most(micro, reach, stretch))


def quality_comments(name, truth, scores):
    for who, judged in scores.items():
        print(f"# {name}, {who}: ROC AUC {roc_auc_score(truth, judged):.4f}, "
              f"AP {average_precision_score(truth, judged):.4f}", flush=True)


class Taken:
    """Times by name, and their medians."""

    def __init__(self):
        self.times = {}

    def add(self, name, seconds):
        self.times.setdefault(name, []).append(seconds)

    def add_all(self, answer):
        for name, seconds in answer.items():
            self.add(name, seconds)

    def timed(self, name, call):
        seconds, result = cpu(call)
        self.add(name, seconds)
        return result

    def median(self, name):
        return float(np.median(self.times[name]))


def boosted(arguments, name, data, trees, leaves, reach):
    (rows, labels), (test, truth) = data
    write(arguments.folder, data)
    taken = Taken()
    for _ in range(REPEATS):
        taken.add_all(ours(
            arguments, "boosted", rows.shape[1], n_estimators=trees, learning_rate=RATE, max_leaves=leaves, l2=0.0))
        model = taken.timed("lgb", lambda: fit_lightgbm(rows, labels, trees, leaves))
        lgb_scores = taken.timed("lgb_predict", lambda: model.predict(test, num_threads=1))
        model = taken.timed("xgb", lambda: fit_xgboost(
            rows, labels, trees, grow_policy="lossguide", max_leaves=leaves, max_depth=0))
        xgb_scores = taken.timed("xgb_predict", lambda: model.inplace_predict(test))
    name = f"{name}_{leaves}_leaves"
    train, predict = taken.median("train"), taken.median("predict")
    faster(f"train/{name}", train, "lightgbm", taken.median("lgb"), reach)
    faster(f"train/{name}", train, "xgboost", taken.median("xgb"), (1.3, 1.6))
    faster(f"predict/{name}", predict, "lightgbm", taken.median("lgb_predict"), (3, 6))
    faster(f"predict/{name}", predict, "xgboost", taken.median("xgb_predict"), (1, 2))
    if leaves == 8:
        one_row(name, taken.median("one_row"), 1, 0.5)
    quality_comments(name, truth, {"ours": our_scores(arguments), "lightgbm": lgb_scores, "xgboost": xgb_scores})


def boosted_by_depth(arguments, data):
    """Trees of depth 6, level by level, the shape of XGBoost's own choice; LightGBM does not grow so."""
    (rows, labels), (test, truth) = data
    write(arguments.folder, data)
    taken = Taken()
    for _ in range(REPEATS):
        taken.add_all(ours(
            arguments, "boosted", rows.shape[1], n_estimators=TREES, learning_rate=RATE, l2=0.0, growth="depth_wise",
            max_depth=6, max_leaves=64))
        model = taken.timed(
            "xgb", lambda: fit_xgboost(rows, labels, TREES, grow_policy="depthwise", max_depth=6))
        xgb_scores = taken.timed("xgb_predict", lambda: model.inplace_predict(test))
    one_row("handbook_depth_6", taken.median("one_row"), 2, 1)
    for what, peer in (("train", "xgb"), ("predict", "xgb_predict")):
        print(f"# {what}, depth 6: {taken.median(what):.3f}s, xgboost {taken.median(peer):.3f}s")
    quality_comments("handbook_depth_6", truth, {"ours": our_scores(arguments), "xgboost": xgb_scores})


def threads(arguments):
    data = million()
    write(arguments.folder, data)

    def wall(count):
        return ours(
            arguments, "boosted", data[0][0].shape[1], threads=count, n_estimators=LARGE_TREES, learning_rate=RATE, l2=0.0,
            max_leaves=31)["wall"]

    best, scores, beside = {1: math.inf, 2: math.inf}, {}, math.inf
    for _ in range(REPEATS):
        for count in best:
            best[count] = min(best[count], wall(count))
            scores[count] = our_scores(arguments)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            beside = min(beside, sum(pool.map(wall, [1, 1])) / 2)
    if (scores[1] != scores[2]).any():
        sys.exit("threads: the scores of two threads are not those of one")
    ratio, hindrance = best[1] / best[2], beside / best[1]
    free = hindrance <= MOST_HINDRANCE
    figure("two_threads/million_31_leaves", f"{best[2]:.3f}s", "one_thread", f"{best[1]:.3f}s", f"{ratio:.2f}", 1.7, 1.9,
           at_least(ratio, 1.7, 1.9) if free else "none")
    print(f"# two runs of one thread beside each other take {hindrance:.2f} times as long as one alone, so no more than "
          f"{2 / hindrance:.2f} can be reached{'' if free else '; the processors are not free, so there is no verdict'}",
          flush=True)


def paired(mine, theirs):
    """Mean difference and its standard error."""
    gaps = np.asarray(mine) - np.asarray(theirs)
    return gaps.mean(), gaps.std(ddof=1) / math.sqrt(len(gaps))


def better(name, mine, peer_name, theirs, reach, stretch):
    """Metrics of pairs; goals are differences."""
    gap, error = paired(mine, theirs)
    figure(name, f"{np.mean(mine):.4f}", peer_name, f"{np.mean(theirs):.4f}", f"{gap:+.4f}", f"{reach:.4g}", stretch,
           at_least(gap, reach, stretch))
    print(f"# {name}: standard error of the difference {error:.4f}, {len(mine)} pairs", flush=True)


def forest(arguments):
    (rows, labels), (test, truth) = data = handbook(arguments.cache)
    write(arguments.folder, data)
    taken = Taken()
    precision = {"ours": [], "scikit-learn": []}
    for seed in range(REPEATS):
        taken.add_all(ours(arguments, "forest", rows.shape[1], n_estimators=TREES, seed=seed))
        model = RandomForestClassifier(n_estimators=TREES, random_state=seed, n_jobs=1)
        taken.timed("sk", lambda: model.fit(rows, labels))
        theirs = taken.timed("sk_predict", lambda: model.predict_proba(test)[:, 1])
        for who, scores in (("ours", our_scores(arguments)), ("scikit-learn", theirs)):
            precision[who].append(average_precision_score(truth, scores))
    faster("forest_train/handbook", taken.median("train"), "scikit-learn", taken.median("sk"), (3, 10))
    faster("forest_predict/handbook", taken.median("predict"), "scikit-learn", taken.median("sk_predict"), (3, 10))
    better("forest_ap/handbook", precision["ours"], "scikit-learn", precision["scikit-learn"], -0.01, 0)
    print(f"# forest: one row {taken.median('one_row') * 1e6:.2f}us", flush=True)


def quality(arguments):
    for leaves in (8, 31):
        # By week, seed, metric and side.
        judged = np.array([[week_and_seed(arguments, data, leaves, seed) for seed in SEEDS]
                           for data in (handbook(arguments.cache, week) for week in WEEKS)])
        for metric, name, reach in ((0, "roc_auc", -0.002), (1, "ap", -0.01)):
            mine, theirs = judged[:, :, metric, 0], judged[:, :, metric, 1]
            name = f"{name}/handbook_{len(WEEKS)}_weeks_{len(SEEDS)}_seeds_{leaves}_leaves"
            better(name, mine.ravel(), "lightgbm", theirs.ravel(), reach, 0)
            for week, by_us, by_them in zip(WEEKS, mine, theirs):
                gap, error = paired(by_us, by_them)
                print(f"# {week}: ours {by_us.mean():.4f}, lightgbm {by_them.mean():.4f}, difference {gap:+.4f}, "
                      f"standard error {error:.4f}, seed by seed {np.round(by_us - by_them, 3).tolist()}", flush=True)


def week_and_seed(arguments, data, leaves, seed):
    (rows, labels), (test, truth) = data
    write(arguments.folder, data)
    ours(arguments, "boosted", rows.shape[1], n_estimators=TREES, learning_rate=RATE, max_leaves=leaves, l2=0.0,
         row_sample=0.8, column_sample=0.8, seed=seed)
    model = fit_lightgbm(
        rows, labels, TREES, leaves, bagging_fraction=0.8, bagging_freq=1, feature_fraction=0.8, seed=seed)
    sides = our_scores(arguments), model.predict(test, num_threads=1)
    return [[judge(truth, scores) for scores in sides] for judge in (roc_auc_score, average_precision_score)]


def payment_fraud(arguments, path):
    """AP on numbers and categories, with and without the columns that give the frauds away."""
    table = pd.read_csv(path)
    labels = table.pop("label").to_numpy() == 1
    categories = ["paymentMethod", "Category"]
    table = table.astype(dict.fromkeys(categories, "category"))
    for name, leaks in (("all_columns", []), ("without_leaks", ["accountAgeDays", "isWeekend"])):
        frame = table.drop(columns=leaks)
        values = frame.copy()
        for column in categories:
            codes = frame[column].cat.codes.astype(float)
            values[column] = codes.where(codes >= 0)
        values = values.to_numpy(float)
        coded = [frame.columns.get_loc(column) for column in categories]
        mine, theirs = [], []
        for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(frame, labels):
            write(arguments.folder, ((values[train], labels[train]), (values[test], labels[test])))
            ours(arguments, "boosted", values.shape[1], n_estimators=TREES, learning_rate=RATE, max_leaves=31, l2=0.0, categorical=coded)
            model = fit_lightgbm(frame.iloc[train], labels[train], TREES, 31)
            mine.append(average_precision_score(labels[test], our_scores(arguments)))
            theirs.append(average_precision_score(labels[test], model.predict(frame.iloc[test], num_threads=1)))
        better(f"ap/payment_fraud_{name}", mine, "lightgbm", theirs, 0 - 2 * paired(mine, theirs)[1], 0)


def shapley(arguments):
    (rows, labels), (test, _) = data = handbook(arguments.cache)
    write(arguments.folder, data)
    some = test[:EXPLAINED]
    warnings.filterwarnings("ignore", "LightGBM binary classifier with TreeExplainer")
    for leaves in (8, 31):
        model = fit_lightgbm(rows, labels, TREES, leaves)
        model.save_model(arguments.folder / "model.txt")
        taken, values = Taken(), {}
        for _ in range(REPEATS):
            taken.add_all(ours(arguments, "lightgbm", rows.shape[1], explained=len(some)))
            for peer in ("shap", "shap_compiled"):
                explainer = taken.timed("shap_explainer", lambda: shap.TreeExplainer(model))
                if peer == "shap_compiled":
                    # Else it hands the rows to LightGBM.
                    explainer.model.model_type = "internal"
                columns = taken.timed(peer, lambda: explainer.shap_values(some, check_additivity=False))
                baseline = float(np.ravel(explainer.expected_value)[-1])
                values[peer] = np.hstack([columns, np.full((len(some), 1), baseline)])
            values["lightgbm"] = taken.timed(
                "lightgbm", lambda: model.predict(some, pred_contrib=True, num_threads=1))
        mine = np.fromfile(arguments.folder / "ours_shap.f64", "<f8").reshape(len(some), -1)
        name = f"handbook_{leaves}_leaves"
        gaps = {peer: float(np.abs(mine - theirs).max()) for peer, theirs in values.items()}
        for peer in ("shap", "shap_compiled"):
            figure(f"shap_difference/{name}", f"{gaps[peer]:.1e}", peer, 0, f"{gaps[peer]:.1e}", 1e-5, 1e-5,
                   at_most(gaps[peer], 1e-5, 1e-5))
            faster(f"shap_row/{name}", taken.median("explain") / len(some), peer, taken.median(peer) / len(some), (1, 3),
                   1e6, "us")
        print(f"# shap, {leaves} leaves: lightgbm's pred_contrib {taken.median('lightgbm') / len(some) * 1e6:.3f}us a row, "
              f"largest difference {gaps['lightgbm']:.1e}; set-up {taken.median('explainer'):.4f}s, shap "
              f"{taken.median('shap_explainer'):.4f}s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--cache", type=pathlib.Path, required=True)
    parser.add_argument("--only", choices=PARTS)
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    parts = [arguments.only] if arguments.only else list(PARTS)
    print(f"# load average {os.getloadavg()}, {os.cpu_count()} processors, lightgbm {lightgbm.__version__}, "
          f"xgboost {xgboost.__version__}, scikit-learn {sklearn.__version__}, shap {shap.__version__}", flush=True)
    folder = os.environ.get("DAFU_DATA")
    if folder is None:
        for part in parts:
            if part not in MADE_UP:
                print(f"# skipped: DAFU_DATA is not set, so {part} is not compared")
        parts = [part for part in parts if part in MADE_UP]
    with tempfile.TemporaryDirectory(dir=arguments.cache) as scratch:
        arguments.folder = pathlib.Path(scratch)
        if "threads" in parts:
            threads(arguments)
        if "handbook" in parts:
            data = handbook(arguments.cache)
            for leaves in (8, 31):
                boosted(arguments, "handbook", data, TREES, leaves, (1.8, 2.5))
            boosted_by_depth(arguments, data)
        if "large" in parts:
            boosted(arguments, "million", million(), LARGE_TREES, 31, (1.3, 1.7))
        if "forest" in parts:
            forest(arguments)
        if "quality" in parts:
            quality(arguments)
            payment_fraud(arguments, pathlib.Path(folder) / "tabular" / "payment_fraud.csv.gz")
        if "shap" in parts:
            shapley(arguments)


if __name__ == "__main__":
    main()
