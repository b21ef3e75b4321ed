"""The words of other programs, answered by this one."""
