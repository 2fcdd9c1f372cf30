"""What the API pages change about docstrings before they read them (an extension of griffe).

Examples become code, and what a call takes a list like that of the arguments.
"""

from typing import Any

import griffe

CHANGES = {"Example:": "Examples:", "Call arguments:": "Args: Call arguments:"}


class Sections(griffe.Extension):
    """Gives sections of docstrings the names that griffe knows."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Change the docstring of an object."""
        if obj.docstring is not None:
            lines = obj.docstring.value.splitlines()
            obj.docstring.value = "\n".join(CHANGES.get(line, line) for line in lines)
