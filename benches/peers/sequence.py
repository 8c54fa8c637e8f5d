"""LSTM and GRU networks against PyTorch; see run.sh.

One layer of 64 units over sequences of 10 events of 16 numbers, one answer for the last event. CPU seconds (user +
system) on one thread, the programs taking turns, medians; the ratio is the median of those of the turns, since a shared
machine changes its pace from one to the next. Both sides get the same numbers, labels and first weights as files; before anything is
measured, the scores of 256 sequences must agree to 1e-5, and the mean losses of an epoch in the same order to 1e-4 of them.

Parts (--only):
  - train: an epoch of Adam with batches of 256 in random order, binary cross entropy. Measured with fewer sequences
    (--sequences) and told for 100,000. PyTorch gathers its batches from one tensor by a random permutation.
  - infer: scores of 256 sequences together, and of one sequence alone. PyTorch: model.eval() under no_grad.
  - stream: one event more of one user, answer included, against nn.LSTMCell or nn.GRUCell with a linear layer; and, by
    the clock, an event of one of 100,000 users, whose state is looked up first.
  - threads: training with two threads against one, by the clock. A comment tells how much two trainings of one thread
    hinder each other, since processors share memory, caches and often a core; above 1.1 there is no verdict.
"""

import argparse
import os
import pathlib
import subprocess
import time

import numpy as np
import torch
from torch import nn

from figures import at_least, at_most, figure

PARTS = ("train", "infer", "stream", "threads")
CELLS = {"lstm": (nn.LSTM, nn.LSTMCell), "gru": (nn.GRU, nn.GRUCell)}
STEPS, INPUTS, UNITS, BATCH = 10, 16, 64, 256
TOLD_FOR = 100_000
# Two trainings beside each other against one alone, for a verdict on threads.
MOST_HINDRANCE = 1.1


class Classifier(nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.rnn = CELLS[cell][0](INPUTS, UNITS, batch_first=True)
        self.head = nn.Linear(UNITS, 1)

    def forward(self, inputs):
        return self.head(self.rnn(inputs)[0][:, -1]).squeeze(1)


class Step(nn.Module):
    """The same with one event at a time."""

    def __init__(self, cell, model):
        super().__init__()
        self.cell = CELLS[cell][1](INPUTS, UNITS)
        self.cell.load_state_dict({name.removesuffix("_l0"): value for name, value in model.rnn.state_dict().items()})
        self.head = model.head

    def forward(self, inputs, state):
        state = self.cell(inputs, state)
        return self.head(state[0] if isinstance(state, tuple) else state), state


def new_model(cell):
    torch.manual_seed(1)
    return Classifier(cell)


def weights(model):
    """All weights in the order of our `Layout`, which is that of PyTorch."""
    names = [f"rnn.{name}_l0" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")] + ["head.weight", "head.bias"]
    state = model.state_dict()
    assert list(state) == names, list(state)
    return np.concatenate([state[name].numpy().ravel() for name in names])


def write(path, values):
    np.asarray(values, dtype="<f4").tofile(path)


def cpu(call, seconds=0.2):
    """CPU seconds of one call, the mean over so many calls that they take 0.2 s or more."""
    calls = 1
    while True:
        start = time.process_time()
        for _ in range(calls):
            call()
        taken = time.process_time() - start
        if taken >= seconds:
            return taken / calls
        calls *= 4


def ours(arguments, part, cell):
    command = [arguments.ours, part, cell, arguments.folder]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {key: float(value) for key, value in (pair.split("=") for pair in out.split())}


def epoch(model, optimizer, inputs, labels, order):
    loss_of = nn.BCEWithLogitsLoss()
    losses = 0.0
    for rows in order.split(BATCH):
        optimizer.zero_grad()
        loss = loss_of(model(inputs[rows]), labels[rows])
        loss.backward()
        optimizer.step()
        losses += loss.item() * len(rows)
    return losses / len(order)


def new_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def score_difference(arguments, model, inputs):
    """The largest difference of the scores that our side wrote from PyTorch's."""
    scores = np.fromfile(arguments.folder / "scores.f32", dtype="<f4")
    with torch.no_grad():
        difference = np.abs(scores - model(inputs[:BATCH]).numpy()).max()
    assert difference <= 1e-5, f"scores differ by {difference}"
    return difference


def check(arguments, cell, inputs, labels):
    """Both sides compute the same: scores, and the mean loss of an epoch in order of the file."""
    model = new_model(cell)
    mine = ours(arguments, "check", cell)
    difference = score_difference(arguments, model, inputs)
    loss = epoch(model, new_optimizer(model), inputs, labels, torch.arange(len(labels)))
    print(f"# {cell}: largest difference of {BATCH} scores {difference:.1e}; mean loss of an epoch in order "
          f"{mine['loss']:.6f}, PyTorch {loss:.6f}")
    assert abs(mine["loss"] - loss) <= 1e-4 * loss, "the losses differ"


def ratio(name, mine, theirs, unit, reach, stretch):
    """Medians of the turns, and that of their ratios, which are all in a comment."""
    ratios = np.sort(np.divide(mine, theirs))
    print(f"# {name}: ratios of the turns " + ", ".join(f"{value:.3f}" for value in ratios))
    value = np.median(ratios)
    mine, theirs = np.median(mine), np.median(theirs)
    scale, digits = {"s": (1, 3), "us": (1e6, 2)}[unit]
    figure(name, f"{mine * scale:.{digits}f}{unit}", "PyTorch", f"{theirs * scale:.{digits}f}{unit}",
           f"{value:.4f}", f"{reach:.4g}", f"{stretch:.4g}", at_most(value, reach, stretch))


def train(arguments, cell, inputs, labels):
    model = new_model(cell)
    optimizer = new_optimizer(model)
    epoch(model, optimizer, inputs, labels, torch.arange(8 * BATCH))
    mine, theirs = [], []
    for _ in range(arguments.turns):
        mine.append(ours(arguments, "train", cell)["epoch"])
        start = time.process_time()
        epoch(model, optimizer, inputs, labels, torch.randperm(len(labels)))
        theirs.append(time.process_time() - start)
    scale = TOLD_FOR / len(labels)
    ratio(f"train_epoch/{cell}", np.multiply(mine, scale), np.multiply(theirs, scale), "s", 0.50, 0.40)


def infer(arguments, cell, inputs):
    model = new_model(cell).eval()
    together = inputs[:BATCH]
    alone = together.split(1)
    turn = [0]

    def score_one():
        turn[0] += 1
        model(alone[turn[0] % BATCH])

    taken = {key: [] for key in ("batch", "one", "torch_batch", "torch_one")}
    with torch.no_grad():
        for _ in range(arguments.turns):
            for key, value in ours(arguments, "infer", cell).items():
                taken[key].append(value)
            taken["torch_batch"].append(cpu(lambda: model(together)))
            taken["torch_one"].append(cpu(score_one))
    ratio(f"batch_{BATCH}/{cell}", taken["batch"], taken["torch_batch"], "us", 0.75, 0.5)
    ratio(f"one_sequence/{cell}", taken["one"], taken["torch_one"], "us", 1 / 15, 1 / 20)


def stream(arguments, cell, inputs):
    model = new_model(cell).eval()
    step = Step(cell, model).eval()
    events = inputs[:BATCH].reshape(-1, 1, INPUTS).unbind()
    ours(arguments, "steps", cell)
    print(f"# {cell}: largest difference of {BATCH} scores, event by event, {score_difference(arguments, model, inputs):.1e}")
    mine, theirs, users = [], [], []
    with torch.no_grad():
        state = None
        for event in inputs[0].split(1):
            answer, state = step(event, state)
        difference = abs(answer.item() - model(inputs[:1]).item())
        assert difference <= 1e-5, f"step by step the answer differs by {difference}"
        turn = [0]

        def one_step():
            turn[0] += 1
            nonlocal state
            _, state = step(events[turn[0] % len(events)], state)

        for _ in range(arguments.turns):
            mine.append(ours(arguments, "step", cell)["step"])
            theirs.append(cpu(one_step))
            users.append(ours(arguments, "users", cell))
    ratio(f"stream_step/{cell}", mine, theirs, "us", 1 / 30, 1 / 40)
    p50, p99 = (np.median([user[key] for user in users]) * 1e6 for key in ("p50", "p99"))
    print(f"# one of 100,000 users: p99 {p99:.2f}us, load average {os.getloadavg()}")
    figure(f"stream_100k_users_p50/{cell}", f"{p50:.2f}us", "none", "-", "-", "2us", "1.2us", at_most(p50, 2, 1.2))


def threads(arguments, cell):
    best = ours(arguments, "threads", cell)
    hindrance = best["beside"] / best["one"]
    print(f"# load average {os.getloadavg()}; two trainings of one thread beside each other take {hindrance:.2f} times "
          "as long as one alone")
    value = best["one"] / best["two"]
    figure(f"two_threads/{cell}", f"{best['two']:.3f}s", "one_thread", f"{best['one']:.3f}s", f"{value:.2f}", 1.7, 1.9,
           "none" if hindrance > MOST_HINDRANCE and value < 1.7 else at_least(value, 1.7, 1.9))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--cache", required=True, type=pathlib.Path)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--cell", choices=CELLS, help="only this one")
    parser.add_argument("--sequences", type=int, default=25_600, help=f"of an epoch, up to {TOLD_FOR:,} and more")
    parser.add_argument("--turns", type=int, default=9)
    arguments = parser.parse_args()
    parts = (arguments.only,) if arguments.only else PARTS
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    print(f"# load average {os.getloadavg()}, {os.cpu_count()} processors, PyTorch {torch.__version__}")

    random = np.random.default_rng(0)
    inputs = random.normal(size=(arguments.sequences, STEPS, INPUTS)).astype(np.float32)
    # Something to be learned: the numbers of the last events, summed, say who is a fraud.
    labels = (inputs[:, -3:, :4].sum(axis=(1, 2)) + random.normal(size=arguments.sequences) > 5.5).astype(np.float32)
    for cell in (arguments.cell,) if arguments.cell else CELLS:
        arguments.folder = arguments.cache / f"sequence-{cell}"
        arguments.folder.mkdir(parents=True, exist_ok=True)
        write(arguments.folder / "inputs.f32", inputs)
        write(arguments.folder / "labels.f32", labels)
        write(arguments.folder / "weights.f32", weights(new_model(cell)))
        tensors = torch.from_numpy(inputs), torch.from_numpy(labels)
        check(arguments, cell, *tensors)
        if "train" in parts:
            train(arguments, cell, *tensors)
        if "infer" in parts:
            infer(arguments, cell, tensors[0])
        if "stream" in parts:
            stream(arguments, cell, tensors[0])
        if "threads" in parts:
            threads(arguments, cell)


if __name__ == "__main__":
    main()
