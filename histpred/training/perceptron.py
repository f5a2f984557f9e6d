"""The paper's marker-conditioned perceptron: an embedding and a mark to a logit.

Section 2.1 and appendix C of the paper: the embedding and the mark's vector (one-hot, or trainable
as in appendix E) are concatenated and go through five hidden layers of linear, ReLU, batch norm,
and dropout after the norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

PAPER_HIDDEN = (2048, 1024, 768, 512, 256)
"""The paper gives five hidden layers and about 5 M parameters, no widths: these make 5.1 M of
DNABERT-2's 768 numbers and 50 one-hot marks."""
ALIKE = 0.01  # length of a trainable mark vector's numbers at first


class MarkNetwork(nn.Module):
    """A multilayer perceptron over an embedding and a mark.

    Parameters
    ----------
    dimension
        Length of the embedding.
    marks
        Number of marks.
    hidden
        Widths of the hidden layers.
    mark_dimension
        Length of the trainable vector of each mark; None for one-hot vectors.
    dropout
        Share of each hidden layer that is dropped in training.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        dimension: int,
        marks: int,
        hidden: Sequence[int] = PAPER_HIDDEN,
        mark_dimension: int | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.dimension = dimension
        self.register_buffer("mean", torch.zeros(dimension))
        self.register_buffer("scale", torch.ones(dimension))
        # Trainable vectors start next to one another, so that what they are in the end was learned.
        self.mark_vectors = nn.Parameter(
            torch.eye(marks)
            if mark_dimension is None
            else ALIKE * torch.randn(marks, mark_dimension),
            requires_grad=mark_dimension is not None,
        )

        widths = [dimension + self.mark_vectors.shape[1], *hidden]
        self.linears = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        nn.init.normal_(
            self.linears[0].weight[:, dimension:]
        )  # so that the marks differ from the start
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in hidden)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(widths[-1], 1)

    def standardise_like(self, embeddings: Tensor) -> None:
        """Keep the mean and standard deviation of the training embeddings [n, dimension]."""
        self.mean.copy_(embeddings.mean(0))
        deviation = embeddings.std(0)
        self.scale.copy_(torch.where(deviation > 0, deviation, torch.ones_like(deviation)))

    def forward(self, embedding: Tensor) -> Tensor:
        """Logits [batch, marks] of embeddings [batch, dimension].

        The first layer is linear in embedding and mark, so the embedding's part is computed once
        for all marks.
        """
        of_embedding = self.linears[0].weight[:, : self.dimension]
        shared = nn.functional.linear(
            self._standardised(embedding), of_embedding, self.linears[0].bias
        )
        first = shared[:, None, :] + self.mark_part()[None, :, :]

        return self._above_first(first.flatten(0, 1)).view(len(embedding), -1)

    def mark_part(self) -> Tensor:
        """What each mark adds to the first hidden layer, [marks, hidden[0]]."""
        return self.mark_vectors @ self.linears[0].weight[:, self.dimension :].T

    def pairs(self, embedding: Tensor, mark: Tensor) -> Tensor:
        """Logits [n] of pairs: embeddings [n, dimension], each with the index of its mark [n]."""
        joined = torch.cat([self._standardised(embedding), self.mark_vectors[mark]], dim=1)
        return self._above_first(self.linears[0](joined)).view(-1)

    def _standardised(self, embedding: Tensor) -> Tensor:
        return (embedding - self.mean) / self.scale

    def _above_first(self, first: Tensor) -> Tensor:
        """What follows the first linear map: [rows, hidden[0]] to [rows, 1]."""
        rows = self.dropout(self.norms[0](first.relu()))
        for linear, norm in zip(self.linears[1:], self.norms[1:], strict=True):
            rows = self.dropout(norm(linear(rows).relu()))
        return self.output(rows)


def averaged(networks: Sequence[MarkNetwork]) -> MarkNetwork:
    """One wide network that gives the mean of the logits of several of one shape.

    Its weights are block-diagonal: each hidden layer holds those of all members side by side. The
    members must share their standardisation; the result is for scoring, not for further training.
    """
    first = networks[0]
    members = len(networks)
    if not all(
        torch.equal(member.mean, first.mean) and torch.equal(member.scale, first.scale)
        for member in networks
    ):
        raise ValueError("the networks standardise their embeddings differently")

    wide = MarkNetwork(
        first.dimension,
        len(first.mark_vectors),
        [norm.num_features * members for norm in first.norms],
        mark_dimension=first.mark_vectors.shape[1] * members,
    ).eval()
    wide.mean, wide.scale = first.mean, first.scale
    with torch.no_grad():
        wide.mark_vectors.copy_(torch.cat([member.mark_vectors for member in networks], dim=1))
        weights = [member.linears[0].weight for member in networks]
        of_embeddings = torch.cat([weight[:, : first.dimension] for weight in weights])
        of_marks = torch.block_diag(*(weight[:, first.dimension :] for weight in weights))
        wide.linears[0].weight.copy_(torch.cat([of_embeddings, of_marks], dim=1))
        for i, linear in enumerate(wide.linears):
            if i > 0:
                linear.weight.copy_(torch.block_diag(*(m.linears[i].weight for m in networks)))
            linear.bias.copy_(torch.cat([m.linears[i].bias for m in networks]))
        for i, norm in enumerate(wide.norms):
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(torch.cat([getattr(m.norms[i], name) for m in networks]))
        wide.output.weight.copy_(torch.cat([m.output.weight for m in networks], dim=1) / members)
        wide.output.bias.copy_(torch.stack([m.output.bias for m in networks]).mean(0))
    return wide
