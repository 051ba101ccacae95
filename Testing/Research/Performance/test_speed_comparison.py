"""Timing of methods with a simulated clock that the methods advance."""

import numpy as np
from pseudoct_research.performance.speed_comparison import compare_speed, run_first

SCAN = np.arange(3 * 4 * 4, dtype=np.int16).reshape(3, 4, 4)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now

    def method(self, a_slice, seen=None):
        """Return a method that takes ``a_slice`` seconds per slice."""

        def work(hu):
            self.now += a_slice * len(hu)
            if seen is not None:
                seen.append(hu)
            return hu

        return work


def compare(methods, sizes, clock, **options):
    first = dict(run_first(methods, SCAN, clock))
    return list(compare_speed(methods, SCAN, sizes, first, clock=clock, **options))


def test_every_method_is_timed_at_every_size():
    clock = Clock()
    methods = {"quick": clock.method(0.5), "slow": clock.method(2.0)}
    rows = compare(methods, [1, 4], clock, runs=2)
    assert [(row["method"], row["slices"], row["seconds"]) for row in rows] == [
        ("quick", 1, [0.5, 0.5]),
        ("slow", 1, [2.0, 2.0]),
        ("quick", 4, [2.0, 2.0]),
        ("slow", 4, [8.0, 8.0]),
    ]
    assert [row["median_seconds"] for row in rows] == [0.5, 2.0, 2.0, 8.0]


def test_a_larger_scan_repeats_the_slices_and_the_first_run_is_not_counted():
    seen = []
    clock = Clock()
    compare({"one": clock.method(1, seen)}, [2, 5], clock, runs=1)
    assert [len(hu) for hu in seen] == [1, 2, 5]
    assert np.array_equal(seen[-1], SCAN[[0, 1, 2, 0, 1]])


def test_slow_methods_are_skipped():
    clock = Clock()
    methods = {"quick": clock.method(0.1), "slow": clock.method(2), "never": clock.method(31)}
    rows = compare(methods, [2, 10, 20], clock, runs=1, limit_seconds=30)
    sizes = {name: [r["slices"] for r in rows if r["method"] == name] for name in methods}
    assert sizes == {"quick": [2, 10, 20], "slow": [2, 10], "never": []}


def test_a_method_with_a_constant_cost_is_timed_at_every_size():
    clock = Clock()

    def tuned(hu):
        clock.now += 25 + 0.01 * len(hu)

    rows = compare({"tuned": tuned}, [1, 10, 200], clock, limit_seconds=30)
    assert [row["slices"] for row in rows] == [1, 10, 200]


def test_on_one_slice_the_first_run_of_a_slow_method_is_used():
    clock, seen = Clock(), []
    methods = {"quick": clock.method(1), "slow": clock.method(31, seen)}
    rows = compare(methods, [1, 10], clock, runs=2, limit_seconds=30)
    assert [(row["method"], row["slices"], row["seconds"]) for row in rows] == [
        ("quick", 1, [1, 1]),
        ("slow", 1, [31]),
        ("quick", 10, [10, 10]),
    ]
    assert len(seen) == 1


def test_a_first_run_gives_the_result_of_one_slice():
    clock = Clock()
    name, first = next(run_first({"one": clock.method(2)}, SCAN, clock))
    assert (name, first.seconds) == ("one", 2)
    assert np.array_equal(first.hu, SCAN[:1])
