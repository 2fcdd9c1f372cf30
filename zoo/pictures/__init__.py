"""Files of pictures: what they hold, their rows in and out, and what stands beside the pixels."""
