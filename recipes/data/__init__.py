"""Training images: from files and cubes to patches."""
