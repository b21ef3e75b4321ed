"""The page that compiles in a browser tab, and what builds its folder."""
