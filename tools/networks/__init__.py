"""The networks of the CSPNet paper as programs: families are functions, variants are data, cfgs are their output.

`python -m tools.networks` writes `cfgs/*.cfg` and the table in `cfgs/README.md`; nothing there is edited by hand.
"""

from .catalogue import NETWORKS
from .network import Evidence, Network

__all__ = ["NETWORKS", "Evidence", "Network"]
