"""What is done with the results of `darknet-py run`: objects are followed, files and lines are written."""
