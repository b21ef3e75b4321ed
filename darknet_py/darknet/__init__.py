"""The front end: Darknet's cfg and weights files, in three dialects, compiled to graphs."""
