"""The network: requests, the stream's connection, and the meaning of responses."""
