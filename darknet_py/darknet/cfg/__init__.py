"""The front of the front end: cfg text to sections, sections to typed options, and back to text."""

from .model import Cfg, Option, Section
from .parser import parse
from .writer import spell, write

__all__ = ["Cfg", "Option", "Section", "parse", "spell", "write"]
