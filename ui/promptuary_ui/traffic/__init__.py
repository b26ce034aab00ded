"""The parts of the traffic page: figures by version, plots over time, and the calls of the sample."""
