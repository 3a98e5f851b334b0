"""Talks to a service or to AWS: which one, its control plane, the signaling socket of a peer, Sightline's admin API."""
