"""Peer connections: the interface that masters and viewers use, and what stands behind it."""
