"""The intake of production traffic: reported calls are counted, and the contents of a random sample wait to be stored."""
