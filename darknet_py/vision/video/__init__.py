"""Videos: files, cameras and streams in, frame by frame, and files that browsers play out."""
