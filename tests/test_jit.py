"""Functions that numba compiles at their first call."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from flancompile.jit import njit


@njit
def _half(n):  # type: ignore[no-untyped-def]
    return n // 2


@njit
def _halvings(n):  # type: ignore[no-untyped-def]
    steps = 0
    while n > 1:
        n = _half(n)
        steps += 1
    return steps


@njit
def _all_halvings(numbers):  # type: ignore[no-untyped-def]
    out = np.zeros(len(numbers), np.int64)
    for n in range(len(numbers)):
        out[n] = _halvings(numbers[n])
    return out


@njit
def _steps_to_zero(n):  # type: ignore[no-untyped-def]
    return 0 if n == 0 else 1 + _steps_to_zero(n - 1)


def test_compiled_functions_call_each_other() -> None:
    numbers = np.arange(1, 70, dtype=np.int64)
    expected = [int(n).bit_length() - 1 for n in numbers]
    assert _all_halvings(numbers).tolist() == expected
    assert [_halvings(int(n)) for n in numbers] == expected
    assert _steps_to_zero(9) == 9


def test_threads_compile_a_function_once() -> None:
    @njit
    def twice(numbers):  # type: ignore[no-untyped-def]
        return numbers * 2

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: twice(np.full(3, n)).tolist(), range(20)))
    assert found == [[2 * n] * 3 for n in range(20)]


def test_an_import_loads_no_compiler() -> None:
    modules = "flancompile.compiler.pipeline, flancompile.tokenizer.load, flancompile.store.writer"
    code = f"import sys, {modules}; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
