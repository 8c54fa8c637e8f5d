"""Isolation forest against scikit-learn and isotree; see run.sh.

Speed: CPU seconds (user + system) on one thread, the programs taking turns, medians. Data go to our side as a file of
f64 values. scikit-learn and isotree get arrays in the layout that suits them best; for the
fit, isotree is also given the row-major array that our side and scikit-learn get (figures fit_rows).

Parts (--only):
  - speed: 100 trees of 256 rows on 1,000,000 Gaussian rows of 10 columns and, with DAFU_DATA, on cover, http and shuttle;
    bytes of the saved forest, bytes allocated while scoring.
  - threads: scoring with two threads against one, by the clock. A comment tells how much two scorings of one thread
    hinder each other, since processors share memory, caches and often a core; above 1.1 there is no verdict.
  - all_rows: fit with all of 100,000 x 10 rows in every tree, no height limit, ten trees.
  - variants: hyperplanes and guided splits without height limit, on 100,000 Gaussian rows and on shuttle; scikit-learn has
    none.
  - quality: ROC AUC on the ADBench files of DAFU_DATA, all rows fitted and scored, the same number of distant seeds on
    both sides: the classic setting with exact c(n) and with scikit-learn's approximation on all files, the recommended
    one on the ten files that played no part in choosing it. scikit-learn's results are kept in the cache folder.
"""

import argparse
import csv
import importlib.metadata
import io
import json
import math
import os
import pathlib
import subprocess
import sys
import time

import isotree
import numpy as np
import sklearn
from scipy import stats
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from figures import at_least, at_most, figure

REPEATS = 5
PARTS = ("threads", "speed", "all_rows", "variants", "quality")
# Two scorings beside each other against one alone, for a verdict on threads.
MOST_HINDRANCE = 1.1
SEED_STEP = 1_000_003


def cpu(call, calls=1):
    start = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - start) / calls


def read_csv_gz(path, cache):
    """Features as f64 and labels as bool."""
    kept = cache / (path.name + ".npy")
    if not kept.exists():
        np.save(kept, np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2))
    table = np.load(kept)
    return np.ascontiguousarray(table[:, :-1]), table[:, -1] == 1


def new_isotree(**more):
    # As the paper: one column a split, both split choices at random.
    params = dict(
        ntrees=100,
        sample_size=256,
        ndim=1,
        prob_pick_avg_gain=0,
        prob_pick_pooled_gain=0,
        missing_action="fail",
        nthreads=1,
        random_seed=1,
    )
    return isotree.IsolationForest(**{**params, **more})


def ours(binary, mode, path, columns, *more):
    out = subprocess.run([binary, mode, path, str(columns), *more], check=True, capture_output=True, text=True).stdout
    return {key: float(value) for key, value in (pair.split("=") for pair in out.split())}


def gauss(rows):
    return np.random.default_rng(0).normal(size=(rows, 10))


def speed(arguments, name, rows):
    path = arguments.cache / "rows.f64"
    rows.tofile(path)
    fortran = np.asfortranarray(rows)
    one = rows[:1]
    taken = {key: [] for key in (
        "fit", "fit_sampled", "score", "one_row", "sk_fit", "sk_score", "sk_one", "iso_fit", "iso_fit_rows", "iso_score", "iso_one",
        "bytes", "memory")}
    for _ in range(REPEATS):
        for key, value in ours(arguments.ours, "speed", path, rows.shape[1], "{}").items():
            taken[key].append(value)
        forest = IsolationForest(n_estimators=100, max_samples="auto", random_state=1, n_jobs=1)
        taken["sk_fit"].append(cpu(lambda: forest.fit(rows)))
        taken["sk_score"].append(cpu(lambda: forest.score_samples(rows)))
        taken["sk_one"].append(cpu(lambda: forest.score_samples(one), 10))
        other = new_isotree()
        taken["iso_fit_rows"].append(cpu(lambda: other.fit(rows)))
        taken["iso_fit"].append(cpu(lambda: other.fit(fortran)))
        by_row, by_column = cpu(lambda: other.predict(rows)), cpu(lambda: other.predict(fortran))
        taken["iso_score"].append(min(by_row, by_column))
        taken["iso_one"].append(cpu(lambda: other.predict(one), 100))
    path.unlink()
    median = {key: float(np.median(values)) for key, values in taken.items()}

    def ratio(what, ours, peer_name, peer, reach, stretch, digits="{:.3g}"):
        value = median[peer] / median[ours]
        figure(f"{what}/{name}", digits.format(median[ours] * 1e3) + "ms", peer_name,
               digits.format(median[peer] * 1e3) + "ms", f"{value:.2f}", reach, stretch,
               at_least(value, reach, stretch))

    gaussian = name.startswith("gauss")
    ratio("score", "score", "scikit-learn", "sk_score", *((6, 12) if gaussian else (4, 7)))
    ratio("score", "score", "isotree", "iso_score", *((11, 21) if gaussian else (7, 13)))
    ratio("fit", "fit", "scikit-learn", "sk_fit", 80, 150)
    ratio("fit", "fit", "isotree", "iso_fit", 10, 25)
    ratio("fit_sampled_check", "fit_sampled", "isotree", "iso_fit", 10, 25)
    # Row after row on both sides, as the data come; isotree then copies them into columns first.
    ratio("fit_rows", "fit", "isotree", "iso_fit_rows", 10, 25)
    ratio("fit_rows_sampled_check", "fit_sampled", "isotree", "iso_fit_rows", 10, 25)
    micro = median["one_row"] * 1e6
    for peer_name, key in (("scikit-learn", "sk_one"), ("isotree", "iso_one")):
        figure(f"one_row/{name}", f"{micro:.2f}us", peer_name, f"{median[key] * 1e6:.1f}us",
               f"{median[key] * 1e6 / micro:.0f}", "1.2us", "0.7us", at_most(micro, 1.2, 0.7))
    figure(f"saved_bytes/{name}", f"{median['bytes']:.0f}", "none", "-", "-", 120_000, 90_000,
           at_most(median["bytes"], 120_000, 90_000))
    figure(f"scoring_memory/{name}", f"{median['memory']:.0f}", "none", "-", "-", 1 << 20, 1 << 20,
           at_most(median["memory"], 1 << 20, 1 << 20))


def threads(arguments):
    path = arguments.cache / "rows.f64"
    gauss(1_000_000).tofile(path)
    best = ours(arguments.ours, "threads", path, 10)
    path.unlink()
    hindrance = best["beside"] / best["one"]
    print(f"# two scorings of one thread beside each other take {hindrance:.2f} times as long as one alone")
    value = best["one"] / best["two"]
    figure("two_threads/gauss_1m_x_10", f"{best['two']:.3f}s", "one_thread", f"{best['one']:.3f}s", f"{value:.2f}", 1.9, 1.97,
           "none" if hindrance > MOST_HINDRANCE and value < 1.9 else at_least(value, 1.9, 1.97))


def all_rows(arguments):
    rows = gauss(100_000)
    path = arguments.cache / "rows.f64"
    rows.tofile(path)
    fortran = np.asfortranarray(rows)
    params = json.dumps({"trees": 10, "sample_size": 100_000, "height_limit": "unlimited"})
    mine, theirs = [], []
    for _ in range(3):
        mine.append(ours(arguments.ours, "speed", path, 10, params)["fit"])
        other = new_isotree(ntrees=10, sample_size=None, max_depth=None)
        theirs.append(cpu(lambda: other.fit(fortran)))
    path.unlink()
    mine, theirs = np.median(mine), np.median(theirs)
    value = theirs / mine
    figure("fit_all_rows/gauss_100k_x_10", f"{mine * 1e3:.0f}ms", "isotree", f"{theirs * 1e3:.0f}ms", f"{value:.2f}", 1, 2,
           at_least(value, 1, 2))


# Name, our split rule and trees, isotree's parameters.
VARIANTS = (
    ("extended", {"columns": 2}, 100, {"ndim": 2, "coefs": "normal"}),
    ("fair_cut_1", {"guided": 1.0}, 200, {"prob_pick_pooled_gain": 1, "ntry": 1}),
    ("fair_cut_2", {"columns": 2, "guided": 1.0}, 200,
     {"ndim": 2, "coefs": "normal", "prob_pick_pooled_gain": 1, "ntry": 1}),
    ("sciforest", {"columns": 2, "guided": 1.0, "gain": "averaged", "tries": 10}, 100,
     {"ndim": 2, "coefs": "normal", "prob_pick_avg_gain": 1, "ntry": 10}),
)


def variants(arguments, name, rows):
    path = arguments.cache / "rows.f64"
    rows.tofile(path)
    fortran = np.asfortranarray(rows)
    for variant, rule, trees, theirs in VARIANTS:
        params = json.dumps({"trees": trees, "rules": [rule], "height_limit": "unlimited"})
        taken = {key: [] for key in ("fit", "score", "iso_fit", "iso_score")}
        for _ in range(3):
            mine = ours(arguments.ours, "speed", path, rows.shape[1], params)
            other = new_isotree(ntrees=trees, max_depth=None, **theirs)
            taken["fit"].append(mine["fit"])
            taken["score"].append(mine["score"])
            taken["iso_fit"].append(cpu(lambda: other.fit(fortran)))
            taken["iso_score"].append(min(cpu(lambda: other.predict(rows)), cpu(lambda: other.predict(fortran))))
        for what, reach, stretch in (("score", 10, 30), ("fit", 1, 2)):
            mine, peer = np.median(taken[what]), np.median(taken[f"iso_{what}"])
            figure(f"{what}_{variant}/{name}", f"{mine * 1e3:.3g}ms", "isotree", f"{peer * 1e3:.3g}ms",
                   f"{peer / mine:.2f}", reach, stretch, at_least(peer / mine, reach, stretch))
    path.unlink()


def sklearn_auc(files, seeds, cache):
    """AUC of every file and seed, computed once for each version."""
    kept = cache / f"sklearn-{sklearn.__version__}-auc.csv"
    known = {}
    if kept.exists():
        with kept.open() as source:
            known = {(row["file"], int(row["seed"])): float(row["auc"]) for row in csv.DictReader(source)}
    with kept.open("a") as sink:
        if not known:
            sink.write("file,seed,auc\n")
        for path in files:
            name = path.name.removesuffix(".csv.gz")
            missing = [seed for seed in range(seeds) if (name, seed) not in known]
            if not missing:
                continue
            rows, labels = read_csv_gz(path, cache)
            for seed in missing:
                forest = IsolationForest(
                    n_estimators=100, max_samples="auto", random_state=seed * SEED_STEP, n_jobs=1).fit(rows)
                known[name, seed] = roc_auc_score(labels, -forest.score_samples(rows))
                sink.write(f"{name},{seed},{known[name, seed]!r}\n")
            sink.flush()
            print(f"scikit-learn: {name} done", file=sys.stderr, flush=True)
    return known


def ours_auc(binary, folder, seeds, params, files):
    out = subprocess.run(
        [binary, "auc", folder, str(seeds), str(SEED_STEP), json.dumps(params), ",".join(files)],
        check=True, capture_output=True, text=True).stdout
    return {(row["file"], int(row["seed"])): float(row["auc"]) for row in csv.DictReader(io.StringIO(out))}


def holm(p_values):
    """Holm's step-down adjusted p-values."""
    order = np.argsort(p_values)
    adjusted = np.empty(len(p_values))
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def quality(arguments, folder):
    files = sorted(folder.glob("*.csv.gz"))
    names = [path.name.removesuffix(".csv.gz") for path in files]
    seeds = range(arguments.seeds)
    theirs = sklearn_auc(files, arguments.seeds, arguments.cache)
    theirs = np.array([[theirs[name, seed] for seed in seeds] for name in names])
    for average in ("exact", "approximate"):
        aucs = ours_auc(arguments.ours, folder, arguments.seeds, {"average_path": average}, names)
        ours = np.array([[aucs[name, seed] for seed in seeds] for name in names])
        t_test = stats.ttest_rel(ours, theirs, axis=1).pvalue
        wilcoxon = np.array([stats.wilcoxon(a, b).pvalue if (a != b).any() else 1.0 for a, b in zip(ours, theirs)])
        t_adjusted, w_adjusted = holm(np.nan_to_num(t_test, nan=1.0)), holm(wilcoxon)
        print(f"# c(n) {average}: file, ours mean (std), scikit-learn mean (std), "
              "difference, Holm-adjusted p of t-test and Wilcoxon")
        for index, name in enumerate(names):
            a, b = ours[index], theirs[index]
            print(f"# {name:12} {a.mean():.5f} ({a.std(ddof=1):.5f}) {b.mean():.5f} ({b.std(ddof=1):.5f}) "
                  f"{a.mean() - b.mean():+.5f} {t_adjusted[index]:.3f} {w_adjusted[index]:.3f}")
        difference = ours.mean() - theirs.mean()
        # Seed error of the difference of the two means.
        error = math.sqrt((ours.mean(axis=0).var(ddof=1) + theirs.mean(axis=0).var(ddof=1)) / arguments.seeds)
        print(f"# difference of the means over all files {difference:+.5f}, standard error {error:.5f}")
        figure(f"auc_mean_absolute_difference/{average}", f"{ours.mean():.5f}", "scikit-learn", f"{theirs.mean():.5f}",
               f"{abs(difference):.5f}", 0.004, 0.002, at_most(abs(difference), 0.004, 0.002))
        differing = int(((t_adjusted < 0.05) | (w_adjusted < 0.05)).sum())
        figure(f"auc_files_differing_of_{len(names)}/{average}", differing, "scikit-learn", 0, differing, 0, 0,
               at_most(differing, 0, 0))
    recommended(arguments, folder, names, theirs)


# `IsolationForestParams::recommended`, and the files on which it was chosen.
RECOMMENDED = {
    "trees": 200, "height_limit": "unlimited", "missing": "impute", "scoring": "density", "rules": [{"columns": 6}]}
CHOSEN_ON = (
    "annthyroid", "campaign", "cover", "http", "mammography", "pendigits", "satellite", "shuttle", "thyroid", "wine")


def recommended(arguments, folder, names, theirs):
    others = [name for name in names if name not in CHOSEN_ON]
    for what, chosen in (("where_chosen", CHOSEN_ON), ("others", others)):
        aucs = ours_auc(arguments.ours, folder, arguments.seeds, RECOMMENDED, chosen)
        differences = {}
        for name in chosen:
            mine = np.mean([aucs[name, seed] for seed in range(arguments.seeds)])
            peer = theirs[names.index(name)].mean()
            differences[name] = mine - peer
            print(f"# recommended, {what}: {name:12} {mine:.5f} scikit-learn {peer:.5f} {mine - peer:+.5f}")
        mean = np.mean(list(differences.values()))
        worst = min(differences, key=differences.get)
        print(f"# recommended, {what}: mean difference {mean:+.5f}, worst {worst} {differences[worst]:+.5f}")
        verdict = at_least(mean, 0.010, 0.025) if what == "others" else "none"
        figure(f"auc_recommended/{what}", f"{mean:+.5f}", "scikit-learn", 0, f"{mean:+.5f}", 0.010, 0.025, verdict)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--cache", required=True, type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--only", choices=PARTS)
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    parts = (arguments.only,) if arguments.only else PARTS
    data = os.environ.get("DAFU_DATA")
    folder = pathlib.Path(data) / "adbench" if data else None
    print(f"# load average {os.getloadavg()}, {os.cpu_count()} processors, scikit-learn {sklearn.__version__}, "
          f"isotree {importlib.metadata.version('isotree')}")

    def read(name):
        return read_csv_gz(folder / f"{name}.csv.gz", arguments.cache)[0]

    if "threads" in parts:
        threads(arguments)
    if "speed" in parts:
        speed(arguments, "gauss_1m_x_10", gauss(1_000_000))
        if folder:
            for name in ("cover", "http", "shuttle"):
                speed(arguments, name, read(name))
    if "all_rows" in parts:
        all_rows(arguments)
    if "variants" in parts:
        variants(arguments, "gauss_100k_x_10", gauss(100_000))
        if folder:
            variants(arguments, "shuttle", read("shuttle"))
    if folder is None:
        print("skipped: DAFU_DATA is not set")
    elif "quality" in parts:
        quality(arguments, folder)


if __name__ == "__main__":
    main()
