"""The endpoints: one module for each kind of client.

A module has a list ENDPOINTS. Where a request is refused, each kind of client gets the answer that it expects.
"""
