"""Compares networks trained by dafu with themselves in PyTorch: the largest differences of any output and of any score.

    DAFU_PYTHON=venv/bin/python cargo test -p dafu-sequence --features serde --test pytorch -- --ignored --nocapture

runs it on a folder of networks (`<name>.safetensors`) with events and the answers of dafu (`<name>.json`). Fails where
a score, which of log odds is the probability, is more than 1e-5 apart from that of PyTorch. What 64 bits make of the same
weights tells whose the difference is.
"""

import json
import sys
from pathlib import Path

import torch
from network import Network
from safetensors import safe_open
from safetensors.torch import load_file

torch.set_num_threads(1)
largest = [0.0] * 4
for path in sorted(Path(sys.argv[1]).glob("*.safetensors")):
    with safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["dafu.config"])
    network = Network(config).eval()
    network.load_state_dict(load_file(path))
    seen = json.loads(path.with_suffix(".json").read_text())
    numeric, codes = torch.tensor(seen["numeric"]), torch.tensor(seen["codes"])

    def outputs(network, numeric):
        with torch.no_grad():
            return torch.cat([network(numeric[start:end], codes[start:end]) for start, end in seen["spans"]])

    torch32, torch64 = outputs(network, numeric), outputs(network.double(), numeric.double())
    here = torch.tensor(seen["outputs"]).reshape(torch32.shape)
    score = torch.sigmoid if isinstance(config["task"], dict) else torch.nn.Identity()
    pairs = [(here, torch32), (score(here), score(torch32)), (here, torch64), (torch32, torch64)]
    apart = [(left - right).abs().max().item() for left, right in pairs]
    largest = [max(pair) for pair in zip(largest, apart)]
    print(f"{path.stem}: {len(here)} events, outputs up to {here.abs().max():.1f}; apart: outputs {apart[0]:.1e}, "
          f"scores {apart[1]:.1e}, dafu from 64 bits {apart[2]:.1e}, PyTorch from 64 bits {apart[3]:.1e}")
print("largest: outputs {:.1e}, scores {:.1e}, dafu from 64 bits {:.1e}, PyTorch from 64 bits {:.1e}".format(*largest))
sys.exit(largest[1] > 1e-5)
