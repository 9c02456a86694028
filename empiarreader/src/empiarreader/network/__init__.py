"""Bytes over the network: connections, answers checked, ranges in parallel, patience with slow servers."""
