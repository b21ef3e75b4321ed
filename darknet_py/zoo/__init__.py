"""Networks by name: installed cfgs, trained models that are fetched, and the names of classes."""
