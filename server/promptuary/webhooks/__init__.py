"""Webhooks: who receives which events, and their deliveries, signed as Standard Webhooks has it.

Other folders publish their events in the transaction of the cause; this one knows no meaning of them.
"""
