"""Brand kits and their assets."""
