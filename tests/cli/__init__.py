"""The command line's tests, a package because they share the fixtures of `conftest`."""
