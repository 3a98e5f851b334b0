"""What the black-box tests share: the service as a process, clients, Chromium, probes of the wire.

Nothing here imports `sightline`: the tests know the service by its command, its ports and its pages only.
"""
