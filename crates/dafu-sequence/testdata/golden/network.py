"""The networks of dafu-sequence as a module of PyTorch: the same names and shapes, one sequence at a time."""

import torch
from torch import nn


class Attention(nn.Module):
    """The mean of all states so far, weighted by exp(q . tanh(W h + b))."""

    def __init__(self, units):
        super().__init__()
        self.projection = nn.Linear(units, units)
        self.query = nn.Linear(units, 1, bias=False)

    def forward(self, states):
        exponents = self.query(torch.tanh(self.projection(states))).T.clamp(-40.0, 40.0)
        later = torch.ones(len(states), len(states), device=states.device).triu(1) > 0
        shares = exponents.expand(len(states), -1).masked_fill(later, -torch.inf).softmax(-1)
        return shares @ states


class Network(nn.Module):
    """`config` is the `dafu.config` of a file, read as JSON."""

    def __init__(self, config):
        super().__init__()
        self.task, numeric, units = config["task"], config["numeric_inputs"], config["hidden_units"]
        sizes = [(embedding["categories"], embedding["dimension"]) for embedding in config["embeddings"]]
        self.embeddings = nn.ModuleList(nn.Embedding(*size) for size in sizes)
        cell = {"lstm": nn.LSTM, "gru": nn.GRU}[config["cell"]]
        between = config["dropout"] if config["layers"] > 1 else 0.0
        inputs = numeric + sum(dimension for _, dimension in sizes)
        self.rnn = cell(inputs, units, config["layers"], dropout=between)
        if self.task == "reconstruct":
            self.decoder = cell(units, units, config["layers"], dropout=between)
        features, outputs = units, 2 * numeric + sum(categories for categories, _ in sizes)
        if isinstance(self.task, dict):
            features, outputs = units, 1
            if self.task["classify"]["attention"]:
                self.attention = Attention(units)
                features = 2 * units
        self.dropout = nn.Dropout(config["dropout"])
        self.head = nn.Linear(features, outputs)

    def forward(self, numeric, codes):
        """From numbers (events x inputs, float32) and codes (events x inputs, int64) to events x outputs."""
        embedded = [embedding(codes[:, at]) for at, embedding in enumerate(self.embeddings)]
        features, _ = self.rnn(torch.cat([numeric, *embedded], -1))
        if self.task == "next_event":
            features = torch.cat([torch.zeros_like(features[:1]), features[:-1]])
        elif self.task == "reconstruct":
            decoded, _ = self.decoder(features[-1].expand_as(features))
            features = decoded.flip(0)
        elif self.task["classify"]["attention"]:
            features = torch.cat([features, self.attention(features)], -1)
        return self.head(self.dropout(features))
