from __future__ import annotations

import numpy as np
import pytest

from histpred.core.sequence import reverse_complement
from histpred.encoders.bins import OPEN, count_codons, count_four_mers, four_mer_columns
from histpred.encoders.onnx import codes_of
from support.kmers import all_words, open_codons, random_sequences, with_open_frames, words


@pytest.mark.parametrize("length", [4, 5, 20])
def test_4_mers_without_n_are_counted_bin_by_bin(length):
    sequences = [*random_sequences(5, length), b"N" * length, b"A" * length]
    found = count_four_mers(codes_of(sequences, length), four_mer_columns(both_strands=False))
    expected = [[words(sequence, 4).count(word) for word in all_words(4)] for sequence in sequences]
    assert found.tolist() == expected


def test_more_bins_than_are_counted_at_once():
    words_of_4 = all_words(4)
    found = count_four_mers(codes_of(words_of_4 * 2, 4), four_mer_columns(both_strands=False))
    np.testing.assert_array_equal(found, np.tile(np.eye(len(words_of_4)), (2, 1)))


def test_both_strands_have_the_same_counts():
    sequences = random_sequences(6, 200)
    columns = four_mer_columns(both_strands=True)
    either = [sequences, [reverse_complement(sequence) for sequence in sequences]]
    straight, reverse = (count_four_mers(codes_of(each, 200), columns) for each in either)
    assert straight.shape == (6, 136)
    np.testing.assert_array_equal(straight, reverse)
    one_strand = count_four_mers(codes_of(sequences, 200), four_mer_columns(both_strands=False))
    assert straight.sum() == one_strand.sum()


@pytest.mark.parametrize("length", [1200, 1280])
def test_codons_count_where_no_stop_is_near(length):
    sequences = with_open_frames(length, [OPEN - 1, OPEN, OPEN + 40])
    found = count_codons(codes_of(sequences, length), 20)
    expected = np.array([open_codons(sequence, 20, OPEN) for sequence in sequences])
    assert expected.sum() > 4 * OPEN
    np.testing.assert_array_equal(found, expected)
