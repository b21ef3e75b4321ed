"""What the machine can do at best: multiply matrices, and copy memory. Networks are measured against these two.

Decision: the peak is not taken from a data sheet but from the fastest SGEMM at hand, in the same run and with the same
threads as the networks: shared and throttled machines are what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

GEMM = 1536  # rows and columns: 7 billion operations, and three matrices that fit the caches of a server
GEMM_FLOPS = 2 * GEMM**3
COPIED = 1 << 26  # bytes, beyond the cache


def gemm_numpy(threads: int) -> Callable[[], object]:
    """A product of two matrices in NumPy; its threads are set by the environment of the process."""
    a, b = _matrices()
    result = np.empty((GEMM, GEMM), np.float32)
    return lambda: np.matmul(a, b, out=result)


def gemm_onnxruntime(threads: int) -> Callable[[], object]:
    """A product of two matrices in onnxruntime, the second one constant, as the weights of a network are."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    a, b = _matrices()
    rows, product = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [GEMM, GEMM]) for n in ("a", "y"))
    node = helper.make_node("MatMul", ["a", "b"], ["y"])
    body = helper.make_graph([node], "gemm", [rows], [product], [numpy_helper.from_array(b, "b")])
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"a": a})


def copy(threads: int) -> Callable[[], object]:
    """A copy of `COPIED` bytes, a part for each thread."""
    from concurrent.futures import ThreadPoolExecutor

    source, target = np.ones(COPIED, np.uint8), np.zeros(COPIED, np.uint8)
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    pool = ThreadPoolExecutor(threads)
    return lambda: list(pool.map(lambda pair: np.copyto(*pair), parts))


# What is timed beside the networks: (work, a run's floating-point operations or bytes moved).
PEAKS: dict[str, tuple[Callable[[int], Callable[[], object]], int]] = {
    "SGEMM of NumPy": (gemm_numpy, GEMM_FLOPS),
    "SGEMM of onnxruntime": (gemm_onnxruntime, GEMM_FLOPS),
    "copy": (copy, 2 * COPIED),
}


def sgemm(peaks: Mapping[str, float]) -> float:
    """The faster of the matrix products among the peaks."""
    return max(value for name, value in peaks.items() if name.startswith("SGEMM"))


def _matrices() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((GEMM, GEMM), np.float32), rng.random((GEMM, GEMM), np.float32)
