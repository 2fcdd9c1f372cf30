"""Plug-and-play against classical methods: both tuned by one search, on images not scored."""
