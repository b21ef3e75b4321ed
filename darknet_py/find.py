"""`find_network`, under the address that the pages about the family print."""

from .zoo.find import find_network

__all__ = ["find_network"]
