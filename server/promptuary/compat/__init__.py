"""Routes for clients of other registries; they translate between those protocols and the services of `/v1`."""
