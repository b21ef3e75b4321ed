"""The layers that give boxes."""
