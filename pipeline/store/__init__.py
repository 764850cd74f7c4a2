"""The store: collections of documents behind one port."""
