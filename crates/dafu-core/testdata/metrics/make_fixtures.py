"""Writes the fixtures of the metrics tests with scikit-learn, numpy and pandas.

Run: pip install scikit-learn==1.9.1 pandas && python make_fixtures.py

Each case is two files: NAME.rows.csv with the input rows (label, score, weight, amount; the weight
column is absent where there are no weights), and NAME.expected.csv with one value or list per line
as `key,value value value`. Numbers are written so that they read back to the same bits.
"""

import csv
import pathlib

import numpy as np
import pandas as pd
from sklearn import metrics as m
from sklearn.calibration import calibration_curve

HERE = pathlib.Path(__file__).parent


def write(name, columns, expected):
    with open(HERE / f"{name}.rows.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in zip(*columns.values()):
            writer.writerow([repr(x.item() if hasattr(x, "item") else x) for x in row])
    with open(HERE / f"{name}.expected.csv", "w", newline="") as file:
        for key, value in expected.items():
            values = np.atleast_1d(np.asarray(value, dtype=float))
            file.write(key + "," + " ".join(repr(float(v)) for v in values) + "\n")


def weighted_calibration(y, p, w, bins, quantile):
    """calibration_curve with weights: its own code with weighted sums, edges by numpy."""
    shares = np.linspace(0, 1, bins + 1)
    if quantile:
        keep = w > 0
        edges = np.quantile(p[keep], shares, weights=w[keep], method="inverted_cdf")
    else:
        edges = shares
    ids = np.searchsorted(edges[1:-1], p)
    total = np.bincount(ids, weights=w, minlength=bins)
    predicted = np.bincount(ids, weights=w * p, minlength=bins)
    true = np.bincount(ids, weights=w * y, minlength=bins)
    keep = total > 0
    return true[keep] / total[keep], predicted[keep] / total[keep]


def case(name, y, s, w, amount, probability):
    y = y.astype(int)
    out = {}
    out["roc_auc"] = m.roc_auc_score(y, s, sample_weight=w)
    out["average_precision"] = m.average_precision_score(y, s, sample_weight=w)
    for suffix, drop in [("", False), (".corners", True)]:
        fpr, tpr, thresholds = m.roc_curve(y, s, sample_weight=w, drop_intermediate=drop)
        out["roc.fpr" + suffix], out["roc.tpr" + suffix] = fpr, tpr
        out["roc.thresholds" + suffix] = thresholds
        p, r, thresholds = m.precision_recall_curve(
            y, s, sample_weight=w, drop_intermediate=drop
        )
        out["pr.precision" + suffix], out["pr.recall" + suffix] = p, r
        out["pr.thresholds" + suffix] = thresholds
    fpr, tpr, _ = m.roc_curve(y, s, sample_weight=w, drop_intermediate=False)
    out["ks"] = np.max(np.abs(tpr - fpr))
    for threshold in np.quantile(s, [0.1, 0.5, 0.9]):
        t = f"@{float(threshold)!r}"
        d = (s >= threshold).astype(int)
        kw = {"sample_weight": w}
        out["confusion" + t] = m.confusion_matrix(y, d, **kw).ravel()  # tn fp fn tp
        out["accuracy" + t] = m.accuracy_score(y, d, **kw)
        out["precision" + t] = m.precision_score(y, d, zero_division=0, **kw)
        out["recall" + t] = m.recall_score(y, d, zero_division=0, **kw)
        out["specificity" + t] = m.recall_score(y, d, pos_label=0, zero_division=0, **kw)
        out["f1" + t] = m.f1_score(y, d, zero_division=0, **kw)
        out["f0.5" + t] = m.fbeta_score(y, d, beta=0.5, zero_division=0, **kw)
        out["f2" + t] = m.fbeta_score(y, d, beta=2.0, zero_division=0, **kw)
        out["mcc" + t] = m.matthews_corrcoef(y, d, **kw)
        out["balanced_accuracy" + t] = m.balanced_accuracy_score(y, d, **kw)
        unit = np.ones(len(y)) if w is None else w
        # A missed fraud costs 5 and its amount, an alert 3 on honest rows and 2 on frauds.
        costs = np.where(d == 1, np.where(y == 1, 2.0, 3.0), np.where(y == 1, 5.0 + amount, 0.0))
        out["cost" + t] = float(np.sum(unit * costs))
    if probability:
        out["log_loss"] = m.log_loss(y, s, sample_weight=w)
        out["brier"] = m.brier_score_loss(y, s, sample_weight=w)
        for bins in [1, 5, 10, 15]:
            for strategy in ["uniform", "quantile"]:
                if w is None:
                    true, predicted = calibration_curve(y, s, n_bins=bins, strategy=strategy)
                else:
                    true, predicted = weighted_calibration(y, s, w, bins, strategy == "quantile")
                out[f"calibration.{strategy}.{bins}.observed"] = true
                out[f"calibration.{strategy}.{bins}.predicted"] = predicted
    columns = {"label": y, "score": s}
    if w is not None:
        columns["weight"] = w
    columns["amount"] = amount
    write(name, columns, out)


def handbook_card_precision(frame, k, remove):
    """Card precision top-k as defined in chapter 4 of the Fraud Detection Handbook: per day the
    highest score and the label per card, without the cards detected on earlier days; equal scores
    by ascending card number."""
    detected, daily = set(), []
    for _, day in frame.groupby("day", sort=True):
        day = day[~day.customer.isin(detected)]
        cards = day.groupby("customer")[["score", "label"]].max()
        top = cards.sort_values("score", ascending=False, kind="stable").head(k)
        found = top.index[top.label == 1]
        daily.append(len(found) / k)
        if remove:
            detected.update(found)
    return daily, float(np.mean(daily))


def card_case(name, rng, days, customers, rows, decimals):
    label = (rng.random(rows) < 0.08).astype(int)
    score = np.round(np.clip(0.5 * rng.random(rows) + 0.3 * label * rng.random(rows), 0, 1), decimals)
    frame = pd.DataFrame(
        {
            "day": rng.choice(days, rows),
            "customer": rng.integers(0, customers, rows),
            "label": label,
            "score": score,
        }
    )
    out = {}
    for k in [1, 5, 20, 1000]:
        for remove in [True, False]:
            daily, mean = handbook_card_precision(frame, k, remove)
            key = f"{k}.{'remove' if remove else 'stay'}"
            out["daily." + key], out["mean." + key] = daily, mean
    write(name, {column: frame[column].to_numpy() for column in frame}, out)


def main():
    rng = np.random.default_rng(20240607)

    def rows(n, rate):
        y = rng.random(n) < rate
        y[0], y[1] = True, False
        s = np.clip(rng.beta(2, 5, n) + 0.35 * y * rng.random(n), 0, 1)
        return y, s, np.round(rng.lognormal(3, 1, n), 2)

    y, s, a = rows(150, 0.2)
    case("distinct", y, s, None, a, True)
    y, s, a = rows(200, 0.15)
    case("ties", y, np.round(s, 1), None, a, True)
    y, s, a = rows(150, 0.25)
    case("weights", y, np.round(s, 2), np.round(rng.random(150) * 3, 3), a, True)
    # Multiples of a quarter, so that sums are exact in any order and corners are unambiguous.
    y, s, a = rows(200, 0.2)
    w = rng.integers(0, 8, 200) / 4
    case("weights_with_zero", y, np.round(s, 1), w, a, True)
    y, s, a = rows(120, 0.3)
    case("raw_scores", y, np.round(8 * s - 4, 1), None, a, False)
    y, s, a = rows(60, 0.5)
    s[:20] = rng.choice([0.0, 1.0, 0.2, 0.4, 0.6, 0.8], 20)
    case("edges", y, s, None, a, True)
    y = np.array([True, False, True, False])
    case("constant", y, np.full(4, 0.5), None, np.array([1.0, 2.0, 3.0, 4.0]), True)
    case("perfect", y, np.array([0.9, 0.1, 0.8, 0.2]), None, np.array([1.0, 2.0, 3.0, 4.0]), True)
    case("reversed", y, np.array([0.1, 0.9, 0.2, 0.8]), None, np.array([1.0, 2.0, 3.0, 4.0]), True)
    y, s, a = rows(120, 0.02)
    case("rare", y, s, None, a, True)

    card_case("cards", rng, np.arange(17700, 17707), 60, 900, 6)
    card_case("cards_with_ties", rng, np.array([-3, 0, 5, 6]), 40, 400, 1)


if __name__ == "__main__":
    main()
