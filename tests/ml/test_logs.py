"""Logs of sensors as devices, spreadsheets and programs write them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.core.errors import UnreadableError
from ml.core.messages import english
from ml.core.types import Windowing
from ml.media.logs.columns import IS_TIME
from ml.media.logs.log import (
    FEWEST_ROWS,
    LARGEST_BYTES,
    MOST_COLUMNS,
    Log,
    load_log,
    load_log_windows,
    log_facts,
    log_windows,
    read_log,
)
from ml.media.logs.timeline import Timeline
from ml.media.windowing import window_spans

ROWS = [(float(f"{a:.3f}"), float(f"{b:.3f}")) for a, b in np.random.default_rng(3).normal((0, 9), 1, (24, 2))]


def write(path: Path, head: str, row: Callable[[int, float, float], str], *, encoding: str = "utf-8") -> Path:
    text = head + "".join(row(number, a, b) + "\n" for number, (a, b) in enumerate(ROWS))
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("head", "row", "encoding"),
    [
        ("", lambda i, a, b: f"{a}, {b}", "utf-8"),
        ("", lambda i, a, b: f"{a}\t{b}", "utf-8"),
        ("", lambda i, a, b: f"   {a}    {b}", "utf-8"),
        ("", lambda i, a, b: f"{a};{b};", "utf-8"),
        ("", lambda i, a, b: f"{a}|{b}", "utf-8"),
        ("x,y\n", lambda i, a, b: f'"{a}","{b}"', "utf-8"),
        ("x;y\n", lambda i, a, b: f"{a};{b}".replace(".", ","), "utf-8"),
        ("", lambda i, a, b: f"{a} {b}".replace(".", ","), "utf-8"),
        ("x,y\n", lambda i, a, b: f"{a},{b}", "utf-16"),
        ("Temp °C;y\n", lambda i, a, b: f"{a};{b}", "cp1252"),
        ("﻿x,y\r\n", lambda i, a, b: f"{a},{b}\r", "utf-8"),
        ("# a comment\n# another\nx,y\n", lambda i, a, b: f"{a},{b}" + ("\n# meanwhile" if i == 4 else ""), "utf-8"),
        ("Device: logger 3\nSerial,1234\n\nx,y\n(g),(g)\n", lambda i, a, b: f"{a},{b}", "utf-8"),
        (",0,1\n", lambda i, a, b: f"{i},{a},{b}", "utf-8"),
        ('"x" "y"\n', lambda i, a, b: f'"{i + 1}" {a} {b}', "utf-8"),
        ("x,y\n", lambda i, a, b: f'"{a}","{b}"'.replace(".", ","), "utf-8"),
        ("x,y,note\n", lambda i, a, b: f"{a},{b},ok", "utf-8"),
        ("x,y,label\n", lambda i, a, b: f"{a},{b},3", "utf-8"),
    ],
)
def test_the_same_values_however_they_are_written(
    tmp_path: Path, head: str, row: Callable[[int, float, float], str], encoding: str
) -> None:
    log = read_log(write(tmp_path / "log.csv", head, row, encoding=encoding))
    np.testing.assert_allclose(log.frames, np.array(ROWS, dtype=np.float32).T)
    assert log.rate == 0.0


@pytest.mark.parametrize(
    ("head", "row", "rate"),
    [
        ("time,x\n", lambda i, a, b: f"{i * 0.02:.2f},{a}", 50.0),
        ("Zeit;x\n", lambda i, a, b: f"{i * 0.02:.2f};{a}".replace(".", ","), 50.0),
        ("time [ms],x\n", lambda i, a, b: f"{i * 20},{a}", 50.0),
        ("timestamp,x\n", lambda i, a, b: f"{1_700_000_000_000 + i * 10},{a}", 100.0),
        ("timestamp,x\n", lambda i, a, b: f"2024-03-01T10:00:{i // 10:02d}.{i % 10}00Z,{a}", 10.0),
        ("Datum;x\n", lambda i, a, b: f"01.02.2024 10:00:{i:02d};{a}", 1.0),
        ("when,x\n", lambda i, a, b: f"{i // 10:02d}:{i % 10:02d}:00,{a}", None),
        ("", lambda i, a, b: f"{i * 0.005:.3f},{a}", 200.0),
        ("x,elapsed\n", lambda i, a, b: f"{a},{i * 0.25}", 4.0),
        ("ElapsedTime,x\n", lambda i, a, b: f"{1_709_290_800_000 + i * 20},{a}", 50.0),
        ("TimeUS,x\n", lambda i, a, b: f"{81_000_000 + i * 2_500},{a}", 400.0),
        ("x,loggingTime2,y\n", lambda i, a, b: f"{a},{i * 0.04:.2f},a", 25.0),
        ("t_ms,x\n", lambda i, a, b: f"{i * 40},{a}", 25.0),
        ("unix_ms,x\n", lambda i, a, b: f"{1_709_290_800_000 + i * 20 + i % 3},{a}", 49.78),
        ("stamp,x\n", lambda i, a, b: f"{1_709_290_800 + i * 5},{a}", 0.2),
        ("stamp,x\n", lambda i, a, b: f"{1_709_290_800_000_000 + i * 5_000},{a}", 200.0),
        ("x,q\n", lambda i, a, b: f"{a},{1_709_290_800_000_000_000 + i * 20_000_000}", 50.0),
        ("clock,x\n", lambda i, a, b: f"23:59:{48 + i},{a}" if i < 12 else f"00:00:{i - 12:02d},{a}", 1.0),
    ],
)
def test_a_column_of_times_gives_the_rate(
    tmp_path: Path, head: str, row: Callable[[int, float, float], str], rate: float | None
) -> None:
    log = read_log(write(tmp_path / "log.csv", head, row))
    assert log.time_column and len(log.columns) == 1
    if rate is not None:
        assert log.rate == pytest.approx(rate)
        np.testing.assert_allclose(log.frames[0], [a for a, _ in ROWS], rtol=1e-6)


def test_what_is_called_t_but_does_not_run_evenly_is_a_measurement(tmp_path: Path) -> None:
    log = read_log(write(tmp_path / "log.csv", "t,h\n", lambda i, a, b: f"{20 + a},{b}"))
    assert log.columns == ("t", "h") and log.rate == 0.0


@pytest.mark.parametrize("name", ["t1", "data 2", "t [°C]", "min", "temps °C", "timbre", "force"])
def test_what_only_begins_like_a_time_is_a_measurement(tmp_path: Path, name: str) -> None:
    log = read_log(write(tmp_path / "log.csv", f"{name},h\n", lambda i, a, b: f"{20 + i + i * i % 7},{b}"))
    assert log.columns == (name, "h") and log.rate == 0.0


def test_a_second_clock_is_no_measurement_whatever_it_is_called(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", "time,x,rtc\n", lambda i, a, b: f"{i / 50},{a},{1_709_290_800 + i // 5}")
    log = read_log(path)
    assert log.columns == ("x",)
    assert log.left_out[0].reason == IS_TIME
    assert english(log.left_out[0].why) == (
        "The column “rtc” is left out: it holds times that are not needed or do not increase."
    )
    # What an earlier version learned from it is asked for again.
    assert load_log(path, windows(columns=("x", "rtc"), rate=50.0, clock="file")).shape == (2, 24)


def test_uneven_times_are_evened_out_and_kept_for_who_knows_better(tmp_path: Path) -> None:
    times = [0, 0.1, 0.2, 0.3, 0.6, 0.7, 0.8, 0.9, 1.3, 1.4, 1.5]
    path = tmp_path / "log.csv"
    path.write_text("time,x\n" + "".join(f"{time},{time * 10}\n" for time in times))
    log = read_log(path)
    assert log.rate == pytest.approx(10.0)
    np.testing.assert_allclose(log.frames[0], np.arange(16), atol=1e-4)
    assert log.rows.shape == (1, 11)


def test_missing_values_lie_between_their_neighbours(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    cells = ["", "1", "nan", "3", "4", "", "", "7", "8", "ERR", "10", "n/a"]
    path.write_text("x,y\n" + "".join(f"{cell},{number}\n" for number, cell in enumerate(cells)))
    assert read_log(path).frames[0].tolist() == [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10]


FORCES = [12.5, 1_308.25, -940.75, 23_456.5, 7.25, -1_234_567.5, 999.25, 1_000.0, 0.5, 45.25]


@pytest.mark.parametrize(
    ("head", "delimiter", "written"),
    [
        ("time,force,x\n", ",", lambda value: f'"{value:,.2f}"'),
        ("time;force;x\n", ";", lambda value: f"{value:,.2f}"),
        ("time;force;x\n", ";", lambda value: f"{value:,.2f}".translate(str.maketrans(".,", ",."))),
        ("time\tforce\tx\n", "\t", lambda value: f"{value:,.2f}".translate(str.maketrans(".,", ", "))),
        ("time;force;x\n", ";", lambda value: f"{value:,.2f}".replace(",", "'")),
    ],
)
def test_thousands_are_read_however_they_are_parted(
    tmp_path: Path, head: str, delimiter: str, written: Callable[[float], str]
) -> None:
    path = tmp_path / "log.csv"
    rows = (delimiter.join([written(at / 4), written(value), written(at % 3)]) for at, value in enumerate(FORCES * 3))
    path.write_text(head + "\n".join(rows) + "\n", encoding="utf-8")
    log = read_log(path)
    assert (log.columns, log.rate) == (("force", "x"), 4.0)
    np.testing.assert_allclose(log.frames[0], np.array(FORCES * 3, dtype=np.float32))


def test_whole_thousands_are_known_by_the_small_numbers_of_their_column(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("x;y\n" + "1,308;1\n308;2\n2,400;2\n" * 4)
    assert read_log(path).frames[0, :3].tolist() == [1308, 308, 2400]


def test_one_clear_number_decides_for_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("x;y\n" + "1,308;1,308\n308;0,308\n2,400;2,400\n" * 4)
    log = read_log(path)
    assert log.frames[:, :3].tolist() == [
        [np.float32(1.308), 308, np.float32(2.4)],
        [np.float32(1.308), np.float32(0.308), np.float32(2.4)],
    ]


def test_three_decimals_beside_a_bare_nought_stay_decimals(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("x;y\n" + "12.345;5\n0;7\n101.250;6\n" * 8)
    assert read_log(path).frames[0, :3].tolist() == [np.float32(12.345), 0.0, 101.25]


def test_marks_are_found_wherever_in_the_file_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("x;y\n" + "5;2\n7;1\n" * 400 + "1,5;2\n" * 3)
    log = read_log(path)
    assert log.frames[0, -1] == 1.5 and log.missing[0].words == 0


def test_a_column_with_points_among_columns_with_commas_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("x;y;z\n" + "1,5;0,2;1.308\n2,5;0,7;12.5\n" * 8)
    log = read_log(path)
    np.testing.assert_allclose(log.frames[:, :2], [[1.5, 2.5], [0.2, 0.7]])
    assert [item.name for item in log.left_out] == ["z"]


def test_a_word_in_the_first_row_does_not_make_it_the_heading(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("x,y\nwarming,7\n" + "1,2\n3,4\n" * 8)
    log = read_log(path)
    assert log.columns == ("x", "y") and log.frames[:, :2].tolist() == [[1, 1], [7, 2]]


def test_rows_without_values_below_the_heading_do_not_hide_it(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("x,y\n" + "NaN,NaN\n" * 40 + "1,2\n3,4\n" * 8)
    log = read_log(path)
    assert log.columns == ("x", "y") and log.frames.shape == (2, 16)


def test_columns_of_words_are_left_out_with_a_sentence(tmp_path: Path) -> None:
    log = read_log(write(tmp_path / "log.csv", "x,y,state,id\n", lambda i, a, b: f"{a},{b},on,{i}"))
    assert log.columns == ("x", "y")
    assert [english(item.why) for item in log.left_out] == [
        "The column “state” is left out: it holds words.",
        "The column “id” is left out: it only numbers the rows.",
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty"),
        (b"x,y\n", "no numbers"),
        (b"1,2\n3,4\n", "only 2 rows"),
        (b"hello world\nthis is a text\n" * 10, "no numbers"),
        (b"\x89PNG\r\n\x1a\n" + bytes(300), "not a text table"),
        (b"x,y\n" + b"1.5,2.5\n" * 20 + b"1,2,3\n" + b"1.5,2.5\n" * 5, "Line 22 of the file has 3 columns"),
        (b"x,y\n" + b"1.5,2.5\n" * 20 + b"1\n" + b"1.5,2.5\n" * 5, "has 1 column, but the other lines have 2"),
        (b"1" * 300_000, "too long"),
        (b"time\n" + b"".join(b"%d\n" % second for second in range(20)), "besides the time"),
        (
            (b",".join([b"1"] * 1025) + b"\n" + b",".join([b"2"] * 1025) + b"\n") * 9,
            "1,025 columns.*at most 1,024.*Remove",
        ),
    ],
)
def test_what_is_no_log_is_refused_in_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=sentence):
        log_facts(path)


def test_as_many_columns_are_read_as_can_be_learned_from_besides_the_time(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    values = np.random.default_rng(0).normal(size=(20, MOST_COLUMNS)).round(3)
    path.write_text("".join(f"{at / 50}," + ",".join(map(str, row)) + "\n" for at, row in enumerate(values)))
    log = read_log(path)
    assert log.rate == 50.0
    np.testing.assert_allclose(log.frames, values.T, rtol=1e-6)


def test_a_row_is_named_by_its_line_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    lines = ["# logger 3", "", "x,y", *["1,2", ""] * 20, "# moved", "1,2,3", *["1,2"] * 5]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(UnreadableError, match=f"Line {lines.index('1,2,3') + 1} of the file has 3 columns"):
        read_log(path)


def test_a_row_of_units_below_the_heading_is_not_the_heading(tmp_path: Path) -> None:
    for units in ("ms,m/s2,m/s2", "ms,m/s^2,-", "[ms],[m/s²],[°C]", "ms,1/min,%"):
        head = f"# logger v2\ndevice,logger,17\nt,x,y\n{units}\n"
        log = read_log(write(tmp_path / "log.csv", head, lambda i, a, b: f"{i * 20},{a},{b}"))
        assert (log.time_column, log.columns, log.rate) == ("t", ("x", "y"), 50.0)


def test_a_heading_of_letters_that_could_be_units_is_a_heading(tmp_path: Path) -> None:
    log = read_log(write(tmp_path / "log.csv", "logger,3\na,g\n", lambda i, a, b: f"{a},{b}"))
    assert log.columns == ("a", "g")


def test_a_huge_log_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    with path.open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    with pytest.raises(UnreadableError, match="larger than 250 MB"):
        read_log(path)


def test_a_log_that_was_cut_off_loses_only_its_last_row(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("1,2\n" * FEWEST_ROWS + "0.3")
    assert read_log(path).frames.shape == (2, FEWEST_ROWS)


def test_a_long_log_is_read_in_a_moment(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(60_000, 3)).round(4)
    path = tmp_path / "log.csv"
    np.savetxt(path, values, delimiter=",", fmt="%.4f")
    np.testing.assert_allclose(read_log(path).frames, values.T, rtol=1e-6)


def windows(**changed: object) -> Windowing:
    return Windowing(**{"rate": 1.0, "seconds": 8.0, "step": 4.0, "columns": ("x", "y"), "clock": "none", **changed})  # type: ignore[arg-type]


def test_columns_are_found_by_their_names(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", "y,x\n", lambda i, a, b: f"{b},{a}")
    np.testing.assert_allclose(load_log(path, windows()), np.array(ROWS, dtype=np.float32).T)
    np.testing.assert_allclose(load_log(path, windows(columns=("Y ",))), [[b for _, b in ROWS]], rtol=1e-6)


def test_a_column_of_another_name_is_not_taken_for_the_one_that_is_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", "y,accel\n", lambda i, a, b: f"{b},{a}")
    with pytest.raises(UnreadableError) as caught:
        load_log(path, windows(columns=("gyro", "y")))
    assert english(caught.value.message) == (
        "The log lacks the column “gyro” that the others have; it has “accel”. Give a column the same name in all logs."
    )


def test_a_column_that_is_empty_is_named(tmp_path: Path) -> None:
    for head, columns in (("x,y,z\n", ("x", "y", "z")), ("", ("column 1", "column 2", "column 3"))):
        path = write(tmp_path / "log.csv", head, lambda i, a, b: f"{a},,{b}")
        with pytest.raises(UnreadableError) as caught:
            load_log(path, windows(columns=columns))
        assert english(caught.value.message) == (
            f"The column “{columns[1]}” cannot be used in this log, unlike in the others: it is empty. "
            "Fix the column or leave the log out."
        )


def test_columns_without_names_are_taken_in_their_order(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", "", lambda i, a, b: f"{a},{b}")
    np.testing.assert_allclose(load_log(path, windows()), np.array(ROWS, dtype=np.float32).T)
    with pytest.raises(UnreadableError, match="has 2 columns of numbers, the others have 3"):
        load_log(path, windows(columns=("x", "y", "z")))


def by_clock(log: Log) -> Timeline:
    return log.by_clock or log.by_row


def paused(path: Path) -> Path:
    """Two bursts of 150 rows at 50 Hz with a pause between: x is 0…149, then 1000…1149."""
    rows = [(at / 50, at) for at in range(150)] + [(13 + at / 50, 1000 + at) for at in range(150)]
    path.write_text("time,x\n" + "".join(f"{time:.2f},{value}\n" for time, value in rows))
    return path


def test_a_long_pause_is_cut_and_no_window_reaches_over_it(tmp_path: Path) -> None:
    path = paused(tmp_path / "log.csv")
    log = read_log(path)
    assert (log.rate, log.frames.shape, by_clock(log).cuts) == (50.0, (1, 300), (150,))
    one = windows(columns=("x",), rate=50.0, seconds=2.0, clock="file")
    assert log_windows(path, one) == ((0.0, 2.0), (14.0, 16.0))
    cut = load_log_windows(path, one, [0.0, 1.5, 13.0, 14.5])[:, 0]
    assert cut[:, 0].tolist() == [0, 50, 1000, 1050]
    assert all(np.diff(window).tolist() == [1] * 99 for window in cut)
    # A stretch shorter than the window goes on backwards, as a log does behind its end.
    longer = load_log_windows(path, windows(columns=("x",), rate=50.0, seconds=4.0, clock="file"), [0.0, 13.0])[:, 0]
    assert longer.min(axis=1).tolist() == [0, 1000] and longer.max(axis=1).tolist() == [149, 1149]
    # At another rate and where the user says what the rate is, too.
    slower = load_log_windows(path, windows(columns=("x",), rate=25.0, seconds=2.0, clock="file"), [0.0, 13.0])[:, 0]
    assert slower[0].max() < 200 and slower[1].min() > 800
    assert (
        load_log_windows(path, windows(columns=("x",), rate=1.0, seconds=100.0, clock="asked"), [150.0]).min() == 1000
    )


def test_uneven_rows_between_pauses_are_evened_out(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    times = [at / 10 for at in range(40) if at != 20] + [60 + at / 10 for at in range(40) if at != 20]
    path.write_text("time,x\n" + "".join(f"{time},{time * 10}\n" for time in times))
    log = read_log(path)
    assert (by_clock(log).cuts, log.by_row.cuts) == ((40,), (39,))
    np.testing.assert_allclose(log.frames[0], [*range(40), *range(600, 640)], atol=1e-3)


@pytest.mark.parametrize("timed", [True, False])
def test_rows_in_which_nothing_stands_are_a_pause(tmp_path: Path, timed: bool) -> None:
    path = tmp_path / "log.csv"
    cells = [f"{at * 7 % 5},{at % 3}" if not 60 <= at < 100 else "," for at in range(160)]
    lines = [f"{at / 10},{row}" if timed else row for at, row in enumerate(cells)]
    path.write_text(("time," if timed else "") + "x,y\n" + "\n".join(lines) + "\n")
    log = read_log(path)
    assert (log.frames.shape, by_clock(log).cuts, log.by_row.cuts) == ((2, 120), (60,), (60,))
    assert [item.empty for item in log.missing] == [0, 0]


def test_rows_without_values_are_a_pause_also_where_the_clock_ticks_slower_than_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    cells = [str(at * 7 % 5) if not 1500 <= at < 1560 else "" for at in range(3000)]
    path.write_text("time,x\n" + "".join(f"{at // 50},{cell}\n" for at, cell in enumerate(cells)))
    log = read_log(path)
    assert (log.frames.shape, by_clock(log).cuts, log.by_row.cuts) == ((1, 2940), (1500,), (1500,))
    assert log.rate == pytest.approx(50.0, rel=0.02)


def test_a_clock_that_stands_still_in_all_rows_with_values_tells_no_rate(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("time,x\n" + "".join(f"12:00,{at % 7}\n" for at in range(40)) + "12:01,\n" * 30)
    log = read_log(path)
    assert (log.rate, log.frames.shape) == (0.0, (1, 40))


def test_a_log_that_is_written_in_bursts_far_apart_takes_no_memory_for_the_time_between(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    times = [burst * 60_000.0 + at / 10 for burst in range(200) for at in range(10)]
    path.write_text("time,x\n" + "".join(f"{time:.1f},{at % 7}\n" for at, time in enumerate(times)))
    tracemalloc.start()
    log = read_log(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert log.frames.shape == (1, 2000)
    assert most < 20_000_000


@pytest.mark.parametrize("seed", range(20))
def test_a_window_lies_in_the_stretch_that_it_has_most_of(tmp_path: Path, seed: int) -> None:
    """Many pauses, and windows anywhere, as in projects of version 0.1, whose times leave the pauses out."""
    rng = np.random.default_rng(seed)
    lasting = rng.integers(20, 60, 12)
    path = tmp_path / "log.csv"
    rows = [(1000 * part + at / 10, part + at / 100) for part, count in enumerate(lasting) for at in range(count)]
    path.write_text("time,x\n" + "".join(f"{time:.1f},{value}\n" for time, value in rows))
    edges = np.concatenate([[0], np.cumsum(lasting)])
    assert by_clock(read_log(path)).cuts == tuple(edges[1:-1].tolist())
    starts = rng.uniform(0, edges[-1] / 10, 30)
    asked = windows(columns=("x",), rate=10.0, seconds=4.0, clock="file")
    earlier = replace(asked, without_pauses=True)
    cut = load_log_windows(path, earlier, starts.tolist())
    for start, window in zip(np.round(starts * 10), cut[:, 0], strict=True):
        overlap = np.minimum(start + 40, edges[1:]) - np.maximum(start, edges[:-1])
        assert overlap[int(window[0])] == overlap.max() and (window // 1 == window[0] // 1).all()
    spans = log_windows(path, asked)
    now = load_log_windows(path, asked, [start for start, _end in spans])
    before = load_log_windows(path, earlier, [start for start, _end in window_spans(edges[-1] / 10, asked)])
    np.testing.assert_array_equal(now, np.unique(before, axis=0))
    assert [start // 1000 for start, _end in spans] == (now[:, 0, 0] // 1).tolist()


def test_what_is_written_now_and_then_is_no_row_of_pauses(tmp_path: Path) -> None:
    times = np.cumsum(np.tile([0.1, 0.1, 0.1, 4.0], 20))
    path = tmp_path / "log.csv"
    path.write_text("time,x\n" + "".join(f"{time:.1f},{at % 7}\n" for at, time in enumerate(times)))
    assert by_clock(read_log(path)).cuts == ()


def test_windows_behind_the_end_go_on_backwards(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("x,y\n" + "".join(f"{number},{number % 3}\n" for number in range(10)))
    cut = load_log_windows(path, windows(), [0.0, 4.0])
    assert cut[:, 0].tolist() == [[0, 1, 2, 3, 4, 5, 6, 7], [4, 5, 6, 7, 8, 9, 8, 7]]


def test_another_rate_becomes_the_projects(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    t = np.arange(400) / 100
    wave = 50 + np.sin(2 * np.pi * t)
    path.write_text("time,x\n" + "".join(f"{time:.2f},{value:.6f}\n" for time, value in zip(t, wave, strict=True)))
    given = windows(columns=("x",), rate=25.0, seconds=4.0, clock="file")
    there = load_log(path, given)
    assert there.shape == (1, 100)
    np.testing.assert_allclose(there[0], 50 + np.sin(2 * np.pi * np.arange(100) / 25), atol=0.06)
    # Where the user said what the rate is, the rows are taken as they stand.
    assert load_log(path, windows(columns=("x",), rate=25.0, clock="asked")).shape == (1, 400)


def test_late_windows_of_a_log_at_a_rate_a_little_unlike_the_others_lie_where_they_are_said_to(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("time,x\n" + "".join(f"{at / 49.2:.4f},{at / 49.2:.4f}\n" for at in range(5000)))
    given = windows(columns=("x",), rate=50.0, seconds=2.0, clock="file")
    cut = load_log_windows(path, given, [90.0])[0, 0]
    np.testing.assert_allclose(cut, 90.0 + np.arange(100) / 50, atol=0.1)
