"""Scores rows with a forest that `IsolationForest::to_json` of dafu-iforest wrote; standard library only.

usage: score_json_forest.py FOREST.json ROWS.json           prints one score a line
       score_json_forest.py --check FOLDER                  compares with the scores in it

ROWS.json is a list of rows; null is a missing value. FOLDER holds NAME.json, NAME.rows.json and NAME.scores.json for each
forest, as the ignored tests in crates/dafu-iforest/tests/interchange_peers.rs write them.
"""

import json
import pathlib
import sys


def value_of(term, cell):
    """What a term adds, or why it adds nothing."""
    if cell is None:
        return "missing"
    if "categories" in term:
        return dict(map(tuple, term["categories"])).get(cell, "unseen")
    return term.get("coefficient", 0.0) * cell


def compared(node, row):
    """The number to compare, or "missing", or "unseen"."""
    if "column" in node:
        cell = row[node["column"]]
        return "missing" if cell is None else cell
    values = [value_of(term, row[term["column"]]) for term in node["terms"]]
    if len(values) == 1:
        return values[0]
    total = 0.0
    for term, value in zip(node["terms"], values):
        total += term.get("absent", 0.0) if isinstance(value, str) else value
    return total


def tree_value(forest, tree, row):
    nodes, total = tree["nodes"], 0.0
    waiting = [(0, 1.0, 0.0)]
    while waiting:
        at, weight, penalty = waiting.pop()
        node = nodes[at]
        if "value" in node:
            total += weight * (node["value"] - penalty)
            continue
        left, right = nodes[node["left"]], nodes[node["left"] + 1]
        value = compared(node, row)
        if value == "missing":
            goes = "both" if forest["missing"] == "divide" else node["missing"]
        elif value == "unseen":
            smaller, larger = ("right", "left") if right["rows"] < left["rows"] else ("left", "right")
            goes = {"smaller": smaller, "larger": larger, "divide": "both"}[forest["unseen"]]
        else:
            goes = "left" if value <= node["threshold"] else "right"
            low, high = node.get("range", (None, None))
            if low is not None and value < low or high is not None and value > high:
                penalty += tree["penalty"]
        share = left["rows"] / node["rows"] if goes == "both" else 1.0
        if goes != "right":
            waiting.append((node["left"], weight * share, penalty))
        if goes != "left":
            waiting.append((node["left"] + 1, weight * (1.0 - share if goes == "both" else 1.0), penalty))
    return total


def score(forest, row):
    mean = sum(tree_value(forest, tree, row) for tree in forest["trees"]) / len(forest["trees"])
    return {"2^-mean": lambda: 2.0**-mean, "1/(1+2^mean)": lambda: 1.0 / (1.0 + 2.0**mean)}[forest["formula"]]()


def check(folder):
    worst = 0.0
    for path in sorted(folder.glob("*.scores.json")):
        name = path.name.removesuffix(".scores.json")
        forest, rows = (json.loads((folder / (name + end)).read_text()) for end in (".json", ".rows.json"))
        assert (forest["format"], forest["version"]) == ("dafu-isolation-forest", 1)
        pairs = zip(rows, json.loads(path.read_text()))
        difference = max(abs(score(forest, row) - expected) for row, expected in pairs)
        print(f"{name}: {len(rows)} rows, largest difference {difference:.3g}")
        worst = max(worst, difference)
    if not worst <= 1e-9:
        sys.exit(f"{worst} is above 1e-9")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    if sys.argv[1] == "--check":
        check(pathlib.Path(sys.argv[2]))
    else:
        model, data = (json.loads(pathlib.Path(path).read_text()) for path in sys.argv[1:])
        print(*(score(model, row) for row in data), sep="\n")
