"""What a person starts: how commands begin, fail and end."""
