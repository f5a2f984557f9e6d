from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

REASON = "needs the extra encoders: HISTPRED_EXTRAS=encoders bin/test"
torch = pytest.importorskip("torch", reason=REASON)

from histpred.core.errors import TemporaryError, is_memory  # noqa: E402
from histpred.encoders.batching import Batcher, Tokens  # noqa: E402

PAD = 99
CPU = torch.device("cpu")


class Fake:
    """A model whose hidden state of a token is (the token, its square, 1), and what it was given.

    At padding it is far off, so that it is seen where padding counts. `room`: items that it takes
    at once; above that it raises `error`.
    """

    def __init__(self, room=None, error=torch.OutOfMemoryError):
        self.room = room
        self.error = error
        self.batches = []
        self.refused = 0

    def __call__(self, ids, mask):
        if self.room is not None and len(ids) > self.room:
            self.refused += 1
            raise self.error("CUDA out of memory. Tried to allocate 2.00 GiB")
        self.batches.append((ids.clone(), mask if mask is None else mask.clone()))
        tokens = ids.float()
        tokens[ids == PAD] = -1e6
        return torch.stack([tokens, tokens**2, torch.ones_like(tokens)], dim=2)

    @property
    def sizes(self):
        return [len(ids) for ids, _ in self.batches]


def batcher(fake, tokens_at_once=1000, alone=False):
    made = Batcher(fake, 3, CPU, pad=PAD)
    made.tokens_at_once = tokens_at_once
    made._alone = alone
    return made


def pieces(*lengths, seed=0):
    """Token lists of these lengths; all of the tokens count but the first."""
    rng = np.random.default_rng(seed)
    return [Tokens(rng.integers(0, 20, n), np.arange(n) > 0) for n in lengths]


def brute_force(given):
    vectors = np.zeros((len(given), 3))
    for row, (ids, counted) in enumerate(given):
        kept = [float(token) for token, counts in zip(ids, counted, strict=True) if counts]
        for token in kept:
            vectors[row] += np.array([token, token * token, 1]) / len(kept)
    return vectors


@pytest.mark.parametrize("tokens_at_once", [1, 10, 17, 30, 1000])
@pytest.mark.parametrize("alone", [True, False])
def test_vectors_are_the_means_over_the_counted_tokens_in_the_order_given(tokens_at_once, alone):
    given = pieces(5, 9, 2, 2, 30, 9, 7)
    vectors, tokens = batcher(Fake(), tokens_at_once, alone).means(given)
    np.testing.assert_allclose(vectors, brute_force(given), rtol=1e-5)
    assert tokens.tolist() == [4, 8, 1, 1, 29, 8, 6]
    assert (vectors.dtype, tokens.dtype) == (np.float32, np.int64)


def test_what_counts_may_lie_anywhere():
    ids = np.array([3, 5, 7, 11])
    given = [Tokens(ids, np.array(counted, bool)) for counted in ([0, 1, 0, 1], [1, 0, 0, 0])]
    vectors, tokens = batcher(Fake()).means(given)
    np.testing.assert_allclose(vectors[:, 0], [8, 3], rtol=1e-6)
    assert tokens.tolist() == [2, 1]


def test_a_batch_holds_no_more_tokens_than_allowed_padding_included():
    fake = Fake()
    batcher(fake, 40).means(pieces(*range(2, 25)))
    sizes = [ids.numel() for ids, _ in fake.batches]
    assert max(sizes) <= 40
    assert len(sizes) < 23


def test_batches_are_as_large_as_allowed():
    fake = Fake()
    batcher(fake, 40).means(pieces(*[10] * 9))
    assert fake.sizes == [4, 4, 1]


def test_a_piece_longer_than_a_batch_may_be_goes_alone():
    fake = Fake()
    batcher(fake, 10).means(pieces(50, 5, 5))
    assert fake.sizes == [1, 2]


def test_the_longest_go_first():
    fake = Fake()
    batcher(fake, 20).means(pieces(3, 20, 7, 11, 4))
    assert [ids.shape[1] for ids, _ in fake.batches] == [20, 11, 7, 3]


def test_on_a_cpu_each_piece_goes_alone():
    fake = Fake()
    Batcher(fake, 3, CPU, pad=PAD).means(pieces(4, 4, 6))
    # In any order: each has a core of its own.
    assert sorted(tuple(ids.shape) for ids, _ in fake.batches) == [(1, 4), (1, 4), (1, 6)]


def test_padding_follows_the_tokens_and_the_mask_tells_it():
    fake = Fake()
    given = pieces(2, 5, 3)
    batcher(fake).means(given)
    ((ids, mask),) = fake.batches
    assert mask.tolist() == [[True] * n + [False] * (5 - n) for n in (5, 3, 2)]
    assert (ids[~mask] == PAD).all()
    for row, piece in zip((1, 2, 0), ids, strict=True):
        assert piece[: len(given[row].ids)].tolist() == given[row].ids.tolist()


def test_without_padding_there_is_no_mask():
    fake = Fake()
    batcher(fake).means(pieces(4, 4, 4))
    ((ids, mask),) = fake.batches
    assert ids.shape == (3, 4)
    assert mask is None


@pytest.mark.parametrize("alone", [True, False])
def test_a_piece_of_which_nothing_counts_is_not_sent_and_has_zeros(alone):
    fake = Fake()
    nothing = Tokens(np.array([1, 2, 3]), np.zeros(3, bool))
    empty = Tokens(np.zeros(0, np.int64), np.zeros(0, bool))
    given = [*pieces(4), nothing, empty, *pieces(6, seed=1)]
    vectors, tokens = batcher(fake, alone=alone).means(given)
    assert sum(fake.sizes) == 2
    assert tokens.tolist() == [3, 0, 0, 5]
    np.testing.assert_allclose(vectors, brute_force(given), rtol=1e-5)
    assert not vectors[1:3].any()


@pytest.mark.parametrize("given", [[], [Tokens(np.array([1, 2]), np.zeros(2, bool))]])
def test_nothing_to_run_runs_nothing(given):
    fake = Fake()
    vectors, tokens = batcher(fake).means(given)
    assert vectors.shape == (len(given), 3)
    assert tokens.tolist() == [0] * len(given)
    assert fake.batches == []


# Out of memory


@pytest.mark.parametrize("room", [1, 2, 3, 5, 7])
def test_out_of_memory_goes_on_with_smaller_batches_and_the_same_result(room):
    given = pieces(*range(2, 30))
    fake = Fake(room)
    found = batcher(fake).means(given)
    assert fake.refused > 0
    np.testing.assert_array_equal(found.vectors, batcher(Fake()).means(given).vectors)
    assert sum(fake.sizes) == len(given)


def test_out_of_memory_halves_the_batch():
    fake = Fake(room=5)
    batcher(fake, 160).means(pieces(*[10] * 16))
    assert fake.refused == 2
    assert fake.sizes == [4, 4, 4, 4]


class Greedy(Fake):
    """Asks for 4 PiB where Fake only says that it lacks memory."""

    def __call__(self, ids, mask):
        if len(ids) > self.room:
            self.refused += 1
            torch.empty(1 << 50, device=ids.device)
        return super().__call__(ids, mask)


@pytest.mark.gpu
def test_a_gpu_that_is_out_of_memory_goes_on_with_smaller_batches(cuda, caplog):
    fake = Greedy(room=5)
    made = Batcher(fake, 3, torch.device(cuda), pad=PAD)
    made.tokens_at_once = 160
    given = pieces(*range(2, 11), *[10] * 8)
    with caplog.at_level(logging.WARNING):
        vectors, _ = made.means(given)
    np.testing.assert_allclose(vectors, brute_force(given), rtol=1e-5)
    assert fake.refused > 0
    assert max(fake.sizes) <= fake.room
    assert f"{cuda} is out of memory" in caplog.text


def test_out_of_memory_halves_what_was_sent_not_what_was_allowed():
    fake = Fake(room=2)
    batcher(fake, 10**9).means(pieces(*[10] * 4))
    assert fake.refused == 1


def test_out_of_memory_is_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        batcher(Fake(room=2)).means(pieces(9, 9, 9))
    assert "cpu is out of memory with 3 chunks in a batch" in caplog.text


def test_the_smaller_batch_is_remembered():
    fake = Fake(room=5)
    made = batcher(fake, 160)
    made.means(pieces(*[10] * 16))
    assert made.tokens_at_once == 40
    refused = fake.refused
    made.means(pieces(*[10] * 16))
    assert fake.refused == refused


def test_memory_that_does_not_suffice_for_one_piece_is_a_temporary_error():
    with pytest.raises(TemporaryError, match="one chunk of 12 tokens") as caught:
        batcher(Fake(room=0)).means(pieces(12, 3))
    assert caught.value.exit_code == 75
    assert isinstance(caught.value.__cause__, torch.OutOfMemoryError)


def test_after_a_temporary_error_the_next_call_is_served():
    fake = Fake(room=0)
    made = batcher(fake)
    with pytest.raises(TemporaryError):
        made.means(pieces(4))
    fake.room = None
    np.testing.assert_allclose(made.means(pieces(4)).vectors, brute_force(pieces(4)), rtol=1e-5)


def test_another_error_passes_through():
    fake = Fake(room=1, error=lambda _: RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        batcher(fake).means(pieces(4, 4))
    assert fake.refused == 1


@pytest.mark.parametrize(
    "message",
    [
        "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
        "you tried to allocate 8 bytes. Error code 12 (Cannot allocate memory)",
        "[enforce fail at alloc_cpu.cpp:116] data. DefaultCPUAllocator: not enough memory: you "
        "tried to allocate 8 bytes.",
        "MPS backend out of memory (MPS allocated: 20.48 GiB, other allocations: 146.27 GiB, max "
        "allowed: 163.20 GiB). Tried to allocate 2.00 GiB on private pool.",
    ],
)
def test_runtime_errors_for_want_of_memory_count_as_such(message):
    fake = Fake(room=1, error=lambda _: RuntimeError(message))
    given = pieces(4, 4)
    found = batcher(fake).means(given).vectors
    assert fake.refused == 1
    np.testing.assert_allclose(found, brute_force(given), rtol=1e-5)


def test_what_torch_really_raises_on_a_cpu_counts_as_out_of_memory():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**62, dtype=torch.uint8)
    assert is_memory(caught.value)


def test_another_error_of_torch_is_raised():
    def fails(message):
        return RuntimeError("CUDA error: device-side assert triggered")

    with pytest.raises(RuntimeError, match="device-side assert"):
        batcher(Fake(room=1, error=fails)).means(pieces(4, 4))


def test_one_batch_at_a_time_is_on_the_device():
    fake = Fake()
    inside = []

    def forward(ids, mask):
        inside.append(+1)
        assert sum(inside) == 1
        hidden = fake(ids, mask)
        torch.randn(200, 200) @ torch.randn(200, 200)  # another thread would get its turn here
        inside.append(-1)
        return hidden

    made = batcher(forward, 20)
    given = [pieces(*[5] * 12, seed=seed) for seed in range(12)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(made.means, given))
    for result, expected in zip(found, map(brute_force, given), strict=True):
        np.testing.assert_allclose(result.vectors, expected, rtol=1e-5)


def test_torchs_number_of_threads_is_left_as_it_was():
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        Batcher(Fake(), 3, CPU, pad=PAD).means(pieces(4, 4, 6))
        with ThreadPoolExecutor(1) as pool:  # a thread that starts later
            later = pool.submit(torch.get_num_threads).result()
        assert (torch.get_num_threads(), later) == (before + 1, before + 1)
    finally:
        torch.set_num_threads(before)


def test_on_a_cpu_each_chunk_runs_on_one_thread():
    found = []

    def forward(ids, mask):
        found.append(torch.get_num_threads())
        return torch.zeros(*ids.shape, 3)

    Batcher(forward, 3, CPU).means(pieces(4, 4, 6))
    assert found == [1, 1, 1]
