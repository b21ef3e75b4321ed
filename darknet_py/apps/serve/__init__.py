"""A server of networks over HTTP: the Open Inference Protocol, a plain way for people with curl, and a page."""
