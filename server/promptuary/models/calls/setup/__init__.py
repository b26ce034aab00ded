"""The set-up of models: keys, addresses, names and packages, without which no call can succeed."""
