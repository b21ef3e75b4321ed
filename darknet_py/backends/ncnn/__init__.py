"""ncnn: the parts of a graph that it has layers for, written in its own format, and NumPy for the others."""

from ..backend import Backend

BACKEND = Backend(
    "ncnn",
    "ncnn",
    f"{__name__}.session",
    package="ncnn",
    distributions=("ncnn",),
    extra="ncnn",
    reads=(".param",),
    # float16 on x86 is left out: ncnn takes the option there, and computes in float32.
    precisions={"bf16": {"x86_64": ("avx512_bf16",), "aarch64": ("bf16",)}},
)
