import random

import pytest

from ingest.spool import Spool


def test_records_come_back_by_number_also_between_writes(tmp_path):
    rng = random.Random(0)
    records = [("x" * rng.randrange(2000), n) for n in range(500)]
    with Spool(tmp_path) as spool:
        for n, record in enumerate(records):
            assert spool.append(record) == n
            if n % 7 == 0:
                back = rng.randrange(n + 1)
                assert spool[back] == records[back]
        assert len(spool) == 500
        assert list(spool) == records
        assert spool[3] == records[3]


def test_nothing_is_left_on_disk_not_even_while_it_is_open(tmp_path):
    with pytest.raises(RuntimeError), Spool(tmp_path) as spool:
        spool.append("something")
        assert list(tmp_path.iterdir()) == []
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_an_empty_spool(tmp_path):
    with Spool(tmp_path) as spool:
        assert len(spool) == 0 and list(spool) == []
        with pytest.raises(IndexError):
            spool[0]
