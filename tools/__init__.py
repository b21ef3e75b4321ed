"""Programs that make or measure what the package holds; nothing here is installed."""
