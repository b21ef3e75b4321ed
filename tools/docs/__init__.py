"""The documentation site: pages in Markdown, and a reference that is generated from the product when it is built."""
