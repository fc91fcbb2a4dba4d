"""Bytes on disk: durable writes, archives that come in, zips that go out."""
