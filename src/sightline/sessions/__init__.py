"""What masters and viewers decide, without input or output: time and chance are passed in."""
