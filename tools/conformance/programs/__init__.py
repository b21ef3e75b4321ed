"""Programs in the kit's protocol: what stands between its files and a library that reads Darknet's."""
