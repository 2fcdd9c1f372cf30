"""Restoration of very many pictures, on several machines."""
