"""RTP and RTCP: units are packetised once for all viewers; each gets a header, protection and a place in a queue."""
