"""What can happen: one frozen dataclass per event type, in files by what they are about.

Event names are dotted text, never class paths, so that classes may move. A change of meaning is a new name; a change
of shape is a new `schema_version` with an upcaster in `ledger.registry`. Times are not part of a body: an event
happened when its transaction was recorded.
"""
