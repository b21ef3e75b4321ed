"""What can be said of a network without running it: tables, costs, differences, drawings, charts."""
