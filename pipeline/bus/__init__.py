"""The bus: topics, offsets and consumer groups behind one port."""
