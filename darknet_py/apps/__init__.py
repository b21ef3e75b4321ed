"""The applications: each on its own, an extra where it needs a library; none imports another."""
