"""The local servers: started, watched and stopped together."""
