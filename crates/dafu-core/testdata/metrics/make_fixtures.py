"""Writes the fixtures of the metrics tests with scikit-learn, numpy and pandas.

Run: pip install scikit-learn==1.9.1 pandas && python make_fixtures.py

The last bits of a few weighted values (mcc) depend on the processor; the stored ones were kept when
keys were added, so a new run may differ there.

Each case is two files: NAME.rows.csv with the input rows (label, score, weight, amount; the weight
column is absent where there are no weights), and NAME.expected.csv with one value or list per line
as `key,value value value`. Numbers are written so that they read back to the same bits.
"""

import csv
import pathlib

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp
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


def chance_to_be_first(s, size, budget):
    """The chance of each row to be within the budget when the highest scores come first and equal
    scores stand in random order; `size` is what a row takes of the budget."""
    before = np.array([size[s > x].sum() for x in s])
    tied = np.array([size[s == x].sum() for x in s])
    return np.clip((budget - before) / np.where(tied > 0, tied, 1), 0, 1)


def top_of_the_list(y, s, w):
    """Precision and recall at k, lift of a share. A row that is alerted with chance c goes to
    scikit-learn twice: alerted with weight c w, and not alerted with weight (1 - c) w."""
    unit = np.ones(len(y)) if w is None else w
    decided = np.repeat([1, 0], len(y))
    out = {}

    def twice(chance):
        weight = np.concatenate([chance * unit, (1 - chance) * unit])
        arguments = {"sample_weight": weight, "zero_division": 0}
        labels = np.concatenate([y, y])
        return (
            m.precision_score(labels, decided, **arguments),
            m.recall_score(labels, decided, **arguments),
        )

    # Rows of weight zero take nothing of a budget of rows.
    counted = (unit > 0).astype(float)
    for k in [1, 3, 10, 47, 1000]:
        chance = chance_to_be_first(s, counted, k)
        out[f"precision_at.{k}"], out[f"recall_at.{k}"] = twice(chance)
    for share in [0.01, 0.05, 0.13, 0.5, 1.0]:
        chance = chance_to_be_first(s, unit, share * unit.sum())
        out[f"lift.{share}"] = twice(chance)[0] / np.average(y, weights=unit)
    return out


def kolmogorov_smirnov(y, s, w):
    fpr, tpr, thresholds = m.roc_curve(y, s, sample_weight=w, drop_intermediate=False)
    distance = np.abs(tpr - fpr)[1:]
    at = highest_of_the_best(thresholds[1:], distance)
    if w is None:
        assert abs(ks_2samp(s[y == 1], s[y == 0]).statistic - distance[at]) < 1e-12
    return {
        "ks.threshold": thresholds[1:][at],
        "ks.true_positive_rate": tpr[1:][at],
        "ks.false_positive_rate": fpr[1:][at],
    }


def highest_of_the_best(thresholds, values):
    """Where the highest of the thresholds with the largest value is; rounding is no difference."""
    values = np.asarray(values, dtype=float)
    slack = 1e-13 * max(1.0, float(np.max(np.abs(values[np.isfinite(values)]))))
    best = np.flatnonzero(values >= np.max(values) - slack)
    return best[np.argmax(np.asarray(thresholds)[best])]


def best_thresholds(y, s, w, amount):
    """Each goal by trying every threshold, the one that alerts nobody included where allowed."""
    unit = np.ones(len(y)) if w is None else w
    thresholds = np.unique(s[unit > 0])
    decisions = [(s >= t).astype(int) for t in thresholds]
    kw = {"sample_weight": w, "zero_division": 0}
    precision = np.array([m.precision_score(y, d, **kw) for d in decisions])
    recall = np.array([m.recall_score(y, d, **kw) for d in decisions])
    alerts = np.array([np.sum((d == 1) & (unit > 0)) for d in decisions])
    out = {}

    def keep(key, candidates, values, sign=1.0):
        at = highest_of_the_best(candidates, sign * np.asarray(values))
        threshold = candidates[at]
        out[f"best.{key}.threshold"], out[f"best.{key}.value"] = threshold, values[at]
        decided = (s >= threshold).astype(int)
        counts = m.confusion_matrix(y, decided, sample_weight=w, labels=[0, 1])
        out[f"best.{key}.confusion"] = counts.ravel()  # tn fp fn tp

    curve = m.precision_recall_curve(y, s, sample_weight=w, drop_intermediate=False)
    for beta in [0.5, 1.0, 2.0]:
        values = [m.fbeta_score(y, d, beta=beta, **kw) for d in decisions]
        below, above = beta**2 * curve[0] + curve[1], (1 + beta**2) * curve[0] * curve[1]
        by_curve = np.max(above / np.where(below > 0, below, 1))
        assert abs(by_curve - max(values)) < 1e-12
        keep(f"f{beta}", thresholds, values)
    for floor in [0.2, 0.5, 0.8]:
        fits = precision >= floor
        if fits.any():
            keep(f"precision_floor.{floor}", thresholds[fits], recall[fits])
        else:
            out[f"best.precision_floor.{floor}.highest"] = np.max(precision)
        fits = recall >= floor
        keep(f"recall_floor.{floor}", thresholds[fits], precision[fits])
    thresholds, recall = np.append(thresholds, np.inf), np.append(recall, 0.0)
    alerts, decisions = np.append(alerts, 0), decisions + [np.zeros(len(y), dtype=int)]
    for budget in [0, 2, 10, 50]:
        fits = alerts <= budget
        keep(f"alert_budget.{budget}", thresholds[fits], recall[fits])
    # Errors counted; the costs by amount of `case`; the same with a dear alert on honest rows.
    for key, tp, fp, fn, share in [
        ("errors", 0.0, 1.0, 1.0, 0.0),
        ("amounts", 2.0, 3.0, 5.0, 1.0),
        ("dear_alerts", 2.0, 90.0, 5.0, 1.0),
    ]:
        missed = fn + share * amount
        rows = [np.where(d == 1, np.where(y == 1, tp, fp), y * missed) for d in decisions]
        keep(f"cost.{key}", thresholds, [float(np.sum(unit * row)) for row in rows], -1.0)
    return out


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
    out |= kolmogorov_smirnov(y, s, w)
    out |= top_of_the_list(y, s, w)
    out |= best_thresholds(y, s, w, amount)
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


def weighted_card_precision(frame, k, remove):
    """The same with the largest weight per card and day: weight of the cards found by weight of
    those checked, times the part of the budget that was used. Rows of weight zero do not count."""
    detected, daily = set(), []
    for _, day in frame[frame.weight > 0].groupby("day", sort=True):
        day = day[~day.customer.isin(detected)]
        cards = day.groupby("customer")[["score", "label", "weight"]].max()
        top = cards.sort_values("score", ascending=False, kind="stable").head(k)
        found = top[top.label == 1]
        share = found.weight.sum() / top.weight.sum() if len(top) else 0.0
        daily.append(share * len(top) / k)
        if remove:
            detected.update(found.index)
    return daily, float(np.mean(daily))


def card_case(name, rng, days, customers, rows, decimals, weights=None):
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
    if weights is not None:
        frame["weight"] = weights(rng, rows)
    out = {}
    for k in [1, 5, 20, 1000]:
        for remove in [True, False]:
            daily, mean = handbook_card_precision(frame, k, remove)
            key = f"{k}.{'remove' if remove else 'stay'}"
            out["daily." + key], out["mean." + key] = daily, mean
            if weights is not None:
                by_ones = weighted_card_precision(frame.assign(weight=1.0), k, remove)
                assert np.allclose(by_ones[0], daily, rtol=0, atol=1e-12)
                daily, mean = weighted_card_precision(frame, k, remove)
                out["weighted.daily." + key], out["weighted.mean." + key] = daily, mean
    write(name, {column: frame[column].to_numpy() for column in frame}, out)


def some_weights_are_zero(rng, rows):
    return np.round(np.clip(rng.random(rows) * 3.5 - 0.5, 0, None), 2)


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
    card_case("cards_with_weights", rng, np.arange(5), 50, 300, 1, some_weights_are_zero)


if __name__ == "__main__":
    main()
