"""Networks in tiles: what a network looks at, how a picture is cut, and how it comes together."""
