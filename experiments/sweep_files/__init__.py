"""A sweep file as tables: found, overridden, every key's place known; nothing is checked yet."""
