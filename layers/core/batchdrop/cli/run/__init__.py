"""Commands that send files and fetch outputs."""
