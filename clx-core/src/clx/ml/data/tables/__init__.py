"""From files to Arrow tables and back: one schema for all rows of a source, and every row kept.

Entry points: ``open_rows`` reads, ``write_rows`` writes, and ``PartFolder`` keeps the finished parts
of a long output.
"""
