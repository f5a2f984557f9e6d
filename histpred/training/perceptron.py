"""The paper's marker-conditioned perceptron: an embedding and a mark to a logit.

As in section 2.1 and appendix C of the paper: the embedding and the mark's vector (one-hot, or
trainable as in appendix E) are concatenated. Five hidden layers follow, each of them linear, ReLU,
batch norm and dropout, in this order.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from histpred.training.settings import PAPER_DROPOUT, PAPER_HIDDEN

ALIKE = 0.01  # standard deviation of the numbers of an untrained mark vector


class MarkNetwork(nn.Module):
    """A multilayer perceptron over an embedding of `dimension` numbers and one of `marks`.

    hidden: widths of the hidden layers. mark_dimension: length of the trainable vector of each
    mark; None for one-hot vectors. dropout: share of each hidden layer dropped in training, 0 to 1.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        dimension: int,
        marks: int,
        hidden: Sequence[int] = PAPER_HIDDEN,
        mark_dimension: int | None = None,
        dropout: float = PAPER_DROPOUT,
    ) -> None:
        super().__init__()
        self.dimension = dimension
        self.register_buffer("mean", torch.zeros(dimension))
        self.register_buffer("scale", torch.ones(dimension))
        # Trainable vectors start close together, so that later differences were learned.
        vectors = torch.eye(marks)
        if mark_dimension is not None:
            vectors = ALIKE * torch.randn(marks, mark_dimension)
        self.mark_vectors = nn.Parameter(vectors, requires_grad=mark_dimension is not None)
        widths = [dimension + self.mark_vectors.shape[1], *hidden]
        self.layers = [nn.Linear(*pair) for pair in pairwise(widths)]
        self.linears = nn.ModuleList(self.layers)
        # Large weights of the marks, so that the marks differ from the start.
        nn.init.normal_(self.layers[0].weight[:, dimension:])
        self.batch_norms = [nn.BatchNorm1d(width) for width in hidden]
        self.norms = nn.ModuleList(self.batch_norms)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(widths[-1], 1)

    def standardise_like(self, embeddings: Tensor) -> None:
        """Take mean and scale from the training embeddings, [n, dimension]."""
        self.mean.copy_(embeddings.mean(0))
        deviation = embeddings.std(0)
        self.scale.copy_(torch.where(deviation > 0, deviation, torch.ones_like(deviation)))

    def forward(self, embedding: Tensor) -> Tensor:
        """Logits [batch, marks] of embeddings [batch, dimension].

        The first layer is linear in embedding and mark, so the embedding's part is computed once.
        """
        layer = self.layers[0]
        of_embedding = layer.weight[:, : self.dimension]
        shared = nn.functional.linear(self._standardised(embedding), of_embedding, layer.bias)
        first = shared[:, None, :] + self.mark_part()[None, :, :]
        return self._above_first(first.flatten(0, 1)).view(len(embedding), -1)

    def mark_part(self) -> Tensor:
        """What each mark adds to the first hidden layer, [marks, hidden[0]]."""
        return self.mark_vectors @ self.layers[0].weight[:, self.dimension :].T

    def pairs(self, embedding: Tensor, mark: Tensor) -> Tensor:
        """Logits [n] of pairs of an embedding, [n, dimension], and the number of a mark, [n]."""
        joined = torch.cat([self._standardised(embedding), self.mark_vectors[mark]], dim=1)
        return self._above_first(self.layers[0](joined)).view(-1)

    def _standardised(self, embedding: Tensor) -> Tensor:
        return (embedding - self.mean) / self.scale

    def _above_first(self, first: Tensor) -> Tensor:
        """The layers after the first linear one: [rows, hidden[0]] to [rows, 1]."""
        rows = self.dropout(self.norms[0](first.relu()))
        for linear, norm in zip(self.layers[1:], self.batch_norms[1:], strict=True):
            rows = self.dropout(norm(linear(rows).relu()))
        logits: Tensor = self.output(rows)
        return logits


def averaged(networks: Sequence[MarkNetwork]) -> MarkNetwork:
    """One wide network that gives the mean of the logits of several networks of the same shape.

    Its weights are block-diagonal: each hidden layer holds those of all members side by side. It is
    for scoring, not for further training. Raises ValueError if the members standardise their inputs
    differently.
    """
    first = networks[0]
    members = len(networks)
    standards = [torch.stack([member.mean, member.scale]) for member in networks]
    if not all(torch.equal(standard, standards[0]) for standard in standards):
        raise ValueError("the networks standardise their embeddings differently")

    wide = MarkNetwork(
        first.dimension,
        len(first.mark_vectors),
        [norm.num_features * members for norm in first.batch_norms],
        mark_dimension=first.mark_vectors.shape[1] * members,
    ).eval()
    wide.mark_vectors.requires_grad_(first.mark_vectors.requires_grad)  # else one-hot vectors
    wide.mean, wide.scale = first.mean, first.scale
    with torch.no_grad():
        wide.mark_vectors.copy_(torch.cat([member.mark_vectors for member in networks], dim=1))
        weights = [member.layers[0].weight for member in networks]
        of_embeddings = torch.cat([weight[:, : first.dimension] for weight in weights])
        of_marks = torch.block_diag(*(weight[:, first.dimension :] for weight in weights))
        wide.layers[0].weight.copy_(torch.cat([of_embeddings, of_marks], dim=1))
        for i, linear in enumerate(wide.layers):
            if i > 0:
                linear.weight.copy_(torch.block_diag(*(m.layers[i].weight for m in networks)))
            linear.bias.copy_(torch.cat([m.layers[i].bias for m in networks]))
        for i, norm in enumerate(wide.batch_norms):
            parts = [m.batch_norms[i] for m in networks]
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(torch.cat([getattr(part, name) for part in parts]))
        wide.output.weight.copy_(torch.cat([m.output.weight for m in networks], dim=1) / members)
        wide.output.bias.copy_(torch.stack([m.output.bias for m in networks]).mean(0))
    return wide
