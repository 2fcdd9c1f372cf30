"""Training that the recipes share."""
