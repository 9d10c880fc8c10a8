"""Layers over a stack of runs: every parameter has a leading axis of S runs, and so has every output.

Inputs are (B, in), shared by all runs, or (S, B, in). Initial values are drawn run by run from that run's generator, in
the order and layout in which the paper's files draw them (docs/protocol.md: Training), so that one run can be reproduced
whatever else is in the stack.
"""

import math

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F


def product(x: Tensor, weight: Tensor, start: Tensor) -> Tensor:
    """start + x @ weight per run; x (B, in) or (S, B, in), weight (S, in, out), start broadcastable to (S, B, out)."""
    x = x.expand(len(weight), *x.shape[-2:])
    takes_matrix_vector_path = 1 in (*x.shape[1:], weight.shape[2])
    if len(weight) == 1 and takes_matrix_vector_path:  # it rounds differently from the same run in a stack
        start, x, weight = (tensor.expand(2, -1, -1) for tensor in (start, x, weight))
        return torch.baddbmm(start, x, weight)[:1]
    return torch.baddbmm(start, x, weight)


class Layer(nn.Module):
    """A layer that draws the initial values of one run at a time with `reset_run(run, generator)`."""

    def reset_run(self, run: int, generator: Generator) -> None:
        """Draw the initial values of run number `run`."""
        raise NotImplementedError

    def learned(self, run: int) -> int:
        """How many values of run number `run` receive a gradient."""
        return sum(p.numel() // p.shape[0] for p in self.parameters(recurse=False))

    @torch.no_grad()
    def copy_run(self, run: int, source: int) -> None:
        """Give run number `run` the initial values of run `source`."""
        for values in self.parameters(recurse=False):
            values[run] = values[source]


def hold(module: nn.Module, name: str, values: Tensor, *, learned: bool) -> None:
    """Give `module` the tensor `values` as a parameter or, if it is not learned, as a constant."""
    if learned:
        module.register_parameter(name, nn.Parameter(values))
    else:
        module.register_buffer(name, values)


class Linear(Layer):
    """y = x W + b per run; W is (S, in, out), drawn as `torch.nn.Linear` draws it, then multiplied by `gain`."""

    def __init__(self, in_features: int, out_features: int, *, stack: int = 1, bias: bool = True, gain: float | None = None):
        super().__init__()
        self.gain = gain
        self.weight = nn.Parameter(torch.empty(stack, in_features, out_features))
        hold(self, "bias", torch.zeros(stack, out_features), learned=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in) or (S, B, in) to (S, B, out)."""
        return product(x, self.weight, self.bias.unsqueeze(1))

    @torch.no_grad()
    def reset_run(self, run: int, generator: Generator) -> None:
        _, rows, columns = self.weight.shape
        weight = torch.empty(columns, rows)
        nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
        self.weight[run] = weight.T if self.gain is None else weight.T * self.gain
        bound = 1 / math.sqrt(rows)
        drawn = torch.empty(columns).uniform_(-bound, bound, generator=generator)
        if self.bias.requires_grad:
            self.bias[run] = drawn


class BatchNorm(Layer):
    """Batch normalisation of each unit of each run, with the defaults of `torch.nn.BatchNorm1d`."""

    def __init__(self, features: int, *, stack: int = 1):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(stack, features))
        self.bias = nn.Parameter(torch.empty(stack, features))
        self.register_buffer("running_mean", torch.zeros(stack, features))
        self.register_buffer("running_var", torch.ones(stack, features))

    def forward(self, x: Tensor) -> Tensor:
        """(S, B, features) to the same shape. A batch of one row is normalised with the running values."""
        _, rows, features = x.shape
        flat = torch.cat(x.unbind(), dim=1)
        state = (t.reshape(-1) for t in (self.running_mean, self.running_var, self.weight, self.bias))
        y = F.batch_norm(flat, *state, training=self.training and rows > 1)
        return torch.stack(y.split(features, dim=1))

    @torch.no_grad()
    def reset_run(self, run: int, generator: Generator) -> None:
        self.weight[run], self.bias[run] = 1.0, 0.0
        self.running_mean[run], self.running_var[run] = 0.0, 1.0

    def copy_run(self, run: int, source: int) -> None:
        self.reset_run(run, Generator())


class LayerNorm(Layer):
    """Normalisation of each row over its units, with the defaults of `torch.nn.LayerNorm`."""

    def __init__(self, features: int, *, stack: int = 1):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(stack, features))
        self.bias = nn.Parameter(torch.empty(stack, features))

    def forward(self, x: Tensor) -> Tensor:
        """(S, B, features) to the same shape."""
        return F.layer_norm(x, x.shape[-1:]) * self.weight.unsqueeze(1) + self.bias.unsqueeze(1)

    @torch.no_grad()
    def reset_run(self, run: int, generator: Generator) -> None:
        self.weight[run], self.bias[run] = 1.0, 0.0


class Dropout(Layer):
    """Leaves out values in training, each with the probability `share`, and enlarges the others, as `torch.nn.Dropout`.

    What a run leaves out depends on its seed and on how many batches it has seen alone, so that its result depends neither on
    its neighbours in the stack nor on whether training was interrupted.
    """

    def __init__(self, share: float, *, stack: int = 1):
        super().__init__()
        self.share = share
        self.register_buffer("seed", torch.zeros(stack, dtype=torch.int64))
        self.register_buffer("batches", torch.zeros(stack, dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """(S, B, features) to the same shape."""
        if not self.training:
            return x
        self.batches += 1
        seeds = (self.seed + self.batches).tolist()
        generator = torch.Generator()
        drawn = torch.stack([torch.rand(x.shape[1:], generator=generator.manual_seed(seed)) for seed in seeds])
        return x * ((drawn >= self.share) / (1 - self.share)).to(x)

    @torch.no_grad()
    def reset_run(self, run: int, generator: Generator) -> None:
        self.seed[run] = torch.empty((), dtype=torch.int64).random_(2**62, generator=generator)
        self.batches[run] = 0

    @torch.no_grad()
    def copy_run(self, run: int, source: int) -> None:
        self.seed[run], self.batches[run] = self.seed[source], 0


class MeanEmbedding(Layer):
    """The mean of the embeddings of a text's tokens, as `torch.nn.EmbeddingBag`; the table is (S, vocabulary, width)."""

    def __init__(self, vocabulary: int, width: int, *, stack: int = 1):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(stack, vocabulary, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Token numbers (B, length) or (S, B, length), -1 behind a text's end, to (S, B, width); no tokens give 0."""
        tokens = tokens.expand(len(self.weight), *tokens.shape[-2:])
        there = tokens >= 0
        starts = there.sum(-1).cumsum(-1).roll(1, -1)
        starts[:, 0] = 0
        runs = zip(tokens, there, self.weight, starts, strict=True)
        return torch.stack([F.embedding_bag(t[h], w, first) for t, h, w, first in runs])

    @torch.no_grad()
    def reset_run(self, run: int, generator: Generator) -> None:
        self.weight[run] = torch.empty(self.weight.shape[1:]).normal_(generator=generator)
