"""Production traffic: the model calls of applications, their counters, a random sample with its probability, and feedback."""
