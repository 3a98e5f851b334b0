"""Talks to a service or to AWS: which one, its control plane, the signaling socket of a peer, Sightline's admin API.

And what each client of a service does alike: run a machine of ``sessions``, notice another network.
"""
