"""Writes calibration_line.json: calibration slope and intercept by statsmodels, skill scores by scikit-learn.

Made with scikit-learn 1.9.1, statsmodels 0.15.0, numpy 2.4.6: python make_calibration_line.py
"""

import json
import pathlib

import numpy as np
import statsmodels.api as sm
from sklearn.metrics import d2_brier_score, d2_log_loss_score

random = np.random.default_rng(5)
cases = []
for slope, offset, rows in [(0.5, -1.0, 120), (1.6, 0.4, 90)]:
    x = random.normal(-1, 2, rows)
    p = 1 / (1 + np.exp(-x))
    y = (random.random(rows) < 1 / (1 + np.exp(-slope * x - offset))).astype(int)
    w = random.integers(0, 4, rows).astype(float)
    fit = lambda columns, offset: sm.GLM(
        y, columns, family=sm.families.Binomial(), freq_weights=w, offset=offset
    ).fit(tol=1e-15, maxiter=200)
    line, large = fit(sm.add_constant(x), None), fit(np.ones(rows), x)
    cases.append(
        {
            "labels": y.tolist(),
            "probabilities": p.tolist(),
            "weights": w.tolist(),
            "slope": [line.params[1], line.bse[1]],
            "intercept": [line.params[0], line.bse[0]],
            "in_the_large": [large.params[0], large.bse[0]],
            "brier_skill": d2_brier_score(y, p, sample_weight=w),
            "log_loss_skill": d2_log_loss_score(y, np.column_stack([1 - p, p]), sample_weight=w),
        }
    )
pathlib.Path(__file__).with_name("calibration_line.json").write_text(json.dumps(cases) + "\n")
