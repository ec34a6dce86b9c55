"""Custom verbs (AIP-136) in Sanic paths, where a literal `:` would silently never match."""

UUID_TEXT = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"


def verb(parameter: str, name: str, pattern: str = UUID_TEXT) -> str:
    """The segment of `/{parameter}:name`; the handler gets the id as text."""
    return f"<{parameter}:(?P<{parameter}>{pattern}):{name}>"


def word(text: str) -> str:
    """A fixed segment that holds a colon, as in `videos:ingest`; the handler gets it as `word`."""
    return f"<word:(?P<word>{text})>"
