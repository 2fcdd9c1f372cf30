"""The networks, their layers and the table of their families."""
