"""ICE: paths to a peer, and a session that survives their change (RFC 8445, RFC 8838, RFC 8656)."""
