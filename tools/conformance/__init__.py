"""The conformance kit: golden cases and a runner for any program that reads Darknet's files, a package of its own."""
