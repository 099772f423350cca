"""What stops a split in the middle of a shard."""


class OutOfTime(Exception):  # no fault: the next invocation continues. It never leaves the split.
    """The invocation must end. The shard that is being written is abandoned."""
