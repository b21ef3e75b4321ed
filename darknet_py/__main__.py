"""`python -m darknet_py`: the same as `darknet-py`."""

from .cli import main

main(prog_name="darknet-py")
