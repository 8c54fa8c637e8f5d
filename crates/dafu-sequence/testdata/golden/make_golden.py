"""Writes the golden files of this folder: what PyTorch makes of networks of every kind.

    python -m venv venv && venv/bin/pip install torch==2.13.0 safetensors==0.8.0 numpy
    OMP_NUM_THREADS=1 venv/bin/python make_golden.py

`events.safetensors` are events, labels (NaN where unknown) and sequences. For each network `<name>.safetensors` is its
`state_dict`, `<name>.expected.safetensors` its outputs and the gradient of the mean loss of all scored events that count,
then losses, lengths of gradients and the weights after three steps of AdamW on all of them. 32 bits throughout: another
machine writes other last bits.
"""

import json
from pathlib import Path

import numpy as np
import torch
from network import Network
from safetensors.torch import save_file
from torch.nn import functional as F

FOLDER = Path(__file__).parent
NUMERIC, EMBEDDINGS = 3, [(4, 2), (3, 3)]
LENGTHS = [7, 1, 4, 2, 5, 3]
# Start, first event scored, end: all of each user's events, but those of the first in two pieces.
SPANS = [(0, 0, 4), (2, 4, 7), (7, 7, 8), (8, 8, 12), (12, 12, 14), (14, 14, 19), (19, 19, 22)]
CONTEXT, UNLABELLED = [5, 16], [3, 10, 17]
POS_WEIGHT, STEPS, RATE, DECAY, CLIP = 3.0, 3, 0.003, 0.1, 0.1

torch.set_num_threads(1)
random = np.random.default_rng(20261201)
count = sum(LENGTHS)
numeric = torch.tensor(random.normal(size=(count, NUMERIC)), dtype=torch.float32)
codes = torch.tensor(np.stack([random.integers(0, of, count) for of, _ in EMBEDDINGS], 1))
labels = torch.tensor(random.integers(0, 2, count), dtype=torch.float32)
labels[CONTEXT + UNLABELLED] = torch.nan
scorable = torch.ones(count, dtype=torch.bool)
scorable[CONTEXT] = False
save_file(
    {
        "numeric": numeric,
        "codes": codes.to(torch.int32),
        "labels": labels,
        "scorable": scorable.to(torch.uint8),
        "lengths": torch.tensor(LENGTHS, dtype=torch.int32),
        "spans": torch.tensor(SPANS, dtype=torch.int32),
    },
    FOLDER / "events.safetensors",
    {"format": "pt"},
)
scored = torch.tensor([event for _, first, end in SPANS for event in range(first, end) if scorable[event]])


def outputs_of(network):
    """Of the scored events, sequence after sequence."""
    parts = []
    for start, first, end in SPANS:
        kept = scorable[first:end]
        parts.append(network(numeric[start:end], codes[start:end])[first - start :][kept])
    return torch.cat(parts)


def classify_loss(outputs):
    known = ~labels[scored].isnan()
    return F.binary_cross_entropy_with_logits(
        outputs[known, 0], labels[scored][known], pos_weight=torch.tensor(POS_WEIGHT)
    )


def likelihood_loss(outputs):
    means, raw = outputs[:, :NUMERIC], outputs[:, NUMERIC : 2 * NUMERIC]
    variances = (8.0 * torch.tanh(raw / 8.0)).exp()
    loss = F.gaussian_nll_loss(means, numeric[scored], variances, full=True, reduction="sum")
    start = 2 * NUMERIC
    for at, (categories, _) in enumerate(EMBEDDINGS):
        log_odds = outputs[:, start : start + categories]
        loss = loss + F.cross_entropy(log_odds, codes[scored, at], reduction="sum")
        start += categories
    return loss / len(scored)


def write(name, config, loss_of):
    network = Network(config)
    with torch.no_grad():
        for weight in network.parameters():
            # States of small weights hardly differ, and gradients by attention to them are mostly rounding.
            weight.mul_(2.0)
    first = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    save_file(first, FOLDER / f"{name}.safetensors", {"format": "pt"})
    expected, losses, norms = {}, [], []
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY, eps=1e-8)
    for step in range(STEPS + 1):
        outputs = outputs_of(network)
        loss = loss_of(outputs)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            expected["outputs"] = outputs.detach().clone()
            for key, weight in network.named_parameters():
                expected[f"gradient.{key}"] = weight.grad.clone()
        if step < STEPS:
            norms.append(torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP).item())
            optimizer.step()
    assert min(norms) > CLIP, norms
    for key, weight in network.state_dict().items():
        expected[f"after.{key}"] = weight.clone()
    expected["losses"] = torch.tensor(losses)
    expected["norms"] = torch.tensor(norms)
    # One entry: several would be written in any order.
    save_file(expected, FOLDER / f"{name}.expected.safetensors", {"config": json.dumps(config)})


tasks = {
    "classify": {"classify": {"attention": False}},
    "attention": {"classify": {"attention": True}},
    "next_event": "next_event",
    "reconstruct": "reconstruct",
}
torch.manual_seed(7)
for cell in ["lstm", "gru"]:
    for layers in [1, 2]:
        for task in tasks:
            config = {
                "numeric_inputs": NUMERIC,
                "embeddings": [{"categories": of, "dimension": dimension} for of, dimension in EMBEDDINGS],
                "cell": cell,
                "layers": layers,
                "hidden_units": 6 - layers,
                "dropout": 0.0,
                "task": tasks[task],
            }
            loss_of = classify_loss if "classify" in config["task"] else likelihood_loss
            write(f"{cell}_{layers}_{task}", config, loss_of)
