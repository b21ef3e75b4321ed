"""What is kept between runs, safely: folders that only their owner writes to, and what is known of files by hash."""
