"""What runs in the page, in Pyodide; it imports the compiler and nothing of the tools."""
