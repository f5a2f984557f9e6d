from __future__ import annotations

from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from histpred.genome.spool import open_spool, pack_blocks, unpack_blocks

BLOCKS = st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 2**40)), min_size=1)


@given(BLOCKS)
def test_packed_blocks_unpack(blocks):
    assert list(unpack_blocks(pack_blocks(blocks))) == blocks


def test_what_a_killed_run_left_is_not_read(tmp_path):
    path = tmp_path / "rows.sqlite"
    for _ in range(2):
        with closing(open_spool(path, "create table row (number int)")) as database:
            assert database.execute("select count(*) from row").fetchone() == (0,)
            database.execute("insert into row values (1)")
            database.execute("commit")
    assert [child.name for child in tmp_path.iterdir()] == ["rows.sqlite"]
