"""The formats of the KVS wire, without I/O and without a clock: messages, ARNs, ids, signatures, the API's model.

KVS field names stay KVS-cased only in here.
"""
