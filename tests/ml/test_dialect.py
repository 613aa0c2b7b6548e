"""One sniffer for logs and label tables: delimiter, decimal mark, encoding."""

from __future__ import annotations

import io

import pytest

from ml.tables.dialect import detect_encoding, sniff, split_line
from ml.tables.names import fold_name, words_of
from ml.tables.timestamps import parse_position, parse_timestamp
from ml.tables.units import seconds_in_unit


@pytest.mark.parametrize(
    ("lines", "delimiter", "comma"),
    [
        (["time,x", "0.1,5", "0.2,6"], ",", False),
        (["time;x", "0,1;5", "0,2;6"], ";", True),
        (["0,1 5,2", "0,2 6,1"], " ", True),
        (["0.1\t5\t", "0.2\t6\t"], "\t", False),
        (["1,2,3\t", "4,5,6\t"], ",", None),
        (["2024-01-01 00:00:00,1,2", "2024-01-01 00:00:01,3,4"], ",", None),
        (["file,label", "a.jpg,owl", "b.jpg,fox"], ",", None),
        (["file,labels", "a.jpg,owl;fox", "b.jpg,fox;owl"], ",", None),
        (["a 1.jpg,owl", "b 2.jpg,fox"], ",", None),
        (["file;species", "a.jpg;Bubo bubo", "b.jpg;Vulpes vulpes"], ";", None),
        (["1,5\t2,5\towl", "3,5\t4,5\tfox", "\\\t100,0\t200,0", "6,5\t7,5\towl, young"], "\t", True),
        (["a.jpg|owl", "b.jpg|fox"], "|", None),
        (["a.jpg owl", "b.jpg fox"], " ", None),
        (["file,text", 'a.jpg,"owl, young"', 'b.jpg,"fox, old"'], ",", None),
        (["file", "a.jpg", "b.jpg"], "\t", None),
    ],
)
def test_logs_and_label_tables_are_parted_by_the_same_rules(
    lines: list[str], delimiter: str, comma: bool | None
) -> None:
    found = sniff(lines)
    assert (found.delimiter, found.comma) == (delimiter, comma)
    assert len(split_line(lines[-1], found.delimiter)) == found.width


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("größe,1".encode(), "utf-8-sig"),
        (b"x" * (1 << 21) + "größe".encode(), "utf-8-sig"),
        (b"x" * (1 << 21) + "größe".encode("cp1252"), "cp1252"),
        ("größe".encode("utf-16"), "utf-16"),
        (b"\x89PNG\x00\x01", None),
        (b"1,2\n3,4\n\x00\x00\x00", "utf-8-sig"),
    ],
)
def test_the_encoding_is_found_wherever_the_first_letter_stands(data: bytes, encoding: str | None) -> None:
    assert detect_encoding(io.BytesIO(data)) == encoding


def test_names_compare_however_they_are_spelt() -> None:
    assert words_of("Begin Time (s)") == words_of("begin_time_s") == words_of("beginTimeS") == ["begin", "time", "s"]
    assert words_of("TimeUS") == ["time", "us"] and words_of("since1970") == ["since", "1970"]
    assert fold_name("Acc_X ") == fold_name("acc  x") and fold_name("x+") != fold_name("x-")


def test_units_of_time() -> None:
    assert [seconds_in_unit(words_of(name)) for name in ("t [µs]", "unix_ms", "time (min)", "Time", "t_s")] == [
        1e-6,
        1e-3,
        60.0,
        None,
        1.0,
    ]


def test_times_of_day_and_positions() -> None:
    assert parse_timestamp("1:02") == 3720.0 and parse_position("1:02") == 62.0
    assert parse_position("2,5") == 2.5 and parse_position("1:02:03.5") == 3723.5
    assert parse_position("-1") is None and parse_position("true") is None and parse_position("") is None
