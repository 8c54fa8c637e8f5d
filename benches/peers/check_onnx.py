"""Runs ONNX models of dafu-iforest in onnxruntime and compares with the scores that dafu-iforest gave.

usage: check_onnx.py FOLDER

FOLDER holds NAME.onnx, NAME.rows.json and NAME.scores.json for each forest, as the ignored tests in
crates/dafu-iforest/tests/interchange_peers.rs write them. Needs the packages of requirements-onnx.txt.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime

TOLERANCE = 1e-6


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    worst = 0.0
    paths = sorted(folder.glob("*.onnx"))
    for path in paths:
        name = path.stem
        rows = np.array(json.loads((folder / f"{name}.rows.json").read_text()), dtype=np.float64)
        expected = np.array(json.loads((folder / f"{name}.scores.json").read_text()))
        onnx.checker.check_model(onnx.load(path), full_check=True)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        (scores,) = session.run(["score"], {"rows": rows})
        assert scores.shape == expected.shape and scores.dtype == np.float64, (scores.shape, scores.dtype)
        one_by_one = [session.run(["score"], {"rows": row[None]})[0][0] for row in rows]
        difference = max(np.abs(scores - expected).max(), np.abs(one_by_one - expected).max())
        print(f"{name}: {len(rows)} rows, largest difference {difference:.3g}")
        worst = max(worst, difference)
    if not paths or not worst <= TOLERANCE:
        sys.exit(f"{len(paths)} models, {worst} is above {TOLERANCE}")


if __name__ == "__main__":
    main()
