"""Pure rules: no I/O, no AWS, no SDK. Everything here can be tested with plain values."""
