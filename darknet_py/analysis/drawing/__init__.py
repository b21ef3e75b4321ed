"""Pictures of networks: stages and blocks found in a graph, laid out, and written as SVG, Mermaid or DOT."""
