"""Evidence: what a finished run showed of a candidate, with the digests that it rests on."""
