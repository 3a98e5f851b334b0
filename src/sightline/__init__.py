"""Sightline: live cameras over WebRTC on your own machine, on the wire of Amazon Kinesis Video Streams."""

__version__ = "0.1.0"
